"""Why the ledger says no."""

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from core.errors import InvalidRequest, Refusal
from core.sheets import UnreadableSheet
from quotas.types import Standing


class Unmeasured(Refusal):
    """A quota in money covers the call, and the model has no price: let through, it would be free for everyone."""

    code = "model_without_price"

    def __init__(self, quota: str, model: str) -> None:
        super().__init__(
            _("%(model)s has no price yet, and your quota is “%(quota)s”. Choose another model. Nothing was charged.")
            % {"model": model, "quota": quota},
            param="model",
        )


class TooManyTurns(Refusal):
    """A conversation has as many questions as the rule allows (a new one begins at one)."""

    code = "too_many_turns"

    def __init__(self, most: int) -> None:
        super().__init__(
            _("A conversation has at most %(most)d questions here. Begin a new one. Nothing was charged.")
            % {"most": most},
            param="messages",
        )


class NotForSale(Refusal):
    """Nothing can be bought here, or not this."""

    code = "not_for_sale"
    message = _("Nothing can be bought here at the moment.")


class UnbelievablePayment(InvalidRequest):
    """A notification that does not come from the payment service, or speaks of another purchase than it names."""

    code = "unbelievable_payment"
    message = _("This notification was not believed. Nothing was booked.")


class UnreadableRules(UnreadableSheet):
    """A file of rules has lines that cannot be put in force; none of it was."""

    code = "unreadable_quotas"
    message = _("The file was not imported: some lines need mending.")


class OverApproverLimit(Refusal):
    """An instructor would give more than instructors may."""

    code = "over_approver_limit"


class QuotaExhausted(Refusal):
    """A quota has no room for this call. The one that refuses is named, with its reset (D9, D12).

    429 with `x-should-retry: false`, because the official clients would otherwise ask twice more.
    """

    code = "insufficient_quota"
    status = 429

    def __init__(self, standing: Standing) -> None:
        resets_at = standing.window.ends_at
        if resets_at is None:
            message = _("You have used all of “%(quota)s”. Nothing was charged.") % {"quota": standing.name}
        else:
            message = _("You have used all of “%(quota)s”. It begins anew on %(when)s. Nothing was charged.") % {
                "quota": standing.name,
                "when": date_format(timezone.localtime(resets_at), "DATETIME_FORMAT"),
            }
        super().__init__(message, headers={"x-should-retry": "false"})
        self.standing = standing
