"""How long a request's head may take, and what is said to what is no request (core.protocol), over real connections."""

import asyncio
import re
from contextlib import suppress

import pytest

from core import protocol
from core.errors import DomainError, InvalidRequest, RequestTooSlow
from core.protocol import Protocol
from gateway.wire import errors
from gateway.wire import exchange as exchanges
from gateway.wire.exchange import ClientGone, Exchange
from tests.gateway.test_direct_way import GET, POST, Caller, Server, calling, echo, serving, tell_path

HALF = b"GET /late HTTP/1.1\r\nhost: he"
NONSENSE = b"\x16\x03\x01\x00\xa5 no HTTP\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n"
BROKEN = b"no size\r\n"  # of a piece of such a body


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_HEAD_SECONDS", 0.2)


async def outlast(server: Server) -> None:
    """Until a connection that begins now, and says nothing, is closed: time enough for any earlier one to be."""
    async with calling(server) as caller:
        assert await caller.hear_all() == b""


def check_refusal(answer: bytes, error: DomainError) -> None:
    """It is what /v1 makes of that error, on a connection that ends."""
    head, _, body = answer.partition(b"\r\n\r\n")
    head = re.sub(rb"(?m)^x-request-id: [0-9a-f-]{36}\r$", b"x-request-id: some\r", head)
    assert body == errors.render(error)
    assert head.split(b"\r\n")[1:] == [
        b"date: Sun, 29 Nov 2026 18:00:00 GMT",
        b"x-request-id: some",
        b"content-type: application/json",
        b"x-should-retry: false",
        b"content-length: %d" % len(body),
        b"connection: close",
    ]
    assert head.startswith(b"HTTP/1.1 %d " % error.status)


async def test_who_says_nothing_is_hung_up_on(impatience: None) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        assert await caller.hear_all() == b""


async def test_empty_lines_are_nothing(impatience: None) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        assert await drip(caller, b"\r\n") == b""


async def drip(caller: Caller, piece: bytes) -> bytes:
    """What is heard by somebody who goes on like that for ever."""
    hearing = asyncio.ensure_future(hear_to_the_end(caller.reader))
    async with asyncio.timeout(10):
        while not hearing.done():
            caller.say(piece)
            await asyncio.sleep(0.005)
    return await hearing


async def hear_to_the_end(reader: asyncio.StreamReader) -> bytes:
    heard = []
    with suppress(ConnectionResetError):  # so ends what has said something that nobody read
        while piece := await reader.read(65536):
            heard.append(piece)
    return b"".join(heard)


async def test_a_head_that_drips_in_is_given_up(impatience: None) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say(HALF)
        check_refusal(await drip(caller, b"r"), RequestTooSlow())


@pytest.mark.parametrize("before", [b"", b"\r\n"], ids=["", "after-an-empty-line"])
async def test_a_later_head_has_as_long_from_its_first_byte(impatience: None, before: bytes) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        await be_answered(caller)
        await outlast(server)  # between two requests other seconds count: uvicorn's

        caller.say(before)
        for byte in HALF + b"re\r\n\r\n":
            caller.say(bytes([byte]))
            await asyncio.sleep(0)  # one read each
        assert (await caller.hear())[1] == b"/late"
        caller.say(before)
        await outlast(server)

        caller.say(HALF)
        check_refusal(await drip(caller, b"r"), RequestTooSlow())


@pytest.mark.parametrize("is_first", [True, False], ids=["at-once", "after-an-answer"])
async def test_a_head_without_end_is_refused(is_first: bool) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        if not is_first:
            await be_answered(caller)
        caller.say(HALF)
        check_refusal(await drip(caller, b"x-more: %b\r\n" % (b"m" * 4000)), InvalidRequest())


async def test_who_sends_a_head_without_end_ahead_loses_the_answer_that_is_due() -> None:
    async def speak(exchange: Exchange) -> None:
        gone = asyncio.Event()
        exchange.write_soon(b"data: one\n\n")
        with exchange.attended(gone.set):
            await gone.wait()

    async with serving(speak) as server, calling(server) as caller:
        caller.say(GET % b"/", HALF)
        assert b"HTTP/1.1 4" not in await drip(caller, b"x-more: %b\r\n" % (b"m" * 4000))


async def test_who_offers_to_go_on_in_http_2_is_answered_in_http_1_with_its_body() -> None:
    offer = b"connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n\r\n"
    said = b"text about\r\nUpgrade: h2c\r\n"
    async with serving(echo) as server, calling(server) as caller:
        for _ in range(2):
            caller.say((POST % len(said)).removesuffix(b"\r\n"), offer, said)
            assert (await caller.hear())[1] == said


@pytest.mark.parametrize("said", [b"Upgrade: h2c\r\n", b"\r\nUpgrade: h2c\r\n", b"x\r\nUpgrade: h2c\r\n"])
async def test_a_body_that_looks_like_such_an_offer_stays_as_it_is(said: bytes) -> None:
    async with serving(echo) as server, calling(server) as caller:
        caller.say(POST % len(said), said)
        assert (await caller.hear())[1] == said


async def test_a_body_has_other_seconds_than_its_head(impatience: None) -> None:
    async with serving(echo) as server, calling(server) as caller:
        for _ in range(2):
            caller.say(POST % 5, b"he")
            await outlast(server)
            caller.say(b"l")
            await outlast(server)
            caller.say(b"lo")
            assert (await caller.hear())[1] == b"hello"


