"""Django admin: drafts are written here, evidence is only read."""

import pytest
from django.test import Client

from accounts.models import User
from policies import selectors, services
from policies.models import WORDINGS, AccessRule, Acknowledgment, ClauseVersion

VERSIONS = "/admin/policies/clauseversion/"
GIVEN = "/admin/policies/acknowledgment/"


@pytest.fixture
def desk(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


def test_a_draft_is_made_changed_published_and_then_fixed(desk: Client, root: User, clauses: None) -> None:
    clause = selectors.list_current().get().clause
    fields = {**dict.fromkeys(WORDINGS, "Text"), "change_note": "", "asks_again": "no", "clause": clause.id}
    assert desk.get(f"{VERSIONS}add/").status_code == 200
    assert desk.post(f"{VERSIONS}add/", fields).status_code == 302
    draft = ClauseVersion.objects.get(number=2)
    one = f"{VERSIONS}{draft.id}/change/"
    assert desk.post(one, fields | {"title_en": "Better"}).status_code == 302
    desk.post(VERSIONS, {"action": "publish", "_selected_action": [draft.id]})
    current = selectors.list_current().get()
    assert (current.number, current.title_en, current.asks_again, current.published_by) == (2, "Better", False, root)
    assert desk.get(one).status_code == 200
    assert desk.post(one, fields).status_code == 403
    assert desk.post(f"{VERSIONS}{draft.id}/delete/", {"post": "yes"}).status_code == 403


def test_a_draft_is_thrown_away(desk: Client, clauses: None) -> None:
    clause = selectors.list_current().get().clause
    draft = services.create_version(clause_id=clause.id, wordings=dict.fromkeys(WORDINGS, "Text"))
    assert desk.post(f"{VERSIONS}{draft.id}/delete/", {"post": "yes"}).status_code == 302
    assert ClauseVersion.objects.get() == selectors.list_current().get()


def test_acceptances_are_read_only(desk: Client, sara: User, clauses: None) -> None:
    version = selectors.list_current().get()
    given = services.acknowledge(user_id=sara.id, version_id=version.id, language="en")
    one = f"{GIVEN}{given.id}/"
    assert sara.email in desk.get(GIVEN).content.decode() or "Sara Chan" in desk.get(GIVEN).content.decode()
    assert desk.get(f"{one}change/").status_code == 200
    assert desk.post(f"{one}change/", {"language": "fr"}).status_code == 403
    assert desk.post(f"{one}delete/", {"post": "yes"}).status_code == 403
    assert desk.get(f"{GIVEN}add/").status_code == 403
    assert Acknowledgment.objects.get().language == "en"


def test_an_access_rule_is_written_once(desk: Client) -> None:
    fields = {"role": "student", "operation": "image", "model": "", "note": "Images are for staff."}
    where = "/admin/policies/accessrule/add/"
    assert desk.post(where, fields).status_code == 302
    assert desk.post(where, fields).status_code == 200
    assert AccessRule.objects.get().is_allowed is False
