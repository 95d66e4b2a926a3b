"""A chat of hundreds of messages opens at its end; what stands above follows."""

import re

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Conversation, Message
from chat.pages import SHOWN_AT_ONCE
from chat.types import Author

TOTAL = 100


@pytest.fixture
def long_chat(sara: User) -> Conversation:
    chat = Conversation.objects.create(user=sara, title="Long", model="tiny")
    last = None
    for n in range(TOTAL):
        author = Author.MODEL if n % 2 else Author.PERSON
        last = Message.objects.create(conversation=chat, parent=last, author=author, text=f"Message number {n}.")
    chat.head = last
    chat.save(update_fields=["head"])
    return chat


def numbers_in(html: str) -> list[int]:
    return [int(number) for number in re.findall(r'<div class="prose[^>]*>Message number (\d+)\.', html)]


def test_it_opens_at_its_end_and_the_rest_is_one_request_away(
    client: Client, sara: User, long_chat: Conversation
) -> None:
    client.force_login(sara)
    page = client.get(f"/chat/{long_chat.pk}/").content.decode()
    assert numbers_in(page) == list(range(TOTAL - SHOWN_AT_ONCE, TOTAL))
    (above,) = re.findall(r'data-above="([^"]+)"', page)
    rest = client.get(f"/chat/{long_chat.pk}/{above}").content.decode()
    assert numbers_in(rest) == list(range(TOTAL - SHOWN_AT_ONCE))
    assert "<html" not in rest


def test_without_a_script_a_link_shows_all(client: Client, sara: User, long_chat: Conversation) -> None:
    client.force_login(sara)
    page = client.get(f"/chat/{long_chat.pk}/?whole").content.decode()
    assert numbers_in(page) == list(range(TOTAL))
    assert "data-above" not in page


def test_nobody_else_reads_what_stands_above(client: Client, omar: User, long_chat: Conversation) -> None:
    client.force_login(omar)
    assert client.get(f"/chat/{long_chat.pk}/?above={long_chat.head_id}").status_code == 404


def test_a_message_of_another_branch_is_no_place_in_this_one(
    client: Client, sara: User, long_chat: Conversation
) -> None:
    client.force_login(sara)
    left = Message.objects.create(conversation=long_chat, author=Author.PERSON, text="Another beginning.")
    assert client.get(f"/chat/{long_chat.pk}/?above={left.pk}").status_code == 404
