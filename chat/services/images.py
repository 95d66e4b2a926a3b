"""The life of an image job: wished and admitted at once, drawn later by whichever worker claims it.

The row is the truth. A job keeps its reservation while it is open, because `tend_image_jobs` renews it from
whatever process is alive; so a worker that dies loses nothing: another one claims the job within the same reservation.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
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
from chat.types import ImageQuality, ImageSize, Progress
from core import clock
from core.errors import DomainError, InvalidRequest
from core.ids import new_id
from core.text import one_line
from core.types import Operation, Via
from gateway import admission as gate
from gateway.selectors import find_target
from gateway.types import Admission, Call, Capability, Dialect
from gateway.types import Picture as SentPicture
from quotas.services import renew

# A worker that draws says so every few seconds; silent for this long means dead.
LEASE = timedelta(seconds=20)
# A job that nobody could finish in this time gives its reservation back.
PATIENCE = timedelta(minutes=10)
MOST_ATTEMPTS = 2  # D7: at most one retry, within the same reservation
MOST_IMAGES = 4
PREVIEWS = 2  # half-drawn pictures asked for, where a model shows any: each costs tokens
LONGEST_IMAGE_PROMPT = 4_000  # characters
LONGEST_DESCRIPTION = 1_000

_OPEN = Q(progress__in=(Progress.WAITING, Progress.RUNNING))


def make_images(
    *,
    principal: Principal,
    prompt: str,
    model: str,
    size: str,
    count: int,
    quality: str = "",
    source_id: UUID | None = None,
    course_code: str = "",
) -> ImageJob:
    """Save a wish for images and admit the call, or do nothing at all. A worker draws them later.

    Args:
        size: one of ImageSize.
        count: how many, up to MOST_IMAGES.
        quality: one of ImageQuality, or "" for what the AI model takes by itself.
        source_id: the person's own picture that is to be changed, for a model that can.
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
    if quality and quality not in ImageQuality.values:
        raise InvalidRequest(_("Choose one of the qualities on the page."), param="quality")
    source = selectors.access_picture(user_id=principal.user_id, picture_id=source_id) if source_id else None
    job = ImageJob(
        user_id=principal.user_id,
        course=course_of(principal, course_code),
        prompt=prompt,
        model=model,
        size=size,
        quality=quality,
        count=count,
        source=source,
        call_id=new_id(),
    )
    call = _call_of(job)
    with admission_first():
        job.prompts = gate.admit(principal, call).prompts
        job.save(force_insert=True)
    return job


def claim_image_job(*, job_id: UUID) -> Admission | None:
    """Take a job that waits, or whose worker died, for this worker alone; None when there is nothing to do.

    The admission is the one given when the person pressed. A person who was suspended since, or whom a clause, a
    course's rule or an exam now keeps out, or a reservation that is no longer open, fails the job at no cost.
    """
    now = clock.now()
    claimed = ImageJob.objects.filter(_claimable(now), pk=job_id).update(
        progress=Progress.RUNNING, lease_until=now + LEASE, attempts=F("attempts") + 1
    )
    if not claimed:
        return None
    job = ImageJob.objects.select_related("course", "source").get(pk=job_id)
    try:
        if job.call_id is None or not selectors.is_dispatched(job.call_id):
            raise Lost
        admission = _admission_of(job)
        gate.check_still_welcome(admission)
        return admission
    except DomainError as error:
        fail_image_job(job_id=job_id, code=error.code)
        return None


def renew_image_job(*, job_id: UUID) -> bool:
    """Say that this worker is still drawing; whether the person wants it stopped."""
    running = ImageJob.objects.filter(pk=job_id, progress=Progress.RUNNING)
    running.update(lease_until=clock.now() + LEASE)
    return running.filter(wants_stop=True).exists()


def stop_image_job(*, user_id: int, job_id: UUID) -> None:
    """Stop a job of the person's. One that waits ends at once and costs nothing; one that is being drawn ends when its
    worker has hung up on the provider, and costs what it held (D2): the provider draws it all the same.

    Raises:
        NotFound: there is no such job of the person's.
    """
    job = selectors.access_image_job(user_id=user_id, job_id=job_id)
    with transaction.atomic():
        waiting = ImageJob.objects.filter(pk=job.pk, progress=Progress.WAITING)
        if waiting.update(progress=Progress.STOPPED, prompts=0, ended_at=clock.now()):
            gate.withdraw(_admission_of(job))
        else:
            ImageJob.objects.filter(pk=job.pk, progress=Progress.RUNNING).update(wants_stop=True)


def keep_preview(*, job_id: UUID, canvas: Canvas) -> None:
    """Show how far the first picture has come, in place of the preview before."""
    job = ImageJob.objects.filter(pk=job_id, progress=Progress.RUNNING).first()
    if job is None:
        return
    before = job.preview.name
    job.preview.name = default_storage.save(f"previews/{job_id}.png", ContentFile(canvas.data))
    job.save(update_fields=["preview"])
    if before:
        default_storage.delete(before)


def end_stopped_image_job(*, job_id: UUID) -> None:
    """End a job whose provider was hung up on, as the person wished."""
    _end(job_id, Progress.STOPPED)


def describe_picture(*, user_id: int, picture_id: UUID, text: str) -> None:
    """Keep the person's own words for what a picture shows; "" means its prompt again.

    Raises:
        NotFound: it is no picture of the person's.
    """
    picture = selectors.access_picture(user_id=user_id, picture_id=picture_id)
    Picture.objects.filter(pk=picture.pk).update(alt=one_line(text, longest=LONGEST_DESCRIPTION))


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
    preview = job.values_list("preview", flat=True).first()
    prompts = selectors.get_charge(call_id) if call_id else 0
    ended = {"progress": progress, "code": code, "prompts": prompts, "ended_at": clock.now()}
    is_ended = bool(job.update(**ended, lease_until=None, preview=""))
    if is_ended and preview:
        transaction.on_commit(partial(default_storage.delete, preview))
    return is_ended


def _call_of(job: ImageJob) -> Call:
    return Call(
        id=job.call_id or new_id(),
        operation=Operation.IMAGE,
        model=job.model,
        body=_body_of(job),
        count=job.count,
        course_code=job.course.code if job.course else "",
        via=Via.WEB,
        spelled=Dialect.EDITS if job.source else None,
        needs={Capability.EDITS: "source"} if job.source else {},
    )


def _body_of(job: ImageJob) -> dict[str, Any]:
    body: dict[str, Any] = {"prompt": job.prompt, "size": job.size, "n": job.count}
    if job.quality:
        body["quality"] = job.quality
    if job.source:
        with job.source.file.open() as file:
            body["image"] = [SentPicture(file.read(), kind="image/png")]
    return body


def _admission_of(job: ImageJob) -> Admission:
    principal = principal_of(User.objects.get(pk=job.user_id))
    target = find_target(principal, job.model, Operation.IMAGE)
    call = _call_of(job)
    if Capability.PARTIAL_IMAGES in target.capabilities:
        call = call._replace(stream=True, body={**call.body, "partial_images": PREVIEWS})
    return Admission(
        principal=principal,
        call=call,
        target=target,
        course_id=job.course_id,
        prompts=job.prompts,
        standings=(),
        admitted_at=job.created_at,
    )


def _stored(canvas: Canvas) -> str:
    name = f"pictures/{canvas.digest[:2]}/{canvas.digest}.png"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(canvas.data))
