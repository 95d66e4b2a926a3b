"""The order of the decisions, and what they leave behind."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.types import Principal, Role
from core import clock
from core.errors import InvalidRequest, RateLimited
from core.ids import new_id
from core.types import Operation
from gateway import admission
from gateway.errors import ModelNotFound
from gateway.models import Model
from gateway.types import Call, Ending
from policies.errors import AcknowledgmentRequired, PolicyRefused
from policies.models import AccessRule
from policies.services import install_clauses
from quotas.errors import QuotaExhausted
from quotas.models import Reservation
from quotas.selectors import find_differences, nearest_standing
from quotas.services import set_quota
from quotas.types import Period, State, Unit
from usage.models import UsageRecord
from usage.types import Outcome, Totals

MODEL = "smollm2-135m-instruct"
CARDS = "placeholder-image"


def chat(**changes: object) -> Call:
    values = {"id": new_id(), "operation": Operation.CHAT, "model": MODEL, "body": {"messages": []}}
    return Call(**{**values, **changes})  # type: ignore[arg-type]


def images(count: int) -> Call:
    return chat(operation=Operation.IMAGE, model=CARDS, count=count, body={"prompt": "x"})


def left(person: Principal) -> int | None:
    return nearest_standing(person).left


def record_of(call: Call) -> UsageRecord:
    return UsageRecord.objects.get(call_id=call.id)


def test_an_admitted_call_is_held_and_dispatched(catalog: None, caller: Principal) -> None:
    call = chat()

    admitted = admission.admit(caller, call)

    assert Reservation.objects.get(pk=call.id).state == State.DISPATCHED
    assert admitted.prompts == 1
    assert admitted.standings[0].left == left(caller) == 19


def test_a_call_decided_with_a_new_snapshot_is_decided_once(catalog: None, caller: Principal) -> None:
    with CaptureQueriesContext(connection) as queries:
        admission.admit(caller, chat())

    catalog_reads = [query for query in queries if 'FROM "gateway_model"' in query["sql"]]
    assert catalog_reads
    assert len(catalog_reads) == len({query["sql"] for query in catalog_reads})


def test_a_served_call_costs_its_prompt_once(catalog: None, caller: Principal) -> None:
    admitted = admission.admit(caller, chat())
    admission.settle(admitted)

    for _ in range(2):
        admission.conclude(admitted, Ending(Outcome.SERVED, totals=Totals(3, 4)))

    record = record_of(admitted.call)
    assert (record.outcome, record.prompts, record.output_tokens) == (Outcome.SERVED, 1, 4)
    assert left(caller) == 19
    assert Reservation.objects.get(pk=admitted.call.id).state == State.CLOSED


@pytest.mark.parametrize("outcome", [Outcome.UPSTREAM_FAILED, Outcome.LOST])
@pytest.mark.parametrize("is_settled", [False, True])
def test_what_the_person_did_not_break_is_given_back(
    catalog: None, caller: Principal, outcome: Outcome, is_settled: bool
) -> None:
    admitted = admission.admit(caller, chat())
    if is_settled:
        admission.settle(admitted)

    admission.conclude(admitted, Ending(outcome, "upstream_error"))

    assert record_of(admitted.call).prompts == 0
    assert left(caller) == 20


def test_the_sixth_reversal_of_a_day_is_not_automatic(catalog: None, caller: Principal) -> None:
    for _ in range(6):
        admitted = admission.admit(caller, chat())
        admission.settle(admitted)
        admission.conclude(admitted, Ending(Outcome.UPSTREAM_FAILED, "upstream_error"))

    assert record_of(admitted.call).prompts == 1
    assert left(caller) == 19


def test_leaving_costs_the_prompt_even_before_the_first_word(catalog: None, caller: Principal) -> None:
    admitted = admission.admit(caller, chat())

    admission.conclude(admitted, Ending(Outcome.CLIENT_LEFT))

    assert record_of(admitted.call).prompts == 1
    assert left(caller) == 19


def test_c39_images_cost_what_was_delivered(catalog: None, caller: Principal) -> None:
    admitted = admission.admit(caller, images(3))
    assert left(caller) == 17

    admission.conclude(admitted, Ending(Outcome.SERVED, totals=Totals(images=2)))

    assert record_of(admitted.call).prompts == 2
    assert left(caller) == 18
    assert find_differences() == []


def test_nothing_is_admitted_before_the_clauses_are_accepted(catalog: None, sara: User) -> None:
    install_clauses()

    with pytest.raises(AcknowledgmentRequired):
        admission.admit(Principal(sara.id, Role.STUDENT), chat())

    assert not Reservation.objects.exists()


@pytest.mark.parametrize("name", [CARDS, "nothing", MODEL.upper(), f"{MODEL} "])
def test_only_an_exact_name_of_the_tool_finds_a_model(catalog: None, caller: Principal, name: str) -> None:
    with pytest.raises(ModelNotFound):
        admission.admit(caller, chat(model=name))


def test_a_disabled_model_is_not_there(catalog: None, caller: Principal) -> None:
    Model.objects.update(is_enabled=False)

    with pytest.raises(ModelNotFound):
        admission.admit(caller, chat())


def test_a_rule_against_the_role_refuses_and_is_recorded(catalog: None, caller: Principal) -> None:
    AccessRule.objects.create(role=Role.STUDENT, operation=Operation.CHAT)
    call = chat()

    with pytest.raises(PolicyRefused):
        admission.admit(caller, call)

    assert (record_of(call).outcome, record_of(call).code) == (Outcome.REFUSED, "policy_refused")
    assert left(caller) == 20


def test_a_course_must_be_the_persons_own(catalog: None, caller: Principal) -> None:
    with pytest.raises(PolicyRefused):
        admission.admit(caller, chat(course_code="COMP1117"))


def test_several_choices_are_refused_unless_the_model_allows_them(catalog: None, caller: Principal) -> None:
    with pytest.raises(InvalidRequest) as raised:
        admission.admit(caller, chat(count=2))
    assert raised.value.param == "n"

    Model.objects.update(allows_many=True)
    assert admission.admit(caller, chat(count=2)).prompts == 2


def test_attempts_are_limited(catalog: None, caller: Principal, settings: LazySettings) -> None:
    settings.MAX_ATTEMPTS_PER_HOUR = 2
    for _ in range(2):
        admission.conclude(admission.admit(caller, chat()), Ending(Outcome.UPSTREAM_FAILED))

    with pytest.raises(RateLimited) as raised:
        admission.admit(caller, chat())

    assert 0 < int(raised.value.headers["retry-after"]) <= 3601
    assert left(caller) == 20


def test_c34_so_many_calls_at_once_and_no_more(catalog: None, caller: Principal, settings: LazySettings) -> None:
    settings.MAX_PARALLEL_CALLS = 2
    first = admission.admit(caller, chat())
    admission.admit(caller, chat())

    with pytest.raises(RateLimited):
        admission.admit(caller, chat())
    assert left(caller) == 18

    admission.conclude(first, Ending(Outcome.SERVED))
    admission.admit(caller, chat())


def test_the_last_prompt_is_the_last(catalog: None, caller: Principal) -> None:
    set_quota(limit=1, unit=Unit.PROMPTS, period=Period.MONTH)
    admission.admit(caller, chat())
    call = chat()

    with pytest.raises(QuotaExhausted):
        admission.admit(caller, call)

    assert record_of(call).code == "insufficient_quota"


def test_c37_a_call_that_nobody_finishes_is_swept_as_lost(catalog: None, caller: Principal) -> None:
    forgotten, answered = admission.admit(caller, chat()), admission.admit(caller, chat())
    admission.settle(answered)

    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert admission.sweep() == 2
        assert admission.sweep() == 0

    assert (record_of(forgotten.call).outcome, record_of(forgotten.call).prompts) == (Outcome.LOST, 0)
    assert (record_of(answered.call).outcome, record_of(answered.call).prompts) == (Outcome.LOST, 1)
    # Not to be confused with a bug or a stop; which provider had it, nobody knows any more.
    assert {(record.code, record.provider) for record in UsageRecord.objects.all()} == {("swept", "")}
    assert left(caller) == 19
