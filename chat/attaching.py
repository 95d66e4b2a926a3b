"""Files given with a question: taken, shown again while they wait, served to their owner alone, taken back."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of, role_required
from accounts.types import Principal
from chat import pages, selectors, services
from chat.galleries import SECONDS_A_YEAR, sealed
from chat.models import Attachment
from chat.reading import read_file
from core.errors import InvalidRequest, NotFound
from core.threads import hop, hop_aside, leave_database


@require_POST
async def attach(request: HttpRequest) -> HttpResponse:
    """Take one file: 201 with its markup."""
    user_id, name, data = await hop(_sent, request)
    await leave_database()
    reading = await hop_aside(read_file, data)
    attachment = await hop(services.attach, user_id=user_id, name=name, data=data, reading=reading)
    return JsonResponse({"id": str(attachment.pk), "html": pages.render_attached(attachment)}, status=201)


@require_safe
@role_required()
def waiting(request: HttpRequest) -> HttpResponse:
    """The markup of those of `?ids=` that still wait to be sent: for a page that was reloaded."""
    words = request.GET.get("ids", "").split()[: services.MOST_WAITING]
    try:
        ids = [UUID(word) for word in words]
    except ValueError as error:
        raise InvalidRequest(_("The address is not complete. Go back and follow the link again.")) from error
    files = selectors.list_waiting(principal_of(request.user).user_id, ids)
    return HttpResponse("".join(map(pages.render_attached, files)))


@require_safe
@role_required()
def attachment(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """What a model is given of one file, for its owner alone: the picture drawn anew, or the text as a download."""
    found = selectors.access_attachment(user_id=principal_of(request.user).user_id, attachment_id=attachment_id)
    if found.is_picture:
        response = HttpResponse(_bytes_of(found), content_type="image/jpeg")
        response["Content-Disposition"] = content_disposition_header(False, f"{found.name}.jpg") or "inline"
    else:
        response = HttpResponse(found.text, content_type="text/plain; charset=utf-8")
        response["Content-Disposition"] = content_disposition_header(True, f"{found.name}.txt") or "attachment"
    return sealed(response, keep=f"private, max-age={SECONDS_A_YEAR}, immutable")


@require_POST
@role_required()
def remove(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """Take back a file that was not sent."""
    services.remove_attachment(user_id=principal_of(request.user).user_id, attachment_id=attachment_id)
    return HttpResponse(status=204)


def attach_all(principal: Principal, request: HttpRequest) -> list[UUID]:
    """The files a form sent with its question, each taken or refused in words."""
    if request.content_type == "application/json":
        return []
    files = [file for file in request.FILES.getlist("files") if file.size]
    if len(files) > settings.ATTACHMENTS:
        raise InvalidRequest(
            _("At most %(most)d files can go with one question.") % {"most": settings.ATTACHMENTS}, param="files"
        )
    most = settings.ATTACHMENT_BYTES + 1
    return [services.attach(user_id=principal.user_id, name=file.name or "", data=file.read(most)).pk for file in files]


def _sent(request: HttpRequest) -> tuple[int, str, bytes]:
    user_id = principal_of(request.user).user_id
    services.check_room(user_id)
    file = request.FILES.get("file")
    if file is None:
        raise InvalidRequest(_("Choose a file first."), param="file")
    return user_id, file.name or "", file.read(settings.ATTACHMENT_BYTES + 1)


def _bytes_of(found: Attachment) -> bytes:
    try:
        with found.file.open() as file:
            return bytes(file.read())
    except FileNotFoundError as error:  # a database brought back without its media
        raise NotFound from error
