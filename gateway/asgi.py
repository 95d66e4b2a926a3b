"""The data plane: /v1/* as a raw ASGI application beside Django (decision 0030).

Key → body → admission → relay → bytes. No cookies are read here, so there is no question of forged requests.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.authentication import authenticate_api_key
from accounts.errors import InvalidApiKey
from accounts.types import Principal
from core import clock
from core.chosen import chosen
from core.errors import DomainError, NotFound, Unavailable
from core.threads import hop
from gateway import idempotency, telemetry
from gateway.errors import MethodNotAllowed, ModelNotFound, Restarting, ServerFault
from gateway.patience import Patience
from gateway.relay import open_reply
from gateway.selectors import find_model_for, list_models_for
from gateway.types import Admission, Answer, Asking, Call, Chunk, Claim, Dialect, ExtraFields, Refused
from gateway.wire import (
    chat_completions,
    embeddings,
    image_edits,
    images,
    models,
    moderations,
    openapi,
    responses,
    sse,
)
from gateway.wire.exchange import STREAM_TYPE, ClientGone, Exchange, Receive, Send
from gateway.writer import admit_soon
from policies.selectors import read_notices
from policies.services import check_open
from quotas.selectors import list_standings

_LARGE = 512 * 1024  # bytes of a body that takes more than a few milliseconds to read, mostly pictures

logger = logging.getLogger(__name__)

_database = Patience()


class Parse(Protocol):
    """What every dialect of gateway.wire offers."""

    def __call__(self, raw: bytes, *, call_id: UUID, course_code: str, extra_fields: ExtraFields) -> Call: ...


async def application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """One request. Whatever happens is answered in OpenAI's envelope, or the client is gone."""
    exchange = Exchange(scope, receive, send)
    if exchange.language == chosen("LANGUAGE_CODE"):  # that of most programs, and what a new task begins with
        await _answer(exchange)
    else:
        with override(exchange.language):
            await _answer(exchange)


async def _answer(exchange: Exchange) -> None:
    try:
        await _route(exchange)
    except DomainError as error:
        telemetry.note_error(error.code)
        await exchange.fail(error.with_traceback(None))  # it would hold the frames that hold it
    except ClientGone:
        pass
    except (DatabaseError, InterfaceError):
        # Fail closed: nothing was admitted without a durable row, and nobody is told that a key is wrong (C14).
        logger.exception("The database failed request %s.", exchange.id)
        telemetry.note_error(Unavailable.code)
        await exchange.fail(Unavailable())
    except asyncio.CancelledError:
        await exchange.fail(Restarting())  # the server's own shutdown: a client that leaves cancels nothing
        raise
    except Exception:
        logger.exception("Request %s met a bug.", exchange.id)
        telemetry.note_error(ServerFault.code)
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

    await exchange.answer_json(await _database.wait_for(hop(front)))


async def _show_model(exchange: Exchange) -> None:
    def front() -> dict[str, Any]:
        model = find_model_for(_authenticate(exchange), exchange.path.removeprefix("/v1/models/"))
        if model is None:
            raise ModelNotFound(param="model")
        return models.render_model(model)

    await exchange.answer_json(await _database.wait_for(hop(front)))


async def _describe(exchange: Exchange) -> None:
    await _database.wait_for(hop(_authenticate, exchange))
    await exchange.answer(openapi.render())


async def _edit_images(exchange: Exchange) -> None:
    await _relay(exchange, partial(image_edits.parse, kind=exchange.header("content-type")))


