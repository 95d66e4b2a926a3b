"""The data plane: /v1/* as a raw ASGI application beside Django (decision 0030).

Key → body → admission → relay → bytes. No cookies are read here, so there is no question of forged requests.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.authentication import authenticate_api_key
from accounts.errors import InvalidApiKey
from accounts.types import Principal
from core.errors import DomainError, NotFound, Unavailable
from core.threads import hop
from gateway import admission, idempotency
from gateway.errors import MethodNotAllowed, ModelNotFound, Restarting, ServerFault
from gateway.idempotency import Answer
from gateway.relay import open_reply
from gateway.selectors import find_model_for, list_extra_fields, list_models_for
from gateway.types import Admission, Call
from gateway.wire import chat_completions, images, models, sse
from gateway.wire.exchange import STREAM_TYPE, ClientGone, Exchange, Receive, Send
from gateway.wire.fields import ExtraFields
from quotas.selectors import list_standings

logger = logging.getLogger(__name__)


class Parse(Protocol):
    """What every dialect of gateway.wire offers."""

    def __call__(self, raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call: ...


async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """One request. Whatever happens is answered in OpenAI's envelope, or the client is gone."""
    exchange = Exchange(scope, receive, send)
    with override(exchange.language):
        await _answer(exchange)


async def _answer(exchange: Exchange) -> None:
    try:
        await _route(exchange)
    except DomainError as error:
        await exchange.fail(error)
    except ClientGone:
        pass
    except (DatabaseError, InterfaceError):
        # Fail closed: nothing was admitted without a durable row, and nobody is told that a key is wrong (C14).
        logger.exception("The database failed request %s.", exchange.id)
        await exchange.fail(Unavailable())
    except asyncio.CancelledError:
        await exchange.fail(Restarting())  # the server's own shutdown: a client that leaves cancels nothing
        raise
    except Exception:
        logger.exception("Request %s met a bug.", exchange.id)
        await exchange.fail(ServerFault())


async def _route(exchange: Exchange) -> None:
    exchange.check_host()
    path = exchange.path
    method, endpoint = _ENDPOINTS.get("/v1/models/{id}" if path.startswith("/v1/models/") else path, ("", None))
    if endpoint is None:
        raise NotFound(_("There is no such route here. GET /v1/models is a good place to begin."))
    if exchange.method != method:
        raise MethodNotAllowed(headers={"allow": method})
    if exchange.key is None:
        raise InvalidApiKey  # before a byte of the body is read
    await endpoint(exchange)


async def _list_models(exchange: Exchange) -> None:
    def front() -> dict[str, Any]:
        return models.render_models(list_models_for(_authenticate(exchange)))

    await exchange.answer_json(await hop(front))


async def _show_model(exchange: Exchange) -> None:
    def front() -> dict[str, Any]:
        model = find_model_for(_authenticate(exchange), exchange.path.removeprefix("/v1/models/"))
        if model is None:
            raise ModelNotFound(param="model")
        return models.render_model(model)

    await exchange.answer_json(await hop(front))


async def _complete_chat(exchange: Exchange) -> None:
    await _relay(exchange, chat_completions.parse)


async def _make_images(exchange: Exchange) -> None:
    await _relay(exchange, images.parse)


async def _relay(exchange: Exchange, parse: Parse) -> None:
    """The walk: admit in one hop, relay, and the last byte only after the conclusion is written."""
    admitted = await hop(_admit, exchange, await exchange.read_body(), parse)
    if isinstance(admitted, Answer):
        await exchange.answer(admitted.body, headers={"content-type": admitted.kind, "idempotent-replayed": "true"})
        return
    exchange.standings, exchange.attempts = admitted.standings, admitted.attempts
    async with _remembered(exchange) as keep:
        if admitted.call.stream:
            kept = await _relay_stream(exchange, admitted)
            await keep(STREAM_TYPE, kept + sse.DONE)
            await exchange.finish(sse.DONE)
        else:
            body = await _relay_whole(exchange, admitted)
            await keep("application/json", body)
            await exchange.answer(body)


async def _relay_stream(exchange: Exchange, admitted: Admission) -> bytes:
    """Hand on the events as they come; all of them together, if someone may ask for them again."""
    reply, events = open_reply(admitted), []
    async with exchange.attended(reply.stop), exchange.pinged(), reply:
        async for chunk in reply:
            if not chunk.data:
                continue
            event = sse.event(chunk.data)
            if _is_remembered(exchange):
                events.append(event)
            await exchange.write(event)
    if not reply.is_complete:
        raise ClientGone
    return b"".join(events)


async def _relay_whole(exchange: Exchange, admitted: Admission) -> bytes:
    """The body of a plain answer."""
    reply = open_reply(admitted)
    async with exchange.attended(reply.stop), reply:
        if reply.first is None:
            raise ClientGone
        return reply.first.data


def _authenticate(exchange: Exchange) -> Principal:
    principal = authenticate_api_key(exchange.key)
    exchange.standings = tuple(list_standings(principal))
    return principal


def _admit(exchange: Exchange, raw: bytes, parse: Parse) -> Admission | Answer:
    """The front half in one thread: authenticate, then everything in the order of D10."""

    def read() -> Call:
        course_code = exchange.name_in("x-course", longest=32)
        return parse(raw, call_id=exchange.id, course_code=course_code, extra_fields=list_extra_fields)

    principal = authenticate_api_key(exchange.key)
    try:
        key = exchange.name_in("idempotency-key", longest=255)
        if key and (answer := idempotency.claim(principal.user_id, exchange.path, key, raw, call_id=exchange.id)):
            return answer
        return admission.admit_unread(principal, read)
    except DomainError:
        if _is_remembered(exchange):
            idempotency.forget(exchange.id)
        exchange.standings = tuple(list_standings(principal))
        raise


def _is_remembered(exchange: Exchange) -> bool:
    return bool(exchange.header("idempotency-key"))


@asynccontextmanager
async def _remembered(exchange: Exchange) -> AsyncIterator[Callable[[str, bytes], Awaitable[None]]]:
    """Inside, an answer may be kept under the request's Idempotency-Key; without an answer the key is free again."""

    async def keep(kind: str, body: bytes) -> None:
        if _is_remembered(exchange):
            await hop(idempotency.keep, exchange.id, Answer(kind, body))

    try:
        yield keep
    finally:
        if _is_remembered(exchange):
            await hop(idempotency.forget, exchange.id)


_ENDPOINTS: dict[str, tuple[str, Callable[[Exchange], Awaitable[None]]]] = {
    "/v1/models": ("GET", _list_models),
    "/v1/models/{id}": ("GET", _show_model),
    "/v1/chat/completions": ("POST", _complete_chat),
    "/v1/images/generations": ("POST", _make_images),
}
