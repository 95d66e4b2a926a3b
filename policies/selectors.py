"""Reads about clauses: which wording is current, who still has to accept it, who did."""

from collections import Counter
from collections.abc import Collection

from django.db.models import Count, Exists, Max, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.types import Principal, Role
from core.errors import NotFound
from policies.models import WORDINGS, Acknowledgment, Clause, ClauseVersion


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
    """Every clause with its versions, drafts too, and how many people `accepted` each: for administrators."""
    accepted = Acknowledgment.objects.filter(version=OuterRef("id")).order_by().values("version")
    counted = ClauseVersion.objects.annotate(
        accepted=Coalesce(Subquery(accepted.annotate(people=Count("id")).values("people")), 0)
    )
    return Clause.objects.prefetch_related(Prefetch("versions", counted))


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
