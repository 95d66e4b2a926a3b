"""Payment services: how somebody is sent to pay, and how a notification that it was paid is believed.

Every service is one class with two functions. TEST is built in: no money moves, and its notifications are signed as the
real ones are, so that the whole way can be walked and tested.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from quotas.errors import NotForSale, UnbelievablePayment

SIGNATURE = "X-Payment-Signature"


@dataclass(frozen=True, slots=True)
class Notification:
    """What a payment service says was paid.

    Args:
        reference: the purchase's own, which went with the person to the service.
        payment: the service's.
        price_micro: in micro-units of `currency`.
    """

    reference: UUID
    payment: str
    price_micro: int
    currency: str


class PaymentService(Protocol):
    """What the shop needs of a payment service."""

    def address_of(self, *, reference: UUID, price_micro: int, currency: str) -> str:
        """Where the person pays."""

    def read(self, *, body: bytes, headers: Mapping[str, str]) -> Notification:
        """What a notification says.

        Raises:
            UnbelievablePayment: it does not come from the service.
        """


class TestPayments:
    """Pays with a press of a button. Notifications are JSON with an HMAC-SHA-256 of the body by PAYMENT_SECRET."""

    def address_of(self, *, reference: UUID, price_micro: int, currency: str) -> str:
        """A page of our own."""
        return reverse("test_payment", args=[reference])

    def read(self, *, body: bytes, headers: Mapping[str, str]) -> Notification:
        """The signature first, then the fields; neither may be missing."""
        given = headers.get(SIGNATURE, "")
        if not hmac.compare_digest(sign(body).encode(), given.encode("utf-8", "replace")):
            raise UnbelievablePayment
        try:
            said = json.loads(body)
            price = said["price_micro"]
            if type(price) is not int:
                raise UnbelievablePayment
            return Notification(UUID(str(said["reference"])), str(said["payment"])[:120], price, str(said["currency"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnbelievablePayment from error

    def notification(self, *, reference: UUID, price_micro: int, currency: str) -> tuple[bytes, dict[str, str]]:
        """The body and headers the service would send when somebody has paid."""
        said = {"reference": str(reference), "payment": f"test-{reference.hex[:12]}"}
        body = json.dumps(said | {"price_micro": price_micro, "currency": currency}).encode()
        return body, {SIGNATURE: sign(body)}


def sign(body: bytes) -> str:
    """The signature of a notification's body.

    Raises:
        UnbelievablePayment: no secret is set: with an empty one anybody could sign (F88).
    """
    if not settings.PAYMENT_SECRET:
        raise UnbelievablePayment
    return hmac.new(settings.PAYMENT_SECRET.encode(), body, hashlib.sha256).hexdigest()


_SERVICES: dict[str, PaymentService] = {"test": TestPayments()}


def get_service() -> PaymentService:
    """The payment service of this installation.

    Raises:
        NotForSale: none is configured, or it has no secret.
    """
    service = _SERVICES.get(settings.PAYMENT_SERVICE)
    if service is None or not settings.PAYMENT_SECRET:
        raise NotForSale
    return service
