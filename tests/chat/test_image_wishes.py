"""What a person can do around an image job: choose a quality, stop it, watch it grow, describe what came of it."""

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from accounts.models import User
from accounts.types import Principal
from chat import drawing, services
from chat.models import ImageJob, Picture
from chat.pictures import Canvas
from chat.types import ImageQuality, ImageSize, Progress
from core.errors import InvalidRequest, NotFound
from core.threads import hop
from core.types import Operation
from gateway.models import Model
from gateway.services import PLACEHOLDER_NAME
from gateway.types import Capability
from quotas.selectors import find_differences, nearest_standing
from tests.chat.conftest import AddModel
from tests.chat.server import RunningServer, Visitor
from tests.chat.test_images import left, wish
from tests.fakes.dialects import DIALECTS
from tests.fakes.upstream import FakeUpstream
from usage.models import UsageRecord
from usage.types import Outcome


@pytest.fixture(autouse=True)
def _catalog(catalog: None) -> None:
    pass


@pytest.fixture
def visitor(web: RunningServer, sara: User, student: Principal) -> Iterator[Visitor]:
    with closing(Visitor(web, sara)) as visitor:
        yield visitor


@pytest.fixture
def picture(web: RunningServer, student: Principal) -> Picture:
    web.run(drawing.draw(wish(student).pk))
    return Picture.objects.get()


def png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


# ---- quality --------------------------------------------------------------------------------------------------------


def test_a_finer_picture_costs_what_the_model_says(student: Principal) -> None:
    Model.objects.filter(name=PLACEHOLDER_NAME).update(image_weights={"high": 3, f"{ImageSize.LANDSCAPE} high": 4})

    assert wish(student, quality=ImageQuality.HIGH, count=2).prompts == 6
    assert wish(student, quality=ImageQuality.HIGH, size=ImageSize.LANDSCAPE).prompts == 4
    assert wish(student).prompts == 1
    assert left(student) == 9


def test_a_quality_nobody_knows_is_refused(student: Principal) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wish(student, quality="superb")
    assert caught.value.param == "quality"
    assert left(student) == 20


def test_the_page_asks_for_a_quality_only_where_a_model_knows_one(visitor: Visitor) -> None:
    def page() -> str:
        return visitor.http.get("/images/", headers={"Accept": "text/html"}).text

    assert 'name="quality"' not in page()
    Model.objects.filter(name=PLACEHOLDER_NAME).update(image_weights={"high": 3})
    assert 'name="quality"' in page()


# ---- stop -----------------------------------------------------------------------------------------------------------


def test_stopping_a_job_that_waits_costs_nothing(visitor: Visitor, student: Principal, web: RunningServer) -> None:
    job = wish(student, count=2)

    assert visitor.http.post(f"/images/jobs/{job.pk}/stop/", json={}).status_code == 204

    job.refresh_from_db()
    assert (job.progress, job.prompts, left(student)) == (Progress.STOPPED, 0, 20)
    assert web.run(drawing.draw(job.pk)) is False
    record = UsageRecord.objects.get()
    assert (record.outcome, record.code, record.prompts) == (Outcome.CLIENT_LEFT, "withdrawn", 0)
    assert "Nothing was charged" in visitor.http.get(f"/images/jobs/{job.pk}/").text
    assert find_differences() == []


