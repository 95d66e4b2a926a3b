"""The real rules of the universities (what they announced), each played for a month through the gateway itself.

Where an announcement gives no number, the fixture says so: the shape is the university's, the number is ours.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import LazySettings

from accounts.authentication import principal_of
from accounts.models import User
from accounts.types import Principal, Role
from core.errors import RateLimited
from core.ids import new_id
from core.types import Operation, Via
from gateway import admission
from gateway.models import Model, Provider, Route, Upstream
from gateway.types import Call, Ending, ProviderKind
from quotas import services
from quotas.errors import QuotaExhausted, TooManyTurns
from quotas.selectors import find_differences, list_standings, nearest_standing
from quotas.services.grants import book_purchase
from quotas.statement import read_statement
from quotas.types import Period, Unit
from tests.quotas.conftest import Travel
from usage.models import UsageRecord
from usage.types import Outcome, Totals, UsageSource

HKD = 1_000_000  # micro-units
# HK$ per million tokens: GPT-4o's list price in August 2024 (USD 5 and 15), and a small model's.
PRICES = {"gpt-4o": (39 * HKD, 117 * HKD), "gpt-4o-mini": (1_170_000, 4_680_000), "o3-mini": (8_580_000, 34_320_000)}


def day(*parts: int, hour: int = 12) -> datetime:
    """An instant of the day in Hong Kong."""
    return datetime(*parts, hour, tzinfo=UTC) - timedelta(hours=8)  # type: ignore[arg-type,misc]


@pytest.fixture
def models(db: None, settings: LazySettings) -> None:
    """The catalog; no clause is published, and only rules limit the attempts."""
    settings.MAX_ATTEMPTS_PER_HOUR = 0
    upstream = Upstream.objects.create(
        provider=Provider.objects.create(slug="openai", name="OpenAI", kind=ProviderKind.OPENAI), name="main"
    )
    for name, (asked, answered) in PRICES.items():
        model = Model.objects.create(
            name=name, label=name, input_price=asked, output_price=answered, max_output_tokens=1000
        )
        Route.objects.create(model=model, upstream=upstream, upstream_name=name)
    drawn = Model.objects.create(name="dall-e-3", label="D", operation=Operation.IMAGE, image_price=312_000)
    Route.objects.create(model=drawn, upstream=upstream, upstream_name="dall-e-3")


def ask(
    person: User,
    *,
    model: str = "gpt-4o",
    tokens: tuple[int, int] = (500, 500),
    turns: int = 1,
    via: Via = Via.WEB,
    is_reported: bool = True,
) -> UsageRecord:
    """One answered question, and its record."""
    who = principal_of(person)
    operation = Operation.IMAGE if model == "dall-e-3" else Operation.CHAT
    body = {"prompt": "A junk"} if operation == Operation.IMAGE else {
        "messages": [{"role": "user", "content": "x" * (tokens[0] // turns)}] * turns
    }  # fmt: skip
    admitted = admission.admit(who, Call(new_id(), operation, model, body, via=via))
    admission.settle(admitted)
    source = UsageSource.REPORTED if is_reported else UsageSource.ESTIMATED
    totals = Totals(images=1) if operation == Operation.IMAGE else Totals(*tokens, source=source)
    admission.conclude(admitted, Ending(Outcome.SERVED, totals=totals))
    return UsageRecord.objects.get(call_id=admitted.call.id)


def count_asked(person: User, **call: object) -> int:
    """How many questions pass until one is refused, at most 5,000."""
    for passed in range(5000):
        try:
            ask(person, **call)  # type: ignore[arg-type]
        except QuotaExhausted:
            return passed
    return 5000


def who(person: User) -> Principal:
    return principal_of(person)


@pytest.fixture(autouse=True)
def _books_agree(request: pytest.FixtureRequest, db: None) -> object:
    yield
    assert find_differences() == []


def hku() -> None:
    """August 2023: 20 prompts a month. September 2023: 500,000 tokens, 20 turns a topic. August 2024: about USD 1 of
    tokens for students, teachers without limit; later one model without limit."""
    services.set_quota(limit=20, reason="Announced 3 August 2023")
    september = day(2023, 9, 1, hour=0)
    services.set_quota(limit=None, starts_at=september, reason="Tokens instead")
    services.set_quota(limit=500_000, unit=Unit.TOKENS, starts_at=september, reason="Tokens instead")
    services.set_quota(limit=20, unit=Unit.TURNS, period=Period.CONVERSATION, starts_at=september, reason="By topic")
    august = day(2024, 8, 1, hour=0)
    services.set_quota(limit=None, unit=Unit.TOKENS, starts_at=august, reason="Money instead")
    services.set_quota(limit=7_800_000, unit=Unit.MONEY, role=Role.STUDENT, starts_at=august, reason="USD 1 a month")
    services.set_quota(limit=None, unit=Unit.MONEY, role=Role.INSTRUCTOR, starts_at=august, reason="Teachers")
    services.set_quota(
        limit=None, unit=Unit.MONEY, scope="model:o3-mini", starts_at=day(2025, 2, 1), reason="Unmetered"
    )


def test_hku_in_august_2023_twenty_prompts_over_both_tools(models: None, sara: User, travel: Travel) -> None:
    travel(day(2023, 8, 3))
    hku()
    for _ in range(12):
        ask(sara)
    for _ in range(8):
        ask(sara, model="dall-e-3")
    with pytest.raises(QuotaExhausted) as refusal:
        ask(sara, model="dall-e-3")
    assert refusal.value.standing.name == "20 prompts per month"
    assert refusal.value.standing.window.ends_at == day(2023, 9, 1, hour=0)


def test_hku_from_september_2023_half_a_million_tokens_and_twenty_turns(
    models: None, sara: User, travel: Travel
) -> None:
    travel(day(2023, 8, 3))
    hku()
    assert count_asked(sara) == 20
    travel(day(2023, 9, 1, hour=0))
    # Each uses 25,000 and holds a little more, so the twentieth has no room; something smaller has.
    assert count_asked(sara, tokens=(24_000, 1000)) == 19
    travel(day(2023, 9, 30, hour=23))
    ask(sara, tokens=(10_000, 1000))
    assert next(s for s in list_standings(who(sara)) if s.unit == Unit.TOKENS).left == 14_000
    travel(day(2023, 10, 1, hour=0))
    ask(sara, turns=20)
    with pytest.raises(TooManyTurns):
        ask(sara, turns=21)
    # August's statement still tells August's rule.
    august = read_statement(who(sara), month=date(2023, 8, 1), kind=(Unit.PROMPTS, Period.MONTH, ""))
    assert (august.standing.limit, august.standing.used) == (20, 20)
    assert {line.rule for line in august.lines} == {"20 prompts per month"}


def test_hku_from_august_2024_a_dollar_for_students_and_no_limit_for_teachers(
    models: None, sara: User, ines: User, travel: Travel
) -> None:
    travel(day(2023, 8, 3))
    hku()
    travel(day(2024, 8, 15))
    asked = count_asked(sara, tokens=(20_000, 1000))
    cost = (20_000 * 39 + 1000 * 117) * HKD // 1_000_000
    assert asked == 7_800_000 // cost == 8
    spent = sum(UsageRecord.objects.filter(user=sara).values_list("cost_micro", flat=True))
    assert spent == asked * cost <= 7_800_000
    for _ in range(10):
        ask(ines, tokens=(20_000, 1000))
    assert next(s for s in list_standings(who(ines)) if s.unit == Unit.MONEY).used == 10 * cost
    travel(day(2025, 2, 20))
    count_asked(sara, tokens=(20_000, 1000))
    for _ in range(10):
        ask(sara, model="o3-mini", tokens=(20_000, 1000))  # the model that came later is not metered


def hkust() -> None:
    """HK$8 a month, one pot for chat and API."""
    services.set_quota(limit=None, reason="Money counts")
    services.set_quota(limit=8 * HKD, unit=Unit.MONEY, reason="One pot")


def test_hkust_one_pot_of_eight_dollars_for_the_page_and_the_api(models: None, sara: User, travel: Travel) -> None:
    travel(day(2026, 11, 1, hour=0))
    hkust()
    for door in (Via.WEB, Via.API) * 10:
        ask(sara, via=door, model="dall-e-3")  # HK$0.312 each
    assert nearest_standing(who(sara)).used == 20 * 312_000
    assert count_asked(sara, model="dall-e-3", via=Via.API) == 5  # 25 × 0.312 = 7.80; a 26th has no room
    assert nearest_standing(who(sara)).left == 200_000
    ask(sara, model="gpt-4o-mini")  # what is left still buys something small
    travel(day(2026, 12, 1, hour=0))
    assert nearest_standing(who(sara)).left == 8 * HKD


def eduhk() -> None:
    """1.5 million credits a month (a credit is a token here); top-ups never expire and are used after the free ones."""
    services.set_quota(limit=None, reason="Credits count")
    services.set_quota(limit=1_500_000, unit=Unit.TOKENS, reason="Free credits")


def test_eduhk_free_credits_first_and_bought_ones_stay(models: None, sara: User, travel: Travel) -> None:
    travel(day(2026, 11, 1))
    eduhk()
    book_purchase(user_id=sara.pk, unit=Unit.TOKENS, amount=100_000, reason="Top-up")
    assert count_asked(sara, tokens=(40_000, 1000)) == 39  # 1,599,000 of 1,600,000
    travel(day(2026, 12, 1))
    standing = nearest_standing(who(sara))
    assert (standing.used, standing.extra, standing.left) == (0, 1_000, 1_501_000)
    travel(day(2027, 6, 1))
    assert nearest_standing(who(sara)).extra == 1_000


def cityu() -> None:
    """A quota per model (the numbers are ours): two models of their own, pictures of theirs."""
    services.set_quota(limit=None, reason="Each model has its own")
    services.set_quota(limit=6, scope="model:gpt-4o", reason="Per model")
    services.set_quota(limit=20, scope="model:gpt-4o-mini,o3-mini", reason="Per model")
    services.set_quota(limit=3, scope="image", reason="Per model")


def test_cityu_each_model_has_its_own(models: None, sara: User, travel: Travel) -> None:
    travel(day(2026, 11, 1))
    cityu()
    assert count_asked(sara) == 6
    assert count_asked(sara, model="dall-e-3") == 3
    for _ in range(12):
        ask(sara, model="gpt-4o-mini")
    assert count_asked(sara, model="o3-mini") == 8
    with pytest.raises(QuotaExhausted) as refusal:
        ask(sara)
    assert refusal.value.standing.scope == "model:gpt-4o"


def cuhk() -> None:
    """A rate for the API beside the quota (429), numbers ours: 10 attempts an hour, 2 calls at once, 20 prompts."""
    services.set_quota(limit=20, reason="Quota")
    services.set_quota(limit=10, unit=Unit.ATTEMPTS, period=Period.HOUR, reason="Rate")
    services.set_quota(limit=2, unit=Unit.PARALLEL, period=Period.MOMENT, reason="Rate")


def test_cuhk_too_fast_is_not_too_much(models: None, sara: User, travel: Travel) -> None:
    travel(day(2026, 11, 1))
    cuhk()
    for _ in range(10):
        ask(sara, via=Via.API)
    with pytest.raises(RateLimited):
        ask(sara, via=Via.API)
    assert nearest_standing(who(sara)).left == 10

    def begin() -> None:
        body = {"messages": [{"role": "user", "content": "x"}]}
        admission.admit(principal_of(ines), Call(new_id(), Operation.CHAT, "gpt-4o", body))

    ines = User.objects.create_user("two@example.edu", None, name="Two")
    begin()
    begin()
    with pytest.raises(RateLimited):
        begin()


def polyu() -> None:
    """Nothing is announced about amounts: the product's own rule. Declarations and levels are the courses'."""


@pytest.mark.parametrize("university", [polyu])
def test_polyu_is_the_products_own_rule(
    models: None, sara: User, travel: Travel, university: Callable[[], None]
) -> None:
    travel(day(2026, 11, 1))
    university()
    assert count_asked(sara) == 20


def test_several_limits_at_once_and_the_one_that_refuses_is_named(models: None, sara: User, travel: Travel) -> None:
    travel(day(2026, 11, 2))
    services.set_quota(limit=20)
    services.set_quota(limit=3, period=Period.DAY)
    services.set_quota(limit=2 * HKD, unit=Unit.MONEY, period=Period.WEEK)
    assert count_asked(sara) == 3
    with pytest.raises(QuotaExhausted) as refusal:
        ask(sara)
    assert refusal.value.standing.period == Period.DAY
    travel(day(2026, 11, 3))
    ask(sara, tokens=(10_000, 1000))
    with pytest.raises(QuotaExhausted) as refusal:
        ask(sara, tokens=(60_000, 1000))
    assert refusal.value.standing.unit == Unit.MONEY


def test_what_no_provider_reports_is_estimated_and_the_statement_says_so(
    models: None, sara: User, travel: Travel
) -> None:
    travel(day(2026, 11, 2))
    hkust()
    ask(sara, is_reported=False)
    ask(sara)
    statement = read_statement(who(sara), month=date(2026, 11, 1))
    assert {line.is_estimated for line in statement.lines} == {True, False}
    assert statement.standing.used == sum(line.used or 0 for line in statement.lines) == 2 * 500 * (39 + 117)
