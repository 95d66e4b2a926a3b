"""The shape of an upstream's form: its credential goes in and never comes out."""

from typing import ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from gateway.models import Upstream


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
        fields: ClassVar = ["provider", "name", "base_url", "api_version", "credential", "extra_fields", "is_enabled"]
