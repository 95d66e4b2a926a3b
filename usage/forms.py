"""The filters of the usage pages: what stands in their address."""

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import get_person, list_departments
from accounts.types import Role
from core.clock import KNOWN_DAYS
from core.errors import NotFound
from core.forms import LongSelect
from core.types import Operation, Via
from courses.models import Course
from courses.selectors import list_courses_of
from usage.types import Group, Measure, Outcome, UsageFilters

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
_OWN: tuple[Group, ...] = ("day", "month", "model", "operation", "course", "outcome", "via")
_SPLITS: tuple[Group, ...] = ("model", "operation", "course", "department", "role", "outcome", "via")


def _named(groups: Iterable[Group]) -> list[tuple[Group, str | Promise]]:
    return [(group, title) for group, title in GROUPS if group in groups]


class UsageFilterForm(forms.Form):
    """Which usage to look at; `filters()` is what the selectors take."""

    usual: ClassVar[Group] = "day"

    person = forms.EmailField(label=_("Person"), required=False)
    department = forms.ModelChoiceField(list_departments(), label=_("Department"), required=False, empty_label=_("All"))
    course = forms.ModelChoiceField(
        Course.objects.all(),
        label=_("Course"),
        required=False,
        empty_label=_("All"),
        to_field_name="code",
        widget=LongSelect,
    )
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[_ANY, *Role.choices])
    operation = forms.ChoiceField(label=_("Tool"), required=False, choices=[_ANY, *Operation.choices])
    model = forms.CharField(label=_("AI model"), required=False, max_length=120)
    outcome = forms.ChoiceField(label=_("Outcome"), required=False, choices=[_ANY, *Outcome.choices])
    via = forms.ChoiceField(label=_("Door"), required=False, choices=[_ANY, *Via.choices])
    by = forms.ChoiceField(label=_("By"), required=False, choices=GROUPS)
    split = forms.ChoiceField(label=_("Split by"), required=False, choices=[("", _("nothing")), *_named(_SPLITS)])
    measure = forms.ChoiceField(label=_("Picture of"), required=False, choices=Measure.choices)
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
        """What the table groups by; the usual when nothing is chosen."""
        return cast("Group", self.cleaned_data["by"] or self.usual)

    @property
    def split_group(self) -> Group | None:
        """What the columns of a picture over time are divided by."""
        return cast("Group | None", self.cleaned_data["split"] or None)

    @property
    def measured(self) -> Measure:
        """What the picture counts; prompts when nothing is chosen."""
        return Measure(self.cleaned_data["measure"] or Measure.PROMPTS)

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


class MyUsageForm(UsageFilterForm):
    """Which of my own use to look at: without the filters that would name somebody."""

    # The usual stands first: it is what an untouched field shows.
    by = forms.ChoiceField(label=_("By"), required=False, choices=_named(["week"]) + _named(_OWN))
    split = forms.ChoiceField(
        label=_("Split by"),
        required=False,
        choices=[("", _("nothing")), *_named(("model", "operation", "course", "outcome", "via"))],
    )
    person = department = role = None  # type: ignore[assignment]  # Django's way to leave a field out
    usual: ClassVar[Group] = "week"

    def __init__(self, user_id: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user_id = user_id
        own = Course.objects.filter(pk__in=[course.pk for course in list_courses_of(user_id)])
        cast("forms.ModelChoiceField[Course]", self.fields["course"]).queryset = own

    def filters(self) -> UsageFilters:
        """What was asked for, of this person."""
        names = ("operation", "model", "outcome", "via", "first_day", "last_day")
        data = self.cleaned_data
        return UsageFilters(
            user_id=self.user_id, course_id=_id_of(data["course"]), **{name: data[name] for name in names}
        )


def _id_of(chosen: Any) -> int | None:
    return chosen.pk if chosen else None
