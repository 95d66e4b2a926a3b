"""What administrators fill in about courses."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.selectors import list_departments
from accounts.types import columns_of
from core.forms import LinesForm
from courses.models import Course, Term
from courses.types import CourseRole

_DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class CourseForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new course; `cleaned_data` holds the arguments of `courses.services.create_course` but for the department."""

    class Meta:
        model = Course
        fields: tuple[str, ...] = ("code", "title", "term", "department", "starts_on", "ends_on")
        widgets = {"starts_on": _DATE, "ends_on": _DATE}  # noqa: RUF012 (Django's own form of it)

    def clean_code(self) -> str:
        """Codes are kept in upper case."""
        return str(self.cleaned_data["code"]).upper()

    def columns(self) -> dict[str, Any]:
        """What was filled in, with the department by its id as the services take it."""
        return columns_of(self.cleaned_data)


class CourseChangeForm(CourseForm):
    """An existing course: programs know its code, so it stays."""

    class Meta(CourseForm.Meta):
        fields = CourseForm.Meta.fields[1:]


_STATES = [("", _("All")), ("running", _("running")), ("to_come", _("to come")), ("over", _("over"))]


class CourseFilterForm(forms.Form):
    """Which courses to list; `cleaned_data` is what `courses.selectors.list_courses` takes."""

    search = forms.CharField(label=_("Code, title or term"), required=False, max_length=120)
    department = forms.ModelChoiceField(
        list_departments(), label=_("Department"), required=False, empty_label=_("All"), to_field_name="code"
    )
    state = forms.ChoiceField(label=_("State"), required=False, choices=_STATES)

    def clean_department(self) -> str:
        """The department's code."""
        department = self.cleaned_data["department"]
        return department.code if department else ""


class TermFilterForm(forms.Form):
    """Which terms to list; `cleaned_data` is what `courses.selectors.find_terms` takes."""

    search = forms.CharField(label=_("Code or name"), required=False, max_length=120)
    state = forms.ChoiceField(label=_("State"), required=False, choices=_STATES)


class PlaceFilterForm(forms.Form):
    """Which places of a course to list; `cleaned_data` is what `courses.selectors.list_enrollments` takes."""

    search = forms.CharField(label=_("Name or e-mail"), required=False, max_length=120)
    role = forms.ChoiceField(label=_("In the course as"), required=False, choices=[("", _("All")), *CourseRole.choices])
    section = forms.CharField(label=_("Section"), required=False, max_length=16)


class RosterForm(LinesForm):
    """A roster."""

    remove_absent = forms.BooleanField(
        label=_("Whoever is not in the file leaves the course"),
        required=False,
        help_text=_("What they used stays counted."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _(
            "CSV in UTF-8 with the columns email,role and, if wanted, section; role is student, assistant, instructor."
        )


class TermForm(forms.ModelForm):  # type: ignore[type-arg]
    """A term; `cleaned_data` holds the arguments of `courses.services.save_term`."""

    class Meta:
        model = Term
        fields: tuple[str, ...] = ("code", "name", "starts_on", "ends_on")
        widgets = {"starts_on": _DATE, "ends_on": _DATE}  # noqa: RUF012 (Django's own form of it)
        labels = {"name": _("Name")}  # noqa: RUF012


class TermChangeForm(TermForm):
    """A term that is there: programs know its code, so it stays."""

    class Meta(TermForm.Meta):
        fields = TermForm.Meta.fields[1:]
