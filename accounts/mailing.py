"""Mail to people, each in their own language."""

import logging
from collections.abc import Mapping

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.translation import override

from accounts.models import User

logger = logging.getLogger(__name__)


def mail(user: User, template: str, page: str, context: Mapping[str, object]) -> bool:
    """One mail in the person's language, with the address of the page it speaks of where the site knows its own.

    A mail server that is away loses the mail, not the run.

    Args:
        template: the text's, without its ending; the subject's is beside it.
    """
    link = f"{settings.SITE_URL}{page}" if settings.SITE_URL else ""
    with override(user.language or settings.LANGUAGE_CODE):
        context = {**context, "person": user, "site": settings.SITE_NAME, "link": link}
        subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
        text = render_to_string(f"{template}.txt", context)
    try:
        send_mail(f"[{settings.SITE_NAME}] {subject}", text, None, [user.email])
    except OSError:  # what smtplib raises
        logger.warning("A mail could not be sent: %s", template, exc_info=True)
        return False
    return True
