"""Numbers about a few people are not shown, and what is shown does not give them away by subtracting."""

import csv
from datetime import UTC, datetime

import pytest
from django.conf import LazySettings
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st

from accounts.models import Department, User
from tests.usage.test_record_usage import record
from usage.small_groups import groups_to_hide

AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LEAST = 3
GROUPS = st.dictionaries(st.integers(0, 8), st.sets(st.integers(0, 30), max_size=12), max_size=8)


@given(GROUPS, st.integers(1, 12))
@of_hypothesis(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the groups
def test_what_is_hidden_is_never_few_and_never_alone(people: dict[int, set[int]], least: int) -> None:
    hidden = groups_to_hide(people, least=least)
    shown = people.keys() - hidden
    assert all(not people[key] or len(people[key]) >= least for key in shown)
    if hidden and any(people[key] for key in shown):
        assert len(hidden) > 1
        assert len(set().union(*(people[key] for key in hidden))) >= least


@given(GROUPS)
@of_hypothesis(suppress_health_check=[HealthCheck.too_slow])
def test_large_groups_hide_nothing(people: dict[int, set[int]]) -> None:
    assert groups_to_hide(people, least=1) == set()


@pytest.fixture
def admin(client: Client, root: User, settings: LazySettings) -> Client:
    settings.SMALLEST_GROUP = LEAST
    client.force_login(root)
    return client


@pytest.fixture
def faculties(db: None) -> None:
    """Four people of Arts, three of Business, one of Ceramics; each used as many prompts as its name has letters."""
    for name, size in (("Arts", 4), ("Business", 3), ("Ceramics", 1)):
        department = Department.objects.create(code=name.lower(), name=name)
        for number in range(size):
            person = User.objects.create_user(f"{name}{number}@example.edu", "x", name=name, department=department)
            record(person, started_at=AT, prompts=len(name))


@pytest.mark.usefixtures("faculties")
def test_a_small_faculty_is_hidden_and_the_next_smallest_with_it(admin: Client) -> None:
    answer = admin.get("/manage/usage/", {"by": "department"})
    rows = {row.label: row for row in answer.context["report"].rows}
    assert [label for label, row in rows.items() if row.is_hidden] == ["Business", "Ceramics"]
    assert rows["Ceramics"].total.prompts == rows["Business"].total.prompts == 0
    assert rows["Arts"].total.prompts == 16
    assert answer.context["report"].picture.labels == ["Arts"]
    assert "fewer than 3 people" in answer.content.decode()

    lines = list(
        csv.reader(admin.get("/manage/usage.csv", {"by": "department"}).content.decode("utf-8-sig").splitlines())
    )
    assert {line[0]: line[2] for line in lines[1:]} == {
        "Arts": "16", "Business": "fewer than 3 people", "Ceramics": "fewer than 3 people", "In all": "48",
    }  # fmt: skip


@pytest.mark.usefixtures("faculties")
def test_a_split_picture_puts_the_small_faculties_together(admin: Client) -> None:
    report = admin.get("/manage/usage/", {"by": "day", "split": "department"}).context["report"]
    assert report.picture.series == [("Arts", [16]), ("others (2)", [32])]


@pytest.mark.usefixtures("faculties")
def test_filters_that_leave_a_few_people_show_nothing(admin: Client) -> None:
    ceramics = Department.objects.get(code="ceramics").pk
    answer = admin.get("/manage/usage/", {"department": ceramics})
    assert answer.context["report"].is_withheld
    assert "<table" not in answer.content.decode()
    assert "8" not in admin.get("/manage/usage.csv", {"department": ceramics}).content.decode()


@pytest.mark.usefixtures("faculties")
def test_a_person_sees_all_of_their_own(client: Client, admin: Client) -> None:
    client.force_login(User.objects.get(email__iexact="ceramics0@example.edu"))
    report = client.get("/usage/models/", {"by": "course"}).context["report"]
    assert report.total.prompts == 8
    assert report.hidden == 0
