"""What people fill in about quotas."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import get_person, list_departments
from accounts.types import Role
from core import clock
from core.clock import KNOWN_DAYS
from core.errors import InvalidRequest, NotFound
from core.forms import LinesForm
from core.types import Operation
from courses.models import Course
from courses.selectors import get_course
from quotas.services import check_scope
from quotas.types import (
    LEDGER_PERIODS,
    LEDGER_UNITS,
    LONGEST_SCOPE,
    MODEL_SCOPE,
    PACE_PERIODS,
    Kind,
    Period,
    RequestState,
    Subject,
    Unit,
    WhenEmpty,
)
from quotas.wording import read_amount


class StatementForm(forms.Form):
    """Which month of which quota: what stands in the address of the statement."""

    month = forms.CharField(required=False, validators=[RegexValidator(r"^20\d\d-(0[1-9]|1[0-2])\Z")])
    unit = forms.ChoiceField(required=False, choices=Unit)
    period = forms.ChoiceField(required=False, choices=Period)
    scope = forms.CharField(required=False, max_length=LONGEST_SCOPE)

    def clean_month(self) -> date:
        """The first day of the month; the present one when none is named."""
        month = self.cleaned_data["month"]
        return date.fromisoformat(f"{month}-01") if month else clock.local_day(clock.now()).replace(day=1)

    @property
    def kind(self) -> Kind | None:
        """The quota that was chosen, if one was."""
        if not (self.cleaned_data["unit"] and self.cleaned_data["period"]):
            return None
        return Unit(self.cleaned_data["unit"]), Period(self.cleaned_data["period"]), self.cleaned_data["scope"]


class QuotaForm(forms.Form):
    """A rule; `rule()` is what `quotas.services.set_quota` takes."""

    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", _("Everyone")), *Role.choices])
    department = forms.ModelChoiceField(
        label=_("Department"), required=False, queryset=list_departments(), empty_label=_("All departments")
    )
    course = forms.CharField(
        label=_("One course"),
        required=False,
        max_length=32,
        help_text=_("Its code. The rule is for the people enrolled in it."),
    )
    person = forms.EmailField(
        label=_("One person"), required=False, help_text=_("E-mail address. Leave it empty for a role or department.")
    )
    limit = forms.CharField(
        label=_("Amount"),
        required=False,
        max_length=24,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=_("0 stops all use. What people have used is never taken back."),
    )
    unmetered = forms.BooleanField(label=_("No limit: count, and never refuse"), required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=Unit, initial=Unit.PROMPTS)
    period = forms.ChoiceField(
        label=_("Period"),
        required=False,
        choices=[(period.value, period.label) for period in LEDGER_PERIODS],
        initial=Period.MONTH,
        help_text=_("Turns are counted per conversation, attempts per hour, whatever is chosen here."),
    )
    operation = forms.ChoiceField(
        label=_("Covers"), required=False, choices=[("", _("Everything")), *Operation.choices]
    )
    model = forms.CharField(
        label=_("Only these AI models"),
        required=False,
        max_length=LONGEST_SCOPE - len(MODEL_SCOPE),
        help_text=_("Names in the list of models, a comma between them; gpt-4* means all that begin so."),
    )
    starts_on = forms.DateField(
        label=_("From"),
        required=False,
        validators=KNOWN_DAYS,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The first day it holds, from midnight. Empty: at once."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=240,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the history of the rule, with your name."),
    )

    def clean_person(self) -> User | None:
        """The person with this address."""
        try:
            return get_person(self.cleaned_data["person"]) if self.cleaned_data["person"] else None
        except NotFound:
            raise forms.ValidationError(_("Nobody has this e-mail address. Look for a typing mistake.")) from None

    def clean_course(self) -> Course | None:
        """The course with this code."""
        try:
            return get_course(self.cleaned_data["course"]) if self.cleaned_data["course"] else None
        except NotFound as problem:
            raise forms.ValidationError(problem.message) from None

    def clean_starts_on(self) -> date | None:
        """A day to come, or none."""
        day: date | None = self.cleaned_data["starts_on"]
        if day is not None and day <= clock.local_day(clock.now()):
            raise forms.ValidationError(_("Choose a day to come, or leave it empty for a rule that holds at once."))
        return day

    def clean(self) -> dict[str, Any]:
        """Contradictions, each told at the field where it can be mended."""
        data = self.cleaned_data
        many = bool(data.get("role") or data.get("department"))
        if data.get("person") and (many or data.get("course")):
            self.add_error("person", _("A rule for one person names neither a role nor a department. Empty one side."))
        elif data.get("course") and many:
            self.add_error("course", _("A rule for one course names neither a role nor a department. Empty one side."))
        if data.get("operation") and data.get("model"):
            self.add_error("model", _("Choose a tool or a model, not both."))
        if data.get("unit"):
            self._clean_limit(data)
            unit = Unit(data["unit"])
            data["period"] = PACE_PERIODS.get(unit) or Period(data.get("period") or Period.MONTH)
        if data.get("model"):
            try:
                check_scope(MODEL_SCOPE + data["model"])
            except InvalidRequest as problem:
                self.add_error("model", str(problem.message))
        return data

    def _clean_limit(self, data: dict[str, Any]) -> None:
        typed = data.get("limit", "")
        if not typed and not data.get("unmetered"):
            self.add_error("limit", _("Write how much, or tick “No limit”."))
        elif typed and data.get("unmetered"):
            self.add_error("limit", _("An amount and “No limit” contradict each other. Keep one."))
        try:
            data["limit"] = read_amount(Unit(data["unit"]), typed) if typed else None
        except InvalidRequest as problem:
            self.add_error("limit", str(problem.message))

    def rule(self) -> dict[str, Any]:
        """The rule that was written down."""
        data = self.cleaned_data
        day: date | None = data["starts_on"]
        return {
            "limit": data["limit"],
            "unit": Unit(data["unit"]),
            "period": data["period"],
            "scope": check_scope(MODEL_SCOPE + data["model"]) if data["model"] else data["operation"],
            "role": data["role"],
            "department_id": data["department"].pk if data["department"] else None,
            "course_id": data["course"].pk if data["course"] else None,
            "user_id": data["person"].pk if data["person"] else None,
            "starts_at": clock.start_of(day) if day else None,
            "reason": data["reason"],
        }


def _counts() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Unit"), required=False, choices=[("", _("All")), *Unit.choices])


class RuleFilterForm(forms.Form):
    """Which rules to list; `cleaned_data` is what `quotas.selectors.list_present_rules` takes."""

    search = forms.CharField(label=_("Person, course or department"), required=False, max_length=120)
    whom = forms.ChoiceField(label=_("For"), required=False, choices=[("", _("All")), *Subject.choices])
    counts = _counts()
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("in_force", _("in force")), ("to_come", _("to come"))],
    )


class RequestFilterForm(forms.Form):
    """Which requests to list; `cleaned_data` is what `quotas.selectors.search_requests` takes."""

    search = forms.CharField(label=_("Person or course"), required=False, max_length=120)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("All")), *RequestState.choices])
    counts = _counts()


class PoolFilterForm(forms.Form):
    """Which pools to list; `cleaned_data` is what `quotas.selectors.list_pools` takes."""

    search = forms.CharField(label=_("Course"), required=False, max_length=120)
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("All")), ("open", _("open")), ("closed", _("closed"))]
    )
    counts = _counts()


class OfferFilterForm(forms.Form):
    """Which offers to list; `cleaned_data` is what `quotas.selectors.list_all_offers` takes."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("sold", _("for sale")), ("withdrawn", _("not for sale"))],
    )
    counts = _counts()


