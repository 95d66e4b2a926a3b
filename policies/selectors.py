"""Reads about clauses: which wording is current, who still has to accept it, who did. And the notices to everybody."""

import time
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.selectors import list_people
from accounts.types import Principal, Role
from core import clock
from core.errors import NotFound
from core.text import one_line
from policies.models import WORDINGS, Acknowledgment, Clause, ClauseVersion, Notice

_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_REMEMBERED_SECONDS = 0.8  # a change holds on every worker within a second
_noticed: tuple[float | None, list[Notice]] = (None, [])


def list_current() -> QuerySet[ClauseVersion]:
    """The newest published wording of each clause, in the order of the clauses."""
    newer = ClauseVersion.objects.filter(
        clause=OuterRef("clause"), number__gt=OuterRef("number"), published_at__isnull=False
    )
    return (
        ClauseVersion.objects.filter(~Exists(newer), published_at__isnull=False)
        .select_related("clause")
        .order_by("clause__position", "clause_id")
    )


def list_outstanding(user_id: int) -> QuerySet[ClauseVersion]:
    """The current wordings this person must still accept, read from the database at each call.

    A wording is settled by accepting it or any later one of its clause; versions that change the wording only
    never ask again. So a clause is outstanding while one of its asking versions is not settled.
    """
    settled = Acknowledgment.objects.filter(
        user_id=user_id, version__clause=OuterRef("clause"), version__number__gte=OuterRef("number")
    )
    asking = ClauseVersion.objects.filter(
        ~Exists(settled), clause=OuterRef("clause"), published_at__isnull=False, asks_again=True
    )
    return list_current().filter(Exists(asking))


def has_acknowledged(user_id: int) -> bool:
    """Whether the person has accepted every current clause."""
    return user_id in list_acknowledged([user_id])


def list_acknowledged(user_ids: Collection[int]) -> set[int]:
    """Those of these people for whom `list_outstanding` gives nothing. Two queries."""
    asking = dict(
        ClauseVersion.objects.filter(published_at__isnull=False, asks_again=True)
        .order_by()
        .values_list("clause")
        .annotate(Max("number"))
    )
    accepted = (
        Acknowledgment.objects.filter(user__in=user_ids, version__clause__in=asking)
        .order_by()
        .values_list("user", "version__clause")
        .annotate(Max("version__number"))
    )
    settled = Counter(user_id for user_id, clause_id, number in accepted if number >= asking[clause_id])
    return {user_id for user_id in user_ids if settled[user_id] == len(asking)}


def list_acknowledgments(user_id: int) -> QuerySet[Acknowledgment]:
    """What this person accepted, newest first."""
    return Acknowledgment.objects.filter(user_id=user_id).select_related("version__clause", "recorded_by")


def list_clauses() -> QuerySet[Clause]:
    """Every clause: for administrators."""
    return Clause.objects.all()


def list_versions(*, search: str = "", clause: Clause | None = None, state: str = "") -> QuerySet[ClauseVersion]:
    """Every version of the clauses, drafts too, and how many people `accepted` each: for administrators.

    `since` is when it was published, and for a draft a day that never comes: it stands before the newest.

    Args:
        search: a part of a title in any language, or of the note of what changed.
        state: "published" or "draft".
    """
    accepted = Acknowledgment.objects.filter(version=OuterRef("id")).order_by().values("version")
    versions = ClauseVersion.objects.select_related("clause").annotate(
        accepted=Coalesce(Subquery(accepted.annotate(people=Count("id")).values("people")), 0),
        since=Coalesce("published_at", Value(_NEVER)),
    )
    if wanted := one_line(search):
        searched = ("change_note", "title_en", "title_zh_hant", "title_zh_hans")
        versions = versions.filter(reduce(or_, (Q(**{f"{field}__icontains": wanted}) for field in searched)))
    if clause is not None:
        versions = versions.filter(clause=clause)
    return versions.filter(published_at__isnull=state == "draft") if state else versions


def list_others(*, principal: Principal, version: ClauseVersion) -> QuerySet[ClauseVersion]:
    """The other versions of the same clause this person may read, those before this one first, the nearest first."""
    others = ClauseVersion.objects.filter(clause=version.clause_id).exclude(pk=version.pk)
    if principal.role != Role.ADMIN:
        others = others.filter(published_at__isnull=False)
    return others.order_by(Case(When(number__lt=version.number, then=0), default=1), "-number")


