"""The shapes of the catalog's forms. A credential goes in and never comes out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from core.errors import InvalidRequest
from core.forms import WholeNumberField
from core.types import Operation
from gateway.columns import check_weights
from gateway.models import Model, Provider, Route, Upstream
from gateway.selectors import list_providers, list_upstreams
from gateway.services import check_credential_stays
from gateway.types import Capability, ProviderKind
from quotas.types import Unit
from quotas.wording import MICRO, read_amount
from usage.types import AlarmKind


class UpstreamForm(forms.ModelForm):  # type: ignore[type-arg]
    """An upstream, with its credential as a field that is always empty."""

    base_url = forms.URLField(
        label=_("address"),
        required=False,
        assume_scheme="https",
        help_text=_("Up to and including /v1. Empty: the kind's own."),
    )
    credential = forms.CharField(
        label=_("credential"),
        required=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_("Written only: what is stored is never shown. Leave empty to keep it."),
    )

    class Meta:
        model = Upstream
        fields: ClassVar = [
            "provider",
            "name",
            "base_url",
            "api_version",
            "credential",
            "extra_fields",
            "most_parallel",
            "speaks_responses",
            "is_enabled",
        ]
        field_classes: ClassVar = {"most_parallel": WholeNumberField}

    def clean(self) -> dict[str, Any]:
        """A stored credential stays with the machine it was entered for."""
        data = super().clean() or self.cleaned_data
        if self.instance.pk and "base_url" in data:
            check_credential_stays(self.instance, base_url=data["base_url"], secret=data.get("credential", ""))
        return data


class AddressForm(UpstreamForm):
    """An address of a provider that is already known; one from the environment keeps what the environment says."""

    class Meta(UpstreamForm.Meta):
        fields: ClassVar = UpstreamForm.Meta.fields[1:]
        labels: ClassVar = {"name": _("Name")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("base_url", "credential") if self.instance.is_from_environment else ():
            self.fields[name].disabled = True
            self.fields[name].help_text = _("Read from OPENAI_BASE_URL and OPENAI_API_KEY.")

    def columns(self) -> dict[str, Any]:
        """What the services take as columns of Upstream."""
        return {name: value for name, value in self.cleaned_data.items() if name != "credential"}

    @property
    def secret(self) -> str:
        """The credential that was entered; "" to keep the one there is."""
        return str(self.cleaned_data["credential"])


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """A provider, without its addresses."""

    class Meta:
        model = Provider
        fields: ClassVar = ["name", "slug", "kind", "is_enabled"]
        labels: ClassVar = {"name": _("Name")}


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A model of the catalog; its lists are boxes to tick."""

    audience = forms.MultipleChoiceField(
        label=_("for whom"),
        choices=Role.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Roles that see it. None: everyone."),
    )
    capabilities = forms.MultipleChoiceField(
        label=_("abilities"),
        choices=Capability.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What it can do. None: not known, and everything is passed on."),
    )

    class Meta:
        model = Model
        exclude: ClassVar = ["created_at"]  # every column there is
        numbers = ("context_tokens", "max_output_tokens", "prompt_weight", "position")
        field_classes: ClassVar = dict.fromkeys(numbers, WholeNumberField)


class PriceField(forms.Field):
    """Money in the currency's own unit, kept in micro-units; empty where nobody knows it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def to_python(self, value: Any) -> int | None:
        """In micro-units."""
        text = str(value or "").strip()
        try:
            return read_amount(Unit.MONEY, text) if text else None
        except InvalidRequest as problem:
            raise ValidationError(problem.message) from None

    def prepare_value(self, value: Any) -> Any:
        """As it is typed."""
        return f"{(Decimal(value) / MICRO).normalize():f}" if isinstance(value, int) else value


class WeightsField(forms.Field):
    """Weights of images, one on a line: a size, a quality or both, and how many prompts such a picture costs."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})

    def to_python(self, value: Any) -> dict[str, int]:
        """By their names."""
        lines = [line for line in str(value or "").splitlines() if line.strip()]
        pairs = [line.rpartition("=") for line in lines]
        if not all(
            name.strip() and weight.strip().isdecimal() and weight.isascii() and len(weight) < 9
            for name, _sign, weight in pairs
        ):
            raise ValidationError(_("Write each line as: size or quality = prompts."))
        weights = {" ".join(name.split()): int(weight) for name, _sign, weight in pairs}
        check_weights(weights)
        return weights

    def prepare_value(self, value: Any) -> Any:
        """As it is typed."""
        return (
            "\n".join(f"{name} = {weight}" for name, weight in value.items()) if isinstance(value, Mapping) else value
        )


