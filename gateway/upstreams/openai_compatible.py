"""OpenAI, Azure OpenAI, the local model and every compatible address, through the `openai` package.

The package builds and authenticates requests; the reply is read as bytes, which costs less than its parsed events and
lets us be strict: a stream counts as complete only with a finish reason and `[DONE]`. Its own retries and redirects are
off: the relay decides about retries (D7), and a redirect could carry the credential elsewhere.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import openai
from django.conf import settings

from core.types import Operation
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamDown, UpstreamError, UpstreamRejected, UpstreamTimeout
from gateway.types import Call, Chunk, ProviderKind, Target
from gateway.upstreams import replies

logger = logging.getLogger(__name__)

_PATHS = {Operation.CHAT: "/chat/completions", Operation.IMAGE: "/images/generations"}
_MEGABYTE = 1024 * 1024
# C11: a reply of at most 10 MB of text or 20 MB of image; Base64 makes four bytes of three.
_MOST_TEXT = 10 * _MEGABYTE
_MOST_IMAGE = 27 * _MEGABYTE


class OpenAICompatible:
    """One client per upstream, made at its first call."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, ...], openai.AsyncOpenAI] = {}

    async def open(self, target: Target, call: Call) -> AsyncGenerator[Chunk, None]:
        """Send the call and yield its reply (see base.Adapter)."""
        is_image = call.operation == Operation.IMAGE
        async with self._answer(target, call) as pieces:
            bounded = replies.bounded(pieces, most=_MOST_IMAGE if is_image else _MOST_TEXT)
            if call.stream:
                async for chunk in replies.read_stream(bounded, model=call.model, shows_usage=_shows_usage(call)):
                    yield chunk
            else:
                read = replies.read_images if is_image else replies.read_chat
                yield read(b"".join([piece async for piece in bounded]), model=call.model)

    def list_model_names(self, target: Target) -> list[str]:
        """The ids of GET /v1/models."""
        try:
            with openai.OpenAI(
                base_url=target.base_url, api_key=target.credential or "none", max_retries=0, timeout=5.0
            ) as client:
                return [model.id for model in client.models.list()]
        except openai.OpenAIError as error:
            raise _translated(error, target) from error

    async def close(self) -> None:
        """Close every client; the next call makes a new one."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    @asynccontextmanager
    async def _answer(self, target: Target, call: Call) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send the call; inside, the bytes of an answer with status 200."""
        try:
            response = cast(
                "httpx2.Response",
                await self._client(target).post(
                    _PATHS[call.operation],
                    cast_to=httpx2.Response,  # the answer as it is, unread
                    body=_body(target, call),
                    options={"headers": {"X-Client-Request-Id": str(call.id), "Accept-Encoding": "identity"}},
                    stream=True,
                    stream_cls=openai.AsyncStream[Any],
                ),
            )
        except openai.OpenAIError as error:
            raise _translated(error, target) from error
        try:
            if "content-encoding" in response.headers:  # we asked for none: small bytes may unpack to a flood
                raise UpstreamError
            yield response.aiter_bytes()
        except httpx2.HTTPError as error:
            logger.warning("%s broke off: %s", target.provider, type(error).__name__)
            raise UpstreamDown from error
        finally:
            await response.aclose()

    def _client(self, target: Target) -> openai.AsyncOpenAI:
        address = (target.kind, target.base_url, target.api_version, target.credential)
        if address not in self._clients:
            self._clients[address] = _make_client(target)
        return self._clients[address]


def _make_client(target: Target) -> openai.AsyncOpenAI:
    # Reading is bounded by the relay, which knows what it waits for.
    timeout = httpx2.Timeout(30, connect=settings.UPSTREAM_CONNECT_SECONDS, read=None)
    http = openai.DefaultAioHttpClient(timeout=timeout, follow_redirects=False)
    if target.kind == ProviderKind.AZURE:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=target.base_url,
            api_version=target.api_version,
            api_key=target.credential,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
    return openai.AsyncOpenAI(
        base_url=target.base_url,
        api_key=target.credential or "none",
        max_retries=0,
        timeout=timeout,
        http_client=http,
    )


def _shows_usage(call: Call) -> bool:
    return bool(call.body.get("stream_options", {}).get("include_usage"))


def _body(target: Target, call: Call) -> dict[str, Any]:
    body = {**call.body, "model": target.upstream_model}
    if call.operation == Operation.IMAGE:
        # The GPT-Image family answers Base64 only and refuses to be asked for it; all others must be asked.
        if "gpt-image" not in target.upstream_model:
            body["response_format"] = "b64_json"
        return body
    if call.stream:
        body["stream"] = True
        body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    most = target.max_output_tokens
    if most is not None:
        named = [name for name in ("max_completion_tokens", "max_tokens") if body.get(name) is not None]
        own = "max_completion_tokens" if target.kind in (ProviderKind.OPENAI, ProviderKind.AZURE) else "max_tokens"
        for name in named or [own]:
            body[name] = min(body.get(name, most), most)
    return body


def _translated(error: openai.OpenAIError, target: Target) -> UpstreamError:
    """What a failure of the client means to us. The log gets its class and code, never the provider's sentence."""
    status = error.status_code if isinstance(error, openai.APIStatusError) else 0
    code = str(getattr(error, "code", None) or "")
    logger.warning("%s refused or failed: %s %s %s", target.provider, type(error).__name__, status or "", code[:40])
    if isinstance(error, openai.APIConnectionError):
        return UpstreamTimeout() if _is_timeout(error) else UpstreamDown()
    if status in (408, 504):
        return UpstreamTimeout()
    if status in (429, 529) and isinstance(error, openai.APIStatusError):
        return UpstreamBusy(retry_after=_seconds(error.response.headers.get("retry-after", "")))
    if status in (400, 413, 422):
        return ContentFiltered() if code in replies.FILTER_CODES else UpstreamRejected()
    return UpstreamDown() if status >= 500 else UpstreamError()


def _is_timeout(error: BaseException | None) -> bool:
    """Whether waiting too long is at the root: the client also calls a connection that was reset a timeout."""
    while error is not None and not isinstance(error, TimeoutError):
        error = error.__cause__
    return error is not None


def _seconds(header: str) -> int:
    """The provider's retry-after, when it is a number of seconds that a client would wait for; else 10."""
    return min(int(header), 60) if header.isascii() and header.isdigit() else 10
