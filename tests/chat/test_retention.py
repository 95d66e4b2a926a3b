"""Texts go when their time is over; what was counted stays counted."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.files.base import ContentFile
from django.core.management import call_command

from accounts.models import User
from chat.models import Conversation, ImageJob, Message, Picture
from chat.services import purge_texts
from chat.types import Author, Progress
from core import clock
from courses.models import Course

pytestmark = pytest.mark.django_db(transaction=True)


def kept_for(days: int, user: User, course: Course | None = None) -> Conversation:
    """A conversation last used `days` days ago."""
    used = clock.now() - timedelta(days=days)
    conversation = Conversation.objects.create(user=user, model="m", course=course, updated_at=used)
    Message.objects.create(conversation=conversation, author=Author.PERSON, text="What is a heap?")
    return conversation


def has_file(picture: Picture) -> bool:
    return picture.file.storage.exists(str(picture.file.name))


def drawn_for(days: int, user: User) -> ImageJob:
    made = clock.now() - timedelta(days=days)
    job = ImageJob.objects.create(user=user, model="m", prompt="A heap", progress=Progress.COMPLETE, created_at=made)
    Picture.objects.create(job=job, file=ContentFile(b"png", name="heap.png"), digest="d", width=1, height=1)
    return job


def test_a_chat_goes_when_it_was_not_used_for_the_whole_time(sara: User) -> None:
    old, recent = kept_for(181, sara), kept_for(179, sara)
    assert purge_texts().conversations == 1
    assert list(Conversation.objects.all()) == [recent]
    assert not Message.objects.filter(conversation=old.pk).exists()


def test_a_dry_run_counts_and_removes_nothing(sara: User) -> None:
    kept_for(181, sara)
    drawn_for(181, sara)
    out = StringIO()
    call_command("purge", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "conversations": 1,
        "image_jobs": 1,
        "held_conversations": 0,
        "held_image_jobs": 0,
    }
    assert Conversation.objects.count() == ImageJob.objects.count() == 1


def test_the_time_of_a_course_chat_begins_when_the_course_ends(sara: User) -> None:
    today = clock.local_day(clock.now())
    running = Course.objects.create(
        code="COMP1117", title="Programming", starts_on=today - timedelta(days=400), ends_on=today - timedelta(days=100)
    )
    over = Course.objects.create(
        code="HIST2021", title="Trade", starts_on=today - timedelta(days=400), ends_on=today - timedelta(days=190)
    )
    kept, gone = kept_for(300, sara, running), kept_for(10, sara, over)
    purge_texts()
    assert list(Conversation.objects.values_list("pk", flat=True)) == [kept.pk]
    assert gone.pk != kept.pk


def test_a_picture_goes_with_its_file(sara: User) -> None:
    job = drawn_for(181, sara)
    picture = job.pictures.get()
    assert has_file(picture)
    assert purge_texts().image_jobs == 1
    assert not has_file(picture)


def test_a_file_that_another_picture_shares_stays(sara: User, omar: User) -> None:
    picture = drawn_for(181, sara).pictures.get()
    recent = drawn_for(1, omar).pictures.get()
    Picture.objects.filter(pk=recent.pk).update(file=picture.file.name)
    purge_texts()
    assert has_file(picture)


def test_the_university_says_how_long(sara: User, settings: LazySettings) -> None:
    settings.RETENTION_DAYS = 30
    kept_for(31, sara)
    assert purge_texts().conversations == 1
