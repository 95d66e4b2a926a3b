"""Units somebody pays for: opened, paid elsewhere, booked exactly once however often the payment is notified (F88)."""

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.types import Principal
from audit.services import record
from core import clock
from quotas.errors import NotForSale, UnbelievablePayment
from quotas.models import Offer, Purchase
from quotas.payments import get_service
from quotas.services.checks import check_amount
from quotas.services.grants import book_purchase
from quotas.types import PurchaseState, Unit
from quotas.wording import write_amount


@transaction.atomic
def set_offer(*, unit: Unit, amount: int, price_micro: int, is_enabled: bool = True) -> Offer:
    """Offer so many units at a price, in place of the same units at another.

    Raises:
        InvalidRequest: the amount or the price is out of range.
    """
    check_amount(amount, least=1, param="amount")
    check_amount(price_micro, least=1, param="price")
    changes = {"price_micro": price_micro, "is_enabled": is_enabled}
    offer, _created = Offer.objects.update_or_create(unit=unit, amount=amount, defaults=changes)
    record("offer.set", subject=f"offer/{offer.pk}", changes={name: [None, value] for name, value in changes.items()})
    return offer


def open_purchase(*, principal: Principal, offer_id: int) -> str:
    """Begin to buy: the address where it is paid.

    Raises:
        NotForSale: there is no such offer, or no payment service.
    """
    service = get_service()
    offer = Offer.objects.filter(pk=offer_id, is_enabled=True).first()
    if offer is None:
        raise NotForSale
    purchase = Purchase.objects.create(
        user_id=principal.user_id,
        unit=offer.unit,
        amount=offer.amount,
        price_micro=offer.price_micro,
        currency=settings.CURRENCY,
    )
    return service.address_of(
        reference=purchase.reference, price_micro=purchase.price_micro, currency=purchase.currency
    )


@transaction.atomic
def book_payment(*, body: bytes, headers: Mapping[str, str]) -> bool:
    """A payment service says that somebody paid: the units are theirs. True when this call booked them.

    The state of the purchase decides in one conditional update, so the same notification may come any number of times
    and at once. Nothing is booked that was not asked for at this price.

    Raises:
        NotForSale: no payment service is configured.
        UnbelievablePayment: the signature is wrong, or the purchase or its price is not the one notified.
    """
    said = get_service().read(body=body, headers=headers)
    asked = Purchase.objects.filter(reference=said.reference).first()
    if asked is None or (asked.price_micro, asked.currency) != (said.price_micro, said.currency):
        raise UnbelievablePayment
    opened = Purchase.objects.filter(pk=asked.pk, state=PurchaseState.OPEN)
    if opened.update(state=PurchaseState.PAID, paid_at=clock.now(), payment=said.payment) != 1:
        return False
    price = write_amount(Unit.MONEY, asked.price_micro)
    given = book_purchase(
        user_id=asked.user_id,
        unit=Unit(asked.unit),
        amount=asked.amount,
        reason=_("Bought for %(price)s.") % {"price": price},
    )
    Purchase.objects.filter(pk=asked.pk).update(grant=given)
    record("purchase.book", subject=f"purchase/{asked.pk}", changes={asked.unit: [None, asked.amount]})
    return True
