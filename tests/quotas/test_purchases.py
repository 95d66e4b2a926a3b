"""Bought units: paid elsewhere, believed by signature, booked exactly once (F88)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from accounts.models import User
from quotas import services
from quotas.errors import NotForSale, UnbelievablePayment
from quotas.models import Offer, Purchase
from quotas.payments import SIGNATURE, TestPayments, sign
from quotas.selectors import find_differences, nearest_standing
from quotas.types import PurchaseState, Unit
from tests.quotas.conftest import principal

NOTIFY = "/payments/notification/"


@pytest.fixture
def offer(db: None, settings: LazySettings) -> Offer:
    settings.PAYMENT_SERVICE, settings.PAYMENT_SECRET = "test", "a secret of the service"
    return services.set_offer(unit=Unit.PROMPTS, amount=50, price_micro=10_000_000)


@pytest.fixture
def purchase(sara: User, offer: Offer) -> Purchase:
    assert services.open_purchase(principal=principal(sara), offer_id=offer.pk).startswith("/payments/test/")
    return Purchase.objects.get()


def notification(purchase: Purchase, **changes: object) -> tuple[bytes, dict[str, str]]:
    body, _headers = TestPayments().notification(
        reference=purchase.reference, price_micro=purchase.price_micro, currency=purchase.currency
    )
    body = json.dumps(json.loads(body) | changes).encode()
    return body, {SIGNATURE: sign(body)}


def test_a_notification_books_once_however_often_it_comes(sara: User, purchase: Purchase, client: Client) -> None:
    body, headers = notification(purchase)
    answers = [client.post(NOTIFY, body, "application/json", headers=headers).status_code for _ in range(3)]
    assert answers == [204, 204, 204]
    standing = nearest_standing(principal(sara))
    assert (standing.limit, standing.extra) == (20, 50)
    purchase.refresh_from_db()
    assert purchase.state == PurchaseState.PAID
    assert purchase.grant is not None
    assert find_differences() == []


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_notifications_at_once_book_once(sara: User, purchase: Purchase) -> None:
    body, headers = notification(purchase)

    def arrive(_: int) -> bool:
        try:
            return services.book_payment(body=body, headers=headers)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(arrive, range(16))) == [False] * 15 + [True]
    assert nearest_standing(principal(sara)).extra == 50


@pytest.mark.parametrize(
    "change",
    [{"price_micro": 1}, {"currency": "USD"}, {"reference": "0" * 32}, {"price_micro": 1e7}],
)
def test_a_signed_notification_of_something_else_books_nothing(
    sara: User, purchase: Purchase, change: dict[str, object]
) -> None:
    body, headers = notification(purchase, **change)
    with pytest.raises(UnbelievablePayment):
        services.book_payment(body=body, headers=headers)
    assert nearest_standing(principal(sara)).extra == 0


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "é"])
def test_without_the_right_signature_nothing_is_believed(
    client: Client, sara: User, purchase: Purchase, signature: str | None
) -> None:
    body, _headers = notification(purchase)
    headers = {} if signature is None else {"HTTP_X_PAYMENT_SIGNATURE": signature}
    assert client.post(NOTIFY, body, "application/json", **headers).status_code == 400  # type: ignore[arg-type]
    assert nearest_standing(principal(sara)).extra == 0


def test_an_empty_secret_is_no_secret(client: Client, sara: User, purchase: Purchase, settings: LazySettings) -> None:
    body, headers = notification(purchase)
    settings.PAYMENT_SECRET = ""
    with pytest.raises(UnbelievablePayment):
        sign(body)
    assert client.post(NOTIFY, body, "application/json", headers=headers).status_code == 403
    with pytest.raises(NotForSale):
        services.open_purchase(principal=principal(sara), offer_id=Offer.objects.get().pk)


def test_nothing_is_for_sale_unless_a_payment_service_is_named(sara: User, settings: LazySettings) -> None:
    offer = services.set_offer(unit=Unit.PROMPTS, amount=50, price_micro=10_000_000)
    with pytest.raises(NotForSale):
        services.open_purchase(principal=principal(sara), offer_id=offer.pk)
