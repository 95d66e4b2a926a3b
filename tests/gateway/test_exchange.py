"""Writing to a client without a task: here and now while it keeps up, in order and bounded when it does not."""

import asyncio
import weakref
from typing import Any

import pytest
from django.conf import LazySettings

from gateway.upstreams.pacing import Pace
from gateway.wire import exchange as exchanges
from gateway.wire import sse
from gateway.wire.exchange import ClientGone, Exchange, Message

SCOPE = {"method": "POST", "path": "/v1/chat/completions", "headers": []}


class Client:
    """The far end of an ASGI connection: takes everything at once, or waits for `may_take`."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.may_take = asyncio.Event()
        if not is_slow:
            self.may_take.set()
        self.taken: list[Message] = []
        self.has_left = asyncio.Event()
        self._took = asyncio.Semaphore(0)

    async def send(self, message: Message) -> None:
        await self.may_take.wait()
        self.taken.append(message)
        self._took.release()

    async def has_taken(self, count: int) -> None:
        for _ in range(count):
            await self._took.acquire()

    async def receive(self) -> dict[str, Any]:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.taken if message["type"] == "http.response.body"]


def exchange_with(client: Client) -> Exchange:
    return Exchange(SCOPE, client.receive, client.send)


async def test_a_client_that_keeps_up_is_served_without_a_turn_of_the_loop() -> None:
    client = Client()
    exchange = exchange_with(client)

    assert exchange.write_soon(b"one") is None
    assert exchange.write_soon(b"two") is None

    assert client.taken[0]["type"] == "http.response.start"
    assert client.bodies == [b"one", b"two"]


async def test_a_slow_client_is_waited_for_and_gets_everything_in_order() -> None:
    client = Client(is_slow=True)
    exchange = exchange_with(client)
    waits = [exchange.write_soon(piece) for piece in (b"one", b"two", b"three")]
    assert all(wait is not None for wait in waits)
    assert client.taken == []

    client.may_take.set()
    await exchange.finish(b"end")

    assert client.bodies == [b"one", b"two", b"three", b"end"]


async def test_a_client_that_takes_nothing_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "_READER_SECONDS", 0.01)
    left: list[bool] = []
    exchange = exchange_with(Client(is_slow=True))

    with exchange.attended(lambda: left.append(True)):
        wait = exchange.write_soon(b"one")
        assert wait is not None
        await wait
        with pytest.raises(ClientGone):
            await exchange.finish(b"end")

    assert left


async def test_a_connection_that_breaks_is_a_client_that_left() -> None:
    class Broken(Client):
        async def send(self, message: Message) -> None:
            raise ConnectionResetError

    left: list[bool] = []
    exchange = exchange_with(Broken())

    with exchange.attended(lambda: left.append(True)):
        assert exchange.write_soon(b"one") is None

    assert left == [True]


async def test_who_hangs_up_is_noticed_while_nothing_is_sent() -> None:
    client = Client()
    left = asyncio.Event()

    with exchange_with(client).attended(left.set):
        client.has_left.set()
        await asyncio.wait_for(left.wait(), 1)


async def test_silence_is_broken_by_a_sign_of_life(settings: LazySettings) -> None:
    settings.PING_SECONDS = 0.01
    client = Client()
    exchange = exchange_with(client)

    with exchange.pinged():
        await asyncio.wait_for(client.has_taken(3), 5)  # the head, and two
    told = client.bodies
    await asyncio.sleep(0.03)

    assert told[:2] == [sse.PING, sse.PING]
    assert client.bodies == told


async def test_a_slow_client_is_not_pinged_on_top(settings: LazySettings) -> None:
    settings.PING_SECONDS = 0.01
    client = Client(is_slow=True)
    exchange = exchange_with(client)

    with exchange.pinged():
        exchange.write_soon(b"one")
        await asyncio.sleep(0.05)
        client.may_take.set()
        await exchange.finish(b"end")

    assert client.bodies == [b"one", b"end"]


def test_a_process_with_time_never_pauses_and_a_late_or_busy_one_pauses_longer_and_longer() -> None:
    pace = Pace()
    for _ in range(10):
        pace.note(0.001, work=0.4)
    assert pace.pause == 0

    for lateness, work in ((0.05, 0.1), (0.001, 0.9)):
        pauses = []
        for _ in range(20):
            pace.note(lateness, work)
            pauses.append(pace.pause)
        assert pauses == sorted(pauses)
        assert pauses[0] > 0
        assert pauses[-1] == 0.12

        pace.note(0.001, work=0.3)
        assert pace.pause == 0.12  # as it is, it is right
        for _ in range(100):
            pace.note(0.001, work=0.1)
        assert pace.pause == 0


async def test_pauses_that_begin_together_end_together_and_each_ends() -> None:
    pace, woken, over = Pace(), [], asyncio.Event()
    pace.note(0.05, work=1)

    pace.rest(lambda: woken.append("first"))
    pace.rest(lambda: woken.append("second"))
    await asyncio.sleep(2 * pace.pause)
    assert woken == ["first", "second"]

    pace.rest(over.set)
    await asyncio.wait_for(over.wait(), 5)


async def test_a_pause_that_is_over_holds_nobody() -> None:
    pace = Pace()
    pace.note(0.05, work=1)
    over = asyncio.Event()
    held = weakref.ref(over)

    pace.rest(over.set)
    await asyncio.wait_for(over.wait(), 5)
    del over

    assert held() is None


async def test_a_pause_ends_however_short_it_is_and_whenever_it_begins() -> None:
    pace, woken = Pace(), 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    pace.pause = 0.001
    for _ in range(5):
        pace.rest(wake)
        await asyncio.sleep(0.003)

    await asyncio.sleep(0.02)
    assert woken == 5
