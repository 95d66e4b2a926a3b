"""What processes tell each other arrives while Redis is well, and nobody waits for it while it is not (C13)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from core import news
from core.news import News
from core.seals import seal
from tests.fakes.databases import Redis, running_redis

pytestmark = pytest.mark.redis

SECRET = "words of an answer"
Start = Callable[[str], News]


class Ear:
    """What was heard, and a way to wait for it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._rung = asyncio.Event()

    def __call__(self, message: bytes) -> None:
        self.heard.append(message)
        self._rung.set()

    async def wait_for(self, *messages: bytes) -> None:
        """Until these were the last."""
        async with asyncio.timeout(20):
            while self.heard[-len(messages) :] != [*messages]:
                self._rung.clear()
                await self._rung.wait()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """News of one more process."""
    started: list[News] = []

    def start(url: str) -> News:
        started.append(News(url))
        return started[-1]

    yield start
    for each in started:
        await each.close()


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """To be stopped, frozen and replaced, by whoever does not want to wait for it long."""
    monkeypatch.setattr(news, "REST_SECONDS", 0.01)
    monkeypatch.setattr(news, "_PATIENCE", 0.5)
    with running_redis() as redis:
        yield redis


async def until(is_so: Callable[[], object]) -> None:
    """Redis and tasks tell nobody when they are done."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def insist(teller: News, ear: Ear, message: bytes) -> None:
    """Tell it until it is heard: what is told during an outage, or before somebody listens, is forgotten."""
    heard = len(ear.heard)
    async with asyncio.timeout(20):
        while message not in ear.heard[heard:]:
            teller.tell("channel", lambda: message)
            await asyncio.sleep(0.02)


async def test_who_listens_hears_what_another_tells_in_order(start: Start, redis_url: str) -> None:
    ear, listener, teller = Ear(), start(redis_url), start(redis_url)
    listener.listen("channel", ear)
    await insist(teller, ear, b"hello")

    for word in ("one", "two", "three"):
        teller.tell("channel", partial(str.encode, word))

    await ear.wait_for(b"one", b"two", b"three")


async def test_what_was_said_several_times_before_its_turn_is_told_once(start: Start, redis_url: str) -> None:
    ear, teller = Ear(), start(redis_url)
    teller.listen("channel", ear)
    made: list[bytes] = []

    def compose() -> bytes:
        made.append(b"all of it")
        return made[-1]

    for _ in range(100):
        teller.tell("channel", compose)
    await ear.wait_for(b"all of it")

    assert len(made) == 1


async def test_who_tells_learns_that_nobody_listens(start: Start, redis_url: str) -> None:
    unheard = asyncio.Event()

    start(redis_url).tell("channel", lambda: b"anybody?", unheard.set)

    await asyncio.wait_for(unheard.wait(), 20)


async def test_nothing_is_heard_that_is_not_sealed_for_its_channel(start: Start, redis: Any, redis_url: str) -> None:
    ear, listener = Ear(), start(redis_url)
    listener.listen("channel", ear)
    await insist(listener, ear, b"it listens")
    with patch("django.conf.settings.SECRET_KEY", "another"):
        foreign = seal(news._place("channel"), b"foreign")
    elsewhere = seal(news._place("another channel"), b"for others")
    flipped = bytearray(seal(news._place("channel"), b"ours"))
    flipped[-1] ^= 1

    for lie in (b"", b"garbage", b"\0" * 32, bytes(range(256)), foreign, elsewhere, bytes(flipped), b"x" * 1_000_000):
        assert redis.publish("channel", lie) == 1
    redis.publish("channel", seal(news._place("channel"), b"ours"))

    await ear.wait_for(b"ours")
    assert set(ear.heard) == {b"it listens", b"ours"}


async def test_the_connection_is_one_and_ends_when_nobody_needs_it(start: Start, own_redis: Redis) -> None:
    def count() -> int:
        return own_redis.say("CLIENT", "LIST").count(b" laddr=")

    before, each, ear = count(), start(own_redis.url), Ear()
    for number in range(50):
        each.listen(f"channel {number}", ear)
        each.tell(f"channel {number}", partial(str.encode, str(number)))
    await until(lambda: len(ear.heard) == 50)

    assert count() == before + 1
    for number in range(50):
        each.leave(f"channel {number}")
    await until(lambda: count() == before)
    each.tell("channel", lambda: b"once more")
    assert each._task
    await asyncio.wait_for(each._task, 20)
    assert count() == before


# What happens, and how often it is surely tried in vain, or once more, to connect.
OUTAGES: dict[str, tuple[Callable[[Redis], object], int]] = {
    "stopped": (lambda redis: redis.stop(), 3),
    "frozen": (lambda redis: redis.freeze(), 2),
    "emptied": (lambda redis: redis.say("FLUSHALL"), 0),
    "hung up": (lambda redis: redis.say("CLIENT", "KILL", "TYPE", "pubsub"), 1),
}


@pytest.mark.parametrize(("outage", "tries"), OUTAGES.values(), ids=OUTAGES)
async def test_c13_after_an_outage_news_go_on_and_the_log_has_one_line(
    start: Start,
    own_redis: Redis,
    caplog: pytest.LogCaptureFixture,
    outage: Callable[[Redis], object],
    tries: int,
) -> None:
    ear, each = Ear(), start(own_redis.url)
    each.listen("channel", ear)
    await insist(each, ear, b"before")

    with patch.object(each._pool, "make_connection", wraps=each._pool.make_connection) as connect:
        outage(own_redis)
        each.tell("channel", lambda: b"meanwhile")
        await until(lambda: connect.call_count >= tries)
    own_redis.restart()
    await insist(each, ear, b"after")

    assert len([record for record in caplog.records if record.name == "core.news"]) == 1


NONSENSE = {
    "nothing": b"",
    "a number": b":5\r\n" * 1000,
    "no protocol": b"HTTP/1.1 200 OK\r\n\r\n",
    "an unknown length": b"$x\r\n",
    "depth": b"*1\r\n" * 100_000,
    "a line without end": b"+" + b"x" * 1_000_000,
    "news of nobody": b">3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n$3\r\nlie\r\n" * 100,
    "no text": b">3\r\n$7\r\nmessage\r\n$1\r\n\xff\r\n$3\r\nlie\r\n",
    "errors": b"-ERR no\r\n" * 100,
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_c13_a_server_that_is_no_redis_fails_nobody(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, nonsense: bytes
) -> None:
    monkeypatch.setattr(news, "REST_SECONDS", 0.01)
    visits = 0

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        with suppress(ConnectionError):
            writer.write(nonsense)
            await writer.drain()
        writer.close()

    ear, server = Ear(), await asyncio.start_server(lie, "127.0.0.1", 0)
    async with server:
        each = start(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        each.listen("channel", ear)
        each.tell("channel", lambda: b"anybody?")
        await until(lambda: visits > 2)
        await each.close()

    assert ear.heard == []
    assert len([record for record in caplog.records if record.name == "core.news"]) == 1


async def test_what_is_told_and_heard_is_in_no_log(
    start: Start, own_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    ear, each = Ear(), start(own_redis.url)
    with caplog.at_level(logging.DEBUG):
        each.listen("channel", ear)
        await insist(each, ear, SECRET.encode())
        own_redis.stop()
        await until(lambda: "Redis is away" in caplog.text)

    assert SECRET not in caplog.text


async def test_what_waits_to_be_told_is_bounded_and_without_redis_nothing_waits(start: Start) -> None:
    nowhere, without = start("redis://127.0.0.1:1"), start("")
    for number in range(10 * news._MOST_KEPT):
        for each in (nowhere, without):
            each.tell(f"channel {number}", lambda: b"anybody?")
            each.listen("channel", Ear())

    assert len(nowhere._outbox) == news._MOST_KEPT
    assert (len(without._outbox), without._task) == (0, None)
