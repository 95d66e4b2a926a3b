"""Why the ledger says no."""

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from core.errors import Refusal
from quotas.types import Standing


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
            message = _("You have used all of “%(quota)s”. New units come on %(when)s. Nothing was charged.") % {
                "quota": standing.name,
                "when": date_format(timezone.localtime(resets_at), "DATETIME_FORMAT"),
            }
        super().__init__(message, headers={"x-should-retry": "false"})
        self.standing = standing
