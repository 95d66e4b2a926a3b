"""Who is asking: turns a key or a session into a Principal, anew for every request.

Nothing here is cached: a revoked key, a changed role and a suspension hold on the very next request (D18). Who keeps a
`KeyFacts` must know that it still is what the database says (gateway.snapshot).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
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


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key that was not revoked, and its person, as read from the database."""

    id: int
    expires_at: datetime | None
    last_used_at: datetime | None
    is_active: bool
    principal: Principal


def authenticate_api_key(raw: str | None) -> Principal:
    """The person behind a key, by one indexed read; malformed keys do the same work as unknown ones.

    Raises:
        InvalidApiKey: no key, or one that is unknown, expired or revoked.
        AccountSuspended: the key is good and its person is suspended.
    """
    now = clock.now()
    key = find_key(digest_of(raw or ""))
    principal = principal_of_key(key, at=now)
    if key is not None and is_use_due(key.last_used_at, at=now):
        note_uses([key.id], at=now)
    return principal


def find_key(digest: str) -> KeyFacts | None:
    """The key of this digest, if it was not revoked; it may have expired, and its person may be suspended."""
    return find_keys([digest]).get(digest)


def find_keys(digests: Collection[str]) -> dict[str, KeyFacts]:
    """The same for many at once, by digest."""
    rows = ApiKey.objects.select_related("user").filter(digest__in=digests, revoked_at=None)
    return {key.digest: _facts_of(key, key.user) for key in rows}


def _facts_of(key: ApiKey, person: User) -> KeyFacts:
    return KeyFacts(
        id=key.id,
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        is_active=person.is_active,
        principal=Principal(person.id, Role(person.role), person.department_id, key.id, key.course_code),
    )


def principal_of_key(key: KeyFacts | None, *, at: datetime) -> Principal:
    """The person behind a key at this instant.

    Raises:
        InvalidApiKey: there is no such key, or it has expired.
        AccountSuspended: the key is good and its person is suspended.
    """
    if key is None or (key.expires_at is not None and key.expires_at <= at):
        raise InvalidApiKey
    if not key.is_active:
        raise AccountSuspended
    return key.principal


def is_use_due(last_used_at: datetime | None, *, at: datetime) -> bool:
    """Whether a key's use at this instant is worth writing down: once a minute is enough."""
    return last_used_at is None or last_used_at <= at - _LAST_USE_GRAIN


def note_uses(key_ids: Collection[int], *, at: datetime) -> None:
    """Write down when these keys were last used. Many may come at once: who finds a newer instant leaves it."""
    if key_ids:
        older = Q(last_used_at=None) | Q(last_used_at__lt=at)
        ApiKey.objects.filter(older, id__in=key_ids).update(last_used_at=at)


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
