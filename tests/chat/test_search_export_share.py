"""Finding, taking away and sharing chats: my own only, words marked safely, models and times named."""

import json

import pytest
from django.test import AsyncClient, Client

from accounts.models import User
from chat.models import Conversation, Message, SharedChat
from chat.searching import marked
from core.threads import hop

SAID = (("person", "How do ferries <b>float</b>?"), ("model", "渡輪靠浮力。 They **displace** water."))


def chat_of(person: User, title: str = "Ferries") -> Conversation:
    chat = Conversation.objects.create(user=person, title=title, model="good")
    parent = None
    for author, text in SAID:
        model = "good" if author == "model" else ""
        parent = Message.objects.create(conversation=chat, parent=parent, author=author, text=text, model=model)
    chat.head = parent
    chat.save()
    return chat


@pytest.fixture
def chat(client: Client, sara: User) -> Conversation:
    client.force_login(sara)
    return chat_of(sara)


@pytest.mark.both_databases
@pytest.mark.parametrize("asked", ["ferries", "FLOAT ferries", "渡輪", "浮力", "displace water"])
def test_words_are_found_in_any_script_and_case_and_marked(client: Client, chat: Conversation, asked: str) -> None:
    page = client.get("/chat/search/", {"q": asked}).text
    assert "<mark>" in page
    assert "<b>float</b>" not in page


def test_what_is_found_is_shown_without_the_marks_of_markdown(client: Client, chat: Conversation) -> None:
    text = "## Boats\n\nA `hull` is **light**:\n\n```python\nhull = __init__()\n```"
    Message.objects.create(conversation=chat, parent=chat.head, author="model", text=text, model="good")
    page = client.get("/chat/search/", {"q": "hull"}).text
    assert "Boats A <mark>hull</mark> is light: <mark>hull</mark> = __init__()" in page


@pytest.mark.both_databases
def test_what_is_not_mine_deleted_or_not_said_is_not_found(client: Client, chat: Conversation, omar: User) -> None:
    def found(asked: str) -> bool:
        return "Nothing was found" not in client.get("/chat/search/", {"q": asked}).text

    assert not found("submarine")
    assert not found("ferries submarine")
    assert found("%") is False and found("_") is False
    client.post(f"/chat/{chat.pk}/delete/")
    assert not found("ferries")
    client.force_login(omar)
    assert not found("ferries")


def test_marks_never_let_markup_through() -> None:
    assert marked("<i>a & b</i>", ["a", "<i>"]) == "<mark>&lt;i&gt;</mark><mark>a</mark> &amp; b&lt;/i&gt;"
    assert marked("İstanbul", ["i"]) == "İstanbul"
    assert marked("aaa", ["aa", "a"]) == "<mark>aa</mark><mark>a</mark>"


@pytest.mark.parametrize("form", ["md", "json", "doc"])
def test_a_chat_is_taken_away_with_its_models_and_times(client: Client, chat: Conversation, form: str) -> None:
    answer = client.get(f"/chat/{chat.pk}/export/{form}/")
    assert answer["Content-Disposition"].startswith("attachment") and f"Ferries.{form}" in answer["Content-Disposition"]
    text = answer.content.decode()
    assert "渡輪靠浮力" in text and "good" in text and "Sara Chan" in text and f"{chat.created_at:%Y-%m}" in text
    if form == "json":
        assert [message["role"] for message in json.loads(text)["messages"]] == ["user", "assistant"]
    if form == "doc":
        assert "<b>float" not in text and "&lt;b&gt;float" in text


def test_an_export_of_others_or_in_an_unknown_form_is_not_found(client: Client, chat: Conversation, omar: User) -> None:
    assert client.get(f"/chat/{chat.pk}/export/exe/").status_code == 404
    client.force_login(omar)
    assert client.get(f"/chat/{chat.pk}/export/md/").status_code == 404


def test_a_shared_chat_is_read_by_everyone_signed_in_until_it_is_taken_back(
    client: Client, chat: Conversation, omar: User, sara: User
) -> None:
    client.post(f"/chat/{chat.pk}/share/")
    client.post(f"/chat/{chat.pk}/share/")
    shared = SharedChat.objects.get()
    Message.objects.create(conversation=chat, parent=shared.leaf, author="person", text="A secret afterthought")
    here = f"/shared/{shared.pk}/"
    assert here in client.get("/chat/shared/").text

    client.force_login(omar)
    page = client.get(here).text
    assert "渡輪靠浮力" in page and "afterthought" not in page
    assert client.post(f"{here}revoke/").status_code == 404
    client.logout()
    assert client.get(here).status_code == 302

    client.force_login(sara)
    client.post(f"{here}revoke/")
    assert client.get(here).status_code == 404


def test_nothing_is_shared_before_there_is_an_answer(client: Client, sara: User) -> None:
    client.force_login(sara)
    empty = Conversation.objects.create(user=sara, title="Empty", model="good")
    assert client.post(f"/chat/{empty.pk}/share/").status_code == 400


async def _read(chunks: object) -> str:
    return "".join([chunk.decode() async for chunk in chunks])  # type: ignore[attr-defined]


@pytest.mark.django_db(transaction=True)
async def test_all_my_chats_are_one_document(async_client: AsyncClient, sara: User, omar: User) -> None:
    await hop(chat_of, sara)
    await hop(chat_of, sara, "More ferries")
    await hop(chat_of, omar)
    await async_client.aforce_login(sara)
    answer = await async_client.get("/chat/export/")
    told = json.loads(await _read(getattr(answer, "streaming_content")))  # noqa: B009
    assert [chat["title"] for chat in told["conversations"]] == ["Ferries", "More ferries"]
