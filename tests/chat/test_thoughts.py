"""How a model came to its answer: told apart from it, kept with it, and never taken for it."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from accounts.models import User
from accounts.types import Principal
from chat import services
from chat.models import Conversation, Message
from chat.selectors import list_path, turns_of
from chat.types import Progress
from tests.chat.conftest import AddModel
from tests.chat.server import Event, RunningServer, Visitor, text_of
from tests.fakes.dialects import DIALECTS, THOUGHT
from tests.fakes.upstream import ANSWER, FakeUpstream


@pytest.fixture(autouse=True)
def _clever(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "behaviors", DIALECTS)


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


def thought_of(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "thought")


def test_a_thought_streams_beside_the_answer_and_is_kept(visitor: Visitor, add_model: AddModel) -> None:
    add_model("reasons")

    asked = visitor.ask("Hello", model="reasons").json()
    events = list(visitor.events(asked["follow"]))

    assert (thought_of(events), text_of(events)) == (THOUGHT, ANSWER)
    assert (events[-1].name, events[-1].data["prompts"]) == ("end", 1)
    answer = Message.objects.get(pk=asked["answer"])
    assert (answer.thought, answer.text) == (THOUGHT, ANSWER)


@pytest.mark.parametrize(
    ("place", "thought", "text"),
    [("0-4", THOUGHT[4:], ANSWER), (f"5-{len(THOUGHT)}", "", ANSWER[5:]), ("5", THOUGHT, ANSWER[5:])],
)
def test_a_reader_who_comes_back_misses_and_repeats_nothing(
    visitor: Visitor, add_model: AddModel, place: str, thought: str, text: str
) -> None:
    add_model("reasons")
    follow = visitor.ask("Hello", model="reasons").json()["follow"]
    list(visitor.events(follow))

    events = list(visitor.events(follow, **{"Last-Event-ID": place}))

    assert (thought_of(events), text_of(events)) == (thought, text)
    assert events[-1].id == f"{len(ANSWER)}-{len(THOUGHT)}"


def test_each_event_says_the_place_it_leads_to(visitor: Visitor, add_model: AddModel, student: Principal) -> None:
    add_model("good")
    asked = services.ask(principal=student, text="Hello", model="good")  # another process writes it
    events = visitor.events(f"/chat/answers/{asked.answer_id}/events/")

    services.save_progress(texts={asked.answer_id: ""}, thoughts={asked.answer_id: "Hm."})
    first = next(events)
    services.finish_answer(answer_id=asked.answer_id, text="Yes", thought="Hm. So", progress=Progress.COMPLETE)

    assert (first.name, first.id, first.data["text"]) == ("thought", "0-3", "Hm.")
    assert [(event.name, event.id) for event in events] == [("thought", "0-6"), ("text", "3-6"), ("end", "3-6")]


@pytest.mark.parametrize("after", ["-", "5-", "-5", "1-2-3", "1-x", "1-" + "9" * 10])
def test_a_place_of_another_form_is_refused(visitor: Visitor, add_model: AddModel, after: str) -> None:
    add_model("good")
    follow = visitor.ask("Hello", model="good").json()["follow"]

    assert visitor.http.get(follow, params={"after": after}).status_code == 400


def test_a_thought_is_shown_as_text_and_taken_away_as_data_alone(visitor: Visitor, add_model: AddModel) -> None:
    add_model("reasons")
    asked = visitor.ask("Hello", model="reasons").json()
    list(visitor.events(asked["follow"]))
    Message.objects.filter(pk=asked["answer"]).update(thought="<b>Bold</b> thought")

    page = visitor.http.get(asked["url"], headers={"Accept": "text/html"}).text
    exports = {form: visitor.http.get(f"{asked['url']}export/{form}/").text for form in ("json", "md", "doc")}

    assert "How it thought" in page and "&lt;b&gt;Bold&lt;/b&gt; thought" in page and "<b>Bold" not in page
    assert [message.get("thought") for message in json.loads(exports["json"])["messages"]] == [
        None,
        "<b>Bold</b> thought",
    ]
    assert "Bold" not in exports["md"] and "Bold" not in exports["doc"]
    assert "<b>Bold</b> thought" in visitor.http.get("/chat/export/").text


def test_a_thought_is_not_sent_back_with_the_next_question(visitor: Visitor, add_model: AddModel) -> None:
    add_model("reasons")
    asked = visitor.ask("Hello", model="reasons").json()
    list(visitor.events(asked["follow"]))

    turns = turns_of(list_path(Conversation.objects.get()), characters=10_000)

    assert THOUGHT not in json.dumps(turns)


def test_an_answer_without_thoughts_shows_none(visitor: Visitor, add_model: AddModel) -> None:
    add_model("good")
    asked = visitor.ask("Hello", model="good").json()
    list(visitor.events(asked["follow"]))

    assert "How it thought" not in visitor.http.get(asked["url"], headers={"Accept": "text/html"}).text
