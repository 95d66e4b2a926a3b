"""What people fill in about themselves."""

from datetime import date, datetime, timedelta

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from core import clock


class NewKeyForm(forms.Form):
    """A new API key; `cleaned_data` is what `accounts.services.create_api_key` takes."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What it is for, such as “notebook” or “thesis scripts”.")
    )
    expires_at = forms.DateField(
        label=_("Last day"),
        required=False,
        validators=[MaxValueValidator(date(2099, 12, 31))],
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The key works until the end of this day. Empty: until you revoke it."),
    )
    course_code = forms.CharField(
        label=_("Course"),
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs={"list": "my-courses", "autocomplete": "off"}),
        help_text=_("Empty, or the code of a course you are in: then every call of this key counts for that course."),
    )

    def clean_expires_at(self) -> datetime | None:
        day = self.cleaned_data["expires_at"]
        return day and clock.start_of(day + timedelta(days=1))
