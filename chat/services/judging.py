"""Whether an answer was good, and if not, why: said, said anew, and taken back by the person it was given to."""

from uuid import UUID

from django.utils.translation import gettext as _

from chat import selectors
from chat.models import Opinion
from chat.types import Complaint, Progress
from core import clock
from core.errors import InvalidRequest
from core.text import one_line

LONGEST_NOTE = 300


def judge_answer(*, user_id: int, answer_id: UUID, is_good: bool, reason: str = "", note: str = "") -> Opinion:
    """Keep what the person thinks of an answer, in place of what she thought before.

    Args:
        reason: one of Complaint, or "" for none; of a good answer nothing but that it is good is kept.
        note: a sentence of her own.

    Raises:
        NotFound: it is no answer of the person's.
        InvalidRequest: the answer is not there yet, or failed; or nobody knows the reason.
    """
    answer = selectors.access_answer(user_id=user_id, answer_id=answer_id)
    if answer.progress in (Progress.RUNNING, Progress.FAILED) or not answer.text:
        raise InvalidRequest(_("Only an answer that is there can be judged."))
    if reason and reason not in Complaint.values:
        raise InvalidRequest(_("Choose one of the reasons on the page."), param="reason")
    said = {"reason": "", "note": ""} if is_good else {"reason": reason, "note": one_line(note, longest=LONGEST_NOTE)}
    opinion, _made = Opinion.objects.update_or_create(
        pk=answer.pk,
        defaults={"user_id": user_id, "model": answer.model, "is_good": is_good, "given_at": clock.now(), **said},
    )
    return opinion


def withdraw_opinion(*, user_id: int, answer_id: UUID) -> None:
    """Forget what the person thought of an answer. Nothing if she said nothing.

    Raises:
        NotFound: it is no answer of the person's.
    """
    answer = selectors.access_answer(user_id=user_id, answer_id=answer_id)
    Opinion.objects.filter(pk=answer.pk).delete()
