"""What people fill in about themselves, and administrators about people."""

from datetime import datetime, timedelta
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import list_departments
from accounts.types import Role
from core import clock
from core.clock import KNOWN_DAYS
from core.forms import LinesForm


class SignInForm(LoginForm):
    """Allauth's own, in the words of the other pages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("E-mail")
        self.fields["remember"].label = _("Remember me")


class NewKeyForm(forms.Form):
    """A new API key; `cleaned_data` is what `accounts.services.create_api_key` takes."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What it is for, such as “notebook” or “thesis scripts”.")
    )
    expires_at = forms.DateField(
        label=_("Last day"),
        required=False,
        validators=KNOWN_DAYS,
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


class PeopleFilterForm(forms.Form):
    """Which people to list; `cleaned_data` is what `accounts.selectors.list_people` takes."""

    search = forms.CharField(label=_("Name or e-mail"), required=False, max_length=120)
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", _("All")), *Role.choices])
    department = forms.ModelChoiceField(
        list_departments(), label=_("Department"), required=False, empty_label=_("All"), to_field_name="code"
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("active", _("active")), ("suspended", _("suspended"))],
    )

    def clean_department(self) -> str:
        """The department's code."""
        department = self.cleaned_data["department"]
        return department.code if department else ""


class PeopleFileForm(LinesForm):
    """A file of people."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _(
            "CSV in UTF-8 with the columns email,name,role,department and, if wanted, password. "
            "Departments are named by their code."
        )


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """What administrators may change of a person; the e-mail is the university's."""

    class Meta:
        model = User
        fields = ("name", "role", "department")


class ReasonForm(forms.Form):
    """Why something is done to somebody."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=240,
        help_text=_("Shown on this page to administrators, such as “account lent to someone outside, case 41”."),
    )
