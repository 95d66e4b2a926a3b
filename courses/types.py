"""A person's place in a course."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class CourseRole(TextChoices):
    """What a person is in one course; apart from the role in the university."""

    STUDENT = "student", _("Student")
    ASSISTANT = "assistant", _("Teaching assistant")
    INSTRUCTOR = "instructor", _("Instructor")
