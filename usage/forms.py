"""The filters of the usage pages: what stands in their address."""

from datetime import date
from typing import Any, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import get_person, list_departments
from accounts.types import Role
from core.errors import NotFound
from core.types import Operation, Via
from courses.models import Course
from usage.types import KNOWN_DAYS, Group, Outcome, UsageFilters

_DATE = forms.DateInput(attrs={"type": "date"})
_ANY = ("", _("All"))
GROUPS: list[tuple[Group, str | Promise]] = [
    ("day", _("Day")),
    ("week", _("Week")),
    ("month", _("Month")),
    ("user", _("Person")),
    ("department", _("Department")),
    ("course", _("Course")),
    ("model", _("AI model")),
    ("operation", _("Tool")),
    ("outcome", _("Outcome")),
    ("via", _("Door")),
    ("role", _("Role")),
]


class UsageFilterForm(forms.Form):
    """Which usage to look at; `filters()` is what the selectors take."""

    person = forms.EmailField(label=_("Person"), required=False)
    department = forms.ModelChoiceField(list_departments(), label=_("Department"), required=False, empty_label=_("All"))
    course = forms.ModelChoiceField(
        Course.objects.all(), label=_("Course"), required=False, empty_label=_("All"), to_field_name="code"
    )
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[_ANY, *Role.choices])
    operation = forms.ChoiceField(label=_("Tool"), required=False, choices=[_ANY, *Operation.choices])
    model = forms.CharField(label=_("AI model"), required=False, max_length=120)
    outcome = forms.ChoiceField(label=_("Outcome"), required=False, choices=[_ANY, *Outcome.choices])
    via = forms.ChoiceField(label=_("Door"), required=False, choices=[_ANY, *Via.choices])
    by = forms.ChoiceField(label=_("Table by"), required=False, choices=GROUPS)
    sort = forms.RegexField(r"^-?(key|calls|prompts|input_tokens|output_tokens|images|cost_micro)\Z", required=False)
    first_day = forms.DateField(label=_("From"), required=False, validators=KNOWN_DAYS, widget=_DATE)
    last_day = forms.DateField(label=_("To"), required=False, validators=KNOWN_DAYS, widget=_DATE)

    def clean_person(self) -> User | None:
        """The person with this address."""
        try:
            return get_person(self.cleaned_data["person"]) if self.cleaned_data["person"] else None
        except NotFound:
            raise forms.ValidationError(_("Nobody has this e-mail address. Look for a typing mistake.")) from None

    def clean_last_day(self) -> date | None:
        """The last day, which must not lie before the first."""
        first: date | None = self.cleaned_data.get("first_day")
        last: date | None = self.cleaned_data["last_day"]
        if first and last and last < first:
            raise forms.ValidationError(_("This day lies before the first. Choose a later one, or leave it empty."))
        return last

    @property
    def group(self) -> Group:
        """What the table groups by; days when nothing is chosen."""
        return cast("Group", self.cleaned_data["by"] or "day")

    @property
    def order(self) -> str:
        """The column to sort by, "-" in front for falling: the newest day or the largest use first."""
        return self.cleaned_data["sort"] or ("-key" if self.group in ("day", "week", "month") else "-prompts")

    def filters(self) -> UsageFilters:
        """What was asked for."""
        data: dict[str, Any] = self.cleaned_data
        return UsageFilters(
            user_id=_id_of(data["person"]),
            department_id=_id_of(data["department"]),
            course_id=_id_of(data["course"]),
            **{name: data[name] for name in ("role", "operation", "model", "outcome", "via", "first_day", "last_day")},
        )


def _id_of(chosen: Any) -> int | None:
    return chosen.pk if chosen else None
