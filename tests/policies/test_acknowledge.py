"""People accept the current wording before their first prompt, once, and again when the meaning changes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import translation

from accounts.models import User
from core.errors import NotFound
from policies import selectors, services
from policies.errors import AcknowledgmentRequired, AlreadyPublished, VersionSuperseded
from policies.models import WORDINGS, Acknowledgment, Clause, ClauseVersion


def current() -> ClauseVersion:
    return selectors.list_current().get()


def publish(*, asks_again: bool = True, text: str = "A new wording.") -> ClauseVersion:
    wordings = {name: getattr(current(), name) for name in WORDINGS} | {"body_en": text}
    draft = services.create_version(clause_id=current().clause_id, wordings=wordings, asks_again=asks_again)
    return services.publish_version(version_id=draft.id, by_id=None)


def accept(person: User, version: ClauseVersion) -> Acknowledgment:
    return services.acknowledge(user_id=person.id, version_id=version.id, language="en")


def test_a_person_who_accepted_is_let_through(sara: User, clauses: None) -> None:
    with pytest.raises(AcknowledgmentRequired):
        services.check_acknowledged(user_id=sara.id)
    given = services.acknowledge(
        user_id=sara.id, version_id=current().id, language="zh-hant", session_key="abc", address="192.0.2.7"
    )
    services.check_acknowledged(user_id=sara.id)
    assert given.digest == current().digest == current().fingerprint()
    assert (given.language, given.address) == ("zh-hant", "192.0.2.7")
    assert "abc" not in given.session
    assert len(given.session) == 64


def test_the_refusal_names_the_clause_in_the_persons_language(sara: User, clauses: None) -> None:
    with translation.override("zh-hant"), pytest.raises(AcknowledgmentRequired) as refused:
        services.check_acknowledged(user_id=sara.id)
    assert "使用生成式人工智能的誠信守則" in str(refused.value)


def test_without_any_published_clause_nothing_is_asked(sara: User) -> None:
    services.check_acknowledged(user_id=sara.id)


def test_a_new_version_asks_again_and_a_new_wording_does_not(sara: User, omar: User, clauses: None) -> None:
    accept(sara, current())
    publish(asks_again=False)
    services.check_acknowledged(user_id=sara.id)
    assert list(selectors.list_outstanding(omar.id)) == [current()]
    accept(omar, current())
    publish(asks_again=True)
    for person in (sara, omar):
        assert list(selectors.list_outstanding(person.id)) == [current()]
    third = publish(asks_again=False)
    assert list(selectors.list_outstanding(sara.id)) == [third]
    accept(sara, third)
    services.check_acknowledged(user_id=sara.id)
    assert selectors.list_acknowledgments(sara.id)[0].version == third


def test_accepting_twice_keeps_the_first_record(sara: User, clauses: None) -> None:
    first = accept(sara, current())
    again = services.acknowledge(user_id=sara.id, version_id=current().id, language="zh-hans", address="192.0.2.9")
    assert again == first
    assert Acknowledgment.objects.get().language == "en"


def test_only_the_current_published_wording_can_be_accepted(sara: User, clauses: None) -> None:
    old = current()
    draft = services.create_version(clause_id=old.clause_id, wordings=dict.fromkeys(WORDINGS, "Draft"))
    with pytest.raises(NotFound):
        accept(sara, draft)
    services.publish_version(version_id=draft.id, by_id=None)
    with pytest.raises(VersionSuperseded):
        accept(sara, old)
    with pytest.raises(NotFound):
        services.acknowledge(user_id=sara.id, version_id=0, language="en")
    assert not Acknowledgment.objects.exists()


def test_on_behalf_needs_a_reason(sara: User, root: User, clauses: None) -> None:
    with pytest.raises(ValidationError):
        services.acknowledge(user_id=sara.id, version_id=current().id, language="en", recorded_by_id=root.id)
    given = services.acknowledge(
        user_id=sara.id, version_id=current().id, language="en", recorded_by_id=root.id, reason="Signed on paper."
    )
    assert (given.recorded_by, given.reason) == (root, "Signed on paper.")


def test_a_published_wording_is_not_edited_and_older_drafts_cannot_follow_newer(clauses: None) -> None:
    wordings = dict.fromkeys(WORDINGS, "Text")
    older = services.create_version(clause_id=current().clause_id, wordings=wordings)
    newer = services.create_version(clause_id=current().clause_id, wordings=wordings)
    services.update_draft(version_id=older.id, wordings=wordings | {"body_en": "Better"})
    services.publish_version(version_id=newer.id, by_id=None)
    with pytest.raises(AlreadyPublished):
        services.publish_version(version_id=older.id, by_id=None)
    with pytest.raises(AlreadyPublished):
        services.publish_version(version_id=newer.id, by_id=None)
    with pytest.raises(AlreadyPublished):
        services.update_draft(version_id=newer.id, wordings=wordings)


def test_every_language_of_a_wording_is_needed(clauses: None) -> None:
    wordings = dict.fromkeys(WORDINGS, "Text") | {"body_zh_hans": ""}
    with pytest.raises(ValidationError) as refused:
        services.create_version(clause_id=current().clause_id, wordings=wordings)
    assert list(refused.value.message_dict) == ["body_zh_hans"]
    with pytest.raises(NotFound):
        services.create_version(clause_id=0, wordings=wordings)


def test_the_first_version_of_a_clause_always_asks(sara: User) -> None:
    clause = Clause.objects.create(slug="lab-rules")
    draft = services.create_version(clause_id=clause.id, wordings=dict.fromkeys(WORDINGS, "Text"), asks_again=False)
    services.publish_version(version_id=draft.id, by_id=None)
    assert [version.clause for version in selectors.list_outstanding(sara.id)] == [clause]


def test_installing_again_changes_nothing(clauses: None) -> None:
    before = list(ClauseVersion.objects.values())
    services.install_clauses()
    assert list(ClauseVersion.objects.values()) == before


def test_the_shipped_texts_cover_the_same_articles_in_every_language(clauses: None) -> None:
    counts = {
        language: sum(line[:1].isdigit() for line in current().body_in(language).splitlines())
        for language in ("en", "zh-hant", "zh-hans")
    }
    assert counts == {"en": 9, "zh-hant": 9, "zh-hans": 9}
    assert len({current().title_in(language) for language in counts}) == 3
    assert current().title_in("de") == current().title_en


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_accept_at_once_leave_one_record(sara: User, clauses: None) -> None:
    version, start = current(), Barrier(8)

    def accept_in_a_tab(_n: int) -> int:
        try:
            start.wait(10)
            return accept(sara, version).id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(accept_in_a_tab, range(8)))) == 1
    assert Acknowledgment.objects.count() == 1
