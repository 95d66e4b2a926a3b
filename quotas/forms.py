"""What people fill in about quotas."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import get_person, list_departments
from accounts.types import Role
from core import clock
from core.errors import NotFound
from core.types import Operation
from quotas.types import LARGEST_AMOUNT, MODEL_SCOPE, Kind, Period, Unit


class StatementForm(forms.Form):
    """Which month of which quota: what stands in the address of the statement."""

    month = forms.CharField(required=False, validators=[RegexValidator(r"^20\d\d-(0[1-9]|1[0-2])\Z")])
    unit = forms.ChoiceField(required=False, choices=Unit)
    period = forms.ChoiceField(required=False, choices=Period)
    scope = forms.CharField(required=False, max_length=140)

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
    person = forms.EmailField(
        label=_("One person"), required=False, help_text=_("E-mail address. Leave it empty for a role or department.")
    )
    limit = forms.IntegerField(
        label=_("Amount"),
        required=False,
        min_value=0,
        max_value=LARGEST_AMOUNT,
        help_text=_("0 stops all use. What people have used is never taken back."),
    )
    unmetered = forms.BooleanField(label=_("No limit: count, and never refuse"), required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=Unit, initial=Unit.PROMPTS)
    period = forms.ChoiceField(label=_("Period"), choices=Period, initial=Period.MONTH)
    operation = forms.ChoiceField(
        label=_("Covers"), required=False, choices=[("", _("Everything")), *Operation.choices]
    )
    model = forms.CharField(
        label=_("Only this AI model"), required=False, max_length=120, help_text=_("Its name in the list of models.")
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

    def clean(self) -> dict[str, Any]:
        """Contradictions, each told at the field where it can be mended."""
        data = self.cleaned_data
        if data.get("person") and (data.get("role") or data.get("department")):
            self.add_error("person", _("A rule for one person names neither a role nor a department. Empty one side."))
        if data.get("operation") and data.get("model"):
            self.add_error("model", _("Choose a tool or a model, not both."))
        amount_missing = "limit" in data and data["limit"] is None
        if amount_missing and not data.get("unmetered"):
            self.add_error("limit", _("Write how much, or tick “No limit”."))
        if data.get("limit") is not None and data.get("unmetered"):
            self.add_error("limit", _("An amount and “No limit” contradict each other. Keep one."))
        return data

    def rule(self) -> dict[str, Any]:
        """The rule that was written down."""
        data = self.cleaned_data
        return {
            "limit": data["limit"],
            "unit": Unit(data["unit"]),
            "period": Period(data["period"]),
            "scope": MODEL_SCOPE + data["model"] if data["model"] else data["operation"],
            "role": data["role"],
            "department_id": data["department"].pk if data["department"] else None,
            "user_id": data["person"].pk if data["person"] else None,
            "reason": data["reason"],
        }


class WithdrawForm(forms.Form):
    """Why a rule ends."""

    reason = forms.CharField(label=_("Reason"), max_length=240)
