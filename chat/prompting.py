"""Saved prompts: the menu of the chat page, and the page of each shelf: mine, a course's, everyone's."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import model_to_dict
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from audit.lists import Column, Listing
from chat import selectors, services
from chat.forms import EveryonesPromptForm, PromptFilterForm, PromptForm
from chat.models import SavedPrompt
from chat.types import Shelf
from core import clock
from core.errors import NotFound
from courses.models import Course
from courses.selectors import access_taught_course, find_rule_at, list_taught_courses
from courses.types import Approach

teachers = role_required(Role.INSTRUCTOR, Role.ADMIN)

PROMPTS = Listing(
    name="prompts",
    columns=(
        Column("title", gettext_lazy("Title"), lambda prompt: prompt.title, "title"),
        Column("command", gettext_lazy("Command"), lambda prompt: f"/{prompt.command}", "command"),
        Column("language", gettext_lazy("Language"), lambda prompt: prompt.language, "by_language"),
        Column("text", gettext_lazy("Text"), lambda prompt: prompt.text),
        Column(
            "offered", gettext_lazy("Offered"), lambda prompt: "empty page" if prompt.is_starter else "", "is_starter"
        ),
        Column(
            "updated",
            gettext_lazy("Last changed"),
            lambda prompt: localtime(prompt.updated_at).isoformat(),
            "updated_at",
        ),
    ),
    row="chat/_prompt_row.html",
    order="language",
)


@never_cache
@require_safe
@role_required()
def menu(request: HttpRequest) -> HttpResponse:
    """What a chat with the tag `course` is offered, as the options of the listbox."""
    shelves = selectors.list_offered(
        principal_of(request.user).user_id, tag=request.GET.get("course", "")[:57], language=get_language() or "en"
    )
    return render(request, "chat/_prompt_options.html", {"shelves": shelves})


@never_cache
@require_http_methods(["GET", "POST"])
@role_required()
def mine(request: HttpRequest, prompt_id: UUID | None = None) -> HttpResponse:
    """My own, to read, add and change; `from` is a question of mine to begin with."""
    user_id = principal_of(request.user).user_id
    initial = _question(user_id, request.GET.get("from", "")) if prompt_id is None else {}
    return _page(request, Shelf(owner_id=user_id), "chat/prompts.html", "my", prompt_id=prompt_id, initial=initial)


@require_POST
@role_required()
def remove_mine(request: HttpRequest, prompt_id: UUID) -> HttpResponse:
    """Throw one of mine away."""
    return _remove(request, Shelf(owner_id=principal_of(request.user).user_id), "my", prompt_id)


@never_cache
@teachers
@require_http_methods(["GET", "POST"])
def of_course(request: HttpRequest, code: str, course_prompt_id: UUID | None = None) -> HttpResponse:
    """Those of a course I teach."""
    course = _course(request, code)
    rule = find_rule_at(course.pk, clock.now())
    context = {
        "course": course,
        "courses": list_taught_courses(principal_of(request.user).user_id),
        "tab": "prompts",
        "is_refused": rule is not None and rule.approach == Approach.PROHIBITED,
    }
    shelf = Shelf(course_id=course.pk)
    return _page(
        request, shelf, "chat/course_prompts.html", "review", course.code, prompt_id=course_prompt_id, context=context
    )


@teachers
@require_POST
def remove_of_course(request: HttpRequest, code: str, course_prompt_id: UUID) -> HttpResponse:
    """Offer a prompt in a course no more."""
    course = _course(request, code)
    return _remove(request, Shelf(course_id=course.pk), "review", course_prompt_id, course.code)


@never_cache
@role_required(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def of_everyone(request: HttpRequest, common_prompt_id: UUID | None = None) -> HttpResponseBase:
    """Those for the whole university."""
    given = _form(request, Shelf(), "manage", prompt_id=common_prompt_id, form_class=EveryonesPromptForm)
    if isinstance(given, HttpResponse):
        return given
    filters = PromptFilterForm(request.GET, auto_id="filter_%s")
    return PROMPTS.answer(
        request,
        selectors.search_everyones(**filters.cleaned_data) if filters.is_valid() else None,
        template="chat/everyones_prompts.html",
        form=filters,
        context=given,
        status=400 if given["form"].errors else 200,
        path=given["here"],
    )


@role_required(Role.ADMIN)
@require_POST
def remove_of_everyone(request: HttpRequest, common_prompt_id: UUID) -> HttpResponse:
    """Offer a prompt to everyone no more."""
    return _remove(request, Shelf(), "manage", common_prompt_id)


# ---- what the three pages have in common -----------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    shelf: Shelf,
    template: str,
    door: str,
    *args: str,
    prompt_id: UUID | None,
    initial: dict[str, str] | None = None,
    context: dict[str, Any] | None = None,
) -> HttpResponse:
    """The prompts of a shelf beside a form: of a new one, or of the one that is changed."""
    given = _form(request, shelf, door, *args, prompt_id=prompt_id, initial=initial)
    if isinstance(given, HttpResponse):
        return given
    prompts = [(prompt, reverse(f"{door}_prompt", args=[*args, prompt.pk])) for prompt in selectors.list_prompts(shelf)]
    shown = {"prompts": prompts, **given, **(context or {})}
    return render(request, template, shown, status=400 if given["form"].errors else 200)


def _form(
    request: HttpRequest,
    shelf: Shelf,
    door: str,
    *args: str,
    prompt_id: UUID | None,
    form_class: type[PromptForm] = PromptForm,
    initial: dict[str, str] | None = None,
) -> dict[str, Any] | HttpResponse:
    """What the form is shown with; or the way back to the shelf, when what it holds is kept."""
    changed = selectors.access_prompt(shelf=shelf, prompt_id=prompt_id) if prompt_id else None
    form = form_class(request.POST or None, initial=model_to_dict(changed) if changed else initial)
    here = reverse(f"{door}_prompts", args=args)
    if form.is_valid() and _keep(form, shelf, changed):
        messages.success(request, _("The prompt is kept."))
        return redirect(here)
    remove = reverse(f"{door}_prompt_remove", args=[*args, changed.pk]) if changed else ""
    return {"form": form, "changed": changed, "here": here, "remove": remove}


def _keep(form: PromptForm, shelf: Shelf, changed: SavedPrompt | None) -> bool:
    """Keep what the form holds; what the service objects to is said at its field. True when it was kept."""
    try:
        if changed:
            services.update_prompt(shelf=shelf, prompt_id=changed.pk, **form.cleaned_data)
        else:
            services.create_prompt(shelf=shelf, **form.cleaned_data)
    except ValidationError as problem:
        form.add_error(None, problem)
        return False
    return True


def _remove(request: HttpRequest, shelf: Shelf, door: str, prompt_id: UUID, *args: str) -> HttpResponse:
    services.remove_prompt(shelf=shelf, prompt_id=prompt_id)
    messages.success(request, _("The prompt is gone."))
    return redirect(reverse(f"{door}_prompts", args=args))


def _question(user_id: int, message_id: str) -> dict[str, str]:
    """A question of the person's as the beginning of a prompt; nothing when the address names none."""
    try:
        message = selectors.access_message(user_id=user_id, message_id=UUID(message_id))
    except (ValueError, NotFound):
        return {}
    return {"title": services.title_of(message.text), "text": message.text[: services.LONGEST_SAVED_PROMPT]}


def _course(request: HttpRequest, code: str) -> Course:
    return access_taught_course(user_id=principal_of(request.user).user_id, code=code)
