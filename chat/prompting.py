"""Saved prompts: the menu of the chat page, and the page of each shelf: mine, a course's, everyone's."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Role
from chat import selectors, services
from chat.forms import EveryonesPromptForm, PromptForm
from chat.models import SavedPrompt
from chat.types import Shelf
from core import clock
from core.errors import NotFound
from courses.models import Course
from courses.selectors import access_taught_course, find_rule_at, list_taught_courses
from courses.types import Approach

teachers = role_required(Role.INSTRUCTOR, Role.ADMIN)


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
def of_everyone(request: HttpRequest, common_prompt_id: UUID | None = None) -> HttpResponse:
    """Those for the whole university."""
    return _page(
        request,
        Shelf(),
        "chat/everyones_prompts.html",
        "manage",
        form_class=EveryonesPromptForm,
        prompt_id=common_prompt_id,
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
    form_class: type[PromptForm] = PromptForm,
    initial: dict[str, str] | None = None,
    context: dict[str, Any] | None = None,
) -> HttpResponse:
    """The prompts of a shelf beside a form: of a new one, or of the one that is changed."""
    changed = selectors.access_prompt(shelf=shelf, prompt_id=prompt_id) if prompt_id else None
    form = form_class(request.POST or None, initial=model_to_dict(changed) if changed else initial)
    here = reverse(f"{door}_prompts", args=args)
    if form.is_valid() and _keep(form, shelf, changed):
        messages.success(request, _("The prompt is kept."))
        return redirect(here)
    shown = {
        "prompts": [
            (prompt, reverse(f"{door}_prompt", args=[*args, prompt.pk])) for prompt in selectors.list_prompts(shelf)
        ],
        "form": form,
        "changed": changed,
        "here": here,
        "remove": reverse(f"{door}_prompt_remove", args=[*args, changed.pk]) if changed else "",
    }
    return render(request, template, shown | (context or {}), status=400 if form.errors else 200)


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
