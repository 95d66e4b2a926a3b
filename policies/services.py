"""Writes and decisions about clauses and access. The only writer of Acknowledgment."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.types import Role
from audit.services import differences, record
from core import clock
from core.errors import NotFound
from core.types import Operation
from policies.errors import AcknowledgmentRequired, AlreadyPublished, Closed, PolicyRefused, VersionSuperseded
from policies.models import WORDINGS, AccessRule, Acknowledgment, Clause, ClauseVersion, Notice
from policies.selectors import get_version, list_current, list_outstanding, remember_notices

_TEXTS = Path(__file__).parent / "texts"


def check_acknowledged(*, user_id: int) -> None:
    """The person has accepted every current clause.

    Raises:
        AcknowledgmentRequired: one is outstanding; the sentence names it.
    """
    outstanding = list_outstanding(user_id).first()
    if outstanding is not None:
        raise AcknowledgmentRequired(
            _("Please read and accept “%(title)s”, version %(number)s, on the page Clauses first. Nothing was charged.")
            % {"title": outstanding.title_in(get_language() or "en"), "number": outstanding.number}
        )


def check_access(*, role: Role, operation: Operation, model: str) -> None:
    """No access rule forbids this role the operation or the model.

    Of the rules that match, the one that names a model beats one that names an operation, and that one beats one
    that names only a role. Without a matching rule the use is allowed.

    Raises:
        PolicyRefused: with the sentence of the rule, if it has one.
    """
    rules = AccessRule.objects.filter(role__in=["", role], operation__in=["", operation], model__in=["", model])
    decisive = max(rules, key=lambda rule: (bool(rule.model), bool(rule.operation), bool(rule.role)), default=None)
    if decisive is not None and not decisive.is_allowed:
        raise PolicyRefused(decisive.note)


def check_open(notices: Iterable[Notice], *, role: Role | None, at: datetime) -> None:
    """No maintenance keeps people of this role out at this instant; administrators always come in.

    Args:
        notices: those that run or are to come.
        role: None for whoever is not known.

    Raises:
        Closed: with the notice's sentence, in the reader's language.
    """
    closing = next((notice for notice in notices if notice.closes and notice.runs_at(at)), None)
    if closing is None or role == Role.ADMIN:
        return
    left = math.ceil((closing.ends_at - at).total_seconds()) if closing.ends_at else 300
    raise Closed(closing.text_in(get_language() or "en"), retry_after=left)


@transaction.atomic
def create_notice(*, columns: Mapping[str, Any]) -> Notice:
    """Tell everybody something.

    Args:
        columns: of Notice, by name.

    Raises:
        ValidationError: by field.
    """
    notice = Notice(**columns)
    notice.full_clean()
    notice.save()
    _record_notice("create", notice, differences({}, columns))
    return notice


@transaction.atomic
def update_notice(*, notice_id: int, columns: Mapping[str, Any]) -> Notice:
    """Change what everybody is told, or when.

    Raises:
        NotFound: there is no such notice.
        ValidationError: by field.
    """
    notice = Notice.objects.select_for_update().filter(pk=notice_id).first()
    if notice is None:
        raise NotFound
    before = {name: getattr(notice, name) for name in columns}
    for name, value in columns.items():
        setattr(notice, name, value)
    notice.full_clean()
    notice.save()
    _record_notice("change", notice, differences(before, columns))
    return notice


@transaction.atomic
def end_notice(*, notice_id: int) -> Notice:
    """Take a notice down now, and open the doors if it closed them. One that has not begun is gone.

    Raises:
        NotFound: there is no such notice, or it is over.
    """
    now = clock.now()
    notice = Notice.objects.select_for_update().filter(Q(ends_at=None) | Q(ends_at__gt=now), pk=notice_id).first()
    if notice is None:
        raise NotFound
    notice.starts_at, notice.ends_at = min(notice.starts_at, now), now
    notice.save()
    _record_notice("end", notice, {})
    return notice


def _record_notice(act: str, notice: Notice, changes: Mapping[str, Any]) -> None:
    transaction.on_commit(lambda: remember_notices(None))
    record(f"notice.{act}", subject=f"notice/{notice.pk}", name=notice.text_en, changes=changes)


@transaction.atomic
def acknowledge(
    *,
    user_id: int,
    version_id: int,
    language: str,
    session_key: str = "",
    address: str | None = None,
    recorded_by_id: int | None = None,
    reason: str = "",
) -> Acknowledgment:
    """Record that the person accepted this wording. Accepting again returns the first record unchanged.

    Args:
        language: the language the person read it in, such as "zh-hant".
        session_key: the session it was done in; only its SHA-256 is kept.
        address: the person's network address.
        recorded_by_id: who recorded it, when not the person.
        reason: why it was recorded on the person's behalf, such as a signed paper form.

    Raises:
        NotFound: there is no such published version.
        VersionSuperseded: another wording is current now.
        ValidationError: recorded by someone else without a reason.
    """
    version = get_version(version_id)
    if not version.is_published:
        raise NotFound
    if recorded_by_id is not None and not reason.strip():
        raise ValidationError({"reason": _("Say why you record this on the person's behalf.")})
    existing: Acknowledgment | None = Acknowledgment.objects.filter(user_id=user_id, version=version).first()
    if existing is not None:
        return existing
    if not list_current().filter(id=version.id).exists():
        raise VersionSuperseded
    # Two tabs may come here at once: the unique constraint lets one insert, get_or_create reads it for the other.
    acknowledgment: Acknowledgment
    acknowledgment, _created = Acknowledgment.objects.get_or_create(
        user_id=user_id,
        version=version,
        defaults={
            "digest": version.digest,
            "language": language,
            "session": hashlib.sha256(session_key.encode()).hexdigest() if session_key else "",
            "address": address,
            "recorded_by_id": recorded_by_id,
            "reason": reason.strip(),
            "at": clock.now(),
        },
    )
    if recorded_by_id is not None:
        record("clause.acknowledge_for", subject=f"person/{user_id}", name=str(version), reason=reason)
    return acknowledgment


@transaction.atomic
def create_version(
    *, clause_id: int, wordings: Mapping[str, str], change_note: str = "", asks_again: bool = True
) -> ClauseVersion:
    """A draft of the clause's next version.

    Args:
        wordings: titles and bodies by the names in `policies.models.WORDINGS`.

    Raises:
        NotFound: there is no such clause.
        ValidationError: by field: a wording is missing or too long.
    """
    clause = Clause.objects.select_for_update().filter(id=clause_id).first()
    if clause is None:
        raise NotFound
    latest = clause.versions.aggregate(number=Max("number"))["number"] or 0
    version = ClauseVersion(
        clause=clause, number=latest + 1, change_note=change_note, asks_again=asks_again or latest == 0, **wordings
    )
    version.full_clean()
    version.save()
    _record("draft", version)
    return version


@transaction.atomic
def update_draft(
    *, version_id: int, wordings: Mapping[str, str], change_note: str = "", asks_again: bool = True
) -> ClauseVersion:
    """Change a wording that nobody has seen yet.

    Raises:
        NotFound: there is no such version.
        AlreadyPublished: people may have read it.
        ValidationError: by field.
    """
    version = _lock_draft(version_id)
    before = version.fingerprint()
    for name in WORDINGS:
        setattr(version, name, wordings[name])
    version.change_note, version.asks_again = change_note, asks_again
    version.full_clean()
    version.save()
    _record("change_draft", version, differences({"fingerprint": before}, {"fingerprint": version.fingerprint()}))
    return version


@transaction.atomic
def delete_draft(*, version_id: int) -> None:
    """Throw away a wording that nobody has seen.

    Raises:
        NotFound: there is no such version.
        AlreadyPublished: people may have read it.
    """
    version = _lock_draft(version_id)
    _record("discard", version)
    version.delete()


@transaction.atomic
def publish_version(*, version_id: int, by_id: int | None) -> ClauseVersion:
    """Put a draft in force now, with its fingerprint. The first version of a clause always asks.

    Args:
        by_id: the administrator; None when the installation publishes its own texts.

    Raises:
        NotFound: there is no such version.
        AlreadyPublished: it, or a later version of the clause, is in force.
    """
    version = _lock_draft(version_id)
    published = ClauseVersion.objects.filter(clause=version.clause_id, published_at__isnull=False)
    if published.filter(number__gt=version.number).exists():
        raise AlreadyPublished
    version.asks_again = version.asks_again or not published.exists()
    version.digest = version.fingerprint()
    version.published_at = clock.now()
    version.published_by_id = by_id
    version.save()
    _record("publish", version, differences({}, {"fingerprint": version.digest, "asks_again": version.asks_again}))
    return version


@transaction.atomic
def install_clauses() -> None:
    """Publish the product's own clauses where a clause of that name has no version yet.

    One folder of `policies/texts` is one clause, one file in it one language: the first line is the title. An
    installation that has published its own wording is left alone, so this may run at every start.
    """
    for position, folder in enumerate(sorted(_TEXTS.iterdir())):
        slug = folder.name.split("-", 1)[1]
        clause, _created = Clause.objects.select_for_update().get_or_create(slug=slug, defaults={"position": position})
        if not clause.versions.exists():
            draft = create_version(clause_id=clause.id, wordings=_read_wordings(folder))
            publish_version(version_id=draft.id, by_id=None)


def _record(act: str, version: ClauseVersion, changes: Mapping[str, Any] | None = None) -> None:
    record(f"clause.{act}", subject=f"clause/{version.clause_id}", name=str(version), changes=changes)


def _read_wordings(folder: Path) -> dict[str, str]:
    wordings: dict[str, str] = {}
    for file in folder.glob("*.md"):
        title, body = file.read_text(encoding="utf-8").split("\n", 1)
        language = file.stem.replace("-", "_")
        wordings |= {f"title_{language}": title.removeprefix("# ").strip(), f"body_{language}": body.strip()}
    return wordings


def _lock_draft(version_id: int) -> ClauseVersion:
    version = ClauseVersion.objects.select_for_update().filter(id=version_id).first()
    if version is None:
        raise NotFound
    if version.is_published:
        raise AlreadyPublished
    return version
