"""Image jobs: wished and admitted at once, drawn once by whoever claims them, paid for only when they come."""

import base64
import io
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
import time_machine
from django.core.files.storage import default_storage
from kombu.exceptions import OperationalError
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from accounts.models import User
from accounts.types import Principal
from chat import drawing, selectors, services
from chat.models import ImageJob, Picture
from chat.pictures import PLACEHOLDER_MARK, NotAPicture, repaint
from chat.tasks import wake_image_worker
from chat.types import ImageSize, Progress
from core import clock
from core.errors import InvalidRequest
from core.types import Operation
from courses.models import Course
from courses.services import accept_rule, create_exam, publish_rule
from gateway.admission import sweep
from gateway.services import PLACEHOLDER_NAME
from quotas.errors import QuotaExhausted
from quotas.models import Reservation
from quotas.selectors import find_differences, nearest_standing
from quotas.services import set_quota
from quotas.types import State
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor
from tests.courses.conftest import comp1117
from tests.policies.test_acknowledge import publish
from usage.models import UsageRecord
from usage.types import Outcome

__all__ = ["comp1117"]

WISH: dict[str, Any] = {"prompt": "A coral reef", "size": ImageSize.SQUARE, "count": 1}


@pytest.fixture(autouse=True)
def _catalog(catalog: None) -> None:
    pass


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


@pytest.fixture
def stranger(web: RunningServer, omar: User, other_student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, omar)) as visitor:
        yield visitor


def wish(principal: Principal, model: str = PLACEHOLDER_NAME, **changes: Any) -> ImageJob:
    return services.make_images(principal=principal, model=model, **{**WISH, **changes})


def left(principal: Principal) -> int | None:
    return nearest_standing(principal).left


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


# ---- wishing ----------------------------------------------------------------------------------------


def test_a_wish_is_a_waiting_row_with_its_reservation(student: Principal) -> None:
    job = wish(student, count=2)

    assert job.progress == Progress.WAITING
    assert job.prompts == 2
    assert Reservation.objects.get().state == State.DISPATCHED
    assert left(student) == 18


def test_a_refused_wish_leaves_no_job(student: Principal) -> None:
    set_quota(limit=1, user_id=student.user_id)

    with pytest.raises(QuotaExhausted):
        wish(student, count=2)

    assert not ImageJob.objects.exists()
    assert left(student) == 1


@pytest.mark.parametrize(
    ("field", "value"), [("prompt", "  "), ("prompt", "x" * 4001), ("size", "9x9"), ("count", 0), ("count", 5)]
)
def test_a_wish_that_cannot_be_is_refused_by_its_field(student: Principal, field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wish(student, **{field: value})

    assert caught.value.param in (field, "text")
    assert left(student) == 20


# ---- drawing ----------------------------------------------------------------------------------------


def test_a_job_is_drawn_stored_by_its_content_and_shown_to_its_owner_only(
    web: RunningServer, visitor: Visitor, stranger: Visitor, student: Principal
) -> None:
    job = wish(student)

    assert web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    picture = Picture.objects.get()
    assert (job.progress, job.prompts, left(student)) == (Progress.COMPLETE, 1, 19)
    assert picture.file.name == f"pictures/{picture.digest[:2]}/{picture.digest}.png"
    answer = visitor.http.get(f"/images/pictures/{picture.pk}/")
    assert answer.headers["content-type"] == "image/png"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("private")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.info["Source"] == PLACEHOLDER_MARK
    download = visitor.http.get(f"/images/pictures/{picture.pk}/?download")
    assert download.headers["content-disposition"] == 'attachment; filename="A_coral_reef.png"'
    assert stranger.http.get(f"/images/pictures/{picture.pk}/").status_code == 404
    assert stranger.http.get(f"/images/jobs/{job.pk}/").status_code == 404
    assert find_differences() == []


@pytest.mark.parametrize(
    ("behavior", "code"),
    [
        ("image-500", "upstream_error"),
        ("image-filter", "content_filter"),
        ("image-none", "upstream_error"),
        ("image-svg", "upstream_error"),
    ],
)
def test_an_image_that_fails_costs_nothing(
    web: RunningServer, student: Principal, add_model: AddModel, behavior: str, code: str
) -> None:
    add_model(behavior, operation=Operation.IMAGE)
    job = wish(student, behavior)

    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.code, job.prompts) == (Progress.FAILED, code, 0)
    assert left(student) == 20
    assert find_differences() == []


