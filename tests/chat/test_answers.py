"""An answer over a real server: it streams, it is found again, it is stopped, and it ends in words."""

import threading
from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest

from accounts.models import User
from accounts.services import set_password, suspend_person
from accounts.types import Principal
from chat import services
from chat.models import Message
from chat.types import Author, Progress
from core import clock
from quotas.models import Reservation
from quotas.selectors import find_differences
from quotas.services import set_quota
from quotas.types import State
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor, text_of
from tests.fakes.upstream import ANSWER, FakeUpstream
from usage.models import UsageRecord
from usage.types import Outcome


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


@pytest.fixture
def stranger(web: RunningServer, omar: User, other_student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, omar)) as visitor:
        yield visitor


def test_an_answer_streams_and_ends(visitor: Visitor, add_model: AddModel) -> None:
    add_model("good")

    asked = visitor.ask("Hello", model="good")
    events = list(visitor.events(asked.json()["follow"]))

    assert asked.status_code == 201
    assert text_of(events) == ANSWER
    assert events[-1].name == "end"
    assert events[-1].data["progress"] == "complete"
    assert (events[-1].data["prompts"], events[-1].data["left"]) == (1, 19)
    answer = Message.objects.get(pk=asked.json()["answer"])
    assert (answer.text, answer.progress) == (ANSWER, Progress.COMPLETE)
    assert Reservation.objects.get().state == State.CLOSED
    assert find_differences() == []


def test_a_reader_who_comes_back_goes_on_where_it_was(visitor: Visitor, add_model: AddModel) -> None:
    add_model("unhurried")
    follow = visitor.ask("Hello", model="unhurried").json()["follow"]
    first = next(iter(visitor.events(follow)))

    rest = list(visitor.events(follow, **{"Last-Event-ID": first.id}))

    assert first.data["text"] + text_of(rest) == ANSWER
    assert rest[-1].name == "end"


@pytest.mark.parametrize("at", [0, 1, 5, len(ANSWER) - 1, len(ANSWER), len(ANSWER) + 50])
def test_an_ended_answer_is_read_from_any_place(visitor: Visitor, add_model: AddModel, at: int) -> None:
    add_model("good")
    follow = visitor.ask("Hello", model="good").json()["follow"]
    list(visitor.events(follow))

    events = list(visitor.events(f"{follow}?after={at}"))

    assert text_of(events) == ANSWER[at:]
    assert events[-1].name == "end"


def test_two_readers_see_the_same_answer(visitor: Visitor, add_model: AddModel) -> None:
    add_model("unhurried")
    follow = visitor.ask("Hello", model="unhurried").json()["follow"]
    seen: list[str] = []
    readers = [threading.Thread(target=lambda: seen.append(text_of(list(visitor.events(follow))))) for _ in range(2)]

    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(20)

    assert seen == [ANSWER, ANSWER]


def test_an_answer_goes_on_when_nobody_reads_it(visitor: Visitor, add_model: AddModel, upstream: FakeUpstream) -> None:
    add_model("unhurried")
    asked = visitor.ask("Hello", model="unhurried").json()

    next(iter(visitor.events(asked["follow"])))  # and away

    [arrival] = upstream.calls()
    assert arrival.ended.wait(10)
    assert not arrival.left.is_set()
    assert text_of(list(visitor.events(asked["follow"]))) == ANSWER


