"""An answer that one process writes is followed and stopped from another, at once beside a Redis that is well."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from accounts.models import User
from accounts.types import Principal
from chat import elsewhere
from chat.models import Message
from chat.types import Progress, Snapshot
from core.news import News
from tests.chat.conftest import AddModel
from tests.chat.server import Event, Visitor, text_of
from tests.fakes.databases import Redis, running_redis
from tests.fakes.upstream import ANSWER, FakeUpstream, held_until
from tests.faults.outages import wait_until
from tests.servers import SERVE, running_server

pytestmark = pytest.mark.redis

RARE_WRITER = ["-m", "tests.chat.rare_writer"]


# ---- what is heard ----------------------------------------------------------------------------------


@pytest.fixture
def news(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> News:
    news = News(redis_url)
    monkeypatch.setattr(elsewhere, "news", news)
    return news


def running(text: str, thought: str = "") -> Snapshot:
    return Snapshot(text, Progress.RUNNING, 1, thought=thought)


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  another connection: nothing tells us when it is there
            await asyncio.sleep(0.01)


async def test_who_follows_hears_what_the_row_does_not_know_and_its_end(news: News) -> None:
    answer_id, said, stopped = uuid4(), ["Hel", "Hm"], asyncio.Event()
    teller = elsewhere.Teller(answer_id, read=lambda: (said[0], said[1]), stop=stopped.set)
    with elsewhere.following(answer_id) as hearer:
        hearer.read(running("H"))
        await until(lambda: hearer.snapshot == running("Hel", "Hm"))
        said[0] += "lo"
        teller.tell()
        await until(lambda: hearer.snapshot == running("Hello", "Hm"))
        hearer.read(running("Hell", "Hm"))  # the row is behind
        assert hearer.snapshot == running("Hello", "Hm")

        elsewhere.stop(answer_id)
        await asyncio.wait_for(stopped.wait(), 20)
        teller.end()
        await until(lambda: hearer.snapshot is None)
    await news.close()


async def test_a_long_answer_is_told_in_pieces_to_who_comes_late(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "LONGEST", 10)
    answer_id, said = uuid4(), "".join(map(str, range(50)))
    elsewhere.Teller(answer_id, read=lambda: (said, said[:25]), stop=lambda: None)
    with elsewhere.following(answer_id) as early, elsewhere.following(answer_id) as late:
        assert early is late  # one for the process
        early.read(running(""))
        await until(lambda: early.snapshot == running(said, said[:25]))
    await news.close()


PIECES = {
    "a gap": [[6, "from"], [0, ""]],
    "other words": [[0, "Help!"], [0, ""]],
    "what is known": [[0, "Hel"], [0, ""]],
    "a thought elsewhere": [[3, ""], [4, "Hm"]],
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
async def test_a_piece_that_does_not_go_on_from_what_is_known_does_not_count(news: News, piece: object) -> None:
    answer_id = uuid4()
    _asked, told = elsewhere._channels(answer_id)
    with elsewhere.following(answer_id) as hearer:
        hearer.read(running("Hell"))
        news.tell(told, lambda: json.dumps(piece).encode())
        news.tell(told, lambda: json.dumps([[2, "llo"], [0, ""]]).encode())
        await until(lambda: hearer.snapshot != running("Hell"))
        assert hearer.snapshot == running("Hello")
        hearer.read(running("Help!"))
        assert hearer.snapshot == running("Help!")  # the row is the truth
    await news.close()


# ---- two processes ----------------------------------------------------------------------------------


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    with running_redis() as redis:
        yield redis


@pytest.fixture
def told(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The provider says its words, and ends when it is told to."""
    told = threading.Event()
    monkeypatch.setattr(upstream, "behaviors", {"held": held_until(told)})
    yield told
    told.set()


Open = Callable[..., Visitor]


