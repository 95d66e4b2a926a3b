"""What people tick and what administrators write."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from policies.models import WORDINGS, ClauseVersion


class AcceptForm(forms.Form):
    """One wording, read in one language, and the tick."""

    version = forms.IntegerField(widget=forms.HiddenInput, max_value=2**63 - 1)
    language = forms.ChoiceField(choices=settings.LANGUAGES, widget=forms.HiddenInput)
    accepted = forms.BooleanField(
        error_messages={"required": _("Tick the box to accept. If you do not agree, choose “Not now, sign me out”.")}
    )


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]
    """The wording of a draft in three languages, and whether everyone must accept it."""

    asks_again = forms.TypedChoiceField(
        label=_("Kind of change"),
        choices=[
            ("yes", _("Ask everyone again: the meaning changes")),
            ("no", _("Wording only: who has accepted before is not asked again")),
        ],
        coerce=lambda value: value == "yes",
        initial="yes",
    )

    class Meta:
        model = ClauseVersion
        fields: ClassVar = [*WORDINGS, "change_note", "asks_again"]

    def content(self) -> dict[str, Any]:
        """What `policies.services.create_version` and `update_draft` take."""
        return {
            "wordings": {name: self.cleaned_data[name] for name in WORDINGS},
            "change_note": self.cleaned_data["change_note"],
            "asks_again": self.cleaned_data["asks_again"],
        }

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        value = super().get_initial_for_field(field, field_name)
        return {True: "yes", False: "no"}.get(value, value) if field_name == "asks_again" else value
