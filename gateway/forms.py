"""The shapes of the catalog's forms. A credential goes in and never comes out."""

from typing import ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from gateway.models import Model, Upstream
from gateway.types import Capability


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
