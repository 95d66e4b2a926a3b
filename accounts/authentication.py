"""Who is asking: turns a key or a session into a Principal, anew for every request.

Nothing here is cached: a revoked key, a changed role and a suspension hold on the very next request (D18).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from accounts.errors import AccountSuspended, InvalidApiKey, SignInRequired
from accounts.keys import digest_of
from accounts.models import ApiKey, User
from accounts.types import Principal, Role
from core import clock
from core.errors import Refusal

_LAST_USE_GRAIN = timedelta(minutes=1)

View = Callable[..., Any]


def authenticate_api_key(raw: str | None) -> Principal:
    """The person behind a key, by one indexed read; malformed keys do the same work as unknown ones.

    Raises:
        InvalidApiKey: no key, or one that is unknown, expired or revoked.
        AccountSuspended: the key is good and its person is suspended.
    """
    now = clock.now()
    key = (
        ApiKey.objects.select_related("user")
        .filter(Q(expires_at=None) | Q(expires_at__gt=now), digest=digest_of(raw or ""), revoked_at=None)
        .first()
    )
    if key is None:
        raise InvalidApiKey
    person = principal_of(key.user)
    if key.last_used_at is None or key.last_used_at <= now - _LAST_USE_GRAIN:
        ApiKey.objects.filter(id=key.id, last_used_at=key.last_used_at).update(last_used_at=now)
    return Principal(
        user_id=person.user_id,
        role=person.role,
        department_id=person.department_id,
        key_id=key.id,
        course_code=key.course_code,
    )


def principal_of(user: User | AnonymousUser) -> Principal:
    """The principal of a person signed in on the pages: `principal_of(request.user)`.

    Raises:
        SignInRequired: nobody is signed in.
        AccountSuspended: the person is suspended.
    """
    if isinstance(user, AnonymousUser):
        raise SignInRequired
    if not user.is_active:
        raise AccountSuspended
    return Principal(user_id=user.pk, role=Role(user.role), department_id=user.department_id)


def role_required(*roles: Role) -> Callable[[View], View]:
    """A view for people of these roles; for everyone signed in when none is named.

    Anonymous people are sent to the sign-in page, or refused with `sign_in_required` when a script asked for
    JSON. Works on synchronous and asynchronous views.

    Raises:
        Refusal: the person has another role.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                elsewhere = _turn_away(request, await request.auser(), roles)
                return elsewhere or cast("HttpResponseBase", await view(request, *args, **kwargs))

            return guarded_async

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return _turn_away(request, request.user, roles) or view(request, *args, **kwargs)

        return guarded

    return decorate


def _turn_away(request: HttpRequest, user: User | AnonymousUser, roles: tuple[Role, ...]) -> HttpResponseBase | None:
    if not user.is_authenticated:
        if request.accepts("text/html"):
            return redirect_to_login(request.get_full_path())
        raise SignInRequired
    if roles and principal_of(user).role not in roles:
        raise Refusal(
            _("This page is for another role. Nothing was changed. If it should be yours, ask an administrator.")
        )
    return None
