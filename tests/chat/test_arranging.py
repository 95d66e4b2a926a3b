"""Many chats at once: archived, put into folders, deleted and brought back; all of them or none, and mine only."""

import re

import pytest
from django.test import Client

from accounts.models import User
from accounts.types import Principal
from chat import selectors, services
from chat.models import Conversation, Message
from chat.types import Author, Progress
from core.errors import NotFound
from tests.chat.conftest import AddModel

pytestmark = pytest.mark.both_databases


@pytest.fixture
def chats(sara: User, client: Client) -> list[Conversation]:
    """Three chats of Sara's, who is signed in."""
    client.force_login(sara)
    return [Conversation.objects.create(user=sara, title=f"Chat {n}", model="good") for n in range(3)]


def listed(client: Client, **where: str) -> set[str]:
    return set(re.findall(r"Chat \d", client.get("/chat/mine/", where).text))


def test_archived_chats_leave_the_list_and_are_found(client: Client, chats: list[Conversation]) -> None:
    client.post("/chat/mine/arrange/", {"chat": [chats[0].pk, chats[1].pk], "act": "archive"})
    assert listed(client) == {"Chat 2"}
    assert listed(client, show="archived") == {"Chat 0", "Chat 1"}
    assert "Chat 0" not in client.get("/chat/list/").text
    assert "Chat" in client.get("/chat/search/", {"q": "Chat 0"}).text
    client.post("/chat/mine/arrange/", {"chat": [chats[0].pk], "act": "unarchive"})
    assert listed(client) == {"Chat 0", "Chat 2"}


def test_a_folder_is_there_while_something_is_in_it(client: Client, chats: list[Conversation]) -> None:
    client.post("/chat/mine/arrange/", {"chat": [chats[0].pk], "act": "file", "folder": " Thesis\n& more "})
    assert listed(client, folder="Thesis & more") == {"Chat 0"}
    assert "Thesis &amp; more" in client.get("/chat/list/").text
    client.post("/chat/mine/arrange/", {"chat": [chats[0].pk], "act": "file", "folder": ""})
    assert selectors.list_folders(chats[0].user_id) == []


def test_many_are_deleted_and_brought_back(client: Client, chats: list[Conversation]) -> None:
    running = Message.objects.create(conversation=chats[0], author=Author.MODEL, progress=Progress.RUNNING)
    page = client.post("/chat/mine/arrange/", {"chat": [chats[0].pk, chats[1].pk], "act": "delete"}, follow=True)
    assert "2 chats were deleted." in page.text
    running.refresh_from_db()
    assert running.wants_stop
    at = re.search(r'name="at" value="([^"]+)"', page.text)
    assert at is not None
    client.post("/chat/mine/restore/", {"at": at[1]})
    assert listed(client) == {"Chat 0", "Chat 1", "Chat 2"}


def test_all_of_them_or_none(client: Client, chats: list[Conversation], omar: User) -> None:
    others = Conversation.objects.create(user=omar, title="Not hers", model="good")
    for act in ("archive", "unarchive", "file", "delete"):
        answer = client.post("/chat/mine/arrange/", {"chat": [chats[0].pk, others.pk], "act": act, "folder": "x"})
        assert answer.status_code == 404
    assert not Conversation.objects.exclude(archived_at=None, folder="", deleted_at=None).exists()


def test_nobody_brings_back_what_another_deleted(chats: list[Conversation], omar: User) -> None:
    at = services.delete_conversations(user_id=chats[0].user_id, conversation_ids=[chats[0].pk])
    with pytest.raises(NotFound):
        services.restore_deleted_at(user_id=omar.pk, at=at)


@pytest.mark.parametrize(
    "sent",
    [
        {"act": "archive"},
        {"act": "explode", "chat": "00000000-0000-0000-0000-000000000000"},
        {"act": "archive", "chat": "x"},
        {"act": "archive", "chat": ["00000000-0000-0000-0000-000000000000"] * 101},
        {"act": "file", "chat": "00000000-0000-0000-0000-000000000000", "folder": "x" * 61},
    ],
)
def test_what_cannot_be_read_is_refused(client: Client, chats: list[Conversation], sent: dict[str, str]) -> None:
    assert client.post("/chat/mine/arrange/", sent).status_code == 400


@pytest.mark.parametrize("query", [{"folder": "\0"}, {"deleted_at": "x"}, {"before": "2026"}, {"show": "\0"}])
def test_a_mangled_address_breaks_nothing(client: Client, chats: list[Conversation], query: dict[str, str]) -> None:
    assert client.get("/chat/mine/", query).status_code in (200, 400)
    assert client.post("/chat/mine/restore/", {"at": "soon"}).status_code == 400


def test_a_question_in_an_archived_chat_brings_it_back(
    chats: list[Conversation], student: Principal, add_model: AddModel
) -> None:
    add_model("good")
    services.archive_conversations(user_id=student.user_id, conversation_ids=[chats[0].pk])
    services.ask(principal=student, text="More", model="good", conversation_id=chats[0].pk)
    assert Conversation.objects.get(pk=chats[0].pk).archived_at is None
