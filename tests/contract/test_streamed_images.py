"""The official client sees pictures as they are drawn; what is whole is charged, and nothing else."""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.models import Model
from gateway.types import Capability
from quotas.models import LedgerEntry, Reservation
from quotas.selectors import find_differences
from tests.fakes.upstream import FakeUpstream
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

Client = Any

pytestmark = pytest.mark.both_databases

PARTIAL, WHOLE = "image_generation.partial_image", "image_generation.completed"


@pytest.fixture
def client(server: Server, saras_key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.api, api_key=saras_key, timeout=20, max_retries=0) as client:
        yield client


def charged() -> int:
    assert find_differences() == []
    return sum(LedgerEntry.objects.values_list("delta_used", flat=True))


def test_half_drawn_pictures_come_before_the_whole_one(client: Client, offered: FakeUpstream) -> None:
    stream = client.images.generate(model="image-streams", prompt="a harbor", stream=True, partial_images=2)
    events = list(stream)

    assert [event.type for event in events] == [PARTIAL, PARTIAL, WHOLE]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert all(base64.b64decode(event.b64_json).startswith(b"\x89PNG") for event in events)
    [arrival] = offered.calls()
    assert (arrival.body["stream"], arrival.body["partial_images"]) == (True, 2)
    record = UsageRecord.objects.get()
    assert (record.outcome, record.prompts, record.images, record.output_tokens) == (Outcome.SERVED, 1, 1, 100)
    assert charged() == 1


@pytest.mark.parametrize(("model", "cost"), [("image-streams", 3), ("image-stream-short", 2)])
def test_each_whole_picture_is_charged(client: Client, model: str, cost: int) -> None:
    events = list(client.images.generate(model=model, prompt="a harbor", n=3, stream=True, partial_images=1))

    assert [event.type for event in events].count(WHOLE) == cost
    record = UsageRecord.objects.get()
    assert (record.outcome, record.images, record.prompts, charged()) == (Outcome.SERVED, cost, cost, cost)


@pytest.mark.parametrize("model", ["image-stream-breaks", "image-stream-ends-early", "image-stream-garbage"])
def test_a_stream_without_a_whole_picture_is_not_charged(client: Client, model: str) -> None:
    with pytest.raises(openai.OpenAIError):
        list(client.images.generate(model=model, prompt="a harbor", stream=True, partial_images=2))

    assert UsageRecord.objects.get().outcome == Outcome.UPSTREAM_FAILED
    assert charged() == 0


def test_the_placeholder_streams_its_cards(client: Client) -> None:
    events = list(client.images.generate(model="placeholder-image", prompt="a harbor", size="256x256", stream=True))
    assert [event.type for event in events] == [WHOLE]
    assert b"PLACEHOLDER" in base64.b64decode(events[0].b64_json)
    assert charged() == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"partial_images": 4, "stream": True}, "partial_images"), ({"partial_images": 1}, "partial_images")],
)
def test_what_makes_no_sense_is_refused_by_name(client: Client, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="image-streams", prompt="a harbor", **fields)
    assert caught.value.param == param
    assert not Reservation.objects.exists()


def test_a_model_known_not_to_stream_is_not_asked_to(client: Client, offered: FakeUpstream) -> None:
    Model.objects.update(capabilities=[Capability.VARIATIONS])
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="image-good", prompt="a harbor", stream=True)
    assert caught.value.param == "stream"
    assert offered.calls() == []
