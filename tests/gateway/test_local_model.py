"""The small model itself, through the whole walk: catalog, admission, relay, conclusion."""

import openai
import pytest

from gateway.services import LOCAL_MODEL_NAME
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome, UsageSource

pytestmark = pytest.mark.local_model


def test_the_local_model_streams_an_answer(local_server: Server, saras_key: str) -> None:
    with (
        openai.OpenAI(base_url=local_server.api, api_key=saras_key) as client,
        client.chat.completions.create(
            model=LOCAL_MODEL_NAME,
            messages=[{"role": "user", "content": "Name one color."}],
            max_tokens=24,
            stream=True,
        ) as stream,
    ):
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks).strip()
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    record = UsageRecord.objects.get()
    assert (record.outcome, record.usage_source, record.prompts) == (Outcome.SERVED, UsageSource.REPORTED, 1)
    assert record.provider == "local"
