"""The only writer of the ledger, its rules, grants and requests. Each function owns or joins a transaction."""

from quotas.services.batches import LEASE, Batch, Wish, open_batch
from quotas.services.calls import (
    close,
    dispatch,
    expire,
    expire_reservations,
    release,
    renew,
    reserve,
    reverse,
    settle,
)
from quotas.services.grants import grant, grant_to_many, lapse_grants
from quotas.services.imports import import_quotas
from quotas.services.notices import find_warnings, send_requests, send_warnings
from quotas.services.pools import fill_pool, set_pool
from quotas.services.purchases import book_payment, open_purchase, set_offer
from quotas.services.requests import (
    ask,
    grant_request,
    grant_to_course,
    refuse_request,
    set_approver_limit,
    withdraw_request,
)
from quotas.services.rules import install_default_quota, set_quota, undo_change, withdraw_quota
from quotas.wording import check_scope

__all__ = [
    "LEASE",
    "Batch",
    "Wish",
    "ask",
    "book_payment",
    "check_scope",
    "close",
    "dispatch",
    "expire",
    "expire_reservations",
    "fill_pool",
    "find_warnings",
    "grant",
    "grant_request",
    "grant_to_course",
    "grant_to_many",
    "import_quotas",
    "install_default_quota",
    "lapse_grants",
    "open_batch",
    "open_purchase",
    "refuse_request",
    "release",
    "renew",
    "reserve",
    "reverse",
    "send_requests",
    "send_warnings",
    "set_approver_limit",
    "set_offer",
    "set_pool",
    "set_quota",
    "settle",
    "undo_change",
    "withdraw_quota",
    "withdraw_request",
]
