"""OpenAI, Azure OpenAI, the local model and every compatible address: what is sent to them, and what their no means.

The answer is read as bytes and strictly: a stream counts as complete only with a finish reason and `[DONE]`. Nothing
is repeated here: the relay decides about that (D7). A redirect is a failure: it could carry the credential elsewhere.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from urllib.parse import quote, urlsplit

import httpx2
import openai
import orjson
from django.conf import settings

from core.types import Operation
from gateway.errors import ContentFiltered, UpstreamBusy, UpstreamDown, UpstreamError, UpstreamRejected, UpstreamTimeout
from gateway.types import Call, Chunk, Dialect, ProviderKind, Target
from gateway.upstreams import replies, responses
from gateway.upstreams.http1 import Http1
from gateway.upstreams.proxied import Proxied
from gateway.upstreams.requests import path_of, write_body
from gateway.upstreams.streams import Reader, Stream
from gateway.upstreams.transport import Request, Transport, make_ssl

logger = logging.getLogger(__name__)

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
_MOST_REFUSAL = 64 * 1024
_MOST_LISTED = 4 * _MEGABYTE
LISTING_SECONDS = 5.0  # until a list of models is not waited for any longer
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class OpenAICompatible:
    """The ways of this process to providers: straight, and through the proxy if there is one."""

    def __init__(self) -> None:
        self._straight, self._proxied = Http1(), Proxied()

    def open(self, target: Target, call: Call) -> Stream:
        """The reply to a call (see base.Adapter)."""
        kind, body = write_body(target, call)
        return Stream(
            self._way_to(target),
            Request(_url(target, call), _headers(target, call), body, kind),
            most=_MOST_ENCODED if call.operation in _LONG else _MOST_TEXT,
            choose_reader=partial(_choose_reader, target, call),
        )

    def list_model_names(self, target: Target) -> list[str]:
        """The ids of GET /v1/models."""
        try:
            with _client_of(target) as client, client.models.with_streaming_response.list() as answer:
                return [str(model["id"]) for model in orjson.loads(_read_listing(answer.iter_bytes()))["data"]]
        except openai.APIStatusError as error:
            raise _refusal(target, error.status_code, dict(error.response.headers), error.response.content) from error
        except (openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise UpstreamTimeout from error
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise UpstreamDown from error
        except (ValueError, LookupError, TypeError) as error:
            raise UpstreamError from error  # an answer, and no list of models

    async def close(self) -> None:
        """Close what is idle; the next call opens anew."""
        await self._straight.close()
        await self._proxied.close()

    def _way_to(self, target: Target) -> Transport:
        if settings.UPSTREAM_PROXY and urlsplit(target.base_url).hostname not in _LOOPBACK:
            return self._proxied
        return self._straight


def _client_of(target: Target) -> openai.OpenAI:
    """The package's own client, for what is asked rarely; it goes the way that calls go."""
    is_near = urlsplit(target.base_url).hostname in _LOOPBACK
    transport = openai.DefaultHttpx2Client(
        proxy=None if is_near else settings.UPSTREAM_PROXY or None,
        verify=make_ssl(),
        timeout=LISTING_SECONDS,
        follow_redirects=False,
        trust_env=False,
    )
    if target.kind == ProviderKind.AZURE:
        return openai.AzureOpenAI(
            azure_endpoint=target.base_url,
            api_version=target.api_version,
            api_key=target.credential or "none",
            max_retries=0,
            http_client=transport,
        )
    return openai.OpenAI(
        base_url=target.base_url, api_key=target.credential or "none", max_retries=0, http_client=transport
    )


def _read_listing(pieces: Iterator[bytes]) -> bytes:
    """The whole of a list, unless it takes too long or grows too long."""
    latest, body = time.monotonic() + LISTING_SECONDS, b""
    for piece in pieces:
        body += piece
        if time.monotonic() > latest:
            raise UpstreamTimeout
        if len(body) > _MOST_LISTED:
            raise UpstreamError
    return body


def _url(target: Target, call: Call) -> str:
    path = path_of(target, call)
    if target.kind == ProviderKind.AZURE:
        deployment = f"{target.base_url.rstrip('/')}/openai/deployments/{quote(target.upstream_model, safe='')}"
        return f"{deployment}{path}?api-version={quote(target.api_version)}"
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
        return _Refusal(target, status, headers)
    if call.stream:
        return _choose_stream_reader(target, call)
    read: Callable[..., Chunk] = _READS[call.dialect]
    if call.dialect == Dialect.RESPONSES and not target.speaks_responses:
        read = partial(responses.translate_answer, call=call)
    return replies.WholeReader(partial(read, model=target.model))


def _choose_stream_reader(target: Target, call: Call) -> Reader:
    if call.dialect == Dialect.CHAT:
        shows_usage = bool(call.body.get("stream_options", {}).get("include_usage"))
        return replies.ChatReader(model=target.model, shows_usage=shows_usage)
    if call.dialect == Dialect.IMAGES:
        return replies.ImageReader(count=call.count)
    if target.speaks_responses:
        return responses.NativeReader(model=target.model)
    return responses.TranslatingReader(call, model=target.model)


class _Refusal:
    """Reads an answer that is none, as far as its code may stand."""

    def __init__(self, target: Target, status: int, headers: Mapping[str, str]) -> None:
        self._target, self._status, self._headers = target, status, headers
        self._body = b""

    @property
    def is_over(self) -> bool:
        return len(self._body) > _MOST_REFUSAL

    def feed(self, piece: bytes) -> list[Chunk]:
        """See streams.Reader."""
        self._body += piece
        return []

    def finish(self) -> list[Chunk]:
        """Raises what the refusal means to us."""
        raise _refusal(self._target, self._status, self._headers, self._body)


def _refusal(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """What a refusal means to us. The log gets its status and code, never the provider's sentence."""
    code = _code_in(body)
    logger.warning("%s refused: %s %s", target.provider, status, code[:40])
    error = _meaning_of(status, code, headers)
    error.answered = status
    return error


def _meaning_of(status: int, code: str, headers: Mapping[str, str]) -> UpstreamError:
    if status in (408, 504):
        return UpstreamTimeout()
    if status in (429, 529):
        return UpstreamBusy(retry_after=_seconds(headers.get("retry-after", "")))
    if status in (400, 413, 422):
        return ContentFiltered() if code in replies.FILTER_CODES else UpstreamRejected()
    return UpstreamDown() if status >= 500 else UpstreamError()


def _code_in(body: bytes) -> str:
    try:
        error = orjson.loads(body)["error"]
        inner = error.get("innererror") or {}  # Azure's filter may be named there alone
        return str(error.get("code") or inner.get("code") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def _seconds(header: str) -> int:
    """The provider's retry-after, when it is a number of seconds that a client would wait for; else 10."""
    return min(int(header), 60) if header.isascii() and header.isdigit() else 10
