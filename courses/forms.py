"""What administrators fill in about courses."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.types import columns_of
from courses.models import Course

_DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
LARGEST_ROSTER = 1024 * 1024  # bytes


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


class RosterForm(forms.Form):
    """A roster from a file or typed; what a file holds ends up in the box, where it can be mended."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=_("CSV in UTF-8 with the columns email,role; role is student, assistant or instructor."),
    )
    text = forms.CharField(
        label=_("Or the lines themselves"),
        required=False,
        strip=False,
        max_length=LARGEST_ROSTER,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "placeholder": "email,role"}),
    )
    remove_absent = forms.BooleanField(
        label=_("Whoever is not in the file leaves the course"),
        required=False,
        help_text=_("What they used stays counted."),
    )

    def clean_file(self) -> str:
        """The file's text; "" when none was sent."""
        file: Any = self.cleaned_data["file"]
        if file is None:
            return ""
        if file.size > LARGEST_ROSTER:
            raise forms.ValidationError(_("The file is larger than 1 MB. Send a roster, or split it."))
        try:
            # utf-8-sig: Excel begins its CSV files with a byte order mark.
            return str(file.read(), "utf-8-sig")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("The file is not UTF-8. Save it again as “CSV UTF-8”.")) from None

    def clean(self) -> dict[str, Any]:
        """One roster, from wherever it came."""
        data = self.cleaned_data
        if not self.errors and not (data["file"] or data["text"].strip()):
            self.add_error("file", _("Choose a file, or write the lines."))
        return data

    @property
    def roster(self) -> str:
        """The text to import: the file's when one was sent."""
        return str(self.cleaned_data["file"] or self.cleaned_data["text"])
