"""What stands in the address of a course's page."""

from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from core.types import Operation
from courses.models import Course
from review.selectors import span_of
from review.types import Split
from usage.types import KNOWN_DAYS

SPLITS = [("model", _("AI model")), ("operation", _("Tool"))]
_DATE = forms.DateInput(attrs={"type": "date"})


class CourseUseForm(forms.Form):
    """Which use of the course to show; without anything chosen, all of it so far."""

    by = forms.ChoiceField(label=_("Weeks by"), required=False, choices=SPLITS)
    first_day = forms.DateField(label=_("From"), required=False, validators=KNOWN_DAYS, widget=_DATE)
    last_day = forms.DateField(label=_("To"), required=False, validators=KNOWN_DAYS, widget=_DATE)
    operation = forms.ChoiceField(label=_("Tool"), required=False, choices=[("", _("All")), *Operation.choices])
    model = forms.CharField(label=_("AI model"), required=False, max_length=120)

    def __init__(self, course: Course, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.span = span_of(course)

    def clean(self) -> dict[str, Any]:
        """The days to look at; they must not run backwards or over more than two years."""
        data = self.cleaned_data
        first: date = data.get("first_day") or self.span[0]
        last: date = data.get("last_day") or max(first, self.span[1])
        if last < first:
            self.add_error("last_day", _("This day lies before the first. Choose a later one, or leave it empty."))
        elif (last - first).days > 731:
            self.add_error("last_day", _("At most two years at a time. Choose days closer to each other."))
        return data | {"first_day": first, "last_day": last}

    def asked(self) -> dict[str, Any]:
        """The arguments of `review.selectors.read_course`."""
        data = self.cleaned_data
        names = ("first_day", "last_day", "operation", "model")
        return {"split": cast("Split", data["by"] or "model")} | {name: data[name] for name in names}
