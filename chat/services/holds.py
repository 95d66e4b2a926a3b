"""A hold for a case: what it is about is not removed while it is in force. Placed and ended by administrators."""

from django.db import connection, transaction

from audit.services import record
from chat.models import Hold
from core import clock
from core.errors import NotFound
from core.text import one_line


@transaction.atomic
def place_hold(*, case: str, reason: str, by_id: int, user_id: int | None = None, course_id: int | None = None) -> Hold:
    """Keep everything of one person, or everything in one course, from being removed from now on.

    Raises:
        ValidationError: a text is empty, it is about neither or both, or the case holds it already.
    """
    hold = Hold(
        user_id=user_id,
        course_id=course_id,
        case=one_line(case, longest=80),
        reason=one_line(reason, longest=500),
        placed_by_id=by_id,
    )
    hold.full_clean()
    hold.save()
    _record("place", hold, reason=hold.reason)
    return hold


@transaction.atomic
def end_hold(*, hold_id: int, reason: str, by_id: int) -> Hold:
    """Let retention go on; what was kept goes when it is next looked at, if its time is over.

    Raises:
        NotFound: there is no such hold in force.
    """
    hold = Hold.objects.select_for_update().filter(pk=hold_id, ended_at=None).first()
    if hold is None:
        raise NotFound
    hold.ended_at, hold.ended_by_id = clock.now(), by_id
    hold.end_reason = one_line(reason, longest=500)
    hold.save(update_fields=["ended_at", "ended_by", "end_reason"])
    _record("end", hold, reason=hold.end_reason)
    return hold


def lock_holds() -> None:
    """In a transaction that removes: no hold is placed before it ends. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("lock table chat_hold in share mode")


def _record(act: str, hold: Hold, *, reason: str) -> None:
    about = f"person/{hold.user_id}" if hold.user_id else f"course/{hold.course_id}"
    name = hold.user.email if hold.user else hold.course.code if hold.course else ""
    record(f"hold.{act}", subject=about, name=name, changes={"case": [None, hold.case]}, reason=reason)
