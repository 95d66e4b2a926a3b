"""The official client sees pictures as they are drawn, or changed; what is whole is charged, and nothing else."""

import base64
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import openai
import pytest

from gateway.models import Model
from gateway.types import Capability
from quotas.models import LedgerEntry, Reservation
from quotas.selectors import find_differences
from tests.fakes.upstream import FakeUpstream
from tests.faults.forms import PNG
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

Draw = Callable[..., Any]

pytestmark = pytest.mark.both_databases


@pytest.fixture(params=["image_generation", "image_edit"])
def kind(request: pytest.FixtureRequest) -> str:
    """What the names of the events begin with."""
    return str(request.param)


@pytest.fixture
def draw(kind: str, server: Server, saras_key: str) -> Iterator[Draw]:
    """The client's function for a new picture, or for a changed one."""
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client.images.generate if kind == "image_generation" else partial(client.images.edit, image=PNG)


def charged() -> int:
    assert find_differences() == []
    return sum(LedgerEntry.objects.values_list("delta_used", flat=True))


def test_half_drawn_pictures_come_before_the_whole_one(draw: Draw, kind: str, offered: FakeUpstream) -> None:
    events = list(draw(model="image-streams", prompt="a harbor", stream=True, partial_images=2, complexity="low"))

    assert [event.type for event in events] == [f"{kind}.partial_image", f"{kind}.partial_image", f"{kind}.completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert all(base64.b64decode(event.b64_json).startswith(b"\x89PNG") for event in events)
    [arrival] = offered.calls()
    sent = {"stream": True, "partial_images": 2, "complexity": "low"}
    in_a_form = {"stream": "true", "partial_images": "2", "complexity": "low", "image": [("image/png", PNG)]}
    assert arrival.body.items() >= (sent if kind == "image_generation" else in_a_form).items()
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts, record.images, record.output_tokens) == (Outcome.SERVED, 1, 1, 100)
    assert charged() == 1


@pytest.mark.parametrize(("model", "cost"), [("image-streams", 3), ("image-stream-short", 2)])
def test_each_whole_picture_is_charged(draw: Draw, kind: str, model: str, cost: int) -> None:
    events = list(draw(model=model, prompt="a harbor", n=3, stream=True, partial_images=1))

    assert [event.type for event in events].count(f"{kind}.completed") == cost
    record = UsageRecord.objects.get()
    assert (record.outcome, record.images, record.prompts, charged()) == (Outcome.SERVED, cost, cost, cost)


@pytest.mark.parametrize("model", ["image-stream-breaks", "image-stream-ends-early", "image-stream-garbage"])
def test_a_stream_without_a_whole_picture_is_not_charged(draw: Draw, model: str) -> None:
    with pytest.raises(openai.OpenAIError):
        list(draw(model=model, prompt="a harbor", stream=True, partial_images=2))

    assert UsageRecord.objects.get().outcome == Outcome.UPSTREAM_FAILED
    assert charged() == 0


def test_the_placeholder_streams_its_cards(draw: Draw, kind: str) -> None:
    events = list(draw(model="placeholder-image", prompt="a harbor", size="256x256", stream=True))
    assert [event.type for event in events] == [f"{kind}.completed"]
    assert b"PLACEHOLDER" in base64.b64decode(events[0].b64_json)
    assert charged() == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"partial_images": 4, "stream": True}, "partial_images"), ({"partial_images": 1}, "partial_images")],
)
def test_what_makes_no_sense_is_refused_by_name(draw: Draw, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        draw(model="image-streams", prompt="a harbor", **fields)
    assert caught.value.param == param
    assert not Reservation.objects.exists()


def test_without_a_stream_no_half_drawn_ones_are_asked_for(draw: Draw, offered: FakeUpstream) -> None:
    assert len(draw(model="image-streams", prompt="a harbor", stream=False, partial_images=0).data) == 1
    assert not {"stream", "partial_images"} & offered.calls()[0].body.keys()


def test_a_model_known_not_to_stream_is_not_asked_to(draw: Draw, offered: FakeUpstream) -> None:
    Model.objects.update(capabilities=[Capability.VARIATIONS, Capability.EDITS])
    with pytest.raises(openai.BadRequestError) as caught:
        draw(model="image-good", prompt="a harbor", stream=True)
    assert caught.value.param == "stream"
    assert offered.calls() == []
