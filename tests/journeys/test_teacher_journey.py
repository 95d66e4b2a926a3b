"""A teacher looks at the use of a course, in a real browser."""

import csv
import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from core import clock
from courses.services import create_course, enroll, remove_enrollment
from courses.types import CourseRole
from tests.journeys.conftest import sign_in
from tests.usage.test_record_usage import record

pytestmark = pytest.mark.browser


def test_a_teacher_reads_weeks_and_people_and_takes_the_numbers_home(
    visit: Page, ines: User, sara: User, omar: User, tmp_path: Path
) -> None:
    today = clock.local_day(clock.now())
    course = create_course(
        code="COMP1117",
        title="Computer Programming I",
        starts_on=today - timedelta(days=20),
        ends_on=today + timedelta(days=60),
    )
    enroll(course=course, user=ines, role=CourseRole.INSTRUCTOR)
    enroll(course=course, user=sara)
    for days in (1, 1, 9):
        record(sara, course_id=course.pk, started_at=clock.now() - timedelta(days=days))
    record(omar, started_at=clock.now(), model="of-nobody's-concern")
    page = visit

    sign_in(page, ines.email)
    page.get_by_role("link", name="Teaching").click()
    page.get_by_role("link", name="COMP1117").click()
    expect(page.get_by_role("img", name="Most in the week of")).to_be_visible()
    expect(page.get_by_role("region", name="Use by person").get_by_role("row", name="Sara Chan")).to_contain_text("3")
    expect(page.locator("main")).not_to_contain_text("Omar")
    expect(page.locator("main")).not_to_contain_text("of-nobody's-concern")

    page.get_by_label("Weeks by").select_option("Tool")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("by=operation"))
    expect(page.get_by_role("region", name="Prompts by week").get_by_role("columnheader", name="Chat")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="People as CSV").click()
    download.value.save_as(tmp_path / "people.csv")
    with (tmp_path / "people.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["Person"], row["Prompts"]) for row in rows] == [
        ("Sara Chan", "3"),
        ("Ines Wong", "0"),
        ("In all", "3"),
    ]

    remove_enrollment(course_id=course.pk, user_id=ines.pk)
    page.reload()
    expect(page.locator("main")).not_to_contain_text("Sara Chan")
