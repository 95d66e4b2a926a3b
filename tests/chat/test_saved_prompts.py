"""Saved prompts: kept on a shelf of one's own, of a course or of everyone, and offered to whom it is for."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import AsyncClient, Client
from django.utils.html import escape

from accounts.models import User
from accounts.types import Principal
from audit.models import Entry
from chat import selectors, services
from chat.models import Conversation, Message, SavedPrompt
from chat.types import PromptWording, Shelf
from courses.models import Course
from courses.services import create_course, enroll, publish_rule
from courses.types import Approach, CourseRole
from tests.chat.test_search_export_share import _read

EVERYONES = Shelf()


@pytest.fixture
def course(sara: User, ines: User) -> Course:
    made = create_course(
        code="COMP1117", title="Programming", starts_on=date(2026, 1, 1), ends_on=date(2036, 12, 20), term="Term 1"
    )
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    return made


def keep(shelf: Shelf, command: str = "explain", **wording: Any) -> SavedPrompt:
    said = PromptWording(title="Explain", command=command, text="Explain {{passage}}.")
    return services.create_prompt(shelf=shelf, **{**said, **wording})


def offered(person: Principal | User, tag: str = "", language: str = "en") -> list[str]:
    user_id = person.pk if isinstance(person, User) else person.user_id
    shelves = selectors.list_offered(user_id, tag=tag, language=language)
    return [f"{label}: {prompt}" for label, prompts in shelves for prompt in prompts]


@pytest.mark.both_databases
def test_each_is_offered_to_whom_it_is_for(student: Principal, other_student: Principal, course: Course) -> None:
    keep(Shelf(owner_id=student.user_id), "mine")
    keep(Shelf(course_id=course.pk), "trace")
    keep(EVERYONES, "steps")

    assert offered(student) == ["My own: /mine", "For everyone: /steps"]
    assert offered(student, "COMP1117") == ["My own: /mine", "COMP1117: /trace", "For everyone: /steps"]
    assert offered(student, "COMP1117/GONE") == offered(student, "COMP1117")
    assert offered(other_student, "COMP1117") == ["For everyone: /steps"], "who is not in the course"


def test_a_course_that_forbids_ai_offers_its_students_nothing(student: Principal, ines: User, course: Course) -> None:
    keep(Shelf(course_id=course.pk), "trace")
    publish_rule(course_id=course.pk, by_id=ines.pk, approach=Approach.PROHIBITED)

    assert offered(student, "COMP1117") == []
    assert offered(ines, "COMP1117") == ["COMP1117: /trace"]


def test_everyones_are_offered_in_the_language_of_the_page(student: Principal) -> None:
    keep(EVERYONES, "steps", language="en", is_starter=True)
    keep(EVERYONES, "步驟", language="zh-hant", is_starter=True)
    keep(EVERYONES, "sum")

    assert offered(student, language="zh-hant") == ["For everyone: /sum", "For everyone: /步驟"]
    assert [str(prompt) for prompt in selectors.list_starters("en")] == ["/steps"]


def test_the_empty_page_offers_the_starters_in_place_of_the_built_in_ones(
    client: Client, student: Principal, sara: User
) -> None:
    client.force_login(sara)
    assert "Check my reasoning" in client.get("/").text
    keep(EVERYONES, title="<b>Steps</b>", text="Check {{my steps}}\nand <i>say why</i>", is_starter=True)
    page = client.get("/").text
    assert "Check my reasoning" not in page
    assert escape("<b>Steps</b>") in page and escape("Check [my steps] and <i>say why</i>") in page
    assert "<b>Steps</b>" not in page and "<i>say why" not in page
    assert "Make a picture" in page


def test_the_menu_carries_words_and_no_markup(client: Client, student: Principal, sara: User, course: Course) -> None:
    keep(Shelf(course_id=course.pk), title='"><img src=x>', text='</div><script>"')
    client.force_login(sara)
    told = client.get("/chat/prompts/menu/?course=COMP1117").text
    assert escape('"><img src=x>') in told and f'data-text="{escape("</div><script>" + chr(34))}"' in told
    assert "<img" not in told and "<script" not in told
    assert "role=" not in client.get("/chat/prompts/menu/").text, "of no course, there is nothing"


def test_one_writes_changes_and_removes_ones_own(client: Client, sara: User, omar: User) -> None:
    client.force_login(sara)
    wording = {"title": "Explain", "command": " /Explain ", "text": "Explain {{passage}}."}
    assert client.post("/chat/prompts/", wording).status_code == 302
    kept = SavedPrompt.objects.get()
    assert (kept.command, kept.owner) == ("explain", sara)
    here = f"/chat/prompts/{kept.pk}/"
    assert "Explain [passage]." in client.get("/chat/prompts/").text
    assert escape("Explain {{passage}}.") in client.get(here).text

    other = Client()
    other.force_login(omar)
    assert other.get(here).status_code == other.post(here, wording).status_code == 404
    assert other.post(f"{here}remove/").status_code == 404

    client.post(here, wording | {"title": "Say it again", "is_starter": "on", "language": "en"})
    kept.refresh_from_db()
    assert (kept.title, kept.is_starter, kept.language) == ("Say it again", False, "")
    client.post(f"{here}remove/")
    assert not SavedPrompt.objects.exists()
    assert not Entry.objects.exists(), "what one keeps for oneself is in no log"


def test_a_teacher_writes_those_of_the_own_course_only(client: Client, ines: User, sara: User, course: Course) -> None:
    other = create_course(code="HIST2021", title="Maps", starts_on=date(2026, 1, 1), ends_on=date(2036, 12, 20))
    theirs = keep(Shelf(course_id=other.pk))
    client.force_login(ines)
    wording = {"title": "Trace", "command": "trace", "text": "Trace this loop."}
    assert client.post("/review/COMP1117/prompts/", wording).status_code == 302
    assert "/trace" in client.get("/review/COMP1117/prompts/").text
    assert client.post("/review/HIST2021/prompts/", wording).status_code == 404
    assert client.post(f"/review/COMP1117/prompts/{theirs.pk}/", wording).status_code == 404, "of another course"
    assert client.post(f"/review/COMP1117/prompts/{theirs.pk}/remove/").status_code == 404
    client.force_login(sara)
    assert client.post("/review/COMP1117/prompts/", wording).status_code == 403


def test_what_teachers_and_administrators_change_is_in_the_audit_log(
    client: Client, root: User, ines: User, course: Course
) -> None:
    client.force_login(ines)
    client.post("/review/COMP1117/prompts/", {"title": "Trace", "command": "trace", "text": "Trace this loop."})
    client.force_login(root)
    wording = {"title": "Steps", "command": "steps", "text": "Check these.", "language": "", "is_starter": "on"}
    assert client.post("/manage/prompts/", wording).status_code == 302
    here = f"/manage/prompts/{SavedPrompt.objects.get(course=None).pk}/"
    client.post(here, wording | {"text": "Check my steps."})
    client.post(f"{here}remove/")

    told = [(entry.action, entry.name) for entry in Entry.objects.order_by("number") if "prompt." in entry.action]
    assert told == [
        ("prompt.create", "COMP1117 /trace"),
        ("prompt.create", "/steps"),
        ("prompt.change", "/steps"),
        ("prompt.remove", "/steps"),
    ]
    assert Entry.objects.get(action="prompt.change").changes == {"text": ["Check these.", "Check my steps."]}


@pytest.mark.both_databases
def test_everyones_are_a_list_sorted_and_narrowed_by_the_address(client: Client, root: User, course: Course) -> None:
    keep(EVERYONES, "sum", title="Sum up", language="zh-hant")
    keep(EVERYONES, "steps", title="Steps", language="en", is_starter=True)
    keep(EVERYONES, "sources", text="Where does it say so?", language="en")
    keep(EVERYONES, "zebra")
    keep(Shelf(course_id=course.pk), "trace")
    client.force_login(root)

    def found(**asked: str) -> list[str]:
        return [prompt.command for prompt in client.get("/manage/prompts/", asked).context["list"]["window"].rows]

    assert found() == ["zebra", "sources", "steps", "sum"], "by language, then by command"
    assert found(sort="-language") == ["sum", "steps", "sources", "zebra"]
    assert found(sort="command") == ["sources", "steps", "sum", "zebra"]
    assert found(search="sum") == ["sum"]
    assert found(search="/st") == ["steps"]
    assert found(search="does it") == ["sources"]
    assert found(language="en", state="menu") == ["sources"]
    assert found(language="any") == ["zebra"]
    assert found(state="starter") == ["steps"]
    page = client.get("/manage/prompts/", {"language": "fr"})
    assert page.status_code == 400 and 'name="command"' in page.text, "one can still write one"


def test_the_list_leads_to_each_and_stays_there_while_it_is_changed(client: Client, root: User) -> None:
    kept = keep(EVERYONES, "steps", title="<b>Steps</b>", text="Check {{my steps}}.", is_starter=True)
    client.force_login(root)
    here = f"/manage/prompts/{kept.pk}/"
    page = client.get("/manage/prompts/").text
    assert f'href="{here}#wording"' in page and "Check [my steps]." in page and "<b>Steps" not in page
    assert f'href="{here}#wording" aria-current="true"' in client.get(here).text
    refused = client.post(here, {"title": "", "command": "steps", "text": "Words"})
    assert refused.status_code == 400 and f'href="{here}#wording"' in refused.text
    assert "/manage/prompts/?&amp;format=csv" in client.get(here).text


@pytest.mark.django_db(transaction=True)
async def test_the_file_of_everyones_has_each_text_as_a_whole(async_client: AsyncClient, root: User) -> None:
    text = "Check {{my steps}}.\n" + "Slowly. " * 50
    await SavedPrompt.objects.acreate(title="Steps", command="steps", text=text, language="en", is_starter=True)
    await async_client.aforce_login(root)
    answer = await async_client.get("/manage/prompts/", {"format": "csv"})
    told = (await _read(answer.streaming_content)).removeprefix("\ufeff")  # type: ignore[attr-defined]
    head, line = csv.reader(io.StringIO(told))
    assert head == ["Title", "Command", "Language", "Text", "Offered", "Last changed"]
    assert line[:5] == ["Steps", "/steps", "en", text, "empty page"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("title", "", "required"),
        ("title", "x" * 81, "80"),
        ("command", "two words", "one word"),
        ("command", "a/b", "one word"),
        ("command", "/", "one word"),
        ("command", "taken", "already"),
        ("command", "x" * 33, "32"),
        ("text", " ", "required"),
        ("text", "x" * 4001, "4000"),
        ("text", " ".join(f"{{{{thing {n}}}}}" for n in range(9)), "at most 8"),
    ],
)
def test_each_field_says_what_it_cannot_keep(client: Client, sara: User, field: str, value: str, said: str) -> None:
    keep(Shelf(owner_id=sara.pk), "taken")
    client.force_login(sara)
    wording = {"title": "T", "command": "new", "text": "Words"} | {field: value}
    answer = client.post("/chat/prompts/", wording)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert said in " ".join(answer.context["form"].errors[field])
    assert SavedPrompt.objects.count() == 1


def test_the_service_holds_the_limits_whoever_asks(sara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"title": ""}, {"title": "x" * 81}, {"command": "x" * 33}, {"text": ""}, {"text": "x" * 4001}):
        with pytest.raises(ValidationError):
            keep(Shelf(owner_id=sara.pk), **wrong)
    assert keep(Shelf(owner_id=sara.pk), text="a\r\nb\x00\u202e").text == "a\nb"
    monkeypatch.setattr("chat.services.prompting.MOST_SAVED_PROMPTS", 1)
    with pytest.raises(ValidationError, match="Remove one first"):
        keep(Shelf(owner_id=sara.pk), "second")
    keep(EVERYONES, "second")


def test_a_command_means_one_prompt_on_its_shelf_and_in_its_language(sara: User, omar: User) -> None:
    keep(Shelf(owner_id=sara.pk))
    keep(Shelf(owner_id=omar.pk))
    keep(EVERYONES, language="en")
    keep(EVERYONES, language="zh-hans")
    for language in ("en", ""):
        with pytest.raises(ValidationError, match="already"):
            keep(EVERYONES, language=language)


@pytest.mark.both_databases
def test_of_two_that_are_kept_at_once_one_is_told(sara: User, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(owner_id=sara.pk)
    write: Callable[..., None] = SavedPrompt.full_clean
    other: list[Callable[[], SavedPrompt]] = [lambda: keep(shelf)]

    def late(self: SavedPrompt, **kwargs: bool) -> None:
        write(self, **kwargs)
        if other:
            other.pop()()

    monkeypatch.setattr(SavedPrompt, "full_clean", late)
    with pytest.raises(ValidationError, match="already"):
        keep(shelf)
    assert SavedPrompt.objects.count() == 1


def test_the_empty_page_stays_one_page(db: None) -> None:
    for n in range(services.MOST_STARTERS):
        keep(EVERYONES, f"s{n}", is_starter=True, language="en" if n else "")
    with pytest.raises(ValidationError, match="Take one"):
        keep(EVERYONES, "more", is_starter=True, language="en")
    keep(EVERYONES, "andere", is_starter=True, language="zh-hans")


def test_a_question_becomes_a_prompt(client: Client, sara: User, omar: User) -> None:
    chat = Conversation.objects.create(user=sara, title="Tallies", model="good")
    question = Message.objects.create(conversation=chat, author="person", text="Why do people count with tallies?")
    client.force_login(sara)
    assert f"/chat/prompts/?from={question.pk}" in client.get(f"/chat/{chat.pk}/").text
    assert "count with tallies?</textarea>" in client.get(f"/chat/prompts/?from={question.pk}").text
    assert client.get("/chat/prompts/?from=nothing").status_code == 200
    client.force_login(omar)
    assert "tallies" not in client.get(f"/chat/prompts/?from={question.pk}").text


@pytest.mark.django_db(transaction=True)
async def test_all_my_data_holds_my_own(async_client: AsyncClient, sara: User, omar: User) -> None:
    wording = {"title": "説明", "command": "explain", "text": "Explain."}
    await SavedPrompt.objects.acreate(owner=sara, **wording)
    await SavedPrompt.objects.acreate(owner=omar, **wording)
    await SavedPrompt.objects.acreate(**wording)
    await async_client.aforce_login(sara)
    answer = await async_client.get("/chat/export/")
    told = json.loads(await _read(answer.streaming_content))  # type: ignore[attr-defined]
    assert told["prompts"] == [wording]


def test_they_go_with_the_person(sara: User) -> None:
    keep(Shelf(owner_id=sara.pk))
    sara.delete()
    assert not SavedPrompt.objects.exists()
