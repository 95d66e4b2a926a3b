"""The official client on models that Azure OpenAI answers for: its deployments, and filters that speak in between."""

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import openai
import pytest
from django.conf import LazySettings

from gateway.models import Route, Upstream
from gateway.services import create_provider
from gateway.types import ProviderKind
from tests.fakes.dialects import AZURE_SECRET, AZURE_VERSION
from tests.fakes.upstream import ANSWER, SECRET, FakeUpstream
from tests.servers import SECRET_KEY, Server
from usage.models import UsageRecord
from usage.types import Outcome

# The official client; its types would refuse much of what a test must try.
Client = Any

HELLO = [{"role": "user", "content": "Hello?"}]
VERSION = f"?api-version={AZURE_VERSION}"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


@pytest.fixture(autouse=True)
def azure(offered: FakeUpstream, settings: LazySettings) -> Upstream:
    """All that the fake provider offers, deployed at Azure."""
    settings.CREDENTIAL_KEY = SECRET_KEY  # the server opens what is written here
    address = {"name": "east", "base_url": f"http://127.0.0.1:{offered.port}", "api_version": AZURE_VERSION}
    columns = {"slug": "azure", "name": "Azure", "kind": ProviderKind.AZURE}
    upstream = create_provider(columns=columns, address=address, secret=AZURE_SECRET).upstreams.get()
    Route.objects.filter(upstream__is_from_environment=True).update(upstream=upstream)
    return upstream


def text_of(chunks: Iterable[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def check_asked(offered: FakeUpstream, path: str) -> None:
    """The provider was asked once, there, and with its key where it looks for it."""
    [arrival] = offered.calls()
    assert arrival.path == f"/openai{path}{VERSION}"
    assert arrival.headers["api-key"] == AZURE_SECRET
    assert "authorization" not in arrival.headers


def check_served() -> None:
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts, record.input_tokens, record.output_tokens) == (Outcome.SERVED, 1, 7, 5)


@BOTH
def test_a_deployment_chats(client: Client, offered: FakeUpstream, stream: bool) -> None:
    answer = client.chat.completions.create(model="azure-chat", messages=HELLO, stream=stream)
    said = text_of(answer) if stream else answer.choices[0].message.content

    assert said == ANSWER
    check_asked(offered, "/deployments/azure-chat/chat/completions")
    check_served()


@BOTH
def test_a_chat_is_a_response_in_other_words(client: Client, offered: FakeUpstream, stream: bool) -> None:
    answer = client.responses.create(model="azure-chat", input="Hello?", stream=stream)
    final = list(answer)[-1].response if stream else answer

    assert (final.output_text, final.status) == (ANSWER, "completed")
    check_asked(offered, "/deployments/azure-chat/chat/completions")
    check_served()


@BOTH
def test_its_own_responses_are_asked_for_outside_the_deployment(
    client: Client, offered: FakeUpstream, stream: bool
) -> None:
    Upstream.objects.update(speaks_responses=True)

    answer = client.responses.create(model="native", input="Hello?", stream=stream)
    final = list(answer)[-1].response if stream else answer

    assert final.output_text == ANSWER
    check_asked(offered, "/responses")
    assert offered.calls()[0].body["model"] == "native"
    check_served()


def test_a_deployment_draws(client: Client, offered: FakeUpstream) -> None:
    [image] = client.images.generate(model="image-good", prompt="a harbor").data

    assert base64.b64decode(image.b64_json).startswith(b"\x89PNG")
    check_asked(offered, "/deployments/image-good/images/generations")


def test_a_deployment_gives_vectors(client: Client, offered: FakeUpstream) -> None:
    [entry] = client.embeddings.create(model="embed-good", input="one").data

    assert entry.embedding == [0.25, -0.5, 0.125]
    check_asked(offered, "/deployments/embed-good/embeddings")


# ---- its filter, where it does not hold words up -----------------------------------------------------------------


def test_what_the_filter_thinks_later_reaches_nobody(client: Client) -> None:
    chunks = list(client.chat.completions.create(model="azure-asynchronous", messages=HELLO, stream=True))

    assert text_of(chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert all(chunk.id for chunk in chunks)
    check_served()


def test_nor_who_asked_for_a_response(client: Client) -> None:
    events = list(client.responses.create(model="azure-asynchronous", input="Hello?", stream=True))

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.output_text == ANSWER
    check_served()


def test_an_answer_that_the_filter_ends_says_so(client: Client) -> None:
    chunks = list(client.chat.completions.create(model="azure-asynchronous-filtered", messages=HELLO, stream=True))
    final = list(client.responses.create(model="azure-asynchronous-filtered", input="Hello?", stream=True))[-1].response

    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert text_of(chunks) == ANSWER
    assert (final.status, final.incomplete_details.reason) == ("incomplete", "content_filter")
    assert final.output_text == ANSWER


@pytest.mark.parametrize("model", ["azure-filtered", "azure-inner", "azure-inside-another-code", "azure-pictures"])
def test_a_prompt_that_the_filter_refuses_costs_nothing(client: Client, model: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=model, messages=HELLO, stream=True)

    assert raised.value.code == "content_filter"
    assert SECRET not in str(raised.value)
    assert UsageRecord.objects.get().prompts == 0