class CatalogForm(ModelForm):
    """The same as administrators fill it in on the pages: prices in the currency, weights line by line."""

    input_price = PriceField(label=_("price of a million input tokens"), help_text=_("Empty: not known."))
    cached_input_price = PriceField(
        label=_("price of a million cached input tokens"), help_text=_("Empty: the same as other input.")
    )
    output_price = PriceField(label=_("price of a million output tokens"), help_text=_("Empty: not known."))
    image_price = PriceField(label=_("price of an image"), help_text=_("Empty: not known."))
    image_weights = WeightsField(
        label=_("weights of images"),
        required=False,
        help_text=_("One on a line, such as: 1024x1536 high = 4. Every other picture costs the weight in prompts."),
    )

    class Meta(ModelForm.Meta):
        widgets: ClassVar = {"retires_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stand_ins: Any = self.fields["fallback"]
        stand_ins.queryset = stand_ins.queryset.exclude(pk=self.instance.pk)


class RouteForm(forms.ModelForm):  # type: ignore[type-arg]
    """One place where a model's calls go."""

    upstream = forms.ModelChoiceField(list_upstreams(), label=_("upstream"))

    class Meta:
        model = Route
        fields: ClassVar = ["upstream", "upstream_name", "position", "weight", "is_enabled"]
        field_classes: ClassVar = {"position": WholeNumberField, "weight": WholeNumberField}


class _RouteForms(forms.BaseFormSet):  # type: ignore[type-arg]
    """All of a model's routes."""

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        """The tick that takes a route out says so."""
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].label = _("Take this route out")


RouteForms = forms.formset_factory(
    RouteForm, formset=_RouteForms, extra=1, can_delete=True, can_delete_extra=False, max_num=20
)


def columns_of(routes: "forms.BaseFormSet[RouteForm]") -> list[dict[str, Any]]:
    """What the services take as routes; a line that was left as it came adds none."""
    kept = [form.cleaned_data for form in routes.forms if form.has_changed() and not form.cleaned_data.get("DELETE")]
    return [{name: line[name] for name in RouteForm.Meta.fields} for line in kept]


_STATES = [("", _("All")), ("on", _("in use")), ("off", _("switched off"))]


class CatalogFilterForm(forms.Form):
    """Which models to list; `cleaned_data` is what `gateway.selectors.list_catalog` takes."""

    search = forms.CharField(label=_("Name"), required=False, max_length=120)
    operation = forms.ChoiceField(label=_("Tool"), required=False, choices=[("", _("All")), *Operation.choices])
    provider = forms.ModelChoiceField(
        list_providers(), label=_("Provider"), required=False, empty_label=_("All"), to_field_name="slug"
    )
    state = forms.ChoiceField(label=_("State"), required=False, choices=[*_STATES, ("retired", _("retired"))])

    def clean_provider(self) -> str:
        """The provider's short name."""
        provider = self.cleaned_data["provider"]
        return provider.slug if provider else ""


class ProviderFilterForm(forms.Form):
    """Which providers to list; `cleaned_data` is what `gateway.selectors.list_providers` takes."""

    search = forms.CharField(label=_("Name"), required=False, max_length=120)
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("All")), *ProviderKind.choices])
    state = forms.ChoiceField(label=_("State"), required=False, choices=_STATES)


class BudgetForm(forms.Form):
    """What a month may cost until administrators are told."""

    provider = forms.ChoiceField(label=_("For"), required=False)
    amount = forms.CharField(
        label=_("Amount a month"),
        max_length=40,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("In the installation’s currency; 0 for no budget."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(provider.slug, str(provider)) for provider in list_providers()]
        cast("forms.ChoiceField", self.fields["provider"]).choices = [("", _("all together")), *named]

    def clean_amount(self) -> int:
        """In micro-units."""
        try:
            return read_amount(Unit.MONEY, self.cleaned_data["amount"])
        except InvalidRequest as problem:
            raise ValidationError(str(problem.message)) from None


class AlarmFilterForm(forms.Form):
    """Which alarms to list; `cleaned_data` is what `usage.selectors.list_alarms` takes."""

    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("All")), *AlarmKind.choices])
    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("All")), ("new", _("not seen")), ("seen", _("seen"))]
    )


class BillForm(forms.Form):
    """A provider's bill: whose it is, and the file, which `gateway.bill.read_bill` reads."""

    provider = forms.ModelChoiceField(list_providers(), label=_("Provider"), to_field_name="slug")
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".csv,.json,text/csv,application/json"}),
    )
