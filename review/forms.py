"""What stands in the addresses of these pages, and what a teacher writes about AI in a course."""

from datetime import date
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from audit.types import Through
from core.clock import KNOWN_DAYS
from core.types import Operation
from courses.models import LONGEST_TEXTS, Assignment, Course, CourseRule, ExamWindow
from courses.types import Approach, Readers, Scale
from review.selectors import span_of
from review.types import Split
from usage.types import Every

SPLITS = [("model", _("AI model")), ("operation", _("Tool"))]
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
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


class SubscribeForm(forms.Form):
    """A page of use that is wanted by mail."""

    every = forms.ChoiceField(choices=Every)
    course = forms.CharField(required=False, max_length=32)
    query = forms.CharField(required=False, max_length=1000)


class _Names(forms.Field):
    """Any number of names that were ticked; which there are is for the page to offer."""

    widget = forms.SelectMultiple

    def clean(self, value: Any) -> list[str]:
        return [name[:120] for name in value or () if name][:50]


def _long(name: str, label: Any, help_text: Any, *, rows: int = 3) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(
        label=label, help_text=help_text, required=False, max_length=LONGEST_TEXTS[name], widget=widget
    )


class RuleForm(forms.Form):
    """A version of a course's AI rule; `cleaned_data` is what `courses.services.publish_rule` takes as wording."""

    approach = forms.ChoiceField(label=_("AI is"), choices=Approach, widget=forms.RadioSelect)
    scale = forms.TypedChoiceField(
        label=_("AI Assessment Scale"),
        required=False,
        coerce=int,
        empty_value=None,
        choices=[("", _("not used")), *Scale.choices],
        help_text=_("Levels 2 and 3 also tell the AI what it may do."),
    )
    allowed_tools = forms.MultipleChoiceField(
        label=_("Tools"),
        required=False,
        choices=[(tool.value, tool.label) for tool in (Operation.CHAT, Operation.IMAGE)],
        widget=forms.CheckboxSelectMultiple,
    )
    allowed_models = _Names(label=_("AI models"), required=False)
    note = _long("note", _("What students read"), _("Why the course has this rule, and what it means."))
    declaration = _long(
        "declaration", _("How to acknowledge and cite"), _("Wanted where AI is allowed “with acknowledgment”.")
    )
    instructions = _long(
        "instructions",
        _("Instructions to the AI"),
        _("Put before every question, such as “Give hints, never solutions.” Students can read it."),
    )
    readers = forms.ChoiceField(
        label=_("Who may open the chats of the course"),
        choices=Readers,
        help_text=_(
            "Students are told before their first prompt, and see every opening. It holds for chats begun later."
        ),
    )
    asks_again = forms.BooleanField(
        label=_("Ask the students again"),
        required=False,
        initial=True,
        help_text=_("Off for a change of wording only, without a change of meaning."),
    )

    @classmethod
    def of(cls, rule: CourseRule | None, data: Any = None) -> "RuleForm":
        """The form, beginning from a rule."""
        names = tuple(cls.base_fields)
        start: dict[str, Any] = {"approach": Approach.ACKNOWLEDGMENT, "readers": Readers.NOBODY}
        start |= {"allowed_tools": [Operation.CHAT.value, Operation.IMAGE.value]}
        if rule is not None:
            start = {name: getattr(rule, name) for name in names} | {"asks_again": True}
        return cls(data, initial=start)

    @property
    def chosen_models(self) -> list[str]:
        """The names that are ticked now."""
        return list(self["allowed_models"].value() or ())


class AssignmentForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new assignment; `cleaned_data` holds the arguments of `courses.services.create_assignment`."""

    class Meta:
        model = Assignment
        fields: tuple[str, ...] = ("code", "title", "opens_at", "due_at")
        widgets = {"opens_at": _MOMENT, "due_at": _MOMENT}  # noqa: RUF012 (Django's own form of it)


class ExamForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new exam window; `cleaned_data` holds the arguments of `courses.services.create_exam`."""

    class Meta:
        model = ExamWindow
        fields: tuple[str, ...] = ("title", "starts_at", "ends_at", "section")
        widgets = {"starts_at": _MOMENT, "ends_at": _MOMENT}  # noqa: RUF012 (Django's own form of it)


class ExceptionForm(forms.Form):
    """A student to whom an exam window does not apply."""

    email = forms.EmailField(label=_("E-mail of the student"))
    reason = forms.CharField(label=_("Reason"), max_length=240)


class AnswerForm(forms.Form):
    """A teacher's word on a question for permission."""

    answer = forms.CharField(label=_("A sentence for the student"), required=False, max_length=500)


class PermissionFilterForm(forms.Form):
    """Which questions for permission to list; `cleaned_data` is what `courses.selectors.list_permissions` takes."""

    search = forms.CharField(label=_("Person or reason"), required=False, max_length=120)
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("All")), ("open", _("open")), ("given", _("given")), ("declined", _("declined"))],
    )


class AuditFilterForm(forms.Form):
    """Which entries to list; `cleaned_data` is what `audit.selectors.list_entries` takes."""

    search = forms.CharField(label=_("Who or whom"), required=False, max_length=120)
    action = forms.RegexField(
        r"^[a-z_.]+\Z", label=_("Act"), required=False, max_length=40, help_text=_("Such as person or person.suspend.")
    )
    subject = forms.CharField(label=_("To what"), required=False, max_length=160, help_text=_("Such as person/12."))
    through = forms.ChoiceField(label=_("Door"), required=False, choices=[("", _("All")), *Through.choices])
    first_day = forms.DateField(label=_("From"), required=False, validators=KNOWN_DAYS, widget=_DATE)
    last_day = forms.DateField(label=_("To"), required=False, validators=KNOWN_DAYS, widget=_DATE)
