"""Conversations with their messages, and image jobs with their pictures, for people without a client."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.types import Author, Progress
from core import clock
from core.ids import new_id
from courses.models import Course


class Conversation(models.Model):
    """A thread of messages. Deleting hides it from its owner; retention removes it later (D15)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=120, blank=True)
    model = models.CharField(_("AI model"), max_length=120)
    course = models.ForeignKey(
        Course, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("course")
    )
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-updated_at", "-id")
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes: ClassVar = [models.Index(fields=["user", "-updated_at"], name="conversation_by_user")]

    def __str__(self) -> str:
        return self.title


class Message(models.Model):
    """One turn. An answer grows while `progress` is running; its text so far is kept, so that a reload finds it."""

    id = models.UUIDField(primary_key=True, default=new_id)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    author = models.CharField(max_length=8, choices=Author)
    text = models.TextField(blank=True)
    progress = models.CharField(max_length=8, choices=Progress, default=Progress.COMPLETE)
    model = models.CharField(max_length=120, blank=True)
    call_id = models.UUIDField(null=True, unique=True)
    prompts = models.PositiveSmallIntegerField(default=0, help_text=_("Held while it runs; what it used at the end."))
    code = models.CharField(max_length=40, blank=True, help_text=_("Why it failed."))
    wants_stop = models.BooleanField(default=False)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes: ClassVar = [
            models.Index(fields=["conversation", "id"], name="message_by_conversation"),
            models.Index(fields=["lease_until"], condition=models.Q(progress=Progress.RUNNING), name="message_open"),
        ]

    def __str__(self) -> str:
        return f"{self.author} {self.progress}"


class ImageJob(models.Model):
    """One wish for images. The row is the truth; a Celery message only wakes a worker that claims it by its lease."""

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, blank=True, related_name="+")
    prompt = models.TextField(_("prompt"))
    model = models.CharField(_("AI model"), max_length=120)
    size = models.CharField(_("size"), max_length=16, default="1024x1024")
    count = models.PositiveSmallIntegerField(_("how many"), default=1)
    progress = models.CharField(max_length=8, choices=Progress, default=Progress.WAITING)
    call_id = models.UUIDField(null=True, unique=True)
    prompts = models.PositiveSmallIntegerField(default=0, help_text=_("Held while it runs; what it used at the end."))
    attempts = models.PositiveSmallIntegerField(default=0, help_text=_("How many workers have claimed it."))
    code = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("image job")
        verbose_name_plural = _("image jobs")
        indexes: ClassVar = [
            models.Index(fields=["user", "-id"], name="image_job_by_user"),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(progress__in=[Progress.WAITING, Progress.RUNNING]),
                name="image_job_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.progress}"


class Picture(models.Model):
    """One delivered image, re-encoded and stored under its content's hash."""

    id = models.UUIDField(primary_key=True, default=new_id)
    job = models.ForeignKey(ImageJob, models.CASCADE, related_name="pictures")
    file = models.FileField(upload_to="pictures")
    digest = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    is_placeholder = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.digest
