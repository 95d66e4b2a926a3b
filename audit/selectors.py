"""Reading the log, and proving it."""

from datetime import date, timedelta

from django.db.models import Q, QuerySet

from audit.chain import FIRST, read_anchors, seal_of
from audit.models import Entry
from audit.types import Verdict
from core import clock
from core.text import one_line

_AT_ONCE = 2000  # rows in memory while the chain is walked


def list_entries(
    *,
    search: str = "",
    action: str = "",
    subject: str = "",
    through: str = "",
    first_day: date | None = None,
    last_day: date | None = None,
) -> QuerySet[Entry]:
    """The entries that match, the newest first.

    Args:
        search: begins the name of whoever acted or of the subject.
        action: an act such as `person.suspend`, or its room such as `person`.
        subject: exactly one thing, such as `person/12`.
        first_day, last_day: inclusive, in the installation's time zone.
    """
    entries: QuerySet[Entry] = Entry.objects.order_by("-number")
    if wanted := one_line(search):
        entries = entries.filter(Q(actor__istartswith=wanted) | Q(name__istartswith=wanted))
    if action:
        entries = entries.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if subject:
        entries = entries.filter(subject=one_line(subject))
    if through:
        entries = entries.filter(through=through)
    if first_day is not None:
        entries = entries.filter(at__gte=clock.start_of(first_day))
    if last_day is not None:
        entries = entries.filter(at__lt=clock.start_of(last_day + timedelta(days=1)))
    return entries


def find_last() -> Entry | None:
    """The newest entry."""
    last: Entry | None = Entry.objects.order_by("-number").first()
    return last


def verify() -> Verdict:
    """Walk the whole chain and compare it with its anchors; the first entry that is wrong or missing is named.

    Source: contract C23. Takes time in proportion to the log and memory that does not grow with it.
    """
    anchors = read_anchors()
    wanted = {number for number, _seal in anchors.values()}
    seals: dict[int, str] = {}
    expected, previous = 1, FIRST
    for entry in Entry.objects.order_by("number").iterator(chunk_size=_AT_ONCE):
        if entry.number > expected:
            return Verdict(expected - 1, 0, expected, f"Entry {expected} is missing; the next is {entry.number}.")
        if entry.number < expected or seal_of(entry.content(), previous) != entry.seal:
            return Verdict(expected - 1, 0, entry.number, f"Entry {entry.number} is not as it was written.")
        if entry.number in wanted:
            seals[entry.number] = entry.seal
        expected, previous = expected + 1, entry.seal
    return _against_anchors(expected - 1, anchors, seals)


def _against_anchors(entries: int, anchors: dict[str, tuple[int, str]], seals: dict[int, str]) -> Verdict:
    if entries and not anchors:
        return Verdict(entries, 0, entries, "There is no anchor: the folder AUDIT_ANCHORS names is empty or elsewhere.")
    for day, (number, seal) in sorted(anchors.items(), key=lambda anchor: anchor[1]):
        if number > entries:
            problem = f"The anchor of {day} knows entry {number}, and entries from {entries + 1} on are missing."
            return Verdict(entries, len(anchors), entries + 1, problem)
        if seals[number] != seal:
            problem = f"The anchor of {day} knows another entry {number}: the log was replaced by other entries."
            return Verdict(entries, len(anchors), number, problem)
    return Verdict(entries, len(anchors))
