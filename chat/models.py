"""Conversations with their messages, image jobs with their pictures, saved prompts: for people without a client."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from chat.types import VARIABLE, Author, Complaint, FileKind, Progress
from core import clock
from core.ids import new_id
from core.text import one_line
from courses.models import Assignment, Course
from courses.types import Tag


class Conversation(models.Model):
    """A thread of messages. Deleting hides it from its owner; retention removes it later (D15)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=120, blank=True)
    model = models.CharField(_("AI model"), max_length=120)
    course = models.ForeignKey(
        Course, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("course")
    )
    assignment = models.ForeignKey(
        Assignment, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("assignment")
    )
    head = models.ForeignKey(
        "Message", models.SET_NULL, null=True, related_name="+", help_text=_("The last message of the branch shown.")
    )
    is_pinned = models.BooleanField(_("pinned"), default=False)
    is_temporary = models.BooleanField(_("temporary"), default=False, help_text=_("Never listed, and removed soon."))
    is_plain = models.BooleanField(_("without instructions"), default=False)
    folder = models.CharField(_("folder"), max_length=60, blank=True)
    archived_at = models.DateTimeField(_("archived"), null=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-updated_at", "-id")
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes: ClassVar = [
            models.Index(fields=["user", "-updated_at"], name="conversation_by_user"),
            models.Index(fields=["created_at"], condition=models.Q(is_temporary=True), name="conversation_temporary"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def tag(self) -> str:
        """What its calls are for: a course, one of its assignments, or ""."""
        if self.course is None:
            return ""
        return str(Tag(self.course.code, self.assignment.code if self.assignment else ""))


class Message(models.Model):
    """One turn, after the one it follows: several that follow the same one are branches (docs/decisions/0041).

    An answer grows while `progress` is running; its text so far is kept, so that a reload finds it.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    author = models.CharField(max_length=8, choices=Author)
    text = models.TextField(blank=True)
    thought = models.TextField(blank=True, help_text=_("How the AI model came to its answer, where it says so."))
    sources = models.JSONField(
        default=list, blank=True, help_text=_("The pages the AI model named: a list of address and title.")
    )
    progress = models.CharField(max_length=8, choices=Progress, default=Progress.COMPLETE)
    model = models.CharField(max_length=120, blank=True)
    call_id = models.UUIDField(null=True, unique=True)
    prompts = models.PositiveSmallIntegerField(default=0, help_text=_("Held while it runs; what it used at the end."))
    code = models.CharField(max_length=40, blank=True, help_text=_("Why it failed."))
    retry_after = models.PositiveSmallIntegerField(default=0, help_text=_("Seconds, as the provider said; 0: unknown."))
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

    @property
    def characters(self) -> int:
        """How much of what a model reads at once it takes, with the files that came with it."""
        return len(self.text) + sum(attachment.characters for attachment in self.attachments.all())


class Opinion(models.Model):
    """Whether a person found an answer good and, if not, why; it goes when the answer goes (docs/decisions/0059).

    Whose it is and of which AI model stands here too: the sums are added up without the chats.
    """

    answer = models.OneToOneField(Message, models.CASCADE, primary_key=True, related_name="opinion")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    model = models.CharField(_("AI model"), max_length=120)
    is_good = models.BooleanField(_("good"))
    reason = models.CharField(_("reason"), max_length=12, choices=Complaint, blank=True)
    note = models.CharField(_("in your words"), max_length=300, blank=True)
    given_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("opinion of an answer")
        verbose_name_plural = _("opinions of answers")
        # All that the sums by AI model are made of, in their order: neither the rows are read nor anything sorted.
        indexes: ClassVar = [models.Index(fields=["model", "user", "is_good", "reason"], name="opinion_by_model")]

    def __str__(self) -> str:
        return str(self.pk)


class Attachment(models.Model):
    """A file somebody gives an AI model with a question: the text that was in it, or the picture drawn anew.

    What was uploaded is not kept (docs/decisions/0043). Without a conversation it waits to be sent.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, null=True, related_name="attachments")
    messages = models.ManyToManyField(Message, related_name="attachments")
    kind = models.CharField(max_length=8, choices=FileKind)
    name = models.CharField(max_length=120)
    size = models.PositiveIntegerField(help_text=_("Bytes, as it was uploaded."))
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of what was uploaded."))
    characters = models.PositiveIntegerField(help_text=_("How much of what a model reads it takes."))
    text = models.TextField(blank=True)
    is_cut = models.BooleanField(default=False, help_text=_("The file went on after this text."))
    pages = models.PositiveIntegerField(default=0)
    file = models.FileField(upload_to="attachments", blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("id",)
        verbose_name = _("attached file")
        verbose_name_plural = _("attached files")
        indexes: ClassVar = [
            models.Index(fields=["created_at"], condition=models.Q(conversation=None), name="attachment_waiting"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_picture(self) -> bool:
        return self.kind == FileKind.PICTURE


class Instructions(models.Model):
    """What a person wishes of every answer (docs/decisions/0055)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    text = models.TextField(_("instructions"))
    is_on = models.BooleanField(_("in use"), default=True)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("instructions")
        verbose_name_plural = _("instructions")

    def __str__(self) -> str:
        return str(self.pk)


class SavedPrompt(models.Model):
    """Words to begin with, put into the box by a menu: a person's own, a course's, or everyone's (docs/decisions/0056).

    {{Words in braces}} are asked for when it is put there.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    course = models.ForeignKey(Course, models.CASCADE, null=True, blank=True, related_name="+")
    title = models.CharField(_("title"), max_length=80)
    command = models.CharField(_("command"), max_length=32)
    text = models.TextField(_("text"))
    language = models.CharField(_("language"), max_length=16, blank=True, help_text=_("Empty: any language."))
    is_starter = models.BooleanField(_("on the empty page"), default=False)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ("language", "command")
        verbose_name = _("saved prompt")
        verbose_name_plural = _("saved prompts")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(owner=None) | models.Q(course=None), name="saved_prompt_on_one_shelf"
            ),
            models.CheckConstraint(
                condition=models.Q(is_starter=False, language="") | models.Q(owner=None, course=None),
                name="saved_prompt_starters_are_everyones",
            ),
            models.UniqueConstraint(
                fields=["owner", "command"], condition=~models.Q(owner=None), name="saved_prompt_own_command"
            ),
            models.UniqueConstraint(
                fields=["course", "command"], condition=~models.Q(course=None), name="saved_prompt_course_command"
            ),
            models.UniqueConstraint(
                fields=["command", "language"],
                condition=models.Q(owner=None, course=None),
                name="saved_prompt_everyones_command",
            ),
        ]

    def __str__(self) -> str:
        return f"/{self.command}"

    @property
    def beginning(self) -> str:
        """How it begins, on one line; what is asked for stands in brackets."""
        return one_line(VARIABLE.sub(r"[\1]", self.text[:400]), longest=110)


class AnswerLink(models.Model):
    """The permalink of an answer: readable by everyone signed in here while it is open."""

    answer = models.OneToOneField(Message, models.CASCADE, primary_key=True, related_name="+")
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("permalink")
        verbose_name_plural = _("permalinks")

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_open(self) -> bool:
        """Whether others may follow it."""
        return self.closed_at is None


class SharedChat(models.Model):
    """A branch of a conversation as it was when it was shared: readable by everyone signed in here until revoked.

    Messages are never rewritten, so the branch up to `leaf` stays what it was.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    leaf = models.ForeignKey(Message, models.CASCADE, related_name="+")
    shared_at = models.DateTimeField(default=clock.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-shared_at",)
        verbose_name = _("shared chat")
        verbose_name_plural = _("shared chats")

    def __str__(self) -> str:
        return str(self.pk)


class ImageJob(models.Model):
    """One wish for images. The row is the truth; a Celery message only wakes a worker that claims it by its lease."""

    id = models.UUIDField(primary_key=True, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, blank=True, related_name="+")
    prompt = models.TextField(_("prompt"))
    model = models.CharField(_("AI model"), max_length=120)
    size = models.CharField(_("size"), max_length=16, default="1024x1024")
    quality = models.CharField(_("quality"), max_length=16, blank=True)
    count = models.PositiveSmallIntegerField(_("how many"), default=1)
    source = models.ForeignKey(
        "Picture", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("changes")
    )
    progress = models.CharField(max_length=8, choices=Progress, default=Progress.WAITING)
    call_id = models.UUIDField(null=True, unique=True)
    prompts = models.PositiveSmallIntegerField(default=0, help_text=_("Held while it runs; what it used at the end."))
    attempts = models.PositiveSmallIntegerField(default=0, help_text=_("How many workers have claimed it."))
    code = models.CharField(max_length=40, blank=True)
    wants_stop = models.BooleanField(default=False)
    preview = models.FileField(upload_to="previews", blank=True, help_text=_("How far the first picture has come."))
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
    alt = models.CharField(
        _("description"), max_length=1000, blank=True, help_text=_("What it shows, for who cannot see it.")
    )

    class Meta:
        ordering = ("id",)
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")

    def __str__(self) -> str:
        return self.digest


class Hold(models.Model):
    """For a case: nothing of this person, or in this course, is removed while it is in force (docs/decisions/0037)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    course = models.ForeignKey(Course, models.PROTECT, null=True, blank=True, related_name="+")
    case = models.CharField(_("case"), max_length=80)
    reason = models.CharField(_("reason"), max_length=500)
    placed_at = models.DateTimeField(_("placed"), default=clock.now)
    placed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    end_reason = models.CharField(_("reason of its end"), max_length=500, blank=True)

    class Meta:
        ordering = ("-placed_at", "-id")
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(user=None, course__isnull=False) | models.Q(user__isnull=False, course=None),
                name="hold_of_one",
                violation_error_message=_("A hold is about one person or about one course."),
            ),
            *(
                models.UniqueConstraint(
                    fields=["case", about],
                    condition=models.Q(ended_at=None),
                    name=f"hold_of_{about}_once",
                    violation_error_message=_("A hold of this case is in force there already."),
                )
                for about in ("user", "course")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case}: {self.user or self.course}"

    @property
    def is_in_force(self) -> bool:
        """Whether it still keeps."""
        return self.ended_at is None
