"""Conversations: listed, opened, renamed, deleted and brought back by their owner, and by nobody else."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from accounts.types import Principal
from chat import selectors, services
from chat.models import Conversation
from chat.types import Progress
from core.errors import InvalidRequest
from tests.chat.conftest import AddModel

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # 12:00 in Hong Kong


@pytest.fixture
def talk(student: Principal, add_model: AddModel) -> Conversation:
    """A conversation of Sara's with one answered question."""
    add_model("good")
    asked = services.ask(principal=student, text="Mine alone", model="good")
    services.finish_answer(answer_id=asked.answer_id, text="Yes.", progress=Progress.COMPLETE)
    return Conversation.objects.get()


@pytest.fixture
def sara_at(sara: User, client: Client) -> Client:
    client.force_login(sara)
    return client


@pytest.fixture
def omar_at(omar: User, other_student: Principal) -> Client:
    client = Client()
    client.force_login(omar)
    return client


def test_the_list_is_grouped_by_the_words_people_look_for(sara: User) -> None:
    ages = {"now": 0, "last night": 0.6, "days ago": 4, "weeks ago": 30, "a year ago": 400}
    for title, days in ages.items():
        Conversation.objects.create(user=sara, title=title, model="m", updated_at=NOON - timedelta(days=days))

    with time_machine.travel(NOON, tick=False):
        groups = selectors.group_by_day(selectors.list_conversations(sara.pk))

    assert [(heading, [talk.title for talk in talks]) for heading, talks in groups] == [
        ("Today", ["now"]),
        ("Yesterday", ["last night"]),
        ("Last 7 days", ["days ago"]),
        ("October", ["weeks ago"]),
        ("October 2025", ["a year ago"]),
    ]


def test_the_list_comes_in_parts(sara: User, sara_at: Client) -> None:
    for number in range(selectors.CONVERSATIONS_AT_ONCE + 3):
        Conversation.objects.create(
            user=sara, title=f"Talk {number:02}", model="m", updated_at=NOON - timedelta(minutes=number)
        )

    first = selectors.list_conversations(sara.pk)
    rest = selectors.list_conversations(sara.pk, before=first[-1].updated_at)

    assert [talk.title for talk in rest] == ["Talk 40", "Talk 41", "Talk 42"]
    page = sara_at.get("/chat/list/").content.decode()
    assert "Earlier chats" in page
    assert "Talk 40" not in page
    more = sara_at.get("/chat/list/", {"before": first[-1].updated_at.isoformat()}).content.decode()
    assert "Talk 42" in more
    assert "New chat" not in more


def test_a_conversation_opens_with_its_turns(talk: Conversation, sara_at: Client) -> None:
    page = sara_at.get(f"/chat/{talk.pk}/")

    assert page.status_code == 200
    assert "Mine alone" in page.content.decode()


def test_renaming_and_deleting_and_undoing(talk: Conversation, sara_at: Client) -> None:
    sara_at.post(f"/chat/{talk.pk}/rename/", {"title": "  Better\nname "})
    talk.refresh_from_db()
    assert talk.title == "Better name"

    page = sara_at.post(f"/chat/{talk.pk}/delete/", follow=True)
    assert "“Better name” was deleted." in page.content.decode()
    assert sara_at.get(f"/chat/{talk.pk}/").status_code == 404

    sara_at.post(f"/chat/{talk.pk}/restore/")
    assert sara_at.get(f"/chat/{talk.pk}/").status_code == 200


def test_a_title_says_something(talk: Conversation) -> None:
    with pytest.raises(InvalidRequest):
        services.rename_conversation(user_id=talk.user_id, conversation_id=talk.pk, title=" \n")


def test_deleting_stops_the_answer_that_is_being_written(talk: Conversation, student: Principal) -> None:
    asked = services.ask(principal=student, text="More", model="good", conversation_id=talk.pk)

    services.delete_conversation(user_id=student.user_id, conversation_id=talk.pk)

    assert services.save_progress(texts={asked.answer_id: "x"}) == {asked.answer_id}


@pytest.mark.parametrize("door", ["", "rename/", "delete/", "restore/"])
def test_what_is_not_yours_is_not_found(talk: Conversation, omar_at: Client, door: str) -> None:
    address = f"/chat/{talk.pk}/{door}"

    answer = omar_at.post(address, {"title": "Mine now"}) if door else omar_at.get(address)

    assert answer.status_code == 404
    talk.refresh_from_db()
    assert (talk.title, talk.deleted_at) == ("Mine alone", None)


def test_nobody_brings_back_what_another_deleted(talk: Conversation, sara_at: Client, omar_at: Client) -> None:
    sara_at.post(f"/chat/{talk.pk}/delete/")

    assert omar_at.post(f"/chat/{talk.pk}/restore/").status_code == 404
    assert "Mine alone" not in omar_at.get("/", {"deleted": str(talk.pk)}).content.decode()


@pytest.mark.parametrize("address", ["/", "/images/", "/chat/list/"])
def test_the_pages_are_for_people_who_signed_in(client: Client, db: None, address: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("address", ["/?before=x", "/?deleted=x", "/images/?before=1", "/chat/list/?current=x"])
def test_a_mangled_address_is_refused_not_broken(sara_at: Client, clauses: None, address: str) -> None:
    assert sara_at.get(address).status_code in (200, 400)


@pytest.mark.parametrize(
    ("method", "address"),
    [("get", "/chat/ask/"), ("post", "/"), ("post", "/images/"), ("get", "/images/make/"), ("put", "/chat/list/")],
)
def test_another_method_is_405(sara_at: Client, clauses: None, method: str, address: str) -> None:
    assert getattr(sara_at, method)(address).status_code == 405
