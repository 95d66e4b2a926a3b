"""What changed between two wordings, readable by everyone; who accepted which, for administrators."""

import csv
import re
from collections.abc import Iterable

import pytest
from django.test import AsyncClient, Client

from accounts.models import User
from policies import selectors, services
from policies.differences import Piece, compare
from policies.models import ClauseVersion

pytestmark = pytest.mark.both_databases


def current() -> ClauseVersion:
    return selectors.list_current().get()


def draft(*, asks_again: bool = True, **wordings: str) -> ClauseVersion:
    texts = selectors.wordings_of(current()) | wordings
    return services.create_version(clause_id=current().clause_id, wordings=texts, asks_again=asks_again)


def publish(*, asks_again: bool = True, **wordings: str) -> ClauseVersion:
    made = draft(asks_again=asks_again, **wordings)
    return services.publish_version(version_id=made.pk, by_id=None)


def accept(person: User) -> None:
    services.acknowledge(user_id=person.pk, version_id=current().pk, language="en")


def changed(pieces: Iterable[Piece]) -> list[str]:
    return [f"{'+' if piece.is_new else '-'}{piece.text}" for piece in pieces if piece.is_new or piece.is_old]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Be honest.", "Be honest.", []),
        ("Be honest.", "Be very honest.", ["+ very"]),
        ("Use it for study.", "Use it for work.", ["-study", "+work"]),
        ("不得共用帳戶。", "不得借出帳戶。", ["-共用", "+借出"]),
        ("", "New.", ["+New."]),
        ("1. One\n2. Two\n", "1. One\n", ["-2. Two\n"]),
    ],
)
def test_words_are_compared_and_chinese_by_its_signs(old: str, new: str, expected: list[str]) -> None:
    pieces = compare(old, new)

    assert changed(pieces) == expected
    assert "".join(piece.text for piece in pieces if not piece.is_new) == old
    assert "".join(piece.text for piece in pieces if not piece.is_old) == new


def test_a_passage_too_long_for_words_is_shown_whole() -> None:
    old, new = "a " * 4000, "b " * 4000

    assert compare(old, new) == [Piece(old, is_old=True), Piece(new, is_new=True)]


def test_a_student_who_is_asked_again_reads_what_changed(client: Client, sara: User, clauses: None) -> None:
    accept(sara)
    publish(body_en="1. Be honest & kind.", body_zh_hant="一。誠實。")
    client.force_login(sara)
    link = re.search(r'href="(/clauses/versions/\d+/changes/)"', client.get("/clauses/").content.decode())
    assert link

    page = client.get(link[1]).content.decode()

    assert "kind" in page
    assert "[added: </span>" in page
    assert "[removed: </span>" in page
    assert "From version 1 to version 2" in page
    assert "誠實" in client.get(link[1], {"text": "zh-hant"}).content.decode()
    assert "the same to the letter" in client.get(link[1], {"text": "zh-hans"}).content.decode()


def test_a_draft_is_compared_by_administrators_alone(client: Client, sara: User, root: User, clauses: None) -> None:
    first, written = current(), draft(body_en="1. Be secret.")
    client.force_login(sara)
    assert client.get(f"/clauses/versions/{written.pk}/changes/").status_code == 404
    assert client.get(f"/clauses/versions/{first.pk}/changes/", {"against": written.pk}).status_code == 400
    assert "only version" in client.get(f"/clauses/versions/{first.pk}/changes/").content.decode()

    client.force_login(root)
    assert "secret" in client.get(f"/clauses/versions/{written.pk}/changes/").content.decode()
    assert client.get(f"/clauses/versions/{first.pk}/changes/", {"against": "x"}).status_code == 400


def test_what_a_wording_holds_is_shown_as_text(client: Client, root: User, clauses: None) -> None:
    made = draft(body_en="<script>alert(1)</script>")
    client.force_login(root)

    assert "<script>alert" not in client.get(f"/clauses/versions/{made.pk}/changes/").content.decode()


@pytest.mark.usefixtures("clauses")
def test_the_report_counts_and_lists_who_accepted(
    client: Client, sara: User, omar: User, ines: User, root: User
) -> None:
    accept(sara)
    publish(asks_again=False)
    accept(omar)
    User.objects.filter(pk=ines.pk).update(is_active=False)
    client.force_login(root)
    path = f"/manage/clauses/{current().clause_id}/accepted/"

    def names(**query: str) -> list[str]:
        return [person.name for person in client.get(path, query).context["list"]["window"].rows]

    page = client.get(path)
    by_role = {row["role"]: (row["people"], row["accepted"]) for row in page.context["counts"]}
    assert by_role == {"student": (2, 2), "admin": (1, 0)}
    versions = {person.name: person.accepted_number for person in page.context["list"]["window"].rows}
    assert versions == {"Omar Lee": 2, "Ruth Ho": None, "Sara Chan": 1}
    assert names(state="outstanding") == ["Ruth Ho"]
    assert names(state="accepted", search="sara") == ["Sara Chan"]
    assert client.get(path, {"role": "king"}).status_code == 400

    publish(body_en="1. Another meaning.")
    assert names(state="accepted") == []
    assert {person.pk for person in selectors.list_acceptances(current().clause_id, state="outstanding")} == {
        person.pk for person in (sara, omar, root) if selectors.list_outstanding(person.pk).exists()
    }


@pytest.mark.django_db(transaction=True)
async def test_the_report_as_a_file(sara: User, root: User, clauses: None) -> None:
    client = AsyncClient()
    await client.aforce_login(root)
    clause = await ClauseVersion.objects.aget()

    response = await client.get(f"/manage/clauses/{clause.clause_id}/accepted/", {"format": "csv", "role": "student"})

    text = b"".join([piece async for piece in response.streaming_content]).decode()  # type: ignore[attr-defined]
    lines = list(csv.reader(text.removeprefix("\ufeff").splitlines()))
    assert lines[1] == ["Sara Chan", "sara@example.edu", "student", "", "", "", "outstanding"]


def test_the_report_is_for_administrators(client: Client, ines: User, clauses: None) -> None:
    client.force_login(ines)

    assert client.get(f"/manage/clauses/{current().clause_id}/accepted/").status_code == 403


def test_a_clause_that_is_not_there_has_no_report(client: Client, root: User) -> None:
    client.force_login(root)

    assert client.get("/manage/clauses/777/accepted/").status_code == 404