def test_stopping_a_job_that_is_drawn_hangs_up_and_costs_what_it_held(
    student: Principal, web: RunningServer, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("image-silent", operation=Operation.IMAGE)
    job = wish(student, model="image-silent")

    async def draw_and_stop() -> bool:
        drawn = asyncio.create_task(drawing.draw(job.pk))
        await asyncio.sleep(0.5)
        await hop(services.stop_image_job, user_id=student.user_id, job_id=job.pk)
        return await asyncio.wait_for(drawn, 10)

    assert web.run(draw_and_stop())
    assert upstream.calls()[0].left.wait(5)
    job.refresh_from_db()
    assert (job.progress, job.prompts, left(student)) == (Progress.STOPPED, 1, 19)
    assert find_differences() == []


def test_nobody_stops_the_job_of_another(student: Principal, other_student: Principal) -> None:
    job = wish(student)
    with pytest.raises(NotFound):
        services.stop_image_job(user_id=other_student.user_id, job_id=job.pk)
    assert ImageJob.objects.get().progress == Progress.WAITING


# ---- partial pictures -----------------------------------------------------------------------------------------------


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return json.loads(json.dumps({"type": f"image_generation.{kind}", "b64_json": png(), **fields}))  # type: ignore[no-any-return]


def test_a_half_drawn_picture_is_shown_and_goes_when_the_whole_one_comes(
    web: RunningServer, visitor: Visitor, student: Principal
) -> None:
    job = wish(student)
    assert services.claim_image_job(job_id=job.pk)
    web.run(drawing._preview(job.pk, event("partial_image", partial_image_index=0)))
    web.run(drawing._preview(job.pk, {"b64_json": "not a picture"}))

    assert visitor.http.get(f"/images/jobs/{job.pk}/preview/").headers["cache-control"] == "no-store"
    assert f"/images/jobs/{job.pk}/preview/" in visitor.http.get(f"/images/jobs/{job.pk}/").text
    job.refresh_from_db()
    kept = str(job.preview.name)
    assert default_storage.exists(kept)

    canvases = drawing._canvases(event("completed"), is_placeholder=False)
    services.finish_image_job(job_id=job.pk, canvases=canvases, is_placeholder=False)
    assert not default_storage.exists(kept)
    assert visitor.http.get(f"/images/jobs/{job.pk}/preview/").status_code == 404
    assert Picture.objects.count() == 1


def test_a_model_that_shows_its_pictures_early_is_asked_to(
    web: RunningServer,
    student: Principal,
    add_model: AddModel,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[str] = []
    keep_preview = services.keep_preview

    def keep(*, job_id: UUID, canvas: Canvas) -> None:
        keep_preview(job_id=job_id, canvas=canvas)
        kept.append(str(ImageJob.objects.get(pk=job_id).preview))

    monkeypatch.setattr(services, "keep_preview", keep)
    monkeypatch.setattr(upstream, "behaviors", DIALECTS)
    add_model("image-streams", operation=Operation.IMAGE)
    Model.objects.filter(name="image-streams").update(capabilities=[Capability.PARTIAL_IMAGES])
    job = wish(student, model="image-streams", count=2)

    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.prompts, job.preview.name, left(student)) == (Progress.COMPLETE, 2, "", 18)
    assert len(kept) == 4 and all(kept) and job.pictures.count() == 2
    assert (upstream.calls()[-1].body["stream"], upstream.calls()[-1].body["partial_images"]) == (True, 2)
    assert find_differences() == []


def test_a_model_nobody_said_shows_them_is_asked_for_whole_ones(
    web: RunningServer, student: Principal, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("image-good", operation=Operation.IMAGE)
    web.run(drawing.draw(wish(student, model="image-good").pk))
    assert ImageJob.objects.get().progress == Progress.COMPLETE
    assert "stream" not in upstream.calls()[-1].body


# ---- what a picture shows -------------------------------------------------------------------------------------------


def test_the_prompt_stands_in_for_a_picture_until_its_owner_describes_it(visitor: Visitor, picture: Picture) -> None:
    about = f"/images/pictures/{picture.pk}/about/"
    assert 'alt="A coral reef"' in visitor.http.get(about, headers={"Accept": "text/html"}).text

    sent = visitor.http.post(f"/images/pictures/{picture.pk}/describe/", data={"alt": "Six\nanimals <b>"})
    assert sent.status_code == 302
    assert 'alt="Six animals &lt;b&gt;"' in visitor.http.get("/images/", headers={"Accept": "text/html"}).text


def test_a_picture_is_described_and_looked_at_by_its_owner_only(
    web: RunningServer, picture: Picture, omar: User, other_student: Principal
) -> None:
    with closing(Visitor(web, omar)) as stranger:
        assert stranger.http.get(f"/images/pictures/{picture.pk}/about/").status_code == 404
        assert stranger.http.post(f"/images/pictures/{picture.pk}/describe/", data={"alt": "x"}).status_code == 404
        assert stranger.http.get(f"/images/?change={picture.pk}").status_code == 404
    assert Picture.objects.get().alt == ""


def test_a_variation_begins_with_the_words_and_the_shape_of_its_picture(visitor: Visitor, picture: Picture) -> None:
    page = visitor.http.get(f"/images/?change={picture.pk}", headers={"Accept": "text/html"}).text
    assert ">A coral reef</textarea>" in page
    assert f'value="{ImageSize.SQUARE}" selected' in page
    assert 'name="source"' not in page  # this model cannot change pictures: nothing of the picture is sent


def test_a_picture_is_changed_where_the_model_can(
    web: RunningServer, student: Principal, picture: Picture, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("image-edits", operation=Operation.IMAGE)
    Model.objects.filter(name="image-edits").update(capabilities=[Capability.EDITS])
    job = wish(student, model="image-edits", prompt="Add a junk", source_id=picture.pk)

    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.prompts) == (Progress.COMPLETE, 1)
    assert upstream.calls()[-1].path.endswith("/images/edits")


def test_a_picture_is_seen_while_it_is_changed(
    web: RunningServer, student: Principal, picture: Picture, add_model: AddModel, upstream: FakeUpstream
) -> None:
    add_model("image-streams", operation=Operation.IMAGE)
    Model.objects.filter(name="image-streams").update(capabilities=[Capability.EDITS, Capability.PARTIAL_IMAGES])
    job = wish(student, model="image-streams", prompt="Add a junk", source_id=picture.pk)

    web.run(drawing.draw(job.pk))

    job.refresh_from_db()
    assert (job.progress, job.prompts) == (Progress.COMPLETE, 1)
    sent = upstream.calls()[-1]
    assert sent.path.endswith("/images/edits")
    assert (sent.body["stream"], sent.body["partial_images"]) == ("true", "2")


def test_a_model_that_cannot_change_pictures_is_not_sent_one(student: Principal, picture: Picture) -> None:
    Model.objects.filter(name=PLACEHOLDER_NAME).update(capabilities=[Capability.VARIATIONS])
    with pytest.raises(InvalidRequest) as caught:
        wish(student, source_id=picture.pk)
    assert caught.value.param == "source"
    assert left(student) == 19


def test_two_of_three_delivered_are_shown_with_the_third_as_not_charged(
    visitor: Visitor, student: Principal, web: RunningServer, add_model: AddModel
) -> None:
    add_model("image-partial", operation=Operation.IMAGE)
    job = wish(student, model="image-partial", count=3)
    web.run(drawing.draw(job.pk))

    assert nearest_standing(student).left == 18
    assert "1 image was not delivered, and not charged." in visitor.http.get(f"/images/jobs/{job.pk}/").text
