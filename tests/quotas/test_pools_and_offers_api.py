"""Pools, offers and purchases under /api/: who reads them, who writes them, and malformed."""

import json
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.test import Client

from accounts.models import User
from audit.models import Entry
from courses.models import Course
from courses.services import create_course, enroll
from courses.types import CourseRole
from quotas import services
from quotas.models import Offer, Pool, Purchase
from quotas.types import Unit


@pytest.fixture
def course(ines: User, sara: User) -> Course:
    made = create_course(code="COMP1117", title="C", starts_on=date(2026, 9, 1), ends_on=date(2026, 12, 20))
    enroll(course=made, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=made, user=sara)
    return made


@pytest.fixture
def offer(db: None, settings: LazySettings) -> Offer:
    settings.PAYMENT_SERVICE, settings.PAYMENT_SECRET = "test", "a secret of the service"
    return services.set_offer(unit=Unit.PROMPTS, amount=50, price_micro=10_000_000)


def ask(person: User, method: str, path: str, body: object = None) -> Any:
    client = Client()
    client.force_login(person)
    return client.generic(method, path, b"" if body is None else json.dumps(body).encode(), "application/json")


def test_an_administrator_opens_a_pool_fills_it_and_changes_how_it_works(root: User, course: Course) -> None:
    opened = ask(root, "POST", "/api/pools/", {"course": "COMP1117", "cap": 5, "when_empty": "refuse"})
    assert (opened.status_code, opened.json()["cap"], opened.json()["granted"]) == (201, 5, 0)
    filled = ask(root, "POST", "/api/pools/COMP1117/fill/", {"amount": 300, "reason": "Fund 7"})
    assert (filled.status_code, filled.json()["granted"], filled.json()["used"]) == (200, 300, 0)
    ask(root, "POST", "/api/pools/", {"course": "COMP1117", "is_open": False})
    (pool,) = ask(root, "GET", "/api/pools/").json()["results"]
    changed = {name: pool[name] for name in ("unit", "cap", "is_open", "when_empty", "granted")}
    assert changed == {"unit": "prompts", "cap": None, "is_open": False, "when_empty": "personal", "granted": 300}
    said = Entry.objects.filter(action="pool.set").latest("number").changes
    assert said == {"cap": [5, None], "is_open": [True, False], "when_empty": ["refuse", "personal"]}


def test_instructors_read_the_pools_of_their_courses_and_nobody_else_does(
    ines: User, sara: User, omar: User, course: Course
) -> None:
    services.set_pool(course_id=course.pk, add=10, reason="Fund 7", by_id=None)
    assert ask(ines, "GET", "/api/pools/COMP1117/").json()["granted"] == 10
    for person in (sara, omar):
        assert ask(person, "GET", "/api/pools/").json()["results"] == []
        assert ask(person, "GET", "/api/pools/COMP1117/").status_code == 404
    for path in ("/api/pools/", "/api/pools/COMP1117/fill/"):
        assert ask(ines, "POST", path, {"course": "COMP1117", "amount": 1, "reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/pools/", {}, "course"),
        ("/api/pools/", {"course": "COMP9999"}, "course"),
        ("/api/pools/", {"course": "COMP1117", "cap": -1}, "cap"),
        ("/api/pools/", {"course": "COMP1117", "cap": 1e3}, "cap"),
        ("/api/pools/", {"course": "COMP1117", "unit": "turns"}, "unit"),
        ("/api/pools/COMP1117/fill/", {"amount": 0, "reason": "x"}, "amount"),
        ("/api/pools/COMP1117/fill/", {"amount": 2**63, "reason": "x"}, "amount"),
        ("/api/pools/COMP1117/fill/", {"amount": "٣", "reason": "x"}, "amount"),
        ("/api/pools/COMP1117/fill/", {"amount": 5, "reason": " "}, "reason"),
        ("/api/offers/", {"amount": 5}, "price_micro"),
        ("/api/offers/", {"amount": 5, "price_micro": 0}, "price_micro"),
        ("/api/offers/", {"amount": 5.5, "price_micro": 1}, "amount"),
        ("/api/purchases/", {"offer": "all"}, "offer"),
    ],
)
def test_what_is_malformed_is_refused_by_its_field(
    root: User, course: Course, path: str, body: object, field: str
) -> None:
    services.set_pool(course_id=course.pk, by_id=None)
    answer = ask(root, "POST", path, body)
    assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [field])
    assert Pool.objects.count() == 1
    assert not Offer.objects.exists()


def test_offers_are_for_everyone_and_administrators_see_what_is_no_longer_sold(
    root: User, sara: User, offer: Offer
) -> None:
    made = ask(root, "POST", "/api/offers/", {"amount": 500, "price_micro": 90_000_000, "is_enabled": False})
    assert made.status_code == 201
    assert [found["id"] for found in ask(sara, "GET", "/api/offers/").json()["results"]] == [offer.pk]
    assert len(ask(root, "GET", "/api/offers/").json()["results"]) == 2
    assert ask(sara, "GET", f"/api/offers/{made.json()['id']}/").status_code == 404
    assert ask(sara, "POST", "/api/offers/", {"amount": 1, "price_micro": 1}).status_code == 403


def test_a_person_begins_to_buy_and_only_they_and_administrators_see_it(
    root: User, sara: User, omar: User, offer: Offer
) -> None:
    begun = ask(sara, "POST", "/api/purchases/", {"offer": offer.pk})
    reference = Purchase.objects.get().reference
    assert (begun.status_code, begun.json()) == (201, {"pay_at": f"http://testserver/payments/test/{reference}/"})
    for person in (sara, root):
        found = ask(person, "GET", f"/api/purchases/{reference}/").json()
        assert (found["person"], found["state"], found["amount"]) == ("sara@example.edu", "open", 50)
    assert ask(omar, "GET", f"/api/purchases/{reference}/").status_code == 404
    assert ask(omar, "GET", "/api/purchases/").json()["results"] == []
    assert ask(sara, "GET", f"/api/purchases/{uuid4()}/").status_code == 404


def test_nothing_can_be_bought_where_nothing_is_sold(sara: User) -> None:
    answer = ask(sara, "POST", "/api/purchases/", {"offer": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_for_sale")
