"""At 80 % and when a window is used up people are told, once each, by mail and on the page."""

from datetime import UTC, datetime

import pytest
from django.core import mail

from accounts.models import User
from quotas import services
from quotas.models import Warned
from quotas.types import Period
from tests.quotas.conftest import Travel, use

NOVEMBER = datetime(2026, 11, 22, 4, tzinfo=UTC)
DECEMBER = datetime(2026, 11, 30, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_november(travel: Travel) -> None:
    travel(NOVEMBER)


def told() -> list[str]:
    """The subjects of the mails that a run of the worker, and another one, send."""
    mail.outbox = []
    for _ in range(2):
        services.find_warnings()
        services.send_warnings()
    return [str(message.subject) for message in mail.outbox]


def test_each_share_is_told_once_in_each_window(sara: User, travel: Travel) -> None:
    use(sara, prompts=15)
    assert told() == []
    use(sara)
    assert told() == ["[Campus AI] 4 prompts left"]
    use(sara, prompts=3)
    assert told() == []
    use(sara)
    assert told() == ["[Campus AI] Used up: 20 prompts per month"]
    travel(DECEMBER)
    assert told() == []
    use(sara, prompts=20)
    assert told() == ["[Campus AI] Used up: 20 prompts per month"]  # one leap, one mail
    assert [row.share for row in Warned.objects.order_by("id")] == [80, 100, 100]


def test_the_mail_is_in_the_persons_language_and_says_when_new_ones_come(sara: User) -> None:
    User.objects.filter(pk=sara.pk).update(language="zh-hant")
    use(sara, prompts=20)
    told()
    assert "已用完" in mail.outbox[0].subject
    assert "2026 年 12 月 1 日" in mail.outbox[0].body


def test_nobody_is_told_of_a_limit_that_is_gone(sara: User) -> None:
    use(sara, prompts=20)
    services.set_quota(limit=None)
    assert told() == []


def test_a_day_is_told_on_the_page_only(sara: User) -> None:
    services.set_quota(limit=2, period=Period.DAY)
    use(sara, prompts=2)
    assert told() == []
    assert Warned.objects.count() == 1
