"""Django admin of the ledger: rules and grants go through the services, the books are only read."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.selectors import get_person
from audit.admin import ReadOnlyAdmin
from core.errors import InvalidRequest, NotFound
from quotas import services
from quotas.models import Allowance, Grant, LedgerEntry, Quota, Reservation
from quotas.types import Period, Unit


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new rule; it takes the place of the one in force, so two of a kind are no contradiction here."""

    class Meta:
        model = Quota
        fields = ("unit", "period", "scope", "limit", "role", "department", "course", "user", "reason")

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("user") and (data.get("role") or data.get("department")):
            raise forms.ValidationError(_("A rule for one person names neither a role nor a department."))
        return data

    def clean_scope(self) -> str:
        try:
            services.check_scope(self.cleaned_data["scope"])
        except InvalidRequest as problem:
            raise forms.ValidationError(problem.message) from None
        return str(self.cleaned_data["scope"])


@admin.register(Quota)
class QuotaAdmin(ReadOnlyAdmin):
    """Rules are added; a change is a new rule, and the old one stays in the history."""

    form = RuleForm
    list_display = ("__str__", "role", "department", "user", "starts_at", "ends_at", "reason", "created_by")
    list_filter = ("unit", "period", "role", "department")
    search_fields = ("user__email", "user__name", "reason")
    list_select_related = ("department", "user", "created_by")
    raw_id_fields = ("user",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def save_model(self, request: HttpRequest, obj: Quota, form: Any, change: bool) -> None:
        data = dict(form.cleaned_data)
        whom = {f"{name}_id": (found := data.pop(name)) and found.pk for name in ("user", "department", "course")}
        obj.pk = services.set_quota(**data, **whom, by_id=request.user.pk).pk


class GrantForm(forms.ModelForm):  # type: ignore[type-arg]
    """Extra units for one person, in the present window."""

    person = forms.EmailField(label=_("E-mail address"))
    unit = forms.ChoiceField(label=_("Unit"), choices=Unit, initial=Unit.PROMPTS)
    period = forms.ChoiceField(label=_("Period"), choices=Period, initial=Period.MONTH)

    class Meta:
        model = Grant
        fields = ("amount", "reason")

    def clean_person(self) -> User:
        try:
            return get_person(self.cleaned_data["person"])
        except NotFound:
            raise forms.ValidationError(_("Nobody has this e-mail address.")) from None


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    """Grants are given; none is ever taken back."""

    form = GrantForm
    fields = ("person", "amount", "unit", "period", "reason")
    list_display = ("__str__", "allowance", "reason", "granted_by", "at")
    search_fields = ("allowance__user__email", "reason")
    list_select_related = ("allowance__user", "granted_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def get_fields(self, request: HttpRequest, obj: Grant | None = None) -> tuple[str, ...]:
        return self.fields if obj is None else ("allowance", "amount", "reason", "granted_by", "at")

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        data = form.cleaned_data
        given = services.grant(
            user_id=data["person"].pk,
            amount=data["amount"],
            unit=Unit(data["unit"]),
            period=Period(data["period"]),
            reason=data["reason"],
            by_id=request.user.pk,
        )
        obj.pk, obj.allowance = given.pk, given.allowance


@admin.register(Allowance)
class AllowanceAdmin(ReadOnlyAdmin):
    """Counters by person and window."""

    list_display = ("user", "unit", "period", "scope", "window_start", "used", "held", "granted")
    list_filter = ("unit", "period")
    search_fields = ("user__email", "user__name")
    list_select_related = ("user",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """Calls, and what became of them."""

    list_display = ("call_id", "user", "state", "operation", "model", "via", "created_at", "lease_until")
    list_filter = ("state", "operation", "via")
    search_fields = ("=call_id", "user__email")
    list_select_related = ("user",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """The books."""

    list_display = ("id", "at", "allowance", "kind", "delta_used", "delta_held", "delta_granted", "left_after")
    list_filter = ("kind",)
    search_fields = ("allowance__user__email", "=reservation__call_id")
    list_select_related = ("allowance__user",)
