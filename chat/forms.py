"""The shape of what the pages send: forms and JSON alike."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.services import LONGEST_DESCRIPTION, LONGEST_FOLDER, LONGEST_INSTRUCTIONS, MOST_AT_ONCE
from chat.types import ImageSize
from core.errors import InvalidRequest
from gateway.wire.fields import check_fields, either, integer, read_object, text
from usage.types import LookReason

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


class ImageForm(forms.Form):
    """A wish for images."""

    model = forms.CharField(max_length=120, error_messages={"required": gettext_lazy("Choose a model.")})
    course = forms.CharField(max_length=57, required=False)
    prompt = forms.CharField(required=False, strip=False)
    size = forms.CharField(max_length=16, initial=ImageSize.SQUARE)
    quality = forms.CharField(max_length=16, required=False)
    source = forms.UUIDField(required=False)
    count = forms.IntegerField()


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