def test_c39_two_images_of_three_cost_two(web: RunningServer, student: Principal, add_model: AddModel) -> None:
    add_model("image-partial", operation=Operation.IMAGE)
    job = wish(student, "image-partial", count=3)

    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.prompts, Picture.objects.count()) == (Progress.COMPLETE, 2, 2)
    assert left(student) == 18


def test_two_workers_draw_a_job_once(web: RunningServer, student: Principal) -> None:
    job = wish(student)

    async def both() -> int:
        return await drawing.draw_all([job.pk, job.pk])

    assert web.run(both()) == 1
    assert Picture.objects.count() == 1


def test_a_job_whose_worker_died_is_drawn_by_the_next_within_its_reservation(
    web: RunningServer, student: Principal
) -> None:
    job = wish(student)
    assert services.claim_image_job(job_id=job.pk) is not None  # and the worker dies
    ImageJob.objects.update(lease_until=clock.now() - timedelta(seconds=1))

    assert services.tend_image_jobs() == [job.pk]
    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.attempts, job.prompts) == (Progress.COMPLETE, 2, 1)
    assert Reservation.objects.count() == 1


def test_a_job_that_killed_two_workers_fails_and_costs_nothing(student: Principal) -> None:
    job = wish(student)
    for _ in range(2):
        assert services.claim_image_job(job_id=job.pk) is not None
        ImageJob.objects.update(lease_until=clock.now() - timedelta(seconds=1))

    assert services.tend_image_jobs() == []

    job.refresh_from_db()
    assert (job.progress, job.code, job.prompts) == (Progress.FAILED, "lost", 0)
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        sweep()
    assert left(student) == 20


def test_a_waiting_job_keeps_its_reservation_alive(student: Principal) -> None:
    job = wish(student)
    start = clock.now()

    for seconds in range(0, 300, 30):
        with time_machine.travel(start + timedelta(seconds=seconds)):
            assert services.tend_image_jobs() == [job.pk]
            assert sweep() == 0

    assert Reservation.objects.get().state == State.DISPATCHED


def test_a_job_nobody_draws_gives_its_prompt_back(student: Principal) -> None:
    job = wish(student)

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert services.tend_image_jobs() == []
        sweep()

    assert ImageJob.objects.get(pk=job.pk).progress == Progress.FAILED
    assert left(student) == 20


def test_a_job_whose_reservation_was_swept_is_not_drawn(student: Principal) -> None:
    job = wish(student)
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        sweep()

    assert services.claim_image_job(job_id=job.pk) is None

    assert ImageJob.objects.get(pk=job.pk).code == "lost"


def test_a_person_suspended_meanwhile_gets_no_image(student: Principal) -> None:
    job = wish(student)
    User.objects.filter(pk=student.user_id).update(is_active=False)

    assert services.claim_image_job(job_id=job.pk) is None

    assert ImageJob.objects.get(pk=job.pk).code == "account_suspended"


def test_c26_a_clause_published_meanwhile_holds_for_an_image_that_waits(visitor: Visitor, student: Principal) -> None:
    job = wish(student)
    publish()

    assert_kept_out(job, student, "acknowledgment_required")
    tile = visitor.http.get(f"/images/jobs/{job.pk}/", headers={"Accept": "text/html"})
    assert "Please read and accept the current clauses first" in tile.text


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"approach": "prohibited", "allowed_tools": []}, "policy_refused"),
        ({"approach": "free", "allowed_tools": ["chat"]}, "policy_refused"),
        ({"approach": "free", "allowed_tools": ["image"]}, "rule_acknowledgment_required"),
    ],
    ids=["no AI", "no images", "to be accepted first"],
)
def test_a_course_rule_published_meanwhile_holds_for_an_image_that_waits(
    student: Principal, comp1117: Course, ines: User, rule: dict[str, Any], code: str
) -> None:
    job = wish(student, course_code="COMP1117")
    publish_rule(course_id=comp1117.pk, by_id=ines.pk, **rule)

    assert_kept_out(job, student, code)


def test_the_tile_says_that_a_rule_came_meanwhile(
    visitor: Visitor, student: Principal, comp1117: Course, ines: User
) -> None:
    job = wish(student, course_code="COMP1117")
    publish_rule(course_id=comp1117.pk, by_id=ines.pk, approach="prohibited", allowed_tools=[])

    services.claim_image_job(job_id=job.pk)

    tile = visitor.http.get(f"/images/jobs/{job.pk}/", headers={"Accept": "text/html"})
    assert "no longer allows this" in tile.text
    assert tile.text.count("Nothing was charged.") == 1


