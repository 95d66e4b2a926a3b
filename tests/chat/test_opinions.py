"""Whether an answer was good: said by its reader, kept with it, gone with it, and summed without anybody's words."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.conf import LazySettings
from django.test import AsyncClient, Client

from accounts.models import User
from accounts.types import Role
from audit.models import Entry
from chat.models import Conversation, Message, Opinion
from chat.services import judge_answer, purge_texts
from chat.types import Author, Complaint, Progress
from core import clock
from courses.models import Course
from gateway.models import Model
from tests.chat.test_course_chats import chat_of as course_chat_of
from tests.chat.test_course_chats import readable, teacher
from tests.chat.test_search_export_share import _read, chat_of
from tests.courses.conftest import comp1117

__all__ = ["comp1117", "teacher"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def answer(client: Client, sara: User) -> Message:
    client.force_login(sara)
    return chat_of(sara).messages.get(author=Author.MODEL)


def here(answer: Message) -> str:
    return f"/chat/answers/{answer.pk}/opinion/"


def judge(client: Client, answer: Message, **given: str) -> dict[str, str]:
    response = client.post(here(answer), given, content_type="application/json", headers={"Accept": "application/json"})
    assert response.status_code == 200, response.content
    told: dict[str, str] = response.json()
    return told


def is_pressed(markup: str, verdict: str) -> bool:
    button = markup[markup.index(f'data-verdict="{verdict}"') :]
    return button[: button.index(">")].count('aria-pressed="true"') == 1


@pytest.mark.both_databases
def test_an_opinion_is_given_changed_and_taken_back(client: Client, answer: Message) -> None:
    told = judge(client, answer, verdict="bad")
    assert is_pressed(told["html"], "bad") and '<details class="why" open>' in told["html"]
    judge(client, answer, verdict="bad", reason="wrong", note="Iron\nships float too")
    opinion = Opinion.objects.get()
    assert (opinion.is_good, opinion.reason, opinion.note) == (False, Complaint.WRONG, "Iron ships float too")

    judge(client, answer, verdict="good", reason="wrong", note="kept by mistake")
    opinion = Opinion.objects.get()
    assert (opinion.is_good, opinion.reason, opinion.note) == (True, "", "")

    told = judge(client, answer, verdict="")
    assert not Opinion.objects.exists() and not is_pressed(told["html"], "good")


def test_it_stands_there_after_a_reload_and_for_other_tabs(client: Client, answer: Message) -> None:
    judge(client, answer, verdict="bad", reason="beside", note="<b>No</b>")
    for page in (client.get(f"/chat/{answer.conversation_id}/").text, client.get(here(answer)).text):
        assert is_pressed(page, "bad") and "Not what I asked" in page
        assert "&lt;b&gt;No&lt;/b&gt;" in page and "<b>No</b>" not in page


def test_a_form_without_a_script_leads_back_to_the_answer(client: Client, answer: Message) -> None:
    response = client.post(here(answer), {"verdict": "good"}, headers={"Accept": "text/html"})
    assert response.headers["Location"] == f"/chat/{answer.conversation_id}/#m-{answer.pk}"
    assert Opinion.objects.get().is_good


@pytest.mark.parametrize("given", [{"verdict": "so-so"}, {"verdict": "bad", "reason": "ugly"}, {"note": "x" * 301}])
def test_what_the_page_does_not_offer_is_refused(client: Client, answer: Message, given: dict[str, str]) -> None:
    response = client.post(here(answer), given, content_type="application/json")
    assert response.status_code == 400
    assert not Opinion.objects.exists()


@pytest.mark.parametrize("progress", [Progress.RUNNING, Progress.FAILED])
def test_only_an_answer_that_is_there_is_judged(client: Client, answer: Message, progress: Progress) -> None:
    Message.objects.filter(pk=answer.pk).update(progress=progress)
    assert client.post(here(answer), {"verdict": "good"}, content_type="application/json").status_code == 400
    assert "data-opinion" not in client.get(f"/chat/{answer.conversation_id}/").text


def test_nobody_judges_the_answers_of_another(client: Client, answer: Message, omar: User) -> None:
    client.force_login(omar)
    assert client.post(here(answer), {"verdict": "good"}).status_code == 404
    assert client.get(here(answer)).status_code == 404


def test_it_is_taken_away_as_data_and_stands_in_no_document_to_hand_in(client: Client, answer: Message) -> None:
    judge(client, answer, verdict="bad", reason="incomplete", note="No figures")
    told = {form: client.get(f"/chat/{answer.conversation_id}/export/{form}/").text for form in ("json", "md", "doc")}
    question, said = json.loads(told["json"])["messages"]
    assert "opinion" not in question
    assert (said["opinion"]["good"], said["opinion"]["reason"], said["opinion"]["note"]) == (
        False,
        "incomplete",
        "No figures",
    )
    assert "No figures" not in told["md"] + told["doc"]


def test_it_is_not_shown_with_a_shared_chat(client: Client, answer: Message, omar: User) -> None:
    judge(client, answer, verdict="bad", note="No figures")
    client.post(f"/chat/{answer.conversation_id}/share/")
    link = client.get("/chat/shared/").text.split("/shared/")[1].split("/")[0]
    client.force_login(omar)
    page = client.get(f"/shared/{link}/")
    assert page.status_code == 200 and "No figures" not in page.text and "data-opinion" not in page.text


@pytest.mark.django_db(transaction=True)
def test_it_goes_when_its_chat_goes(client: Client, answer: Message) -> None:
    judge(client, answer, verdict="good")
    Conversation.objects.update(updated_at=clock.now() - timedelta(days=1000))
    purge_texts()
    assert not Opinion.objects.exists()


def test_the_teacher_who_opened_the_chat_reads_it(teacher: Client, comp1117: Course, ines: User, sara: User) -> None:
    readable(comp1117, ines)
    chat = course_chat_of(sara, comp1117)
    question = chat.messages.get()
    said = Message.objects.create(conversation=chat, parent=question, author=Author.MODEL, text="Sort them.")
    Opinion.objects.create(answer=said, user=sara, is_good=False, reason=Complaint.HARMFUL, note="It told me to")
    door = f"/review/COMP1117/chats/{chat.pk}/"
    assert "It told me to" not in teacher.get(door).text
    teacher.post(door, {"reason": "help", "note": "You asked me to look."})
    page = teacher.get(door).text
    assert "It told me to" in page and "It is harmful" in page


# ---- the sums -------------------------------------------------------------------------------------------------------


@pytest.fixture
def judged(answer: Message, settings: LazySettings) -> None:
    """Three people judge the model "good", one of them the model "rare" as well."""
    settings.SMALLEST_GROUP = 3
    opinions = [("good", ""), ("bad", "wrong"), ("bad", "wrong")]
    for number, (verdict, reason) in enumerate(opinions):
        person = User.objects.create(email=f"p{number}@uni.example", name=f"Person {number}", role=Role.STUDENT)
        said = chat_of(person).messages.get(author=Author.MODEL)
        judge_answer(
            user_id=person.pk, answer_id=said.pk, is_good=verdict == "good", reason=reason, note="My own words"
        )
    rare = chat_of(person).messages.get(author=Author.MODEL)
    Message.objects.filter(pk=rare.pk).update(model="rare")
    judge_answer(user_id=person.pk, answer_id=rare.pk, is_good=True)


@pytest.mark.both_databases
def test_administrators_see_sums_and_nothing_of_a_few(client: Client, judged: None, root: User) -> None:
    client.force_login(root)
    page = client.get("/manage/models/opinions/").text
    assert "33 %" in page and "fewer than 3 people" in page and "100 %" not in page
    assert "My own words" not in page and "Person 0" not in page


@pytest.mark.parametrize("sort", ["-total", "total", "-share", "share", "-good", "good", "-wrong", "wrong", "model"])
def test_the_list_is_sorted_by_what_is_told_alone(client: Client, judged: None, root: User, sort: str) -> None:
    """Of "rare" one person thinks well: were it sorted by what is hidden, it would stand first by its share."""
    client.force_login(root)
    page = client.get("/manage/models/opinions/", {"sort": sort})
    order = [each.label for each in page.context["list"]["window"].rows]
    assert order == (["good", "rare"] if sort.startswith("-") or sort == "model" else ["rare", "good"])


def test_the_list_is_narrowed_by_name_and_label(client: Client, judged: None, root: User) -> None:
    Model.objects.create(name="rare", label="Seltenes Modell", operation="chat")
    client.force_login(root)
    for words, found in (("RARE", ["rare"]), ("selten", ["rare"]), ("good", ["good"]), ("nowhere", [])):
        page = client.get("/manage/models/opinions/", {"search": words})
        assert [each.pk for each in page.context["list"]["window"].rows] == found


def test_more_models_than_a_page_holds_are_on_the_next(client: Client, sara: User, root: User) -> None:
    chat = Conversation.objects.create(user=sara, title="Ships", model="m")
    for number in range(60):
        said = Message.objects.create(conversation=chat, author=Author.MODEL, text="Float.", model="m")
        Opinion.objects.create(answer=said, user=sara, model=f"lab/m&{number:02}", is_good=True)
    client.force_login(root)
    page = client.get("/manage/models/opinions/?sort=model")
    following = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert following
    page = client.get(unescape(following[1]))
    assert [each.pk for each in page.context["list"]["window"].rows] == [f"lab/m&{n}" for n in range(50, 60)]
    assert (
        len(client.get(f"{page.context['list_path']}?sort=model&before=lab/m%2650").context["list"]["window"].rows)
        == 50
    )


@pytest.mark.django_db(transaction=True)
async def test_the_file_is_the_table_and_taking_it_is_recorded(
    async_client: AsyncClient, judged: None, root: User
) -> None:
    await async_client.aforce_login(root)
    head, *lines = await file_of(async_client, "en")
    assert head.startswith("AI model,Judged,Good in percent,Good,Not good,It is wrong")
    assert lines == ["good,3,33,1,2,2,0,0,0,0", "rare" + ",fewer than 3 people" * 9]
    assert (await file_of(async_client, "zh-hant"))[2] == "rare" + ",少於 3 人" * 9
    entries = Entry.objects.filter(action="opinions.export")
    assert [entry.changes async for entry in entries] == [{"asked": [None, "sort=-total"]}] * 2


async def file_of(client: AsyncClient, language: str) -> list[str]:
    """The lines of the file, in this language."""
    asked = {"sort": "-total", "format": "csv"}
    answer = await client.get("/manage/models/opinions/", asked, headers={"Accept-Language": language})
    return (await _read(getattr(answer, "streaming_content"))).removeprefix("\ufeff").splitlines()  # noqa: B009


def test_the_sums_are_for_administrators(client: Client, judged: None, ines: User) -> None:
    client.force_login(ines)
    assert client.get("/manage/models/opinions/").status_code == 403
