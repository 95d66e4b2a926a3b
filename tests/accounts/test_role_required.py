"""Views name who may enter; everyone else is sent to sign in or refused, on both kinds of views."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.authentication import principal_of, role_required
from accounts.errors import AccountSuspended, SignInRequired
from accounts.models import User
from accounts.types import Role
from core.errors import Refusal

View = Callable[[HttpRequest], HttpResponse]


@role_required(Role.INSTRUCTOR, Role.ADMIN)
def _page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@role_required(Role.INSTRUCTOR, Role.ADMIN)
async def _async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@role_required()
def _page_for_all(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


def _in_turn(view: Callable[[HttpRequest], Coroutine[None, None, HttpResponse]]) -> View:
    def run(request: HttpRequest) -> HttpResponse:
        # Nothing in the view waits, so one step ends it: no event loop, which the browser tests may have taken.
        with pytest.raises(StopIteration) as end:
            view(request).send(None)
        answer: HttpResponse = end.value.value
        return answer

    return run


both_kinds = pytest.mark.parametrize("view", [_page, _in_turn(_async_page)], ids=["sync", "async"])


def ask(view: View, user: User | AnonymousUser, **headers: str) -> HttpResponse:
    request: Any = RequestFactory().get("/somewhere/?page=2", headers=headers)
    request.user = user

    async def auser() -> User | AnonymousUser:
        return user

    request.auser = auser
    return view(request)


@both_kinds
def test_the_named_roles_enter(view: View, ines: User, root: User) -> None:
    assert ask(view, ines).content == ask(view, root).content == b"in"


@both_kinds
def test_other_roles_are_refused(view: View, sara: User) -> None:
    with pytest.raises(Refusal):
        ask(view, sara)


@both_kinds
def test_strangers_are_sent_to_sign_in_and_back(view: View) -> None:
    assert ask(view, AnonymousUser()).headers["Location"] == "/accounts/login/?next=/somewhere/%3Fpage%3D2"


@both_kinds
def test_a_script_without_a_session_is_told_in_json(view: View) -> None:
    with pytest.raises(SignInRequired):
        ask(view, AnonymousUser(), accept="application/json")


def test_without_roles_everyone_signed_in_enters(sara: User) -> None:
    assert ask(_page_for_all, sara).content == b"in"


def test_a_principal_is_never_made_for_a_stranger_or_a_suspended_person(sara: User) -> None:
    assert principal_of(sara).user_id == sara.id
    with pytest.raises(SignInRequired):
        principal_of(AnonymousUser())
    sara.is_active = False
    with pytest.raises(AccountSuspended):
        principal_of(sara)
