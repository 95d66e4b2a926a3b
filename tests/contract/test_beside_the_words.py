"""What a program asks for beside words, and what a model says beside them, gets to the other end."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.models import Model, Upstream
from tests.fakes.dialects import CITED, THOUGHT
from tests.fakes.upstream import ANSWER, FakeUpstream
from tests.servers import Server

# The official client; its types know nothing of thoughts.
Client = Any

HELLO = [{"role": "user", "content": "Hello?"}]
MOST = 64

pytestmark = pytest.mark.both_databases

both_forms = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
both_speakers = pytest.mark.parametrize("speaks_responses", [False, True], ids=["translated", "native"])


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


# ---- likelihoods -----------------------------------------------------------------------------------------------


@both_forms
def test_how_likely_each_token_was_comes_with_it(client: Client, offered: FakeUpstream, stream: bool) -> None:
    asked = {"logprobs": True, "top_logprobs": 2}
    answer = client.chat.completions.create(model="scholar", messages=HELLO, stream=stream, **asked)

    choices = [chunk.choices[0] for chunk in answer] if stream else answer.choices
    said = "".join(choice.delta.content or "" if stream else choice.message.content for choice in choices)
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert said.startswith(ANSWER)
    assert "".join(token.token for token in tokens) == said
    assert {token.logprob for token in tokens} == {-0.5}
    assert offered.calls()[0].body.items() >= asked.items()


@both_speakers
@both_forms
def test_a_response_says_how_likely_each_token_was(
    client: Client, offered: FakeUpstream, stream: bool, speaks_responses: bool
) -> None:
    Upstream.objects.update(speaks_responses=speaks_responses)
    asked = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    model = "native" if speaks_responses else "scholar"
    answer = client.responses.create(model=model, input="Hello?", stream=stream, **asked)
    events = list(answer) if stream else []
    final = events[-1].response if stream else answer

    [part] = final.output[0].content
    assert part.text.startswith(ANSWER)
    assert "".join(token.token for token in part.logprobs) == part.text
    assert {token.logprob for token in part.logprobs} == {-0.5}
    for event in events:
        if event.type == "response.output_text.delta":
            assert [(token.token, token.logprob) for token in event.logprobs] == [(event.delta, -0.5)]
    sent = asked if speaks_responses else {"logprobs": True, "top_logprobs": 2}
    assert offered.calls()[0].body.items() >= sent.items()


# ---- thoughts --------------------------------------------------------------------------------------------------


@both_forms
def test_how_a_model_thought_comes_under_the_name_its_provider_gives_it(client: Client, stream: bool) -> None:
    answer = client.chat.completions.create(model="reasons", messages=HELLO, stream=stream)

    said = [chunk.choices[0].delta for chunk in answer] if stream else [answer.choices[0].message]
    assert "".join(getattr(piece, "reasoning_content", "") for piece in said) == THOUGHT
    assert "".join(piece.content or "" for piece in said) == ANSWER


def test_what_came_beside_the_words_of_an_earlier_answer_may_be_sent_back_and_goes_no_further(
    client: Client, offered: FakeUpstream
) -> None:
    said = {"role": "assistant", "content": ANSWER}
    beside = {"reasoning_content": THOUGHT, "reasoning": THOUGHT, "annotations": CITED}
    client.chat.completions.create(model="good", messages=[*HELLO, {**said, **beside}, *HELLO])

    assert offered.calls()[0].body["messages"] == [*HELLO, said, *HELLO]


def test_a_thought_goes_back_to_the_model_that_wants_it(client: Client, offered: FakeUpstream) -> None:
    """As DeepSeek's models do that think and call tools: without it they answer 400."""
    Upstream.objects.update(extra_fields="reasoning_content")
    said = {"role": "assistant", "content": ANSWER, "reasoning_content": THOUGHT}
    client.chat.completions.create(model="good", messages=[*HELLO, {**said, "annotations": CITED}, *HELLO])

    assert offered.calls()[0].body["messages"] == [*HELLO, said, *HELLO]


@both_speakers
def test_a_thought_among_the_items_of_a_conversation_goes_to_who_has_a_word_for_it(
    client: Client, offered: FakeUpstream, speaks_responses: bool
) -> None:
    Upstream.objects.update(speaks_responses=speaks_responses)
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": THOUGHT}],
    }
    client.responses.create(model="native" if speaks_responses else "good", input=[thought, *HELLO])

    body = offered.calls()[0].body
    assert (body["input"] if speaks_responses else body["messages"]) == [
        *([thought] if speaks_responses else []),
        *HELLO,
    ]


# ---- lengths ---------------------------------------------------------------------------------------------------


def test_a_vector_is_as_long_as_was_asked_for(client: Client, offered: FakeUpstream) -> None:
    client.embeddings.create(model="embed-good", input="one", dimensions=256)

    assert offered.calls()[0].body["dimensions"] == 256


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, MOST),
        ({"max_tokens": 100}, MOST),
        ({"max_completion_tokens": 100}, MOST),
        ({"max_tokens": 100, "max_completion_tokens": 200}, MOST),
        ({"max_tokens": 9, "max_completion_tokens": 200}, 9),
        ({"max_tokens": 200, "max_completion_tokens": 9}, 9),
    ],
    ids=str,
)
def test_an_answer_is_no_longer_than_its_model_allows_under_either_name(
    client: Client, offered: FakeUpstream, asked: dict[str, int], sent: int
) -> None:
    Model.objects.filter(name="good").update(max_output_tokens=MOST)
    client.chat.completions.create(model="good", messages=HELLO, **asked)

    body = offered.calls()[0].body
    assert {name: body[name] for name in body if name.startswith("max_")} == {"max_tokens": sent}


@both_speakers
@pytest.mark.parametrize(
    ("asked", "sent"), [({}, MOST), ({"max_output_tokens": 100}, MOST), ({"max_output_tokens": 20}, 20)]
)
def test_nor_is_a_response(
    client: Client, offered: FakeUpstream, asked: dict[str, int], sent: int, speaks_responses: bool
) -> None:
    Upstream.objects.update(speaks_responses=speaks_responses)
    Model.objects.update(max_output_tokens=MOST)
    client.responses.create(model="native" if speaks_responses else "good", input="Hello?", **asked)

    body = offered.calls()[0].body
    name = "max_output_tokens" if speaks_responses else "max_tokens"
    assert {name: body[name] for name in body if name.startswith("max_")} == {name: sent}
