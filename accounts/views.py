"""Pages about oneself: keys, and the sign-out that reaches every device."""

from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.authentication import principal_of, role_required
from accounts.forms import NewKeyForm
from accounts.selectors import get_api_key, list_api_keys
from accounts.services import create_api_key, end_sessions, revoke_api_key
from core import clock


@role_required()
@never_cache
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """My keys; POST makes one and answers with the page that shows its secret, this once."""
    person = principal_of(request.user)
    form = NewKeyForm(request.POST or None)
    base_url = request.build_absolute_uri("/v1")
    if form.is_valid():
        try:
            key, secret = create_api_key(user_id=person.user_id, **form.cleaned_data)
        except ValidationError as problem:
            form.add_error(None, problem)
        else:
            return render(request, "accounts/key_created.html", {"key": key, "secret": secret, "base_url": base_url})
    context = {"form": form, "keys": list_api_keys(person.user_id), "now": clock.now(), "base_url": base_url}
    return render(request, "accounts/keys.html", context, status=400 if form.errors else 200)


@role_required()
@require_http_methods(["GET", "POST"])
def revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    """Ask once, then revoke."""
    person = principal_of(request.user)
    key = get_api_key(user_id=person.user_id, key_id=key_id)
    if request.method == "GET":
        return render(request, "accounts/key_revoke.html", {"key": key})
    revoke_api_key(user_id=person.user_id, key_id=key_id)
    messages.success(request, _("The key “%(name)s” is revoked. No program can use it any more.") % {"name": key.name})
    return redirect("keys")


@require_POST
@role_required()
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    """End every session of this person, this one too."""
    end_sessions(user_id=principal_of(request.user).user_id)
    logout(request)
    messages.success(request, _("You are signed out on every device."))
    return redirect("account_login")


@require_GET
def not_offered(request: HttpRequest) -> HttpResponse:
    """A page of django-allauth that has no place here: the university decides addresses and accounts."""
    raise Http404
