"""Django admin for people, departments and keys: another door to the same services."""

from typing import Any, ClassVar

from allauth.account.admin import EmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import AuthenticatorAdmin
from allauth.mfa.models import Authenticator
from allauth.usersessions.admin import UserSessionAdmin
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin  # noqa: F401  # registers groups, which are taken back below
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import services
from accounts.models import ApiKey, Department, User
from accounts.types import Role
from audit.admin import ReadOnlyAdmin, RecordedAdmin

admin.site.unregister(Group)  # the role is the only source of rights
admin.site.unregister((EmailAddress, Authenticator, UserSession))  # allauth's own say nothing to the log


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person, and a password to set."""

    new_password = forms.CharField(
        label=_("Set a password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Empty leaves it as it is. People can also set one by mail. Setting it ends every session."),
    )

    class Meta:
        model = User
        fields = ("email", "name", "role", "department", "is_active", "language")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()

    def clean_new_password(self) -> str:
        password = str(self.cleaned_data["new_password"])
        if password:
            validate_password(password, self.instance)
        return password


@admin.register(User)
class PersonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """People are made, changed and suspended here, never deleted: what they did must stay readable."""

    form = PersonForm
    list_display = ("email", "name", "role", "department", "is_active", "created_at")
    list_filter = ("role", "is_active", "department")
    list_select_related = ("department",)
    search_fields = ("email", "name")
    readonly_fields = ("created_at", "last_login")
    actions = ("suspend", "restore")

    def save_model(self, request: HttpRequest, obj: User, form: PersonForm, change: bool) -> None:
        asked = form.cleaned_data
        if not change:
            obj.pk = services.create_person(email=asked["email"], name=asked["name"]).pk
        services.update_person(
            user_id=obj.pk,
            email=asked["email"],
            name=asked["name"],
            role=Role(asked["role"]),
            department_id=obj.department_id,
            is_active=asked["is_active"],
            language=asked["language"],
        )
        if asked["new_password"]:
            services.set_password(user_id=obj.pk, password=asked["new_password"])

    @admin.action(description=_("Suspend: no sign-in, no keys"))
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for person in queryset:
            services.suspend_person(user_id=person.pk)
        self._tell(request, len(queryset))

    @admin.action(description=_("End the suspension"))
    def restore(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for person in queryset:
            services.restore_person(user_id=person.pk)
        self._tell(request, len(queryset))

    def _tell(self, request: HttpRequest, count: int) -> None:
        sentence = ngettext("%(count)s person was changed.", "%(count)s people were changed.", count)
        messages.success(request, sentence % {"count": count})

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


@admin.register(Department)
class DepartmentAdmin(RecordedAdmin):
    """Faculties and offices."""

    list_display = ("code", "name")
    search_fields = ("code", "name")


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are looked at and revoked here; only their owner makes them."""

    list_display = ("name", "user", "prefix", "course_code", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter: ClassVar[list[Any]] = [("revoked_at", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__email")
    actions = ("revoke",)

    @admin.action(description=_("Revoke"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.revoke_api_key(user_id=key.user_id, key_id=key.pk)
        sentence = ngettext("%(count)s key is revoked.", "%(count)s keys are revoked.", len(queryset))
        messages.success(request, sentence % {"count": len(queryset)})


@admin.register(EmailAddress)
class AddressAdmin(RecordedAdmin, EmailAddressAdmin):
    """Addresses as allauth keeps them beside people."""

    @admin.action(description=EmailAddressAdmin.make_verified.short_description)  # type: ignore[attr-defined]
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        waiting = [address.pk for address in queryset.filter(verified=False)]
        with transaction.atomic():
            super().make_verified(request, queryset)
            for address in EmailAddress.objects.filter(pk__in=waiting, verified=True):
                self.log_change(request, address, [{"changed": {"fields": ["verified"]}}])


@admin.register(Authenticator)
class SecondFactorAdmin(RecordedAdmin, AuthenticatorAdmin):
    """Second factors are taken away here from who lost hers; only she makes them, and nobody reads their secrets."""

    fields = ("user", "type", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return False


@admin.register(UserSession)
class SessionAdmin(RecordedAdmin, UserSessionAdmin):
    """Where people are signed in."""
