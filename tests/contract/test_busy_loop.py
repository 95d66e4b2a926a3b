"""Passwords, pictures and bodies that break off keep nobody waiting who is being answered (contract, C33).

How long they would depends on the machine; on which thread the work is done does not, and what the loop spends on one
thing it can be compared with what it spends on another. How long a turn took is told in the table of `make faults`.
"""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from accounts.models import User
from tests.conftest import PASSWORD
from tests.fakes.upstream import FakeUpstream
from tests.faults.length import how_many, report
from tests.servers import Server, running_server
from tests.visitor import Visitor

SIGN_INS, PICTURES, LEAVING, WHOLE = how_many(8, 64), how_many(4, 20), 30, 5
MEGABYTE = 1024**2
BODY = json.dumps({"model": "good", "messages": [{"role": "user", "content": "x" * 5 * MEGABYTE}]}).encode()


@pytest.fixture
def inside(offered: FakeUpstream, tmp_path: Path) -> Iterator[Server]:
    """A server that tells of its loop, and takes a header's word for who is calling: attempts count by address."""
    environment = {"OPENAI_BASE_URL": offered.base_url, "TRUSTED_PROXIES": "127.0.0.1", "MAX_PARALLEL_CALLS": "0"}
    with running_server(tmp_path, environment=environment, command=["-m", "tests.faults.inside"]) as server:
        yield server


@dataclass(frozen=True)
class Loop:
    """Seconds of the processor it used, the longest turn by the clock, and the work done on it and beside it."""

    seconds: float
    longest_turn: float
    on_loop: int
    beside: int


def measure(server: Server, what: str, work: Callable[[], object]) -> Loop:
    """What some work costs the loop."""
    before = look(server)
    work()
    after = look(server)
    cost = Loop(
        after.seconds - before.seconds,
        after.longest_turn,
        after.on_loop - before.on_loop,
        after.beside - before.beside,
    )
    report(what, f"the loop computed {cost.seconds:.2f} s, longest turn {1000 * cost.longest_turn:.0f} ms")
    return cost


def look(server: Server) -> Loop:
    return Loop(**httpx2.get(f"{server.address}/inside/loop").json())


def test_c33_passwords_and_pictures_are_worked_on_beside_the_loop(inside: Server, sara: User) -> None:
    people = [
        User.objects.create_user(f"early{number}@example.edu", PASSWORD, name="Early") for number in range(SIGN_INS)
    ]
    picture = draw()
    with ThreadPoolExecutor(8) as crowd, closing(Visitor(inside, [])) as visitor:
        hashing = measure(inside, f"{SIGN_INS} sign-ins", lambda: list(crowd.map(partial(sign_in, inside), people)))
        visitor.sign_in(sara)
        drawing = measure(
            inside, f"{PICTURES} pictures", lambda: list(crowd.map(partial(attach, visitor), [picture] * PICTURES))
        )
    assert (hashing.on_loop, drawing.on_loop) == (0, 0)
    assert hashing.beside >= SIGN_INS
    assert drawing.beside == PICTURES


def sign_in(server: Server, person: User) -> None:
    with closing(Visitor(server, [], **{"x-forwarded-for": f"10.0.0.{person.pk % 250}"})) as visitor:
        assert visitor.sign_in(person)


def draw() -> bytes:
    """Twelve million pixels."""
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000), "teal").save(file, "PNG")
    return file.getvalue()


def attach(visitor: Visitor, picture: bytes) -> None:
    answer = visitor.http.post("/chat/attachments/", files={"file": ("a.png", picture, "image/png")})
    assert answer.status_code == 201, answer.text


def test_c33_who_leaves_in_the_middle_of_a_body_costs_less_than_who_stays(
    inside: Server, offered: FakeUpstream, saras_key: str
) -> None:
    asyncio.run(send_all(inside, saras_key, BODY))  # what the first call of a process costs is not the matter here
    staying = measure(
        inside, f"{WHOLE} bodies of 5 MiB", lambda: asyncio.run(send_many(inside, saras_key, BODY, WHOLE))
    )
    half = BODY[: len(BODY) // 2]
    leaving = measure(
        inside, f"{LEAVING} bodies broken off", lambda: asyncio.run(send_many(inside, saras_key, half, LEAVING))
    )
    assert leaving.seconds / LEAVING < staying.seconds / WHOLE
    assert len(offered.calls()) == WHOLE + 1


async def send_many(server: Server, key: str, sent: bytes, times: int) -> None:
    await asyncio.gather(*(send_all(server, key, sent) for _ in range(times)))


async def send_all(server: Server, key: str, sent: bytes) -> None:
    """Send so much of the body, and leave, or stay for the answer if that was all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = ["POST /v1/chat/completions HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {key}"]
    head += ["Connection: close", f"Content-Length: {len(BODY)}", "", ""]
    writer.write("\r\n".join(head).encode() + sent)
    await writer.drain()
    if len(sent) == len(BODY):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
