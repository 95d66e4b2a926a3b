"""Who is in a course: one person at a time, or a whole list."""

from collections import Counter
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import differences
from core.sheets import Problem
from core.text import join_sentences
from courses.errors import UnreadableRoster
from courses.models import Course, Enrollment
from courses.roster_file import RosterLine, read_roster
from courses.services.courses import lock_course, record_act
from courses.types import CourseRole, RosterChange


@transaction.atomic
def enroll(*, course: Course, user: User, role: CourseRole = CourseRole.STUDENT) -> Enrollment:
    """Give a person this role in the course, in place of the one held before, if any.

    Raises:
        ValidationError: made an instructor, and the person's role in the university is not one that teaches.
    """
    Enrollment(course=course, user=user, role=role).clean()
    before = Enrollment.objects.select_for_update().filter(course=course, user=user).first()
    enrollment: Enrollment
    enrollment, _created = Enrollment.objects.update_or_create(course=course, user=user, defaults={"role": role})
    if before is None or before.role != role:
        record_act("enroll", course, {user.email: [before and before.role, role]})
    return enrollment


@transaction.atomic
def remove_enrollment(*, course_id: int, user_id: int) -> bool:
    """Take a person out of the course. What was used stays counted. True when this call did it."""
    enrollment = Enrollment.objects.select_related("course", "user").filter(course=course_id, user=user_id).first()
    if enrollment is None:
        return False
    enrollment.delete()
    record_act("remove", enrollment.course, {enrollment.user.email: [enrollment.role, None]})
    return True


def import_roster(
    *, course: Course, text: Iterable[str], dry_run: bool = False, remove_absent: bool = False
) -> list[RosterChange]:
    """Bring who is in the course in line with a file: all of it, or nothing when one line is wrong.

    Args:
        text: lines of CSV; the first names the columns email,role and, if wanted, section. The people must exist.
        dry_run: only tell what would change.
        remove_absent: take out of the course whoever is not in the file; otherwise they stay.

    Returns:
        One change for each line, in order, then one for each person removed.

    Raises:
        UnreadableRoster: with every bad line and what is wrong with it.
    """
    lines, problems = read_roster(text)
    changes = []
    with transaction.atomic():
        # Two imports of one course wait for each other here.
        course = lock_course(course.pk)
        before = {e.user.email: e for e in Enrollment.objects.filter(course=course).select_related("user")}
        people = {user.email: user for user in User.objects.filter(email__in=[line.email for line in lines])}
        for line in lines:
            try:
                changes.append(_read_line(course, line, people.get(line.email), before.get(line.email)))
            except ValidationError as problem:
                problems.append(Problem(line.number, "email", join_sentences(problem.messages)))
        if problems:
            raise UnreadableRoster(sorted(problems))
        if remove_absent:
            changes += [_removal(before[email]) for email in sorted(before.keys() - people.keys())]
        if not dry_run:
            _write(course, changes, people, before)
            counts = Counter[str](change.action for change in changes)
            record_act("import_roster", course, differences({}, counts))
    return changes


def _read_line(course: Course, line: RosterLine, user: User | None, before: Enrollment | None) -> RosterChange:
    """What the line means for the person's place; nothing is written yet.

    Raises:
        ValidationError: there is no such person, or the person may not have this role.
    """
    if user is None:
        raise ValidationError(_("There is no person with the e-mail %(email)s.") % {"email": line.email})
    Enrollment(course=course, user=user, role=line.role).clean()
    section_before = before.section if before else ""
    return RosterChange(
        line=line.number,
        email=user.email,
        name=user.name,
        before=CourseRole(before.role) if before else None,
        after=line.role,
        section_before=section_before,
        section=section_before if line.section is None else line.section,
    )


def _write(course: Course, changes: list[RosterChange], people: dict[str, User], places: dict[str, Enrollment]) -> None:
    """All changes in three statements, however long the list."""
    new: list[Enrollment] = []
    changed: list[Enrollment] = []
    for change in changes:
        if change.after is None or change.action == "same":
            continue
        place = places.get(change.email) or Enrollment(course=course, user=people[change.email])
        place.role, place.section = change.after, change.section
        (changed if place.pk else new).append(place)
    Enrollment.objects.bulk_create(new, batch_size=1000)
    Enrollment.objects.bulk_update(changed, ["role", "section"], batch_size=1000)
    gone = [places[change.email].pk for change in changes if change.action == "remove"]
    Enrollment.objects.filter(course=course, pk__in=gone).delete()


def _removal(place: Enrollment) -> RosterChange:
    return RosterChange(
        line=None,
        email=place.user.email,
        name=place.user.name,
        before=CourseRole(place.role),
        after=None,
        section_before=place.section,
    )
