"""Integrity clauses, their exact wordings, who accepted which, and who may use what."""

import hashlib
import json
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.types import Role
from core import clock
from core.append_only import AppendOnly
from core.clock import KNOWN_INSTANTS
from core.types import Operation
from policies.types import Level


class Clause(models.Model):
    """One subject people must agree to; its wording lives in its versions."""

    slug = models.SlugField(_("name"), unique=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ("position", "id")
        verbose_name = _("clause")
        verbose_name_plural = _("clauses")

    def __str__(self) -> str:
        return self.slug


WORDINGS = ("title_en", "title_zh_hant", "title_zh_hans", "body_en", "body_zh_hant", "body_zh_hans")


class ClauseVersion(models.Model):
    """The exact wording at a date, in three languages. Once published it never changes.

    `digest` is the SHA-256 of the canonical JSON of all titles and bodies: what an acknowledgment points at.
    """

    clause = models.ForeignKey(Clause, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    title_en = models.CharField(_("title, English"), max_length=160)
    title_zh_hant = models.CharField(_("title, Traditional Chinese"), max_length=160)
    title_zh_hans = models.CharField(_("title, Simplified Chinese"), max_length=160)
    body_en = models.TextField(_("text, English"), help_text=_("Markdown. One numbered item per article."))
    body_zh_hant = models.TextField(_("text, Traditional Chinese"))
    body_zh_hans = models.TextField(_("text, Simplified Chinese"))
    change_note = models.CharField(_("what changed"), max_length=240, blank=True)
    asks_again = models.BooleanField(
        _("ask everyone again"),
        default=True,
        help_text=_("Off for a change of wording only, without a change of meaning."),
    )
    digest = models.CharField(_("fingerprint"), max_length=64, blank=True, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, editable=False)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", editable=False
    )

    class Meta:
        ordering = ("clause", "-number")
        verbose_name = _("clause version")
        verbose_name_plural = _("clause versions")
        constraints: ClassVar = [models.UniqueConstraint(fields=["clause", "number"], name="clause_version_once")]

    def __str__(self) -> str:
        return f"{self.clause} {self.number}"

    @property
    def is_published(self) -> bool:
        return self.published_at is not None

    def fingerprint(self) -> str:
        """SHA-256 of the wordings as JSON with sorted names, no spaces, UTF-8 (as in RFC 8785)."""
        wordings = {name: getattr(self, name) for name in WORDINGS}
        canonical = json.dumps(wordings, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def title_in(self, language: str) -> str:
        """The title in a language of settings.LANGUAGES; English in any other."""
        return str(getattr(self, f"title_{language.replace('-', '_')}", self.title_en))

    def body_in(self, language: str) -> str:
        """The text, Markdown, in a language of settings.LANGUAGES; English in any other."""
        return str(getattr(self, f"body_{language.replace('-', '_')}", self.body_en))


class Acknowledgment(AppendOnly):
    """This person accepted this wording at this time. The database refuses changes too (migration 0002)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    version = models.ForeignKey(ClauseVersion, models.PROTECT, related_name="+")
    digest = models.CharField(_("fingerprint of the wording"), max_length=64)
    language = models.CharField(_("language read"), max_length=10)
    session = models.CharField(_("session"), max_length=64, blank=True, help_text=_("SHA-256 of the session key."))
    address = models.GenericIPAddressField(_("address"), null=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason, when recorded on behalf"), max_length=240, blank=True)
    at = models.DateTimeField(_("accepted"), default=clock.now)

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("acknowledgment")
        verbose_name_plural = _("acknowledgments")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "version"], name="acknowledged_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.version}"


class AccessRule(models.Model):
    """Who may use which operation or model. Empty fields mean "any"; the most specific rule wins; no rule allows.

    Models are named as text: the catalog stands on a higher floor.
    """

    role = models.CharField(_("role"), max_length=16, choices=Role, blank=True)
    operation = models.CharField(_("operation"), max_length=16, choices=Operation, blank=True)
    model = models.CharField(_("AI model"), max_length=120, blank=True)
    is_allowed = models.BooleanField(_("allowed"), default=False)
    note = models.CharField(_("sentence for the person"), max_length=240, blank=True)

    class Meta:
        ordering = ("role", "operation", "model")
        verbose_name = _("access rule")
        verbose_name_plural = _("access rules")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["role", "operation", "model"], name="access_rule_once")
        ]

    def __str__(self) -> str:
        verdict = _("allowed") if self.is_allowed else _("refused")
        return f"{self.role or '*'} · {self.operation or '*'} · {self.model or '*'}: {verdict}"


class Notice(models.Model):
    """A sentence for everybody, above every page, for a time. One of level maintenance closes the doors meanwhile."""

    level = models.CharField(_("level"), max_length=16, choices=Level, default=Level.INFO)
    text_en = models.CharField(_("text, English"), max_length=400)
    text_zh_hant = models.CharField(_("text, Traditional Chinese"), max_length=400)
    text_zh_hans = models.CharField(_("text, Simplified Chinese"), max_length=400)
    starts_at = models.DateTimeField(_("from"), default=clock.now, validators=KNOWN_INSTANTS)
    ends_at = models.DateTimeField(
        _("until"), null=True, blank=True, validators=KNOWN_INSTANTS, help_text=_("Empty: until somebody ends it.")
    )
    is_dismissable = models.BooleanField(_("people may put it away"), default=True)

    class Meta:
        ordering = ("-starts_at", "-id")
        verbose_name = _("notice")
        verbose_name_plural = _("notices")

    def __str__(self) -> str:
        return self.text_en

    def clean(self) -> None:
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("The end must be after the beginning.")})

    @property
    def closes(self) -> bool:
        """Whether only administrators come in while it runs."""
        return self.level == Level.MAINTENANCE

    def runs_at(self, at: datetime) -> bool:
        """Whether it is shown at this instant."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)

    def text_in(self, language: str) -> str:
        """The sentence in a language of settings.LANGUAGES; English in any other."""
        return str(getattr(self, f"text_{language.replace('-', '_')}", self.text_en))
