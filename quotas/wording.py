"""Quotas in words, in the reader's language."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.numbers import format_decimal, get_currency_symbol
from django.conf import settings
from django.utils.formats import number_format
from django.utils.functional import lazy
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _

from core.errors import InvalidRequest
from core.types import Operation
from quotas.types import LARGEST_AMOUNT, LONGEST_SCOPE, MODEL_SCOPE, POOL_SCOPE, Kind, Period, Unit

MICRO = 1_000_000
_AMOUNT = re.compile(r"(?a:(?:\d{1,3}(?:,\d{3})+|\d{1,16})(?P<fraction>\.\d{1,6})?)\Z")


def name_rule(kind: Kind, limit: int | None) -> str:
    """A rule in words, such as “20 prompts per month”."""
    unit, period, scope = kind
    words = {"amount": write_amount(unit, limit), "unit": unit.label, "period": period.label}
    if limit is None:
        name = _("%(unit)s, unmetered") % words
    elif unit == Unit.PARALLEL:
        name = _("%(amount)s calls at once") % words
    elif unit == Unit.MONEY:
        name = _("%(amount)s in all") % words if period == Period.ONCE else _("%(amount)s per %(period)s") % words
    elif period == Period.ONCE:
        name = _("%(amount)s %(unit)s in all") % words
    else:
        name = _("%(amount)s %(unit)s per %(period)s") % words
    return _("%(quota)s for %(what)s") % {"quota": name, "what": name_scope(scope)} if scope else name


# Put into words when somebody reads it: most standings are numbers for a header.
name_rule_later = lru_cache(lazy(name_rule, str))


def write_amount(unit: Unit, amount: int | None) -> str:
    """A number of units with a true minus and every digit: money in the installation's currency, nothing when None."""
    if amount is None:
        return ""
    if unit != Unit.MONEY:
        return number_format(amount, 0, force_grouping=True).replace("-", "−")
    locale, symbol = _money_in(get_language() or settings.LANGUAGE_CODE, settings.CURRENCY)
    number = format_decimal(Decimal(abs(amount)) / MICRO, "#,##0.00####", locale=locale)
    return f"{'−' if amount < 0 else ''}{symbol}{number}"


@lru_cache
def _money_in(language: str, currency: str) -> tuple[Locale, str]:
    # A page may have a hundred amounts, and `format_currency` looks for the currency's name each time.
    locale = Locale.parse(to_locale(language))
    return locale, get_currency_symbol(currency, locale)


def write_unit(unit: Unit) -> str:
    """The word after an amount; money's stands in the amount already."""
    return "" if unit == Unit.MONEY else str(unit.label)


def write_quantity(unit: Unit, amount: int) -> str:
    """An amount with its unit, such as “20 prompts”."""
    return f"{write_amount(unit, amount)} {write_unit(unit)}".strip()


def read_amount(unit: Unit, text: str) -> int:
    """What somebody typed as an amount: digits 0 to 9, commas between thousands; of money up to six decimals.

    Raises:
        InvalidRequest: it is anything else: negative, broken, in letters or in other digits, or too large.
    """
    typed = _AMOUNT.match(text.strip())
    if typed and (unit == Unit.MONEY or not typed["fraction"]):
        amount = Decimal(typed[0].replace(",", "")) * (MICRO if unit == Unit.MONEY else 1)
        if amount <= LARGEST_AMOUNT:
            return int(amount)
    if unit == Unit.MONEY:
        most = number_format(LARGEST_AMOUNT // MICRO, 0, force_grouping=True)
        message = _("Write an amount of money from 0 to %(most)s with digits, such as 7.80.") % {"most": most}
    else:
        message = _("Write a whole number from %(least)s to %(most)s.") % {"least": 0, "most": LARGEST_AMOUNT}
    raise InvalidRequest(message, param="limit")


def check_scope(scope: str) -> str:
    """The scope as rules keep it: names of models in order, once each.

    Raises:
        InvalidRequest: it is neither empty, nor an operation, nor models, nor the pool of a course.
    """
    if scope.startswith(MODEL_SCOPE):
        names = sorted({name.strip() for name in scope.removeprefix(MODEL_SCOPE).split(",")})
        fits = all(names) and not any("*" in name[:-1] for name in names)
        scope = MODEL_SCOPE + ",".join(names)
    else:
        fits = not scope or scope in Operation.values or (scope.startswith(POOL_SCOPE) and scope != POOL_SCOPE)
    if not fits or len(scope) > LONGEST_SCOPE:
        raise InvalidRequest(
            _("“%(scope)s” is neither a tool nor model:NAME. Leave it empty to cover everything.") % {"scope": scope},
            param="scope",
        )
    return scope


def name_scope(scope: str) -> str:
    """What a rule covers: everything, a tool, AI models, or a part of a course's pool."""
    if not scope:
        return _("everything")
    if scope.startswith(POOL_SCOPE):
        return _("the pool of %(course)s") % {"course": scope.removeprefix(POOL_SCOPE)}
    return str(Operation(scope).label) if scope in Operation.values else scope.removeprefix(MODEL_SCOPE)


def name_subject(rule: Any) -> str:
    """Whom a rule is for: a person with the address, a course, a department, a role, or everyone."""
    if rule.user:
        return f"{rule.user.name} {rule.user.email}"
    if rule.course:
        return str(rule.course)
    if rule.role and rule.department:
        words = {"role": rule.get_role_display(), "department": rule.department}
        return _("%(role)s in %(department)s") % words
    return str(rule.department or (rule.get_role_display() if rule.role else _("Everyone")))