def test_stop_keeps_what_was_said_hangs_up_and_costs_the_prompt(
    visitor: Visitor, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("slow")
    asked = visitor.ask("Count", model="slow").json()
    events = visitor.events(asked["follow"])
    first = next(events)

    assert visitor.http.post(f"/chat/answers/{asked['answer']}/stop/").status_code == 204
    rest = list(events)

    assert rest[-1].name == "end"
    assert rest[-1].data["progress"] == "stopped"
    assert (rest[-1].data["prompts"], rest[-1].data["left"]) == (1, 19)
    assert upstream.calls()[0].left.wait(2)
    answer = Message.objects.get(pk=asked["answer"])
    assert answer.text == text_of([first, *rest])
    assert UsageRecord.objects.get().outcome == Outcome.CLIENT_LEFT


def test_stop_before_the_first_word_costs_the_prompt(
    visitor: Visitor, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("silent")
    asked = visitor.ask("Hello?", model="silent").json()

    visitor.http.post(f"/chat/answers/{asked['answer']}/stop/")
    events = list(visitor.events(asked["follow"]))

    assert [event.name for event in events] == ["end"]
    assert events[0].data["progress"] == "stopped"
    assert events[0].data["prompts"] == 1


def test_a_stop_pressed_at_another_process_is_obeyed(visitor: Visitor, add_model: AddModel, sara: User) -> None:
    add_model("slow")
    asked = visitor.ask("Count", model="slow").json()
    next(iter(visitor.events(asked["follow"])))

    services.request_stop(user_id=sara.pk, answer_id=UUID(asked["answer"]))  # its row is all another process has

    assert list(visitor.events(asked["follow"]))[-1].data["progress"] == "stopped"


@pytest.mark.parametrize(
    ("behavior", "code"), [("resets", "upstream_error"), ("filtered", "content_filter"), ("breaks", "upstream_error")]
)
def test_a_failure_is_told_in_words_and_not_charged(
    visitor: Visitor, add_model: AddModel, behavior: str, code: str
) -> None:
    add_model(behavior)

    events = list(visitor.events(visitor.ask("Hello", model=behavior).json()["follow"]))

    assert events[-1].name == "error"
    assert events[-1].data["code"] == code
    assert events[-1].data["message"]
    assert (events[-1].data["prompts"], events[-1].data["left"]) == (0, 20)
    assert "Nothing was charged" in events[-1].data["html"]


def test_an_answer_of_another_process_is_followed_by_its_row(
    visitor: Visitor, add_model: AddModel, student: Principal
) -> None:
    add_model("good")
    asked = services.ask(principal=student, text="Hello", model="good")  # nothing in the server writes it
    events = visitor.events(f"/chat/answers/{asked.answer_id}/events/")

    services.save_progress(texts={asked.answer_id: "Hal"})
    first = next(events)
    services.save_progress(texts={asked.answer_id: "Hallo"})
    second = next(events)
    services.finish_answer(answer_id=asked.answer_id, text="Hallo!", progress=Progress.COMPLETE)

    assert (first.data["text"], first.id) == ("Hal", "3")
    assert (second.data["text"], second.id) == ("lo", "5")
    assert [event.name for event in events] == ["text", "end"]


def test_an_answer_whose_process_died_ends_in_words(visitor: Visitor, add_model: AddModel, student: Principal) -> None:
    add_model("good")
    asked = services.ask(principal=student, text="Hello", model="good")
    services.save_progress(texts={asked.answer_id: "Hal"})
    Message.objects.filter(pk=asked.answer_id).update(lease_until=clock.now())

    events = list(visitor.events(f"/chat/answers/{asked.answer_id}/events/"))

    assert text_of(events) == "Hal"
    assert (events[-1].name, events[-1].data["code"]) == ("error", "lost")
    assert Message.objects.get(pk=asked.answer_id).progress == Progress.FAILED


def test_nobody_follows_or_stops_the_answer_of_another(
    visitor: Visitor, stranger: Visitor, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("unhurried")
    asked = visitor.ask("Mine", model="unhurried").json()

    assert stranger.http.get(asked["follow"]).status_code == 404
    assert stranger.http.post(f"/chat/answers/{asked['answer']}/stop/").status_code == 404
    assert stranger.http.post(f"/chat/answers/{asked['answer']}/again/").status_code == 404

    assert list(visitor.events(asked["follow"]))[-1].data["progress"] == "complete"


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "1e3", "９", "9" * 30])
def test_a_place_that_is_no_number_is_refused(visitor: Visitor, add_model: AddModel, after: str) -> None:
    add_model("good")
    follow = visitor.ask("Hello", model="good").json()["follow"]

    answer = visitor.http.get(follow, params={"after": after})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"text": "hi"}', "model"),
        (b'{"text": "hi", "model": "good", "conversation": "x"}', "conversation"),
        (b'{"text": "", "model": "good"}', "text"),
        (b'{"text": "hi\\u0000", "model": "good"}', "text"),
    ],
)
def test_what_cannot_be_read_is_refused_and_costs_nothing(
    visitor: Visitor, add_model: AddModel, body: bytes, param: str | None
) -> None:
    add_model("good")

    answer = visitor.http.post("/chat/ask/", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert not Reservation.objects.exists()


def test_a_signed_out_page_is_told_so(visitor: Visitor, add_model: AddModel) -> None:
    add_model("good")
    visitor.http.cookies.delete("sessionid")

    answer = visitor.ask("Hello", model="good")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "sign_in_required"


def test_c24_whose_password_was_changed_meanwhile_asks_nothing_more_and_what_was_asked_is_answered(
    visitor: Visitor, add_model: AddModel, sara: User
) -> None:
    add_model("unhurried")
    follow = visitor.ask("Hello", model="unhurried").json()["follow"]
    events = visitor.events(follow)
    first = next(events)

    set_password(user_id=sara.pk, password="another horse, another battery")

    for refused in (visitor.ask("And now?", model="unhurried"), visitor.http.get(follow)):
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "sign_in_required")
    assert text_of([first, *events]) == ANSWER
    assert UsageRecord.objects.get().outcome == Outcome.SERVED


def test_c24_the_answer_of_who_is_suspended_meanwhile_is_cut_and_keeps_its_price(
    visitor: Visitor, add_model: AddModel, upstream: FakeUpstream, sara: User
) -> None:
    add_model("slow")
    asked = visitor.ask("Count", model="slow").json()
    events = visitor.events(asked["follow"])
    first = next(events)

    suspend_person(user_id=sara.pk)
    rest = list(events)

    assert (rest[-1].name, rest[-1].data["code"]) == ("error", "account_suspended")
    assert "This account is suspended" in rest[-1].data["message"]
    assert "It cost 1 prompt." in rest[-1].data["html"]
    assert upstream.calls()[0].left.wait(2)
    assert Message.objects.get(pk=asked["answer"]).text == text_of([first, *rest])
    assert UsageRecord.objects.values_list("outcome", "prompts").get() == (Outcome.CLIENT_LEFT, 1)
    assert visitor.ask("And now?", model="slow").status_code == 401


def test_a_question_without_a_script_still_works(visitor: Visitor, add_model: AddModel) -> None:
    add_model("good")
    page = {"Accept": "text/html"}

    asked = visitor.http.post("/chat/ask/", data={"text": "Hello", "model": "good"}, headers=page)

    assert asked.status_code == 302
    answer = Message.objects.get(author=Author.MODEL)
    list(visitor.events(f"/chat/answers/{answer.pk}/events/"))
    assert ANSWER in visitor.http.get(asked.headers["location"], headers=page).text


def test_a_refusal_without_a_script_keeps_the_text(visitor: Visitor, add_model: AddModel, sara: User) -> None:
    add_model("good")
    set_quota(limit=0, user_id=sara.pk)

    refused = visitor.http.post(
        "/chat/ask/", data={"text": "Never sent", "model": "good"}, headers={"Accept": "text/html"}
    )

    assert refused.status_code == 429
    assert "Never sent</textarea>" in refused.text
    assert "Nothing was charged" in refused.text
