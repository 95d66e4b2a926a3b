"""A temporary chat: charged and recorded as any, in no list, found by no search, gone after a day."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.types import Principal
from chat import services
from chat.models import Conversation, Message
from chat.types import Progress
from core import clock
from core.errors import InvalidRequest
from courses.models import Course
from courses.services import enroll
from quotas.models import Reservation
from tests.chat.conftest import AddModel

pytestmark = pytest.mark.both_databases


@pytest.fixture
def asked(student: Principal, add_model: AddModel, client: Client, sara: User) -> Conversation:
    """Sara has asked something in a temporary chat."""
    client.force_login(sara)
    add_model("good")
    made = services.ask(principal=student, text="My secret worry", model="good", is_temporary=True)
    services.finish_answer(answer_id=made.answer_id, text="Be brave.", progress=Progress.COMPLETE)
    return Conversation.objects.get()


def test_it_is_in_no_list_and_found_by_no_search(asked: Conversation, client: Client) -> None:
    for address in ("/chat/list/", "/chat/mine/", "/chat/mine/?show=archived", "/chat/search/?q=worry", "/"):
        shown = client.get(address).text
        assert "worry</" not in shown and str(asked.pk) not in shown, address
    assert "worry" not in asked.title
    page = client.get(f"/chat/{asked.pk}/").text
    assert "My secret worry" in page and "removed 24 hours after it began" in page


def test_it_is_charged_and_recorded_as_any(asked: Conversation) -> None:
    answer = Message.objects.exclude(call_id=None).get()
    assert [held.call_id for held in Reservation.objects.all()] == [answer.call_id]


def test_its_text_is_gone_after_a_day_and_not_before(asked: Conversation) -> None:
    assert services.remove_temporary_chats() == 0
    Conversation.objects.update(created_at=clock.now() - services.TEMPORARY_FOR - timedelta(seconds=1))
    assert services.purge_texts(dry_run=True).conversations == 1
    assert services.remove_temporary_chats() == 1
    assert not Message.objects.exists()
    assert Reservation.objects.exists()


def test_a_kept_chat_of_the_same_age_stays(sara: User) -> None:
    Conversation.objects.create(user=sara, model="m", created_at=clock.now() - timedelta(days=3))
    assert services.remove_temporary_chats() == 0


def test_it_is_for_no_course_and_not_shared(asked: Conversation, student: Principal, client: Client) -> None:
    today = clock.local_day(clock.now())
    course = Course.objects.create(code="COMP1117", title="Programming", starts_on=today, ends_on=today)
    enroll(course=course, user=asked.user)
    with pytest.raises(InvalidRequest):
        services.ask(principal=student, text="x", model="good", course_code="COMP1117", is_temporary=True)
    assert client.post(f"/chat/{asked.pk}/share/").status_code == 400
