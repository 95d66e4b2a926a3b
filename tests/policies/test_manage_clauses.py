"""Administrators draft, preview and publish; nobody else does."""

import pytest
from django.test import Client

from accounts.models import User
from policies import selectors, services
from policies.models import WORDINGS, ClauseVersion


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def current() -> ClauseVersion:
    return selectors.list_current().get()


def fields(**changes: str) -> dict[str, str]:
    return {**selectors.wordings_of(current()), "change_note": "Article 8 is shorter.", "asks_again": "yes", **changes}


def test_a_new_version_is_drafted_previewed_published_and_asked_of_everyone(
    desk: Client, root: User, sara: User, clauses: None
) -> None:
    services.acknowledge(user_id=sara.id, version_id=current().id, language="en")
    form = desk.get(f"/manage/clauses/{current().clause_id}/draft/").context["form"]
    assert form["body_zh_hant"].value() == current().body_zh_hant
    saved = desk.post(f"/manage/clauses/{current().clause_id}/draft/", fields(body_en="1. Be honest."))
    assert "Be honest." in desk.get(saved.headers["Location"]).content.decode()
    assert not selectors.list_outstanding(sara.id).exists()
    published = desk.post(saved.headers["Location"] + "publish/", follow=True)
    assert published.status_code == 200
    assert (current().number, current().body_en, current().published_by) == (2, "1. Be honest.", root)
    assert selectors.list_outstanding(sara.id).get() == current()


def test_a_change_of_wording_only_asks_nobody_again(desk: Client, sara: User, clauses: None) -> None:
    services.acknowledge(user_id=sara.id, version_id=current().id, language="en")
    saved = desk.post(f"/manage/clauses/{current().clause_id}/draft/", fields(asks_again="no"))
    desk.post(saved.headers["Location"] + "publish/")
    assert current().number == 2
    assert not selectors.list_outstanding(sara.id).exists()


def test_a_draft_is_changed_or_thrown_away(desk: Client, clauses: None) -> None:
    saved = desk.post(f"/manage/clauses/{current().clause_id}/draft/", fields())
    where = saved.headers["Location"]
    assert desk.post(where, fields(title_en="Better title")).status_code == 302
    assert "Better title" in desk.get(where).content.decode()
    assert desk.post(where + "discard/").status_code == 302
    assert desk.get(where).status_code == 404
    assert ClauseVersion.objects.count() == 1


def test_a_draft_with_a_gap_comes_back_with_everything_typed(desk: Client, clauses: None) -> None:
    refused = desk.post(f"/manage/clauses/{current().clause_id}/draft/", fields(body_zh_hans="", body_en="Typed"))
    assert refused.status_code == 400
    assert list(refused.context["form"].errors) == ["body_zh_hans"]
    assert "Typed" in refused.content.decode()
    assert ClauseVersion.objects.count() == 1


def test_the_list_says_how_many_accepted(desk: Client, sara: User, omar: User, clauses: None) -> None:
    services.acknowledge(user_id=sara.id, version_id=current().id, language="en")
    page = desk.get("/manage/clauses/")
    assert [version.accepted for version in page.context["list"]["window"].rows] == [1]
    assert "3 people are active now." in page.text


def test_versions_are_found_by_clause_title_and_state_the_draft_before_the_newest(desk: Client, clauses: None) -> None:
    desk.post(f"/manage/clauses/{current().clause_id}/draft/", fields(title_en="Honesty first"))

    def found(**asked: str) -> list[int]:
        return [version.number for version in desk.get("/manage/clauses/", asked).context["list"]["window"].rows]

    assert found() == [2, 1]
    assert found(state="published") == [1]
    assert found(state="draft") == found(search="honesty") == [2]
    assert found(clause=current().clause.slug, sort="version") == [1, 2]
    assert desk.get("/manage/clauses/", {"clause": "other"}).status_code == 400


def test_published_versions_offer_no_change(desk: Client, clauses: None) -> None:
    one = f"/manage/clauses/versions/{current().id}/"
    assert desk.get(one).status_code == 404
    assert desk.post(one, fields(body_en="Other")).status_code == 404
    assert desk.post(one + "publish/").status_code == 409
    assert desk.post(one + "discard/").status_code == 409
    assert desk.get(one + "publish/").status_code == 405


def test_other_roles_are_refused(sara: User, ines: User, clauses: None) -> None:
    draft = services.create_version(clause_id=current().clause_id, wordings=dict.fromkeys(WORDINGS, "x"))
    paths = ["/manage/clauses/", f"/manage/clauses/{current().clause_id}/draft/"]
    paths += [f"/manage/clauses/versions/{draft.id}/{verb}" for verb in ("", "publish/", "discard/")]
    for person in (sara, ines):
        client = Client()
        client.force_login(person)
        for path in paths:
            assert client.get(path).status_code == client.post(path, fields()).status_code == 403
    assert current().number == 1
    assert Client().get(paths[0]).headers["Location"] == f"/accounts/login/?next={paths[0]}"
