"""OpenAI, Azure OpenAI, the local model and every compatible address: what is sent to them.

The answer is read as bytes and strictly: a stream counts as complete only with a finish reason and `[DONE]`. Nothing
is repeated here: the relay decides about that (D7). A redirect is a failure: it could carry the credential elsewhere.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast
from urllib.parse import quote

from django.utils.module_loading import import_string

from core.chosen import chosen
from core.types import Operation
from gateway.types import PICTURE_EVENTS, Call, Chunk, Dialect, ProviderKind, Target
from gateway.upstreams import replies, responses
from gateway.upstreams.http1 import Http1
from gateway.upstreams.refusals import Refusal
from gateway.upstreams.requests import path_of, write_body
from gateway.upstreams.streams import Reader, Stream
from gateway.upstreams.transport import Request, Transport, is_near

_READS = {
    Dialect.CHAT: replies.read_chat,
    Dialect.RESPONSES: responses.read_response,
    Dialect.IMAGES: replies.read_images,
    Dialect.EDITS: replies.read_images,
    Dialect.EMBEDDINGS: replies.read_embeddings,
    Dialect.MODERATIONS: replies.read_moderation,
}
_MEGABYTE = 1024 * 1024
# C11: a reply of at most 10 MB of text, or 20 MB of what is written in Base64, which makes four bytes of three.
_MOST_TEXT = 10 * _MEGABYTE
_MOST_ENCODED = 27 * _MEGABYTE
_LONG = (Operation.IMAGE, Operation.EMBEDDING)
# What Azure is asked at the deployment's own address; in all else the body names the deployment.
_AT_DEPLOYMENTS = (Dialect.CHAT, Dialect.EMBEDDINGS, Dialect.IMAGES, Dialect.EDITS)


class OpenAICompatible:
    """The ways of this process to providers: straight, and through the proxy if there is one."""

    def __init__(self) -> None:
        self._straight = Http1()
        self._proxied: Transport | None = None  # until it is needed: it takes a while to load

    def open(self, target: Target, call: Call) -> Stream:
        """The reply to a call (see base.Adapter)."""
        path = path_of(target, call)
        kind, body = write_body(target, call, path)
        return Stream(
            self._way_to(target),
            Request(_url(target, path), _headers(target, call), body, kind),
            most=_MOST_ENCODED if call.operation in _LONG else _MOST_TEXT,
            choose_reader=partial(_choose_reader, target, call),
        )

    def list_model_names(self, target: Target) -> list[str]:
        """The ids of GET /v1/models (see base.Adapter)."""
        names: list[str] = import_string("gateway.upstreams.discovery.list_model_names")(target)
        return names

    async def close(self) -> None:
        """Close what is idle; the next call opens anew."""
        await self._straight.close()
        if self._proxied is not None:
            await self._proxied.close()

    def _way_to(self, target: Target) -> Transport:
        if not chosen("UPSTREAM_PROXY") or is_near(target.base_url):
            return self._straight
        if self._proxied is None:
            self._proxied = cast("Transport", import_string("gateway.upstreams.proxied.Proxied")())
        return self._proxied


def _url(target: Target, path: Dialect) -> str:
    if target.kind == ProviderKind.AZURE:
        deployment = f"/deployments/{quote(target.upstream_model, safe='')}" if path in _AT_DEPLOYMENTS else ""
        return f"{target.base_url.rstrip('/')}/openai{deployment}{path}?api-version={quote(target.api_version)}"
    return target.base_url.rstrip("/") + path


def _headers(target: Target, call: Call) -> dict[str, str]:
    is_azure = target.kind == ProviderKind.AZURE
    credential = {"api-key": target.credential} if is_azure else {"authorization": f"Bearer {target.credential}"}
    return {
        **(credential if target.credential else {}),
        "accept": "text/event-stream" if call.stream else "application/json",
        "x-client-request-id": str(call.id),
    }


def _choose_reader(target: Target, call: Call, status: int, headers: Mapping[str, str]) -> Reader:
    if status != 200:
        return Refusal(target, status, headers)
    if call.stream:
        return _choose_stream_reader(target, call)
    dialect = call.dialect
    read: Callable[..., Chunk] = _READS[dialect]
    if dialect == Dialect.RESPONSES and not target.speaks_responses:
        read = partial(responses.translate_answer, call=call)
    return replies.WholeReader(partial(read, model=target.model))


def _choose_stream_reader(target: Target, call: Call) -> Reader:
    if call.dialect == Dialect.CHAT:
        shows_usage = bool(call.body.get("stream_options", {}).get("include_usage"))
        return replies.ChatReader(model=target.model, shows_usage=shows_usage, count=call.count)
    if name := PICTURE_EVENTS.get(call.dialect):
        return replies.ImageReader(name=name, count=call.count)
    if target.speaks_responses:
        return responses.NativeReader(model=target.model)
    return responses.TranslatingReader(call, model=target.model)
