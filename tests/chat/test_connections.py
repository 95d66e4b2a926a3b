"""Readers that wait hold no database connection: more of them than the pool has may follow, and pages still open."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from accounts.models import User
from accounts.types import Principal
from chat import services
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor

READERS = 12  # more than DATABASE_POOL, whose connections a page waits for at most two seconds


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


@pytest.mark.postgres
def test_readers_that_wait_hold_no_connection(visitor: Visitor, add_model: AddModel, student: Principal) -> None:
    add_model("good")
    asked = services.ask(principal=student, text="Hello", model="good")
    address = f"/chat/answers/{asked.answer_id}/events/"
    services.save_progress(texts={asked.answer_id: "H"})

    with ExitStack() as readers:
        for _ in range(READERS):
            events = visitor.events(address)
            readers.callback(events.close)
            assert next(events).data["text"] == "H"

        assert visitor.http.get("/chat/list/", headers={"Accept": "text/html"}).status_code == 200
