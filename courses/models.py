"""The university's terms, the courses in them, who is in those, and how much AI they allow.

Term                   from its first to its last day
Course, Enrollment     a class, and a person's place in it
Assignment             a piece of work of a course, with a rule of its own if the teacher wants
CourseRule             a published version of the AI rule; never changed, the newest holds
RuleAcceptance         this student read this version
Permission             a student asked to use AI where the rule says "only with permission"
ExamWindow, ExamException   when nothing is answered to the students of a course, and to whom it is all the same
"""

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Department
from accounts.types import Role
from core import clock
from core.append_only import AppendOnly
from core.clock import KNOWN_DAYS, KNOWN_INSTANTS
from core.types import Operation
from courses.types import Approach, CourseRole, Readers, Scale

# Of a course's rule, in characters; TextField keeps the number for forms only.
LONGEST_TEXTS = {"note": 4000, "declaration": 2000, "instructions": 4000}


class Term(models.Model):
    """A term of the university. No two overlap (courses.services), so that a day belongs to one or to none."""

    code = models.CharField(
        _("code"),
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Letters, digits, dots and hyphens only."))],
    )
    name = models.CharField(_("name"), max_length=80)
    starts_on = models.DateField(_("first day"), validators=KNOWN_DAYS)
    ends_on = models.DateField(_("last day"), validators=KNOWN_DAYS)

    class Meta:
        ordering = ("starts_on",)
        verbose_name = _("term")
        verbose_name_plural = _("terms")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ends_on__gte=models.F("starts_on")),
                name="term_ends_after_start",
                violation_error_message=_("The last day lies before the first."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Course(models.Model):
    """A class in a term. Programs name it by its code (header X-Course)."""

    code = models.CharField(
        _("code"),
        max_length=32,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Z0-9][A-Z0-9._-]*\Z", _("Capital letters, digits, dots and hyphens only, such as COMP1117.")
            )
        ],
    )
    title = models.CharField(_("title"), max_length=160)
    term = models.CharField(_("term"), max_length=40, blank=True)
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("department")
    )
    starts_on = models.DateField(_("starts"), validators=KNOWN_DAYS)
    ends_on = models.DateField(_("ends"), validators=KNOWN_DAYS)

    class Meta:
        ordering = ("code",)
        verbose_name = _("course")
        verbose_name_plural = _("courses")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ends_on__gte=models.F("starts_on")),
                name="course_ends_after_start",
                violation_error_message=_("The last day lies before the first."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Enrollment(models.Model):
    """A person's place and role in a course."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="enrollments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    role = models.CharField(_("role in the course"), max_length=16, choices=CourseRole, default=CourseRole.STUDENT)
    section = models.CharField(
        _("section"), max_length=16, blank=True, help_text=_("A class of the course, such as L2.")
    )

    class Meta:
        ordering = ("course", "role", "user")
        verbose_name = _("enrollment")
        verbose_name_plural = _("enrollments")
        constraints: ClassVar = [models.UniqueConstraint(fields=["course", "user"], name="enrolled_once")]
        indexes: ClassVar = [models.Index(fields=["user", "role"], name="enrollment_by_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.course}"

    def clean(self) -> None:
        """Who teaches a course sees its use, so the role in the university must be one that teaches."""
        if self.role == CourseRole.INSTRUCTOR and self.user.role not in (Role.INSTRUCTOR, Role.ADMIN):
            raise ValidationError(
                {
                    "role": _(
                        "Only someone whose role in the university is instructor or administrator can teach a course. "
                        "Change that role first."
                    )
                }
            )


class Assignment(models.Model):
    """A piece of work of a course. Its rule, if it has one, is held beside the course's: both must allow."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="assignments")
    code = models.CharField(
        _("code"),
        max_length=24,
        validators=[
            RegexValidator(r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z", _("Letters, digits, dots and hyphens only, such as A2."))
        ],
    )
    title = models.CharField(_("title"), max_length=160)
    opens_at = models.DateTimeField(_("from"), validators=KNOWN_INSTANTS)
    due_at = models.DateTimeField(_("until"), validators=KNOWN_INSTANTS)

    class Meta:
        ordering = ("due_at", "id")
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["course", "code"],
                name="assignment_once",
                violation_error_message=_("The course has an assignment of this code already."),
            ),
            models.CheckConstraint(
                condition=models.Q(due_at__gt=models.F("opens_at")),
                name="assignment_ends_after_start",
                violation_error_message=_("The end lies before the beginning."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.course.code}/{self.code} {self.title}"


class CourseRule(AppendOnly):
    """One published version of how much AI a course, or one of its assignments, allows its students.

    Never changed: a new rule is a new version, so that what a student accepted can be shown for ever.
    """

    course = models.ForeignKey(Course, models.PROTECT, related_name="+")
    assignment = models.ForeignKey(Assignment, models.PROTECT, null=True, blank=True, related_name="+")
    number = models.PositiveIntegerField(_("version"))
    approach = models.CharField(_("AI is"), max_length=16, choices=Approach)
    scale = models.PositiveSmallIntegerField(
        _("AI Assessment Scale"), null=True, blank=True, choices=Scale, help_text=_("If your course uses the scale.")
    )
    allowed_tools = models.JSONField(_("tools"), default=list, blank=True)
    allowed_models = models.JSONField(
        _("AI models"), default=list, blank=True, help_text=_("Empty: all that the person may use.")
    )
    note = models.TextField(_("what students read"), max_length=LONGEST_TEXTS["note"], blank=True)
    declaration = models.TextField(
        _("how to acknowledge and cite"), max_length=LONGEST_TEXTS["declaration"], blank=True
    )
    instructions = models.TextField(
        _("instructions to the AI"),
        max_length=LONGEST_TEXTS["instructions"],
        blank=True,
        help_text=_("Put before every question, such as “Give hints, never solutions.” Students can read it."),
    )
    readers = models.CharField(
        _("who may open the students' chats of the course"), max_length=16, choices=Readers, default=Readers.NOBODY
    )
    asks_again = models.BooleanField(
        _("ask the students again"),
        default=True,
        help_text=_("Off for a change of wording only, without a change of meaning."),
    )
    published_at = models.DateTimeField(_("published"), default=clock.now)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("course", "assignment", "-number")
        verbose_name = _("course rule")
        verbose_name_plural = _("course rules")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["course", "number"], condition=models.Q(assignment=None), name="course_rule_once"
            ),
            models.UniqueConstraint(
                fields=["assignment", "number"], condition=~models.Q(assignment=None), name="assignment_rule_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tag} {self.number}: {self.get_approach_display()}"

    @property
    def tag(self) -> str:
        """What the rule is about, as calls name it."""
        return f"{self.course.code}/{self.assignment.code}" if self.assignment else self.course.code

    @property
    def tool_labels(self) -> list[str]:
        """The allowed tools as people call them."""
        return [str(Operation(tool).label) for tool in self.allowed_tools]

    def allows_tool(self, operation: Operation) -> bool:
        """Whether the tool is among the allowed ones."""
        return operation.value in self.allowed_tools

    def allows_model(self, name: str) -> bool:
        """Whether the AI model is among the allowed ones; none named allows all."""
        return not self.allowed_models or name in self.allowed_models


class RuleAcceptance(AppendOnly):
    """This student read this version of the rule at this time, and accepted it."""

    rule = models.ForeignKey(CourseRule, models.PROTECT, related_name="acceptances")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    language = models.CharField(_("language read"), max_length=10)
    at = models.DateTimeField(_("accepted"), default=clock.now)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("acceptance of a course rule")
        verbose_name_plural = _("acceptances of course rules")
        constraints: ClassVar = [models.UniqueConstraint(fields=["rule", "user"], name="rule_accepted_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.rule}"


class Permission(models.Model):
    """A student asked to use AI in a course whose rule wants permission; a teacher decided, or has not yet."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="permissions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    reason = models.CharField(_("what for"), max_length=500)
    asked_at = models.DateTimeField(_("asked"), default=clock.now)
    is_given = models.BooleanField(_("given"), null=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at", "-id")
        verbose_name = _("permission")
        verbose_name_plural = _("permissions")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["course", "user"], condition=models.Q(is_given=None), name="permission_asked_once"
            ),
            models.UniqueConstraint(
                fields=["course", "user"], condition=models.Q(is_given=True), name="permission_given_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.course}"


class ExamWindow(models.Model):
    """From `starts_at` up to `ends_at` the students of the course get no answer anywhere, whatever they tag."""

    course = models.ForeignKey(Course, models.CASCADE, related_name="exams")
    title = models.CharField(_("title"), max_length=160)
    starts_at = models.DateTimeField(_("starts"), validators=KNOWN_INSTANTS)
    ends_at = models.DateTimeField(_("ends"), validators=KNOWN_INSTANTS)
    section = models.CharField(_("section"), max_length=16, blank=True, help_text=_("Empty: all sections."))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ("starts_at", "id")
        verbose_name = _("exam window")
        verbose_name_plural = _("exam windows")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="exam_ends_after_start",
                violation_error_message=_("The end lies before the beginning."),
            )
        ]
        indexes: ClassVar = [models.Index(fields=["course", "ends_at"], name="exam_by_course")]

    def __str__(self) -> str:
        return f"{self.course.code} {self.title}"


class ExamException(models.Model):
    """A student to whom an exam window does not apply, such as one with an accommodation."""

    exam = models.ForeignKey(ExamWindow, models.CASCADE, related_name="exceptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    reason = models.CharField(_("reason"), max_length=240)
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("user",)
        verbose_name = _("exception from an exam window")
        verbose_name_plural = _("exceptions from exam windows")
        constraints: ClassVar = [models.UniqueConstraint(fields=["exam", "user"], name="exam_exception_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.exam}"
