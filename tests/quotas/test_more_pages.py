"""The pages of asking, deciding, pools and selling: what people see, and what each may not."""

from datetime import UTC, date, datetime

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import User
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas import services
from quotas.models import Allowance, ApproverLimit, Offer, Pool, Purchase, Request
from quotas.selectors import nearest_standing
from quotas.types import Purse, RequestState, Unit
from tests.quotas.conftest import Travel, principal

ASK = {"unit": "prompts", "amount": "30", "course": "COMP1117", "reason": "The lab report"}


@pytest.fixture
def course(sara: User, ines: User, travel: Travel) -> Course:
    travel(datetime(2026, 11, 22, 4, tzinfo=UTC))
    course = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enroll(course=course, user=sara)
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    services.set_approver_limit(unit=Unit.PROMPTS, at_once=30, a_month=50)
    return course


def at(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def test_a_student_asks_the_instructor_grants_a_part_and_the_student_reads_why(
    client: Client, sara: User, ines: User, course: Course
) -> None:
    page = at(client, sara).post("/usage/requests/", ASK, follow=True).content.decode()
    assert "You will be told by mail" in page
    request = Request.objects.get()
    page = at(client, ines).get("/review/requests/").content.decode()
    assert "Sara Chan" in page
    assert "The lab report" in page
    page = client.post(f"/requests/{request.pk}/", {"amount": "20", "answer": "Two labs"}, follow=True).content.decode()
    assert "is told by mail" in page
    assert nearest_standing(principal(sara)).extra == 20
    assert "Two labs" in at(client, sara).get("/usage/requests/").content.decode()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"refuse": "1"}, "Write the sentence"),
        ({"amount": "31"}, "or a part of it"),
        ({"amount": "-1"}, "whole number"),
        ({"amount": "٣"}, "whole number"),
        ({"amount": "5", "expires_on": "2026-11-01"}, "a day to come"),
    ],
)
def test_what_is_wrong_with_a_decision_is_told_and_nothing_is_decided(
    client: Client, sara: User, ines: User, course: Course, *, sent: dict[str, str], sentence: str
) -> None:
    at(client, sara).post("/usage/requests/", ASK)
    request = Request.objects.get()
    response = at(client, ines).post(f"/requests/{request.pk}/", sent)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert Request.objects.get().state == RequestState.OPEN


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"amount": "1.5"}, "whole number"),
        ({"amount": "0"}, "whole number"),
        ({"course": "MATH1"}, "valid choice"),
        ({"reason": ""}, "required"),
        ({"unit": "turns"}, "valid choice"),
    ],
)
def test_what_is_wrong_with_a_request_is_told_at_its_field(
    client: Client, sara: User, course: Course, change: dict[str, str], sentence: str
) -> None:
    response = at(client, sara).post("/usage/requests/", ASK | change)
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert not Request.objects.exists()


def test_a_request_is_taken_back_by_who_made_it_only(client: Client, sara: User, omar: User, course: Course) -> None:
    at(client, sara).post("/usage/requests/", ASK)
    request = Request.objects.get()
    assert at(client, omar).post(f"/usage/requests/{request.pk}/withdraw/").status_code == 404
    assert Request.objects.get().state == RequestState.OPEN
    at(client, sara).post(f"/usage/requests/{request.pk}/withdraw/")
    assert Request.objects.get().state == RequestState.WITHDRAWN


def test_an_administrator_sets_the_limit_and_gives_a_course_the_same(
    client: Client, root: User, sara: User, course: Course
) -> None:
    at(client, root).post("/manage/requests/limits/", {"unit": "prompts", "amount": "5", "a_month": "40"})
    assert ApproverLimit.objects.get().at_once == 5
    same = {"course": "COMP1117", "unit": "prompts", "amount": "100", "reason": "Project week"}
    assert client.post("/manage/requests/", same).status_code == 302
    assert nearest_standing(principal(sara)).extra == 100


def test_an_instructor_over_the_limit_is_told_how_much_is_left(client: Client, ines: User, course: Course) -> None:
    same = {"course": "COMP1117", "unit": "prompts", "amount": "31", "reason": "Project week"}
    response = at(client, ines).post("/review/requests/", same)
    assert response.status_code == 400
    assert "at most 30 prompts" in response.content.decode()


def test_a_pool_is_opened_filled_and_capped_on_its_page(client: Client, root: User, course: Course) -> None:
    pool = {"course": "comp1117", "unit": "prompts", "amount": "1,000", "reason": "Fund 7", "cap": "10"}
    at(client, root).post("/manage/pools/", pool | {"when_empty": "refuse", "is_open": "on"})
    assert (Pool.objects.get().when_empty, Pool.objects.get().is_open) == ("refuse", True)
    assert Allowance.objects.get(purse=Purse.POOL).granted == 1000
    assert "1,000" in client.get("/manage/pools/").content.decode()
    response = client.post("/manage/pools/", pool | {"reason": "", "when_empty": "refuse"})
    assert "Write the reason" in response.content.decode()
    assert Allowance.objects.get(purse=Purse.POOL).granted == 1000


def test_units_are_offered_bought_and_paid_with_the_test_service(
    client: Client, root: User, sara: User, settings: LazySettings
) -> None:
    settings.PAYMENT_SERVICE, settings.PAYMENT_SECRET = "test", "secret"
    at(client, root).post("/manage/offers/", {"unit": "prompts", "amount": "50", "price": "10", "is_enabled": "on"})
    page = at(client, sara).get("/usage/requests/").content.decode()
    assert "Buy for HK$10.00" in page
    address = client.post(f"/usage/buy/{Offer.objects.get().pk}/")["location"]
    assert "no money moves" in client.get(address).content.decode()
    assert "never lapse" in client.post(address, follow=True).content.decode()
    assert nearest_standing(principal(sara)).extra == 50
    assert client.get(address).status_code == 404
    assert Purchase.objects.get().payment in client.get("/usage/requests/").content.decode()


def test_nobody_pays_anothers_purchase_and_without_the_test_service_there_is_no_such_page(
    client: Client, sara: User, omar: User, settings: LazySettings
) -> None:
    settings.PAYMENT_SERVICE, settings.PAYMENT_SECRET = "test", "secret"
    offer = services.set_offer(unit=Unit.PROMPTS, amount=50, price_micro=10_000_000)
    address = services.open_purchase(principal=principal(sara), offer_id=offer.pk)
    assert at(client, omar).post(address).status_code == 404
    settings.PAYMENT_SERVICE = "real"
    assert at(client, sara).post(address).status_code == 404


@pytest.mark.parametrize("address", ["/manage/requests/", "/manage/pools/", "/manage/offers/", "/review/requests/"])
def test_the_pages_of_those_who_decide_are_theirs(client: Client, sara: User, address: str) -> None:
    assert at(client, sara).get(address).status_code == 403
