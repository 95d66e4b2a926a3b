"""Quotas in words, in the reader's language."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from core.types import Operation
from quotas.types import MODEL_SCOPE, Kind, Period, Unit

MICRO = 1_000_000


def name_rule(kind: Kind, limit: int | None) -> str:
    """A rule in words, such as “20 prompts per month”."""
    unit, period, scope = kind
    words = {"amount": write_amount(unit, limit), "unit": unit.label, "period": period.label}
    if limit is None:
        name = _("%(unit)s, unmetered") % words
    elif period == Period.ONCE:
        name = _("%(amount)s %(unit)s in all") % words
    else:
        name = _("%(amount)s %(unit)s per %(period)s") % words
    return _("%(quota)s for %(what)s") % {"quota": name, "what": name_scope(scope)} if scope else name


def write_amount(unit: Unit, amount: int | None) -> str:
    """A number of units with a true minus: money in whole currency, all else as it is, nothing when there is none."""
    if amount is None:
        return ""
    value, decimals = (Decimal(amount) / MICRO, 2) if unit == Unit.MONEY else (amount, 0)
    return number_format(value, decimals, force_grouping=True).replace("-", "−")


def name_scope(scope: str) -> str:
    """What a rule covers: everything, a tool, or an AI model."""
    if not scope:
        return _("everything")
    return str(Operation(scope).label) if scope in Operation.values else scope.removeprefix(MODEL_SCOPE)
