"""While a hold is in force nothing it is about is removed; what a person deletes is only hidden from that person."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from audit.models import Entry
from chat.desk import HOLDS as LISTED
from chat.models import Conversation, Hold, ImageJob
from chat.services import end_hold, place_hold, purge_texts, remove_temporary_chats
from core import clock
from courses.models import Course
from tests.chat.test_retention import drawn_for, has_file, kept_for

pytestmark = pytest.mark.django_db(transaction=True)
HOLDS = "/manage/holds/"


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def history(db: None) -> Course:
    """A course that ended long ago."""
    today = clock.local_day(clock.now())
    return Course.objects.create(
        code="HIST2021", title="Trade", starts_on=today - timedelta(days=400), ends_on=today - timedelta(days=190)
    )


@pytest.mark.both_databases
def test_what_a_hold_on_a_person_keeps_goes_when_it_has_ended(sara: User, omar: User, root: User) -> None:
    kept, gone = kept_for(181, sara), kept_for(181, omar)
    picture = drawn_for(181, sara).pictures.get()
    hold = place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    purged = purge_texts()
    assert (purged.conversations, purged.image_jobs) == (1, 0)
    assert (purged.held_conversations, purged.held_image_jobs) == (1, 1)
    assert list(Conversation.objects.all()) == [kept]
    assert has_file(picture)
    assert gone.pk != kept.pk

    end_hold(hold_id=hold.pk, reason="Decided", by_id=root.pk)
    assert purge_texts().conversations == 1
    assert not ImageJob.objects.exists()
    assert not has_file(picture)


@pytest.mark.both_databases
def test_a_hold_on_a_course_keeps_what_was_asked_in_it_alone(sara: User, root: User, history: Course) -> None:
    kept = kept_for(300, sara, history)
    kept_for(300, sara)
    place_hold(case="41", reason="An appeal", by_id=root.pk, course_id=history.pk)
    assert purge_texts().conversations == 1
    assert list(Conversation.objects.all()) == [kept]


def test_another_case_goes_on_keeping(sara: User, root: User) -> None:
    kept_for(181, sara)
    first = place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    place_hold(case="42", reason="Another", by_id=root.pk, user_id=sara.pk)
    end_hold(hold_id=first.pk, reason="Decided", by_id=root.pk)
    assert purge_texts().conversations == 0


def test_what_its_owner_deletes_is_hidden_and_kept(client: Client, sara: User, root: User) -> None:
    chat = kept_for(181, sara)
    place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    client.force_login(sara)
    assert "the university may place a hold" in client.get("/chat/mine/").content.decode()
    client.post(f"/chat/{chat.pk}/delete/")
    assert client.get(f"/chat/{chat.pk}/").status_code == 404
    purge_texts()
    assert Conversation.objects.get().messages.get().text == "What is a heap?"


def test_a_temporary_chat_is_kept_too(sara: User, root: User) -> None:
    begun = clock.now() - timedelta(hours=25)
    Conversation.objects.create(user=sara, model="m", is_temporary=True, created_at=begun)
    hold = place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    assert remove_temporary_chats() == 0
    end_hold(hold_id=hold.pk, reason="Decided", by_id=root.pk)
    assert remove_temporary_chats() == 1


def test_a_dry_run_says_how_many_are_held(sara: User, omar: User, root: User) -> None:
    kept_for(181, sara)
    kept_for(181, omar)
    place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    out = StringIO()
    call_command("purge", "--dry-run", "--json", stdout=out)
    counts = {"conversations": 1, "image_jobs": 0, "held_conversations": 1, "held_image_jobs": 0}
    assert json.loads(out.getvalue()) == counts
    out = StringIO()
    call_command("purge", "--dry-run", stdout=out)
    assert "1 chats and 0 image jobs are over, and kept by a hold." in out.getvalue()


def test_a_hold_is_placed_found_and_ended_on_its_pages(desk: Client, sara: User, root: User) -> None:
    kept_for(1, sara)
    asked = {"person": "Sara@example.edu", "case": "Senate 2026/41", "reason": "An appeal"}
    answer = desk.post(f"{HOLDS}new/", asked)
    hold = Hold.objects.get()
    assert answer["location"] == f"{HOLDS}{hold.pk}/"
    page = desk.get(f"{HOLDS}{hold.pk}/").content.decode()
    assert "It is about 1 chat" in page and "An appeal" in page
    assert "Senate 2026/41" in desk.get(f"{HOLDS}?state=in_force&search=sara").content.decode()
    assert "Senate" not in desk.get(f"{HOLDS}?state=ended").content.decode()

    assert desk.post(f"{HOLDS}{hold.pk}/", {"reason": ""}).status_code == 400
    assert desk.post(f"{HOLDS}{hold.pk}/", {"reason": "Decided"}).status_code == 302
    assert desk.post(f"{HOLDS}{hold.pk}/", {"reason": "Again"}).status_code == 404
    assert "Decided" in desk.get(f"{HOLDS}{hold.pk}/").content.decode()
    cells = [column.cell(Hold.objects.get()) for column in LISTED.columns[:4] if column.cell]
    assert cells == ["Senate 2026/41", "sara@example.edu", "An appeal", "ended"]
    acts = Entry.objects.filter(subject=f"person/{sara.pk}").order_by("number")
    assert [(act.action, act.reason) for act in acts] == [("hold.place", "An appeal"), ("hold.end", "Decided")]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "about one person or about one course"),
        ({"person": "sara@example.edu", "course": "HIST2021"}, "about one person or about one course"),
        ({"person": "nobody@example.edu"}, "Nobody has this e-mail address"),
        ({"course": "NONE1"}, "There is no course NONE1"),
    ],
)
def test_a_hold_needs_one_thing_to_be_about(
    desk: Client, sara: User, history: Course, asked: dict[str, str], said: str
) -> None:
    answer = desk.post(f"{HOLDS}new/", {"case": "41", "reason": "An appeal", **asked})
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_a_case_holds_a_person_once(sara: User, root: User) -> None:
    place_hold(case="41", reason="An appeal", by_id=root.pk, user_id=sara.pk)
    with pytest.raises(ValidationError, match="in force there already"):
        place_hold(case="41", reason="Again", by_id=root.pk, user_id=sara.pk)
