"""Asking for, giving and taking back the permission to use AI where a course's rule wants one."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core import clock
from core.errors import InvalidRequest, NotFound
from core.text import one_line
from courses.models import Permission
from courses.selectors import find_place
from courses.services.courses import record_act
from courses.types import CourseRole


def ask_permission(*, user_id: int, code: str, reason: str) -> Permission:
    """A student asks the teachers of the course; asking again while it is undecided changes the words only.

    Raises:
        NotFound: the person does not study in such a course.
        InvalidRequest: no reason is given, or the permission is there already.
    """
    place = find_place(user_id=user_id, code=code)
    if place is None or place.role != CourseRole.STUDENT:
        raise NotFound
    reason = one_line(reason, longest=500)
    if not reason:
        raise InvalidRequest(_("Write what you want to use AI for; the teacher decides by it."), param="reason")
    if Permission.objects.filter(course=place.course_id, user=user_id, is_given=True).exists():
        raise InvalidRequest(_("You have the permission already."))
    permission: Permission
    permission, _created = Permission.objects.update_or_create(
        course_id=place.course_id,
        user_id=user_id,
        is_given=None,
        defaults={"reason": reason, "asked_at": clock.now()},
    )
    return permission


@transaction.atomic
def decide_permission(*, course_id: int, permission_id: int, is_given: bool, answer: str, by_id: int) -> Permission:
    """Give or decline what a student asked for.

    Args:
        answer: a sentence for the student; needed to decline.

    Raises:
        NotFound: the course has no such open question; somebody may have decided in the meantime.
        InvalidRequest: declined without a sentence.
    """
    answer = one_line(answer, longest=500)
    if not is_given and not answer:
        raise InvalidRequest(_("Write a sentence for the student before you decline."), param="answer")
    asked = Permission.objects.select_for_update().filter(pk=permission_id, course=course_id, is_given=None)
    permission = asked.select_related("user", "course").first()
    if permission is None:
        raise NotFound(_("There is no such open question. Somebody may have decided it since you opened the page."))
    permission.is_given, permission.answer = is_given, answer
    permission.decided_by_id, permission.decided_at = by_id, clock.now()
    try:
        with transaction.atomic():
            permission.save()
    except IntegrityError:
        raise InvalidRequest(_("This student has the permission already.")) from None
    record_act("decide_permission", permission.course, {permission.user.email: [None, is_given]})
    return permission


@transaction.atomic
def withdraw_permission(*, course_id: int, permission_id: int, answer: str, by_id: int) -> None:
    """Take a permission back, with a sentence for the student.

    Raises:
        NotFound: no such permission is given.
        InvalidRequest: the sentence is missing.
    """
    answer = one_line(answer, longest=500)
    if not answer:
        raise InvalidRequest(_("Write a sentence for the student."), param="answer")
    given = Permission.objects.select_for_update().filter(pk=permission_id, course=course_id, is_given=True)
    permission = given.first()
    if permission is None:
        raise NotFound
    permission.is_given, permission.answer = False, answer
    permission.decided_by_id, permission.decided_at = by_id, clock.now()
    permission.save()
    record_act("withdraw_permission", permission.course, {permission.user.email: [True, False]})
