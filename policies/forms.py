"""What people tick and what administrators write."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from policies.models import WORDINGS, Clause, ClauseVersion, Notice


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


class ComparedForm(forms.Form):
    """Which version another is compared with; the one before it unless somebody chooses."""

    against = forms.ModelChoiceField(ClauseVersion.objects.none(), label=_("Compared with"), required=False)

    def __init__(self, *args: Any, others: QuerySet[ClauseVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["against"]
        field.queryset, field.empty_label = others, None
        field.label_from_instance = lambda version: _("Version %(number)s") % {"number": version.number}

    def clean_against(self) -> ClauseVersion | None:
        """The version; None where there is no other."""
        field: Any = self.fields["against"]
        chosen: ClauseVersion | None = self.cleaned_data["against"] or field.queryset.first()
        return chosen


class VersionFilterForm(forms.Form):
    """Which versions to list; `cleaned_data` is what `policies.selectors.list_versions` takes."""

    search = forms.CharField(label=_("Title"), required=False, max_length=120)
    clause = forms.ModelChoiceField(
        label=_("Clause"), required=False, empty_label=_("All"), queryset=Clause.objects.all(), to_field_name="slug"
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("published", _("published")), ("draft", _("draft"))],
    )


class AcceptanceFilterForm(forms.Form):
    """Whom to list; `cleaned_data` is what `policies.selectors.list_acceptances` takes."""

    search = forms.CharField(label=_("Name or e-mail"), required=False, max_length=120)
    role = forms.ChoiceField(label=_("Role"), required=False, choices=[("", _("All")), *Role.choices])
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("accepted", _("accepted")), ("outstanding", _("still asked"))],
    )


_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class NoticeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What everybody is told, and when; `cleaned_data` is what the services take as columns of Notice."""

    class Meta:
        model = Notice
        fields: ClassVar = [
            "level",
            "text_en",
            "text_zh_hant",
            "text_zh_hans",
            "starts_at",
            "ends_at",
            "is_dismissable",
        ]
        widgets: ClassVar = {
            "starts_at": _MOMENT,
            "ends_at": _MOMENT,
            **{name: forms.Textarea(attrs={"rows": 2}) for name in ("text_en", "text_zh_hant", "text_zh_hans")},
        }


class NoticeFilterForm(forms.Form):
    """Which notices to list; `cleaned_data` is what `policies.selectors.list_notices` takes."""

    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("running", _("shown now")), ("coming", _("still to come")), ("over", _("over"))],
    )
