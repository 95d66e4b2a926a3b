"""The life of an image job: wished and admitted at once, drawn later by whichever worker claims it.

The row is the truth. A job keeps its reservation while it is open, because `tend_image_jobs` renews it from
whatever process is alive; so a worker that dies loses nothing: another one claims the job within the same reservation.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal
from chat import selectors
from chat.errors import Lost
from chat.models import ImageJob, Picture
from chat.pictures import Canvas
from chat.services.admitting import admission_first, checked_text, course_of
from chat.types import ImageSize, Progress
from core import clock
from core.errors import DomainError, InvalidRequest
from core.ids import new_id
from core.types import Operation, Via
from gateway import admission as gate
from gateway.selectors import find_target
from gateway.types import Admission, Call
from quotas.services import renew

# A worker that draws says so every few seconds; silent for this long means dead.
LEASE = timedelta(seconds=20)
# A job that nobody could finish in this time gives its reservation back.
PATIENCE = timedelta(minutes=10)
MOST_ATTEMPTS = 2  # D7: at most one retry, within the same reservation
MOST_IMAGES = 4
LONGEST_IMAGE_PROMPT = 4_000  # characters

_OPEN = Q(progress__in=(Progress.WAITING, Progress.RUNNING))


def make_images(
    *, principal: Principal, prompt: str, model: str, size: str, count: int, course_code: str = ""
) -> ImageJob:
    """Save a wish for images and admit the call, or do nothing at all. A worker draws them later.

    Args:
        size: one of ImageSize.
        count: how many, up to MOST_IMAGES.
        course_code: the course the images are for, or "".

    Raises:
        InvalidRequest: the prompt, the size, the count or the course cannot be.
        Refusal: what `gateway.admission.admit` says no with.
    """
    prompt = checked_text(prompt, longest=LONGEST_IMAGE_PROMPT)
    if size not in ImageSize.values:
        raise InvalidRequest(_("Choose one of the shapes on the page."), param="size")
    if not 1 <= count <= MOST_IMAGES:
        raise InvalidRequest(_("Choose between 1 and %(most)s images.") % {"most": MOST_IMAGES}, param="count")
    course = course_of(principal, course_code)
    job = ImageJob(
        user_id=principal.user_id, course=course, prompt=prompt, model=model, size=size, count=count, call_id=new_id()
    )
    call = _call_of(job)
    with admission_first():
        job.prompts = gate.admit(principal, call).prompts
        job.save(force_insert=True)
    return job


def claim_image_job(*, job_id: UUID) -> Admission | None:
    """Take a job that waits, or whose worker died, for this worker alone; None when there is nothing to do.

    The admission is the one given when the person pressed. A person who was suspended since, or a reservation that
    is no longer open, fails the job at no cost.
    """
    now = clock.now()
    claimed = ImageJob.objects.filter(_claimable(now), pk=job_id).update(
        progress=Progress.RUNNING, lease_until=now + LEASE, attempts=F("attempts") + 1
    )
    if not claimed:
        return None
    job = ImageJob.objects.select_related("course").get(pk=job_id)
    try:
        if job.call_id is None or not selectors.is_dispatched(job.call_id):
            raise Lost
        return _admission_of(job)
    except DomainError as error:
        fail_image_job(job_id=job_id, code=error.code)
        return None


def renew_image_job(*, job_id: UUID) -> None:
    """Say that this worker is still drawing."""
    running = ImageJob.objects.filter(pk=job_id, progress=Progress.RUNNING)
    running.update(lease_until=clock.now() + LEASE)


def finish_image_job(*, job_id: UUID, canvases: Sequence[Canvas], is_placeholder: bool) -> None:
    """Store the pictures of a job under their content's hash, and end it."""
    names = [_stored(canvas) for canvas in canvases]
    with transaction.atomic():
        if _end(job_id, Progress.COMPLETE):
            Picture.objects.bulk_create(
                Picture(
                    job_id=job_id,
                    file=name,
                    digest=canvas.digest,
                    width=canvas.width,
                    height=canvas.height,
                    is_placeholder=is_placeholder,
                )
                for canvas, name in zip(canvases, names, strict=True)
            )


def fail_image_job(*, job_id: UUID, code: str) -> None:
    """End a job that gave nothing. What it may still hold is given back when its lease runs out."""
    _end(job_id, Progress.FAILED, code)


def tend_image_jobs() -> list[UUID]:
    """Keep the reservations of open jobs alive, fail those nobody could finish, and name those to be claimed.

    Safe in several processes at once.
    """
    now = clock.now()
    for job_id in ImageJob.objects.filter(_OPEN & _hopeless(now)).values_list("pk", flat=True):
        fail_image_job(job_id=job_id, code=Lost.code)
    open_jobs = ImageJob.objects.filter(_OPEN)
    renew(call_ids=[call_id for call_id in open_jobs.values_list("call_id", flat=True) if call_id])
    return list(open_jobs.filter(_claimable(now)).values_list("pk", flat=True))


def _claimable(now: datetime) -> Q:
    return Q(progress=Progress.WAITING) | Q(progress=Progress.RUNNING, lease_until__lt=now, attempts__lt=MOST_ATTEMPTS)


def _hopeless(now: datetime) -> Q:
    return Q(progress=Progress.WAITING, created_at__lt=now - PATIENCE) | Q(
        progress=Progress.RUNNING, lease_until__lt=now, attempts__gte=MOST_ATTEMPTS
    )


def _end(job_id: UUID, progress: Progress, code: str = "") -> bool:
    job = ImageJob.objects.filter(_OPEN, pk=job_id)
    call_id = job.values_list("call_id", flat=True).first()
    prompts = selectors.get_charge(call_id) if call_id else 0
    return bool(job.update(progress=progress, code=code, prompts=prompts, ended_at=clock.now(), lease_until=None))


def _call_of(job: ImageJob) -> Call:
    return Call(
        id=job.call_id or new_id(),
        operation=Operation.IMAGE,
        model=job.model,
        body={"prompt": job.prompt, "size": job.size, "n": job.count},
        count=job.count,
        course_code=job.course.code if job.course else "",
        via=Via.WEB,
    )


def _admission_of(job: ImageJob) -> Admission:
    principal = principal_of(User.objects.get(pk=job.user_id))
    return Admission(
        principal=principal,
        call=_call_of(job),
        target=find_target(principal, job.model, Operation.IMAGE),
        course_id=job.course_id,
        prompts=job.prompts,
        standings=(),
        admitted_at=job.created_at,
    )


def _stored(canvas: Canvas) -> str:
    name = f"pictures/{canvas.digest[:2]}/{canvas.digest}.png"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(canvas.data))