@pytest.mark.parametrize("ahead", [b"", HALF], ids=["", "with-half-a-head-sent-ahead"])
async def test_a_stream_lasts_as_long_as_it_likes(impatience: None, ahead: bytes) -> None:
    async def speak(exchange: Exchange) -> None:
        exchange.write_soon(b"data: one\n\n")
        await outlast(server)
        await exchange.finish(b"data: two\n\n")

    async with serving(speak) as server, calling(server) as caller:
        caller.say(GET % b"/", ahead)
        assert (await caller.hear_stream()).endswith(b"b\r\ndata: one\n\n\r\nb\r\ndata: two\n\n\r\n0\r\n\r\n")

        server.script = tell_path
        caller.say(b"re\r\n\r\n" if ahead else GET % b"/late")
        assert (await caller.hear())[1] == b"/late"


@pytest.mark.parametrize("ahead", [HALF, b""], ids=["half-a-head", "nothing"])
async def test_what_follows_an_answer_has_the_seconds_of_an_idle_connection(ahead: bytes) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        await be_answered(caller)
        server.protocols[0].timeout_keep_alive = 0
        caller.say(GET % b"/", ahead)
        assert (await caller.hear())[1] == b"/"

        rest = await caller.hear_all()
        if ahead:
            check_refusal(rest, RequestTooSlow())
        else:
            assert rest == b""


async def test_the_rest_of_a_body_that_was_answered_before_does_not_keep_the_connection() -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say(POST % 5, b"he")
        assert (await caller.hear())[1] == b"/"
        server.protocols[0].timeout_keep_alive = 0
        caller.say(b"l")
        assert await caller.hear_all() == b""


@pytest.mark.parametrize("piece", [b"l", b"\r\n"], ids=["of-a-body", "of-nothing"])
async def test_what_drips_in_after_an_answer_does_not_keep_the_connection(piece: bytes) -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say(POST % 1_000_000 if piece.strip() else GET % b"/")
        assert (await caller.hear())[1] == b"/"
        server.protocols[0].timeout_keep_alive = 0.2  # type: ignore[assignment]
        assert await drip(caller, piece) == b""


async def be_answered(caller: Caller) -> None:
    caller.say(GET % b"/early")
    await caller.hear()


async def listen(exchange: Exchange) -> None:
    with suppress(ClientGone):
        await echo(exchange)


@pytest.mark.parametrize(
    "nonsense",
    [
        NONSENSE,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost here\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        CHUNKED + BROKEN,
    ],
    ids=["no-http", "version", "header", "address", "body"],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["at-once", "after-an-answer"])
async def test_what_is_no_request_is_told_so_as_programs_read_it(nonsense: bytes, is_first: bool) -> None:
    async with serving(listen) as server, calling(server) as caller:
        if not is_first:
            await be_answered(caller)
        caller.say(nonsense)
        check_refusal(await caller.hear_all(), InvalidRequest())


@pytest.mark.parametrize(
    ("request_bytes", "nonsense"),
    [(GET % b"/", NONSENSE), (CHUNKED, BROKEN)],
    ids=["after-the-request", "in-its-body"],
)
async def test_no_refusal_falls_into_a_stream(
    monkeypatch: pytest.MonkeyPatch, request_bytes: bytes, nonsense: bytes
) -> None:
    came = asyncio.Event()
    refuse = Protocol.send_400_response

    def refuse_and_tell(connection: Protocol, msg: str) -> None:
        refuse(connection, msg)
        came.set()

    async def speak(exchange: Exchange) -> None:
        for piece in (b"data: one\n\n", b"data: two\n\n"):
            exchange.write_soon(piece)
            came.clear()
            await asyncio.wait_for(came.wait(), 5)
        await exchange.finish(b"data: [DONE]\n\n")

    monkeypatch.setattr(Protocol, "send_400_response", refuse_and_tell)
    async with serving(speak) as server, calling(server) as caller:
        caller.say(request_bytes)
        for piece in (b"one", b"two"):
            await asyncio.wait_for(caller.reader.readuntil(b"b\r\ndata: %b\n\n\r\n" % piece), 5)
            caller.say(nonsense)

        assert await caller.hear_all() == b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


async def test_what_was_asked_before_nonsense_is_answered_and_the_last_answer_says_that_it_is() -> None:
    async with serving(tell_path) as server, calling(server) as caller:
        caller.say(GET % b"/1", GET % b"/2", NONSENSE)
        heard = [await caller.hear(), await caller.hear()]

        assert [body for _, body in heard] == [b"/1", b"/2"]
        assert [b"\r\nconnection: close\r\n" in head for head, _ in heard] == [False, True]
        assert await caller.hear_all() == b""


async def test_a_broken_body_behind_a_running_answer_is_one_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_BODY_SECONDS", 0.05)
    async with serving(echo) as server, calling(server) as caller:
        caller.say(GET % b"/", CHUNKED, BROKEN)
        assert (await caller.hear())[0].startswith(b"HTTP/1.1 200 ")
        head, body = await caller.hear()
        assert (head[:13], body) == (b"HTTP/1.1 408 ", errors.render(RequestTooSlow()))
        assert await caller.hear_all() == b""
