"""Several choices in one call: each is weighed, each arrives whole, and one that never ends ends the answer badly."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.models import Model
from quotas.models import Allowance
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

# The official client; its types would refuse much of what a test must try.
Client = Any

HELLO = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    Model.objects.update(allows_many=True, prompt_weight=3)
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


def check_charged(outcome: Outcome, prompts: int) -> None:
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts) == (outcome, prompts)
    assert list(Allowance.objects.values_list("used", "held")) == [(prompts, 0)]


def test_each_choice_is_weighed(client: Client, offered: FakeUpstream) -> None:
    answer = client.chat.completions.create(model="several", messages=HELLO, n=2)

    assert [choice.message.content for choice in answer.choices] == [ANSWER] * 2
    assert offered.calls()[0].body["n"] == 2
    check_charged(Outcome.SERVED, 6)  # two of a model that weighs three (D1)


def test_each_streamed_choice_is_weighed(client: Client) -> None:
    said, ends = ["", ""], []
    for chunk in client.chat.completions.create(model="several", messages=HELLO, n=2, stream=True):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            ends += [choice.index] if choice.finish_reason else []

    assert (said, ends) == ([ANSWER] * 2, [0, 1])
    check_charged(Outcome.SERVED, 6)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_choice_that_never_ends_is_no_whole_answer(client: Client, stream: bool) -> None:
    with pytest.raises(openai.APIError) as raised:
        list(client.chat.completions.create(model="several-but-one-unfinished", messages=HELLO, n=2, stream=stream))

    assert raised.value.code == "upstream_error"
    check_charged(Outcome.UPSTREAM_FAILED, 0)