async def _relay(exchange: Exchange, parse: Parse) -> None:
    """The walk: admit, relay, and the last byte only after the conclusion is written."""
    asking = _make_asking(exchange, await exchange.read_body(), parse)
    began = time.perf_counter()
    admitted = await admit_soon(asking)
    telemetry.admitting.observe(time.perf_counter() - began)
    if isinstance(admitted, Refused):
        exchange.standings, exchange.attempts = admitted.standings, admitted.attempts
        raise admitted.error
    if isinstance(admitted, Answer):
        await exchange.answer(admitted.body, headers={"content-type": admitted.kind, "idempotent-replayed": "true"})
        return
    exchange.standings, exchange.attempts = admitted.standings, admitted.attempts
    try:
        if admitted.call.stream:
            kept = await _relay_stream(exchange, admitted)
            last = sse.DONE if admitted.call.dialect == Dialect.CHAT else b""
            await _remember(exchange, idempotency.keep, Answer(STREAM_TYPE, kept + last))
            await exchange.finish(last)
        else:
            body = await _relay_whole(exchange, admitted)
            await _remember(exchange, idempotency.keep, Answer("application/json", body))
            await exchange.answer(body)
    finally:
        await _remember(exchange, idempotency.forget)  # without an answer the key is free again


async def _relay_stream(exchange: Exchange, admitted: Admission) -> bytes:
    """Hand on the events as they come; all of them together, if someone may ask for them again."""
    reply, events = open_reply(admitted), []

    def hand_on(chunks: list[Chunk]) -> asyncio.Future[None] | None:
        piece = b"".join([sse.event(chunk.data, name=chunk.event) for chunk in chunks if chunk.data])
        if exchange.is_remembered:
            events.append(piece)
        return exchange.write_soon(piece) if piece else None

    with exchange.attended(reply.stop), exchange.pinged():
        async with reply:
            await reply.pour(hand_on)
    if not reply.is_complete:
        raise ClientGone
    return b"".join(events)


async def _relay_whole(exchange: Exchange, admitted: Admission) -> bytes:
    """The body of a plain answer."""
    reply = open_reply(admitted)
    with exchange.attended(reply.stop):
        async with reply:
            if reply.first is None:
                raise ClientGone
            return reply.first.data


def _authenticate(exchange: Exchange) -> Principal:
    principal = authenticate_api_key(exchange.key)
    (notices,) = read_notices()
    check_open(notices, role=principal.role, at=clock.now())
    exchange.standings = tuple(list_standings(principal))
    return principal


def _make_asking(exchange: Exchange, raw: bytes, parse: Parse) -> Asking:
    """What came, for whoever looks into it: a header nobody can read is a refusal like one in the body."""

    def read(extra_fields: ExtraFields) -> Call:
        course_code = exchange.name_in("x-course", longest=57)
        call = parse(raw, call_id=exchange.id, course_code=course_code, extra_fields=extra_fields)
        return call._replace(is_large=True) if len(raw) > _LARGE else call

    def claim() -> Claim:
        key = exchange.name_in("idempotency-key", longest=255)
        return Claim(exchange.path, key, hashlib.sha256(raw).hexdigest())

    is_large = len(raw) > _LARGE
    return Asking(exchange.id, exchange.key or "", read, claim if exchange.is_remembered else None, is_large)


async def _remember(exchange: Exchange, change: Callable[..., None], *values: Answer) -> None:
    """Keep the answer under the request's Idempotency-Key, or free the key, if it has one.

    A database that fails now changes nothing, nor does a server that stops: what was paid for goes out, and what went
    wrong before is told as it was.
    """
    if exchange.is_remembered:
        try:
            await hop(change, exchange.id, *values)
        except (DatabaseError, InterfaceError):
            logger.warning("The answer to request %s is not remembered.", exchange.id, exc_info=True)
        except asyncio.CancelledError:
            pass  # all that is left to do is to send the rest


_ENDPOINTS: dict[str, tuple[str, Callable[[Exchange], Awaitable[None]]]] = {
    "/v1/openapi.json": ("GET", _describe),
    "/v1/models": ("GET", _list_models),
    "/v1/models/{id}": ("GET", _show_model),
    "/v1/chat/completions": ("POST", partial(_relay, parse=chat_completions.parse)),
    "/v1/responses": ("POST", partial(_relay, parse=responses.parse)),
    "/v1/images/generations": ("POST", partial(_relay, parse=images.parse)),
    "/v1/images/edits": ("POST", _edit_images),
    "/v1/embeddings": ("POST", partial(_relay, parse=embeddings.parse)),
    "/v1/moderations": ("POST", partial(_relay, parse=moderations.parse)),
}
