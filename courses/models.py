"""Courses of a term, and who is in them."""

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Department
from accounts.types import Role
from courses.types import CourseRole


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
    starts_on = models.DateField(_("starts"))
    ends_on = models.DateField(_("ends"))

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
