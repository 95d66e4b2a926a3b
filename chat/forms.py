"""The shape of what the pages send: forms and JSON alike."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.selectors import get_person
from chat.services import (
    LONGEST_DESCRIPTION,
    LONGEST_FOLDER,
    LONGEST_INSTRUCTIONS,
    LONGEST_NOTE,
    LONGEST_SAVED_PROMPT,
    MOST_AT_ONCE,
)
from chat.types import Complaint, ImageSize
from core.errors import InvalidRequest, NotFound
from core.forms import WholeNumberField
from courses.models import Course
from courses.selectors import get_course
from gateway.wire.fields import check_fields, either, integer, read_object, text
from usage.types import LookReason

_RECORDED = gettext_lazy("Kept here and in the audit log, with your name.")
_PLAIN = either(text(10_000_000), integer(0, 1000))


class IdsField(forms.CharField):
    """Ids with spaces between them."""

    def clean(self, value: Any) -> list[UUID]:
        try:
            return [UUID(word) for word in super().clean(value).split()]
        except ValueError as error:
            raise forms.ValidationError(gettext_lazy("Something is missing. Reload the page.")) from error


class AskForm(forms.Form):
    """A question, in a conversation or as the first of a new one."""

    conversation = forms.UUIDField(required=False)
    model = forms.CharField(max_length=120, error_messages={"required": gettext_lazy("Choose a model.")})
    course = forms.CharField(max_length=57, required=False)
    text = forms.CharField(required=False, strip=False)
    instead_of = forms.UUIDField(required=False)
    temporary = forms.BooleanField(required=False)
    attachments = IdsField(max_length=2000, required=False)
    plain = forms.BooleanField(required=False)


class AgainForm(forms.Form):
    """Another answer to an earlier question, by another AI model if one is named."""

    model = forms.CharField(max_length=120, required=False)


class OpinionForm(forms.Form):
    """What a person thinks of an answer; without a verdict, nothing any more."""

    verdict = forms.ChoiceField(choices=[("good", "good"), ("bad", "bad")], required=False)
    reason = forms.ChoiceField(choices=Complaint.choices, required=False)
    note = forms.CharField(max_length=LONGEST_NOTE, required=False)


class ImageForm(forms.Form):
    """A wish for images."""

    model = forms.CharField(max_length=120, error_messages={"required": gettext_lazy("Choose a model.")})
    course = forms.CharField(max_length=57, required=False)
    prompt = forms.CharField(required=False, strip=False)
    size = forms.CharField(max_length=16, initial=ImageSize.SQUARE)
    quality = forms.CharField(max_length=16, required=False)
    source = forms.UUIDField(required=False)
    count = WholeNumberField()


class DescriptionForm(forms.Form):
    """What a picture shows, in other words than its prompt."""

    alt = forms.CharField(max_length=LONGEST_DESCRIPTION, required=False)


class InstructionsForm(forms.Form):
    """What a person wishes of every answer."""

    text = forms.CharField(
        label=gettext_lazy("Instructions"),
        max_length=LONGEST_INSTRUCTIONS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 8}),
        help_text=gettext_lazy("At most 1,500 characters. They count in tokens with every question."),
    )
    is_on = forms.BooleanField(label=gettext_lazy("Use them in my chats"), required=False)


class PromptForm(forms.Form):
    """A saved prompt; `cleaned_data` is what `chat.services.create_prompt` and `update_prompt` take."""

    title = forms.CharField(label=gettext_lazy("Title"), max_length=80)
    command = forms.CharField(
        label=gettext_lazy("Command"),
        max_length=32,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off"}),
        help_text=gettext_lazy("One word, such as “explain”: /explain in the empty box finds it."),
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=LONGEST_SAVED_PROMPT,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("What stands in {{double braces}} is asked for when the prompt is put into the box."),
    )


class EveryonesPromptForm(PromptForm):
    """A saved prompt for the whole university."""

    language = forms.ChoiceField(
        label=gettext_lazy("For those who read the pages in"),
        required=False,
        choices=[("", gettext_lazy("any language")), *settings.LANGUAGES],
    )
    is_starter = forms.BooleanField(
        label=gettext_lazy("Offer it on the empty chat page"),
        required=False,
        help_text=gettext_lazy("The first one takes the place of the built-in beginnings."),
    )


class PromptFilterForm(forms.Form):
    """Which of everyone's prompts to list; `cleaned_data` is what `chat.selectors.search_everyones` takes."""

    search = forms.CharField(label=gettext_lazy("Title, command or text"), required=False, max_length=80)
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[("", gettext_lazy("All")), ("any", gettext_lazy("any language")), *settings.LANGUAGES],
    )
    state = forms.ChoiceField(
        label=gettext_lazy("Offered"),
        required=False,
        choices=[
            ("", gettext_lazy("All")),
            ("starter", gettext_lazy("on the empty page")),
            ("menu", gettext_lazy("by / alone")),
        ],
    )