class RuleFileForm(LinesForm):
    """A file of rules, and why."""

    reason = forms.CharField(
        label=_("Reason"), max_length=240, help_text=_("Kept in the history of each rule, with your name.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _(
            "CSV in UTF-8: for,who,limit and, if wanted, department,unit,period,covers,starts_on,ends_on."
        )


class WithdrawForm(forms.Form):
    """Why a rule ends."""

    reason = forms.CharField(label=_("Reason"), max_length=240)


_LEDGER_UNITS = [(unit.value, unit.label) for unit in LEDGER_UNITS]
_DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class AmountForm(forms.Form):
    """A form with an amount of some unit: after cleaning `amount` holds the number of units."""

    unit = forms.ChoiceField(label=_("Unit"), choices=_LEDGER_UNITS, initial=Unit.PROMPTS)
    amount = forms.CharField(
        label=_("Amount"), max_length=24, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )

    def clean(self) -> dict[str, Any]:
        """Every amount that was typed, read in the unit that was chosen."""
        data = self.cleaned_data
        for name in self.amounts():
            if data.get("unit") and data.get(name):
                try:
                    data[name] = read_amount(Unit(data["unit"]), data[name])
                except InvalidRequest as problem:
                    self.add_error(name, str(problem.message))
        return data

    def amounts(self) -> tuple[str, ...]:
        """The fields that hold amounts."""
        return ("amount",)

    @property
    def unit_chosen(self) -> Unit:
        """The unit, once the form is valid."""
        return Unit(self.cleaned_data["unit"])


class EndMixin(forms.Form):
    """A grant's last day."""

    expires_on = forms.DateField(
        label=_("Last day"),
        required=False,
        validators=KNOWN_DAYS,
        widget=_DATE,
        help_text=_("Empty: with the course, or with the month. What is left then lapses."),
    )

    def clean_expires_on(self) -> date | None:
        """A day that has not passed."""
        day: date | None = self.cleaned_data["expires_on"]
        if day is not None and day < clock.local_day(clock.now()):
            raise forms.ValidationError(_("A grant ends on a day to come."))
        return day

    @property
    def expires_at(self) -> datetime | None:
        """The end of the last day."""
        day: date | None = self.cleaned_data["expires_on"]
        return clock.start_of(day + timedelta(days=1)) if day else None


class CourseMixin(forms.Form):
    """A course among these; which ones stands with who asks."""

    course = forms.ChoiceField(label=_("Course"), required=False)

    def __init__(self, *args: Any, courses: Sequence[Course], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._courses = {course.code: course for course in courses}
        choices = [(code, str(course)) for code, course in self._courses.items()]
        field = self.fields["course"]
        field.choices = choices if field.required else [("", _("No course")), *choices]  # type: ignore[attr-defined]

    @property
    def course_chosen(self) -> Course | None:
        """The course, once the form is valid."""
        return self._courses.get(self.cleaned_data["course"])


class AskForm(CourseMixin, AmountForm):
    """What a person asks for."""

    reason = forms.CharField(
        label=_("What for"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The task and why it needs more. Whoever decides reads nothing else of yours."),
    )
    field_order = ("amount", "unit", "course", "reason")


class DecisionForm(EndMixin):
    """What somebody decides about a request; the amount in the request's unit."""

    amount = forms.CharField(label=_("Give"), required=False, max_length=24)
    answer = forms.CharField(label=_("Your sentence to them"), required=False, max_length=240)

    def __init__(self, *args: Any, unit: Unit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unit = unit

    def clean_amount(self) -> int | None:
        """The number of units; None when nothing was typed."""
        try:
            return read_amount(self._unit, typed) if (typed := self.cleaned_data["amount"]) else None
        except InvalidRequest as problem:
            raise forms.ValidationError(problem.message) from None


class CourseGrantForm(CourseMixin, EndMixin, AmountForm):
    """The same for every student of a course."""

    course = forms.ChoiceField(label=_("Course"))
    reason = forms.CharField(label=_("Reason"), max_length=240)
    field_order = ("course", "amount", "unit", "expires_on", "reason")


class ApproverLimitForm(AmountForm):
    """How much instructors may give."""

    amount = forms.CharField(label=_("To one person at once"), max_length=24)
    a_month = forms.CharField(label=_("In a course and month"), max_length=24)

    def amounts(self) -> tuple[str, ...]:
        return ("amount", "a_month")


class PoolForm(AmountForm):
    """A course's pool and how it works."""

    course = forms.CharField(label=_("Course"), max_length=32, help_text=_("Its code."))
    amount = forms.CharField(label=_("Add to it"), required=False, max_length=24)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=240)
    cap = forms.CharField(
        label=_("At most for each student"), required=False, max_length=24, help_text=_("Empty: as much as there is.")
    )
    when_empty = forms.ChoiceField(label=_("When it is empty"), choices=WhenEmpty, initial=WhenEmpty.PERSONAL)
    is_open = forms.BooleanField(label=_("Calls tagged with the course are paid by it"), required=False, initial=True)
    field_order = ("course", "unit", "amount", "reason", "cap", "when_empty", "is_open")

    def amounts(self) -> tuple[str, ...]:
        return ("amount", "cap")

    def clean_course(self) -> Course:
        """The course with this code."""
        try:
            return get_course(self.cleaned_data["course"])
        except NotFound as problem:
            raise forms.ValidationError(problem.message) from None

    def clean(self) -> dict[str, Any]:
        """What is added needs its reason."""
        data = super().clean()
        if data.get("amount") and not data.get("reason"):
            self.add_error("reason", _("Write the reason. It is kept with the change and shown in its history."))
        return data


class OfferForm(AmountForm):
    """Units for sale; the price in the currency."""

    price = forms.CharField(label=_("Price"), max_length=24)
    is_enabled = forms.BooleanField(label=_("For sale"), required=False, initial=True)
    field_order = ("amount", "unit", "price", "is_enabled")

    def clean_price(self) -> int:
        """In micro-units."""
        try:
            return read_amount(Unit.MONEY, self.cleaned_data["price"])
        except InvalidRequest as problem:
            raise forms.ValidationError(problem.message) from None
