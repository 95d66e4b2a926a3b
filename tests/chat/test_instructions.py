"""A person's instructions go before every question of theirs, unless they or a chat go without."""

import json

import pytest
from django.test import AsyncClient, Client

from accounts.models import User
from accounts.types import Principal
from chat import selectors, services
from chat.models import Conversation, Instructions
from chat.types import Progress
from core.errors import InvalidRequest, NotFound
from tests.chat.conftest import AddModel
from tests.chat.test_search_export_share import _read

TEXT = "I study history. 請用繁體中文回答。"


@pytest.fixture
def offered(add_model: AddModel) -> None:
    add_model("good")


def sent(
    person: Principal, conversation: Conversation | None = None, *, is_plain: bool = False
) -> list[dict[str, str]]:
    """The messages a question is sent with."""
    asked = services.ask(
        principal=person,
        text="Why tallies?",
        model="good",
        conversation_id=conversation.pk if conversation else None,
        is_plain=is_plain,
    )
    services.finish_answer(answer_id=asked.answer_id, text="Because.", progress=Progress.COMPLETE)
    messages: list[dict[str, str]] = asked.admission.call.body["messages"]
    return messages


def keep(person: Principal, text: str = TEXT, *, is_on: bool = True) -> None:
    services.keep_instructions(user_id=person.user_id, text=text, is_on=is_on)


@pytest.mark.both_databases
def test_they_are_the_first_thing_an_ai_model_reads(student: Principal, offered: None) -> None:
    keep(student)
    first, question = sent(student)
    assert first["role"] == "system" and first["content"].endswith(TEXT) and "ranks below" in first["content"]
    assert question == {"role": "user", "content": "Why tallies?"}


def test_they_go_with_every_question_once_and_stand_in_no_chat(student: Principal, offered: None) -> None:
    keep(student)
    sent(student)
    talk = Conversation.objects.get()
    assert [message["role"] for message in sent(student, talk)] == ["system", "user", "assistant", "user"]
    assert not any(TEXT in message.text for message in selectors.list_path(talk))


def test_without_them_nothing_is_added(student: Principal, other_student: Principal, offered: None) -> None:
    keep(other_student)
    assert [message["role"] for message in sent(student)] == ["user"]
    keep(student, is_on=False)
    assert [message["role"] for message in sent(student)] == ["user"]
    keep(student)
    assert [message["role"] for message in sent(student, is_plain=True)] == ["user"]


def test_a_chat_goes_with_or_without_from_the_next_question_on(
    student: Principal, offered: None, client: Client, sara: User
) -> None:
    keep(student)
    sent(student)
    talk = Conversation.objects.get()
    client.force_login(sara)
    client.post(f"/chat/{talk.pk}/instructions/", {"off": "1"})
    assert sent(student, Conversation.objects.get())[0]["role"] == "user"
    client.post(f"/chat/{talk.pk}/instructions/")
    assert sent(student, Conversation.objects.get())[0]["role"] == "system"


def test_they_are_changed_and_removed_on_their_page(client: Client, sara: User) -> None:
    client.force_login(sara)
    client.post("/chat/instructions/", {"text": TEXT, "is_on": "on"})
    assert TEXT in client.get("/chat/instructions/").text
    client.post("/chat/instructions/", {"text": "  "})
    assert not Instructions.objects.exists()


def test_they_have_a_length(client: Client, sara: User) -> None:
    client.force_login(sara)
    answer = client.post("/chat/instructions/", {"text": "x" * 1501, "is_on": "on"})
    assert answer.status_code == 400 and "x" * 1501 in answer.text
    with pytest.raises(InvalidRequest):
        services.keep_instructions(user_id=sara.pk, text="x" * 1501, is_on=True)
    assert not Instructions.objects.exists()


def test_nobody_switches_another_persons_chat(student: Principal, other_student: Principal, offered: None) -> None:
    sent(student)
    with pytest.raises(NotFound):
        services.switch_instructions(
            user_id=other_student.user_id, conversation_id=Conversation.objects.get().pk, is_on=False
        )


@pytest.mark.django_db(transaction=True)
async def test_all_my_data_holds_them_and_where_each_chat_is(async_client: AsyncClient, sara: User) -> None:
    await Instructions.objects.acreate(user=sara, text=TEXT)
    await Conversation.objects.acreate(user=sara, title="Away", model="good", folder="Thesis", is_temporary=True)
    await async_client.aforce_login(sara)
    told = json.loads(await _read((await async_client.get("/chat/export/")).streaming_content))  # type: ignore[attr-defined]
    assert told["instructions"] == {"text": TEXT, "in_use": True}
    assert (told["conversations"][0]["folder"], told["conversations"][0]["temporary"]) == ("Thesis", True)
