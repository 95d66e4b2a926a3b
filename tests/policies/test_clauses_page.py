"""The clause page: read, accept, go on; later read again what was accepted."""

import hashlib

import pytest
from django.test import Client

from accounts.models import User
from policies import selectors, services
from policies.models import WORDINGS, Acknowledgment, ClauseVersion


@pytest.fixture
def browser(sara: User) -> Client:
    client = Client()
    client.force_login(sara)
    return client


def current() -> ClauseVersion:
    return selectors.list_current().get()


def answer(**fields: object) -> dict[str, object]:
    return {"version": current().id, "language": "en", "accepted": "on", **fields}


def test_a_person_reads_accepts_and_goes_on(browser: Client, sara: User, clauses: None) -> None:
    page = browser.get("/clauses/?next=/images/").content.decode()
    assert "Integrity in the use of generative AI" in page
    assert page.count("<li><div>") == 9
    onward = browser.post("/clauses/", answer(next="/images/"), REMOTE_ADDR="192.0.2.7")
    assert onward.headers["Location"] == "/images/"
    given = Acknowledgment.objects.get()
    key = browser.session.session_key or ""
    assert (given.user, given.language, given.address) == (sara, "en", "192.0.2.7")
    assert given.session == hashlib.sha256(key.encode()).hexdigest()
    after = browser.get("/clauses/").content.decode()
    assert "What I accepted, and when" in after
    assert given.digest[:12] in after
    assert "Accept and go on" not in after


def test_the_text_stands_in_every_language(browser: Client, clauses: None) -> None:
    for language, title in (("zh-hant", "使用生成式人工智能的誠信守則"), ("zh-hans", "使用生成式人工智能的诚信守则")):
        page = browser.get(f"/clauses/?text={language}&next=/images/")
        assert title in page.content.decode()
        assert page.context["reading"] == language
        assert "?text=en&amp;next=%2Fimages%2F" in page.content.decode()
    assert browser.get("/clauses/?text=klingon").context["reading"] == "en"
    assert browser.get("/clauses/", headers={"accept-language": "zh-hk"}).context["reading"] == "zh-hant"


@pytest.mark.parametrize(
    "fields",
    [{"accepted": ""}, {"version": "x"}, {"version": ""}, {"version": 2**70}, {"language": "klingon"}],
)
def test_without_the_tick_or_with_nonsense_nothing_is_recorded(
    browser: Client, clauses: None, fields: dict[str, object]
) -> None:
    refused = browser.post("/clauses/", answer(**fields))
    assert refused.status_code == 400
    assert 'role="alert"' in refused.content.decode()
    assert not Acknowledgment.objects.exists()


def test_a_wording_that_changed_meanwhile_must_be_read_first(browser: Client, clauses: None) -> None:
    stale = answer()
    draft = services.create_version(clause_id=current().clause_id, wordings=dict.fromkeys(WORDINGS, "Newer"))
    services.publish_version(version_id=draft.id, by_id=None)
    assert browser.post("/clauses/", stale).status_code == 409
    assert not Acknowledgment.objects.exists()


def test_the_next_page_is_never_a_foreign_one(browser: Client, clauses: None) -> None:
    for foreign in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        onward = browser.post("/clauses/", answer(next=foreign))
        assert onward.headers["Location"] == "/"


def test_what_was_accepted_can_be_read_again_and_drafts_cannot(browser: Client, root: User, clauses: None) -> None:
    draft = services.create_version(clause_id=current().clause_id, wordings=dict.fromkeys(WORDINGS, "Secret plan"))
    page = browser.get(f"/clauses/versions/{current().id}/?text=zh-hans")
    assert "诚信守则" in page.content.decode()
    assert current().digest in page.content.decode()
    assert browser.get(f"/clauses/versions/{draft.id}/").status_code == 404
    assert browser.get("/clauses/versions/999999/").status_code == 404


def test_a_wording_cannot_bring_markup_or_pictures(browser: Client, clauses: None) -> None:
    evil = "1. <script>alert(1)</script> ![x](https://evil.example/x.png) [go](javascript:alert(1))"
    draft = services.create_version(
        clause_id=current().clause_id, wordings=dict.fromkeys(WORDINGS, "Title") | {"body_en": evil}
    )
    services.publish_version(version_id=draft.id, by_id=None)
    page = browser.get("/clauses/?text=en").content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert 'href="javascript:' not in page


def test_strangers_are_sent_to_sign_in(db: None) -> None:
    assert Client().get("/clauses/").headers["Location"] == "/accounts/login/?next=/clauses/"
