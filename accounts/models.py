"""People, their department, and the keys their programs use."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from core import clock
from core.clock import KNOWN_INSTANTS


class Department(models.Model):
    """A faculty or office; quotas and reports may point at one."""

    code = models.SlugField(_("code"), max_length=32, unique=True)
    name = models.CharField(_("name"), max_length=120)

    class Meta:
        ordering = ("name",)
        verbose_name = _("department")
        verbose_name_plural = _("departments")

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes people; `create_superuser` is what Django's own command calls."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{**fields, "role": Role.ADMIN})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person of the university. The role is the only source of rights; there are no groups."""

    email = models.EmailField(_("e-mail"), unique=True, help_text=_("In lower case."))
    name = models.CharField(_("name"), max_length=120)
    role = models.CharField(_("role"), max_length=16, choices=Role, default=Role.STUDENT)
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("department")
    )
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Off means suspended: no sign-in, no keys."))
    suspension_reason = models.CharField(
        _("why suspended"), max_length=240, blank=True, help_text=_("For administrators; empty while active.")
    )
    language = models.CharField(_("language"), max_length=10, blank=True, help_text=_("Empty follows the browser."))
    theme = models.CharField(_("appearance"), max_length=5, blank=True, help_text=_("Empty follows the system."))
    is_advised = models.BooleanField(
        _("advised before sending"), default=True, help_text=_("The free look at a question before it is sent.")
    )
    waits_for_all = models.BooleanField(
        _("answers only when complete"), default=False, help_text=_("Words do not appear while they are written.")
    )
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        ordering = ("name", "id")
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="email_in_lower_case"),
        ]
        indexes: ClassVar = [models.Index(fields=["role", "department"], name="user_by_role_department")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    @property
    def is_staff(self) -> bool:
        """Django's word for "may enter /admin/"; only administrators may."""
        return self.role == Role.ADMIN

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.is_active and self.is_staff

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff


class ApiKey(models.Model):
    """A secret for a person's programs. Only its hash is kept; the secret is shown once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=60)
    prefix = models.CharField(_("begins with"), max_length=16)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    course_code = models.CharField(_("bound to course"), max_length=32, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, validators=KNOWN_INSTANTS)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="key_by_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
