"""The small model itself, through the whole walk: catalog, admission, relay, conclusion."""

from pathlib import Path

import openai
import pytest

from accounts.models import User
from accounts.services import create_api_key
from gateway.services import LOCAL_MODEL_NAME, sync_catalog
from tests.servers import free_port, running_server
from usage.models import UsageRecord
from usage.types import Outcome, UsageSource

pytestmark = pytest.mark.local_model


def test_the_local_model_streams_an_answer(sara: User, transactional_db: None, tmp_path: Path) -> None:
    sync_catalog()
    _key, secret = create_api_key(user_id=sara.id, name="laptop")
    port = free_port()
    environment = {"LOCAL_MODEL": "1", "LOCAL_MODEL_URL": f"http://127.0.0.1:{port}/v1"}

    with (
        running_server(tmp_path, port=port, command=["-m", "config.local_model", str(port)], health="/health"),
        running_server(tmp_path, environment=environment) as server,
        openai.OpenAI(base_url=server.api, api_key=secret) as client,
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
