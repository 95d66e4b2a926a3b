"""Writes of what happened, and of what administrators are told about it; each owns its transaction."""

from usage.services.alarms import (
    ODD_CALLS,
    ODD_TIMES,
    REFUSALS,
    find_alarms,
    mark_seen,
    raise_alarm,
    send_alarms,
    set_budget,
    wish_mail,
)
from usage.services.records import (
    LOOK_LASTS,
    record_many,
    record_opening,
    record_usage,
    roll_up,
    roll_up_day,
)
from usage.services.subscriptions import claim, subscribe, unsubscribe

__all__ = [
    "LOOK_LASTS",
    "ODD_CALLS",
    "ODD_TIMES",
    "REFUSALS",
    "claim",
    "find_alarms",
    "mark_seen",
    "raise_alarm",
    "record_many",
    "record_opening",
    "record_usage",
    "roll_up",
    "roll_up_day",
    "send_alarms",
    "set_budget",
    "subscribe",
    "unsubscribe",
    "wish_mail",
]
