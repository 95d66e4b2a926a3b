"""The image page: wishes, the tiles of the jobs, and each picture by itself."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of, role_required
from chat import pages, selectors, services, tasks
from chat.forms import DescriptionForm, ImageForm, cleaned, wants_json
from core.errors import DomainError, InvalidRequest, NotFound

SECONDS_A_YEAR = 365 * 24 * 3600


@require_safe
@role_required()
def images(request: HttpRequest) -> HttpResponse:
    """The image page: the form and the gallery; `?change=` begins with one of the person's pictures."""
    context = pages.images_context(
        principal_of(request.user), before=_id(request.GET.get("before", "")), change=_id(request.GET.get("change", ""))
    )
    return render(request, "chat/images.html", context)


@require_POST
@role_required()
def make_images(request: HttpRequest) -> HttpResponse:
    """Take a wish for images: 201 with its tile; without a script, back to the page."""
    principal = principal_of(request.user)
    try:
        wish = cleaned(ImageForm, request)
        job = services.make_images(
            principal=principal, course_code=wish.pop("course"), source_id=wish.pop("source"), **wish
        )
    except DomainError as refusal:
        if wants_json(request):
            raise
        draft = request.POST.get("prompt", "")
        context = pages.images_context(principal, draft=draft, refusal=refusal)
        return render(request, "chat/images.html", context, status=refusal.status)
    tasks.wake_image_worker()
    if wants_json(request):
        made = {"job": str(job.pk), "url": reverse("image-job", args=[job.pk]), "left": pages.find_left(principal)}
        return JsonResponse(made, status=201)
    return redirect("images")


@require_safe
@role_required()
def image_job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The tile of one job, as it stands now."""
    principal = principal_of(request.user)
    job = selectors.access_image_job(user_id=principal.user_id, job_id=job_id)
    context = {"tile": pages.tile_context(job), "left": pages.find_left(principal)}
    return render(request, "chat/_tile.html", context)


@require_POST
@role_required()
def stop_image_job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stop a job: free while it waits; once it is being drawn it costs what it held."""
    services.stop_image_job(user_id=principal_of(request.user).user_id, job_id=job_id)
    return HttpResponse(status=204) if wants_json(request) else redirect("images")


@require_safe
@role_required()
def preview(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """How far the first picture of a running job has come."""
    job = selectors.access_image_job(user_id=principal_of(request.user).user_id, job_id=job_id)
    if not job.preview:
        raise NotFound
    with job.preview.open() as file:
        return sealed(HttpResponse(file.read(), content_type="image/png"), keep="no-store")


@require_safe
@role_required()
def picture(request: HttpRequest, picture_id: UUID) -> HttpResponse:
    """The bytes of one picture, for its owner alone; with `?download`, as a file."""
    found = selectors.access_picture(user_id=principal_of(request.user).user_id, picture_id=picture_id)
    with found.file.open() as file:
        response = HttpResponse(file.read(), content_type="image/png")
    name = f"{get_valid_filename(found.job.prompt[:40].strip(' .') or 'image')}.png"
    response["Content-Disposition"] = content_disposition_header("download" in request.GET, name) or "inline"
    # The bytes under this address never change, but only this person's browser may keep them.
    return sealed(response, keep=f"private, max-age={SECONDS_A_YEAR}, immutable")


@require_safe
@role_required()
def about_picture(request: HttpRequest, picture_id: UUID) -> HttpResponse:
    """One picture with what is known of it: a page by itself, or, for the gallery's script, what the lightbox shows."""
    found = selectors.access_picture(user_id=principal_of(request.user).user_id, picture_id=picture_id)
    template = "chat/_picture.html" if request.headers.get("HX-Request") else "chat/picture.html"
    response = render(request, template, pages.picture_context(found))
    response["Vary"] = "HX-Request"
    return response


@require_POST
@role_required()
def describe_picture(request: HttpRequest, picture_id: UUID) -> HttpResponse:
    """Keep the person's own words for what the picture shows."""
    services.describe_picture(
        user_id=principal_of(request.user).user_id, picture_id=picture_id, text=cleaned(DescriptionForm, request)["alt"]
    )
    return redirect("picture-about", picture_id)


def sealed(response: HttpResponse, *, keep: str) -> HttpResponse:
    """Bytes that came from elsewhere: whatever a browser takes them for, they may do nothing."""
    response["Cache-Control"] = keep
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _id(value: str) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError as error:
        raise InvalidRequest(_("The address is not complete. Go back and follow the link again.")) from error
