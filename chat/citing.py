"""Citing an answer, and the permalink its owner opens or closes: who opens it must be signed in at this university."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import principal_of, role_required
from chat import pages, selectors, services
from chat.citations import Source, list_citations
from chat.models import Message
from core.text import one_line

LONGEST_TITLE = 120


@never_cache
@require_safe
@role_required()
def cite(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Every citation of one of the person's answers, and its permalink."""
    answer = selectors.access_answer(user_id=principal_of(request.user).user_id, answer_id=answer_id)
    return render(request, "chat/cite.html", _context(request, answer))


@require_POST
@role_required()
def open_link(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Open the permalink to everyone who is signed in here."""
    services.open_answer_link(user_id=principal_of(request.user).user_id, answer_id=answer_id)
    return redirect("answer-cite", answer_id)


@require_POST
@role_required()
def close_link(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """Close it again: from now on it is not found."""
    services.close_answer_link(user_id=principal_of(request.user).user_id, answer_id=answer_id)
    return redirect("answer-cite", answer_id)


@never_cache
@require_safe
@role_required()
def answer(request: HttpRequest, answer_id: UUID) -> HttpResponse:
    """What the permalink leads to: the question and the answer as they were, with who asked, whom and when."""
    link = selectors.access_answer_link(reader_id=principal_of(request.user).user_id, answer_id=answer_id)
    question = selectors.get_question(link.answer)
    context = {
        "link": link,
        "author": link.answer.conversation.user,
        "turns": pages.list_shown(question, link.answer),
        "data": {"words": pages.words()},
    }
    return render(request, "chat/answer.html", context)


def _context(request: HttpRequest, answer: Message) -> dict[str, Any]:
    link = selectors.find_answer_link(answer.pk)
    permalink = request.build_absolute_uri(reverse("answer", args=[answer.pk]))
    question = one_line(selectors.get_question(answer).text, longest=LONGEST_TITLE)
    label, maker = pages.name_model(answer.model)
    source = Source(
        question=question.rstrip(".。"),  # as titles are written
        model=label,
        maker=maker or settings.UNIVERSITY_NAME,
        site=settings.SITE_NAME,
        university=settings.UNIVERSITY_NAME,
        at=localtime(answer.created_at),
        url=permalink if link and link.is_open else request.build_absolute_uri("/"),
        key=f"ai{localtime(answer.created_at):%Y%m%d}-{str(answer.pk)[-6:]}",
    )
    return {
        "answer": answer,
        "sources": [pages.name_page(source["url"], source["title"]) for source in answer.sources],
        "question": question,
        "link": link,
        "permalink": permalink,
        "citations": list_citations(source),
        "copied": _("Copied"),
    }