@pytest.fixture
def open_process(
    transactional_db: None, own_redis: Redis, sara: User, student: Principal, tmp_path: Path
) -> Iterator[Open]:
    """One more process of the site beside the Redis, and Sara at it."""
    environment = {"REDIS_URL": own_redis.url, "SECRET_KEY": settings.SECRET_KEY}
    with ExitStack() as stack:

        def start(command: list[str] = SERVE) -> Visitor:
            server = stack.enter_context(running_server(tmp_path, environment=environment, command=command))
            return stack.enter_context(closing(Visitor(server, sara)))

        yield start


def read_up_to(text: str, events: Generator[Event, None, None]) -> list[Event]:
    """The events until they say this much."""
    read: list[Event] = []
    while text_of(read) != text:
        read.append(next(events))
    return read


def count_ears(redis: Redis, asked: dict[str, str]) -> list[bytes]:
    """How many processes want to hear that the answer is asked for, and how many what it says."""
    return re.findall(rb":(\d+)", redis.say("PUBSUB", "NUMSUB", *elsewhere._channels(UUID(asked["answer"]))))


@pytest.mark.both_databases
def test_an_answer_is_followed_and_stopped_in_another_process_before_its_row_knows_a_word(
    open_process: Open, add_model: AddModel, own_redis: Redis, upstream: FakeUpstream, told: threading.Event
) -> None:
    add_model("held")
    here, there = open_process(RARE_WRITER), open_process()
    asked = here.ask("Hello", model="held").json()

    with closing(there.events(asked["follow"])) as leaving:
        read_up_to(ANSWER, leaving)
    assert Message.objects.get(pk=asked["answer"]).text == ""
    wait_until(lambda: count_ears(own_redis, asked) == [b"1", b"0"])
    events = there.events(asked["follow"])
    read = read_up_to(ANSWER, events)
    again = read_up_to(ANSWER[7:], there.events(f"{asked['follow']}?after=7"))
    assert there.http.post(f"/chat/answers/{asked['answer']}/stop/").status_code == 204

    assert upstream.calls()[0].left.wait(20)
    [end] = events
    assert (end.name, end.data["progress"], end.data["prompts"]) == ("end", "stopped", 1)
    assert [event.id for event in read] == [str(len(text_of(read[: n + 1]))) for n in range(len(read))]
    assert again[-1].id == end.id == str(len(ANSWER))
    assert Message.objects.get(pk=asked["answer"]).text == ANSWER
    wait_until(lambda: count_ears(own_redis, asked) == [b"0", b"0"])


def lie(redis: Redis, asked: dict[str, str]) -> None:
    """Garbage for all who listen, and what they would believe if we had sealed it."""
    piece = json.dumps([[len(ANSWER), " and a lie"], [0, "a lie"]]).encode()
    for channel in elsewhere._channels(UUID(asked["answer"])):
        for words in (piece, b"stop", b"", b"\0" * 32 + piece, b"x" * 100_000):
            assert redis.say("PUBLISH", channel, words) == b":1\r\n"


OUTAGES: dict[str, Callable[[Redis, dict[str, str]], object]] = {
    "stopped": lambda redis, _asked: redis.stop(),
    "frozen": lambda redis, _asked: redis.freeze(),
    "emptied": lambda redis, _asked: redis.say("FLUSHALL"),
    "lying": lie,
}


@pytest.mark.both_databases
def test_c13_whatever_becomes_of_redis_meanwhile_the_answer_is_whole_everywhere(
    open_process: Open, add_model: AddModel, own_redis: Redis, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model("held")
    here, there = open_process(), open_process()

    for outage in OUTAGES.values():
        told = threading.Event()
        monkeypatch.setattr(upstream, "behaviors", {"held": held_until(told)})
        asked = here.ask("Hello", model="held").json()
        following = [visitor.events(asked["follow"]) for visitor in (here, there)]
        for events in following:
            read_up_to(ANSWER, events)
        wait_until(lambda: count_ears(own_redis, asked) == [b"1", b"1"])  # noqa: B023  it is waited for here
        outage(own_redis, asked)
        late = there.events(asked["follow"])
        read_up_to(ANSWER, late)
        told.set()

        for events in (*following, late):
            [end] = events
            assert (end.name, end.data["progress"], end.id) == ("end", "complete", str(len(ANSWER)))
        own_redis.restart()