def test_an_exam_that_began_meanwhile_holds_for_an_image_that_waits(
    student: Principal, comp1117: Course, ines: User
) -> None:
    job = wish(student)
    now = clock.now()
    create_exam(course_id=comp1117.pk, title="Midterm", starts_at=now, ends_at=now + timedelta(hours=2), by_id=ines.pk)

    assert_kept_out(job, student, "policy_refused")


def test_an_image_is_drawn_under_the_course_rule_it_was_admitted_by(
    web: RunningServer, student: Principal, comp1117: Course, ines: User, sara: User
) -> None:
    rule = publish_rule(course_id=comp1117.pk, by_id=ines.pk, approach="free", allowed_tools=["image"])
    accept_rule(user_id=sara.pk, rule_id=rule.pk, language="en")

    assert web.run(drawing.draw(wish(student, course_code="COMP1117").pk))

    assert ImageJob.objects.get().progress == Progress.COMPLETE


def assert_kept_out(job: ImageJob, person: Principal, code: str) -> None:
    assert services.claim_image_job(job_id=job.pk) is None
    job.refresh_from_db()
    assert (job.progress, job.code, job.prompts) == (Progress.FAILED, code, 0)
    assert left(person) == 20
    assert UsageRecord.objects.values_list("outcome", "code", "prompts").get() == (Outcome.REFUSED, code, 0)
    assert find_differences() == []


@pytest.mark.parametrize("stumble", [OperationalError, ValueError, RecursionError], ids=lambda error: error.__name__)
def test_a_broker_that_is_away_or_lies_wakes_nobody_and_fails_nobody(stumble: type[Exception]) -> None:
    with patch("chat.tasks.run_image_jobs.delay", side_effect=stumble) as delay:
        wake_image_worker()
    delay.assert_called_once()


# ---- pictures ---------------------------------------------------------------------------------------


def test_repainting_keeps_the_pixels_and_drops_the_rest() -> None:
    secret = PngInfo()
    secret.add_text("prompt", "somebody's secret")

    canvas = repaint(encoded(Image.new("RGB", (3, 2), "red"), pnginfo=secret), is_placeholder=False)

    with Image.open(io.BytesIO(canvas.data)) as picture:
        assert (picture.format, picture.size, picture.info) == ("PNG", (3, 2), {})
        assert picture.getpixel((0, 0)) == (255, 0, 0)


def test_a_photograph_loses_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x010E] = "Room 101"

    canvas = repaint(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif), is_placeholder=False)

    assert b"Room 101" not in canvas.data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "not base64!",
        base64.b64encode(b"GIF89a").decode(),
        base64.b64encode(b"<svg onload='alert(1)'/>").decode(),
        encoded(Image.new("RGB", (8, 8)))[:60],
        encoded(Image.new("1", (5000, 5000))),
        encoded(Image.new("RGB", (8, 8)), "GIF"),
    ],
    ids=["empty", "not-base64", "broken-gif", "svg", "cut", "too-many-pixels", "other-format"],
)
def test_what_is_no_picture_of_ours_is_refused(data: str) -> None:
    with pytest.raises(NotAPicture):
        repaint(data, is_placeholder=False)


def test_the_same_picture_is_stored_once(student: Principal) -> None:
    canvas = repaint(encoded(Image.new("RGB", (4, 4))), is_placeholder=False)
    jobs = [wish(student), wish(student)]

    for job in jobs:
        services.finish_image_job(job_id=job.pk, canvases=[canvas], is_placeholder=False)

    assert len({picture.file.name for picture in Picture.objects.all()}) == 1
    assert len(default_storage.listdir(f"pictures/{canvas.digest[:2]}")[1]) == 1
    assert len(selectors.list_image_jobs(student.user_id)) == 2


def test_the_page_answers_201_with_where_the_tile_is(visitor: Visitor) -> None:
    made = visitor.http.post("/images/make/", json={**WISH, "model": PLACEHOLDER_NAME})

    assert made.status_code == 201
    assert made.json()["left"] == 19
    tile = visitor.http.get(made.json()["url"], headers={"Accept": "text/html"})
    assert "Waiting" in tile.text
    assert UUID(made.json()["job"])


@pytest.mark.parametrize("count", ["x", "", None, "1.5", 99])
def test_a_count_that_is_none_is_refused_in_words(visitor: Visitor, count: object) -> None:
    answer = visitor.http.post("/images/make/", json={**WISH, "model": PLACEHOLDER_NAME, "count": count})

    assert answer.status_code == 400
    assert "count" in answer.json()["error"]["message"].lower() or "images" in answer.json()["error"]["message"]
    assert not ImageJob.objects.exists()
