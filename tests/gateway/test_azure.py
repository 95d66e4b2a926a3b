"""Azure OpenAI: deployments in the path, a version in the query, a key in its own header, and filters that speak."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import openai
import orjson
import pytest

from core.ids import new_id
from core.types import Operation
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamError
from gateway.types import Call, Capability, Chunk, Dialect, Picture, ProviderKind, Target
from gateway.upstreams import get_adapter
from gateway.upstreams.base import Adapter
from tests.fakes.dialects import AZURE_SECRET, AZURE_VERSION
from tests.fakes.upstream import ANSWER, SECRET, FakeUpstream


@pytest.fixture
async def azure() -> AsyncIterator[Adapter]:
    adapter = get_adapter(ProviderKind.AZURE)
    yield adapter
    await adapter.close()


def target(upstream: FakeUpstream, deployment: str, *, speaks_responses: bool = False) -> Target:
    return Target(
        model="public",
        upstream_model=deployment,
        provider="azure",
        kind=ProviderKind.AZURE,
        base_url=f"http://127.0.0.1:{upstream.port}",
        api_version=AZURE_VERSION,
        credential=AZURE_SECRET,
        max_output_tokens=64,
        speaks_responses=speaks_responses,
    )


async def ask(azure: Adapter, upstream: FakeUpstream, deployment: str, *, stream: bool) -> list[Chunk]:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}
    call = Call(id=new_id(), operation=Operation.CHAT, model="public", body=body, stream=stream)
    return await read(azure, target(upstream, deployment), call)


async def read(azure: Adapter, target: Target, call: Call) -> list[Chunk]:
    chunks, reply = [], azure.open(target, call)
    try:
        while True:
            chunks.append(await anext(reply))
    except StopAsyncIteration:
        return chunks
    finally:
        await reply.aclose()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_deployment_is_asked_as_azure_wants_it(azure: Adapter, upstream: FakeUpstream, stream: bool) -> None:
    chunks = await ask(azure, upstream, "azure-chat", stream=stream)

    assert "".join(chunk.text for chunk in chunks) == ANSWER
    [arrival] = upstream.calls()
    assert arrival.path == f"/openai/deployments/azure-chat/chat/completions?api-version={AZURE_VERSION}"
    assert arrival.headers["api-key"] == AZURE_SECRET
    assert "authorization" not in arrival.headers
    assert arrival.body["max_completion_tokens"] == 64  # the model's limit, under the name its models know
    assert "max_tokens" not in arrival.body


PICTURE = Picture(b"x", "image/png")


@pytest.mark.parametrize(
    ("dialect", "deployment", "body"),
    [
        (Dialect.CHAT, "azure-chat", {"messages": [{"role": "user", "content": "Hi"}]}),
        (Dialect.RESPONSES, "native", {"input": "Hi"}),
        (Dialect.IMAGES, "image-good", {"prompt": "a harbor"}),
        (Dialect.EDITS, "image-edits", {"prompt": "a junk", "image": [PICTURE]}),
        (Dialect.EMBEDDINGS, "embed-good", {"input": "Hi"}),
        (Dialect.MODERATIONS, "omni-moderation-latest", {"input": "Hi"}),
    ],
    ids=lambda value: value if isinstance(value, Dialect) else "",
)
async def test_it_is_asked_where_its_official_client_asks(
    azure: Adapter, upstream: FakeUpstream, dialect: Dialect, deployment: str, body: dict[str, Any]
) -> None:
    asked = target(upstream, deployment, speaks_responses=True)
    await read(azure, asked, Call(new_id(), Operation.CHAT, "public", body, spelled=dialect))
    official = openai.AsyncAzureOpenAI(
        azure_endpoint=asked.base_url, api_version=AZURE_VERSION, api_key=AZURE_SECRET, max_retries=0
    )
    async with official:
        told = {name: value for name, value in body.items() if name != "image"}
        await official.post(dialect, body={"model": deployment, **told}, cast_to=object)

    ours, theirs = upstream.calls()
    assert (ours.path, ours.model) == (theirs.path, theirs.model)
    assert ours.headers["api-key"] == theirs.headers["api-key"]


@pytest.mark.parametrize(
    ("deployment", "call"),
    [
        ("image-good", Call(new_id(), Operation.IMAGE, "public", {"prompt": "a harbor"})),
        ("image-edits", Call(new_id(), Operation.IMAGE, "public", {"image": [PICTURE]}, spelled=Dialect.EDITS)),
    ],
    ids=["new", "changed"],
)
async def test_what_shows_half_drawn_pictures_answers_base64_unasked_whatever_its_deployment_is_called(
    azure: Adapter, upstream: FakeUpstream, deployment: str, call: Call
) -> None:
    unknown = target(upstream, deployment)
    await read(azure, unknown, call)
    await read(azure, replace(unknown, capabilities=frozenset({Capability.PARTIAL_IMAGES})), call)

    first, second = upstream.calls()
    assert first.body["response_format"] == "b64_json"
    assert "response_format" not in second.body


async def test_what_its_filter_thinks_of_the_prompt_is_not_handed_on(azure: Adapter, upstream: FakeUpstream) -> None:
    chunks = await ask(azure, upstream, "azure-chat", stream=True)

    assert chunks[0].data == b""
    events = [event for chunk in chunks if chunk.data for event in chunk.data.split(b"\n\ndata: ")]
    assert all(orjson.loads(event)["choices"] for event in events)
    assert not chunks[0].has_content


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("deployment", "error"),
    [
        ("azure-filtered", ContentFiltered),
        ("azure-inner", ContentFiltered),
        ("azure-inside-another-code", ContentFiltered),
        ("azure-pictures", ContentFiltered),
        ("azure-busy", UpstreamBusy),
    ],
)
async def test_its_refusals_are_understood(
    azure: Adapter, upstream: FakeUpstream, deployment: str, error: type[UpstreamError], stream: bool
) -> None:
    with pytest.raises(error) as raised:
        await ask(azure, upstream, deployment, stream=stream)

    assert SECRET not in str(raised.value)


def test_its_models_are_listed(upstream: FakeUpstream) -> None:
    assert "azure-chat" in get_adapter(ProviderKind.AZURE).list_model_names(target(upstream, ""))
