"""Who gets which page of use by mail, and up to which day each was told."""

from datetime import date
from uuid import UUID

from django.db import transaction

from usage.models import Subscription
from usage.types import Every


@transaction.atomic
def subscribe(*, user_id: int, course_id: int | None, query: str, every: Every | str, told_until: date) -> Subscription:
    """Have a page by mail from the first week or month on that ends after `told_until`; once, however often asked."""
    found = Subscription.objects.filter(user=user_id, course=course_id, query=query, every=every).first()
    return found or Subscription.objects.create(
        user_id=user_id, course_id=course_id, query=query, every=every, told_until=told_until
    )


def unsubscribe(token: UUID) -> None:
    """End it; nothing if it has ended."""
    Subscription.objects.filter(token=token).delete()


def claim(subscription_id: int, *, until: date) -> bool:
    """Take what ends on this day upon oneself; False when another worker has, so that it is sent once."""
    mine = Subscription.objects.filter(pk=subscription_id, told_until__lt=until)
    return bool(mine.update(told_until=until))
