"""What a person may write into a rule or a grant."""

from django.utils.translation import gettext as _

from core.errors import InvalidRequest
from core.text import one_line
from quotas.types import LARGEST_AMOUNT


def check_amount(amount: int, *, least: int, param: str) -> None:
    if not least <= amount <= LARGEST_AMOUNT:
        raise InvalidRequest(
            _("Write a whole number from %(least)s to %(most)s.") % {"least": least, "most": LARGEST_AMOUNT},
            param=param,
        )


def check_reason(reason: str) -> str:
    reason = one_line(reason, longest=240)
    if not reason:
        raise InvalidRequest(
            _("Write the reason. It is kept with the change and shown in its history."), param="reason"
        )
    return reason