class ManyIdsField(forms.Field):
    """Several ids under one name, at least one."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[UUID]:
        if len(value or []) > MOST_AT_ONCE:
            raise forms.ValidationError(_("Choose at most %(most)s.") % {"most": MOST_AT_ONCE})
        try:
            return [UUID(one) for one in value or []]
        except ValueError as error:
            raise forms.ValidationError(_("One of these is not there.")) from error


class ArrangeForm(forms.Form):
    """Chats that were ticked, and what is to be done with them; the rest is the place to come back to."""

    chat = ManyIdsField(error_messages={"required": gettext_lazy("Choose at least one chat.")})
    act = forms.ChoiceField(choices=[(act, act) for act in ("archive", "unarchive", "file", "delete")])
    folder = forms.CharField(max_length=LONGEST_FOLDER, required=False)
    show = forms.CharField(max_length=20, required=False)
    in_folder = forms.CharField(max_length=LONGEST_FOLDER, required=False)
    stay = forms.BooleanField(required=False)


class TitleForm(forms.Form):
    """Another title for a conversation."""

    title = forms.CharField(max_length=400, required=False)


class LookForm(forms.Form):
    """Why a teacher opens a student's chat."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=LookReason)
    note = forms.CharField(
        label=gettext_lazy("In your words"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The student reads this sentence with your name, under “Who looked”."),
    )


class HoldForm(forms.Form):
    """Who or what a case is about; `arguments()` is what `chat.services.place_hold` takes."""

    person = forms.EmailField(
        label=gettext_lazy("Person"), required=False, help_text=gettext_lazy("E-mail address; or a course below.")
    )
    course = forms.CharField(
        label=gettext_lazy("Course"), required=False, max_length=32, help_text=gettext_lazy("Code, such as COMP1117.")
    )
    case = forms.CharField(
        label=gettext_lazy("Case"), max_length=80, help_text=gettext_lazy("Its reference, such as “Senate 2026/41”.")
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text=_RECORDED
    )

    def clean_person(self) -> User | None:
        """The person with this address."""
        try:
            return get_person(self.cleaned_data["person"]) if self.cleaned_data["person"] else None
        except NotFound:
            raise forms.ValidationError(_("Nobody has this e-mail address. Look for a typing mistake.")) from None

    def clean_course(self) -> Course | None:
        """The course of this code."""
        try:
            return get_course(self.cleaned_data["course"]) if self.cleaned_data["course"] else None
        except NotFound as missing:
            raise forms.ValidationError(str(missing.message)) from None

    def arguments(self) -> dict[str, Any]:
        """The person and the course by their ids."""
        person, course = self.cleaned_data["person"], self.cleaned_data["course"]
        return {
            "user_id": person and person.pk,
            "course_id": course and course.pk,
            "case": self.cleaned_data["case"],
            "reason": self.cleaned_data["reason"],
        }


class HoldFilterForm(forms.Form):
    """Which holds to list; `cleaned_data` is what `chat.selectors.list_holds` takes."""

    search = forms.CharField(label=gettext_lazy("Case, person or course"), required=False, max_length=120)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("All")), ("in_force", gettext_lazy("in force")), ("ended", gettext_lazy("ended"))],
    )


class OpinionFilterForm(forms.Form):
    """Of which AI models to list opinions; `cleaned_data` is what `chat.selectors.list_judged` takes."""

    search = forms.CharField(label=gettext_lazy("AI model"), required=False, max_length=120)


class EndHoldForm(forms.Form):
    """Why a hold is ended."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, help_text=_RECORDED)


def cleaned(form: type[forms.Form], request: HttpRequest) -> dict[str, Any]:
    """What the request sends, cleaned by the form.

    Raises:
        InvalidRequest: it cannot be read, or a field is wrong; `param` names the first such field.
    """
    bound = form(_sent(request))
    for name, problems in bound.errors.items():
        raise InvalidRequest(f"{name}: {problems[0]}", param=name)
    return bound.cleaned_data


def wants_json(request: HttpRequest) -> bool:
    """Whether a script asks, rather than a form without one."""
    return request.content_type == "application/json" or not request.accepts("text/html")


def _sent(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        return request.POST
    try:
        sent = read_object(request.body)
    except RequestDataTooBig as error:
        raise InvalidRequest(_("This is too much at once. Send it in parts; nothing was charged.")) from error
    # A form would take a list for the text that Python makes of it, and charge for that.
    return check_fields(sent, dict.fromkeys(sent, _PLAIN))