def list_acceptances(clause_id: int, *, search: str = "", role: str = "", state: str = "") -> QuerySet[User]:
    """Active people with what they last accepted of a clause: `accepted_number`, `_at`, `_reason`, `is_outstanding`.

    Args:
        state: "accepted", "outstanding", or "" for all.
    """
    given = Acknowledgment.objects.filter(user=OuterRef("pk"), version__clause=clause_id)
    last = given.order_by("-version__number")
    settled = given.filter(version__number__gte=_last_asking(clause_id) or 0)
    is_outstanding = ~Exists(settled) if _last_asking(clause_id) else Value(False)
    people = list_people(search, role, state="active").annotate(
        accepted_number=Subquery(last.values("version__number")[:1]),
        accepted_at=Subquery(last.values("at")[:1]),
        accepted_reason=Subquery(last.values("reason")[:1]),
        is_outstanding=ExpressionWrapper(is_outstanding, BooleanField()),
    )
    return people.filter(is_outstanding=state == "outstanding") if state else people


def count_acceptances(clause_id: int) -> list[dict[str, Any]]:
    """By role: active `people`, and how many of them `accepted` all that is asked of them."""
    people = list_acceptances(clause_id).order_by("role").values("role")
    counted = people.annotate(people=Count("pk"), accepted=Count("pk", filter=Q(is_outstanding=False)))
    return [{**row, "label": Role(row["role"]).label} for row in counted.values("role", "people", "accepted")]


def _last_asking(clause_id: int) -> int | None:
    """The newest version of a clause that asked everyone: who accepted it or a later one is not asked."""
    asking = ClauseVersion.objects.filter(clause=clause_id, published_at__isnull=False, asks_again=True)
    number: int | None = asking.aggregate(number=Max("number"))["number"]
    return number


def get_version(version_id: int) -> ClauseVersion:
    """One version, draft or published.

    Raises:
        NotFound: there is none by that id.
    """
    try:
        return ClauseVersion.objects.select_related("clause").get(id=version_id)
    except ClauseVersion.DoesNotExist:
        raise NotFound from None


def access_version(*, principal: Principal, version_id: int) -> ClauseVersion:
    """One version this person may read: everyone the published ones, administrators the drafts too.

    Raises:
        NotFound: there is none, or it is a draft and the person writes none.
    """
    version = get_version(version_id)
    if not version.is_published and principal.role != Role.ADMIN:
        raise NotFound
    return version


def get_draft(version_id: int) -> ClauseVersion:
    """A version that is not published.

    Raises:
        NotFound: there is none by that id, or it is in force and stays as it is.
    """
    version = get_version(version_id)
    if version.is_published:
        raise NotFound
    return version


def get_clause(clause_id: int) -> Clause:
    """One clause.

    Raises:
        NotFound: there is none by that id.
    """
    try:
        return Clause.objects.get(id=clause_id)
    except Clause.DoesNotExist:
        raise NotFound from None


def wordings_of(version: ClauseVersion) -> dict[str, str]:
    """Titles and texts of a version in every language, as `create_version` takes them."""
    return {name: getattr(version, name) for name in WORDINGS}


def read_notices() -> tuple[list[Notice]]:
    """The notices that run or are still to come; wrapped, so that none of them can be remembered too."""
    now = clock.now()
    return (list(Notice.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now)).order_by("starts_at", "pk")),)


def list_running_notices() -> list[Notice]:
    """The notices that run now, as they were less than a second ago: every page asks, and the database seldom."""
    read_at, notices = _noticed
    if read_at is None or not 0 <= time.monotonic() - read_at < _REMEMBERED_SECONDS:
        (notices,) = read_notices()
        remember_notices(notices)
    now = clock.now()
    return [notice for notice in notices if notice.runs_at(now)]


def remember_notices(notices: list[Notice] | None) -> None:
    """What the pages of this process go by from now on; None to have them look again."""
    global _noticed  # noqa: PLW0603  # one per process, replaced whole: threads see the old or the new
    _noticed = (None, []) if notices is None else (time.monotonic(), notices)


def list_notices(state: str = "") -> QuerySet[Notice]:
    """Every notice: "running", "coming" or "over" ones, or all."""
    now = clock.now()
    over = Q(ends_at__lte=now)
    kinds = {"running": Q(starts_at__lte=now) & ~over, "coming": Q(starts_at__gt=now) & ~over, "over": over}
    # NULL is no time: what never ends is not over.
    return Notice.objects.filter(kinds[state]) if state else Notice.objects.all()


def get_notice(notice_id: int) -> Notice:
    """One notice.

    Raises:
        NotFound: there is none by that id.
    """
    notice: Notice | None = Notice.objects.filter(pk=notice_id).first()
    if notice is None:
        raise NotFound
    return notice
