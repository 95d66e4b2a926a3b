"""Nothing goes to a provider for who has not accepted the current clauses, through whatever door (contract, C26)."""

import base64
from contextlib import closing
from typing import Any
from uuid import UUID

import httpx2
import pytest

from accounts.models import User
from chat import drawing
from chat.models import ImageJob, Message
from chat.types import ImageSize
from gateway import asgi
from quotas.models import Reservation
from tests.chat.conftest import accepted
from tests.chat.server import RunningServer, Visitor
from tests.fakes.upstream import FakeUpstream
from tests.fakes.upstream import _png as png
from tests.policies.test_acknowledge import publish

HELLO = [{"role": "user", "content": "Hello?"}]
DRAWING = {"model": "image-good", "prompt": "A coral reef"}
REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"json": {"model": "good", "messages": HELLO}},
    "/v1/responses": {"json": {"model": "good", "input": "Hello?"}},
    "/v1/images/generations": {"json": DRAWING},
    "/v1/images/edits": {"data": DRAWING, "files": {"image": ("reef.png", base64.b64decode(png()), "image/png")}},
    "/v1/embeddings": {"json": {"model": "embed-good", "input": "Hello?"}},
    "/v1/moderations": {"json": {"model": "omni-moderation-latest", "input": "Hello?"}},
}

pytestmark = pytest.mark.both_databases


@pytest.mark.usefixtures("clauses")
@pytest.mark.parametrize("version", ["none", "an old one", "the current one"])
def test_c26_nothing_goes_upstream_without_the_current_version(
    web: RunningServer, offered: FakeUpstream, sara: User, saras_key: str, version: str
) -> None:
    if version != "none":
        accepted(sara)
    publish()
    if version == "the current one":
        accepted(sara)

    told = knock_everywhere(web, sara, saras_key)

    if version == "the current one":
        assert {status for status, _code in told} <= {200, 201}
        assert len(offered.calls()) == len(told)
    else:
        assert set(told) == {(403, "acknowledgment_required")}
        assert offered.calls() == []
        assert not any(model.objects.exists() for model in (Reservation, Message, ImageJob))


def knock_everywhere(web: RunningServer, person: User, key: str) -> list[tuple[int, str]]:
    """What each route that goes upstream says, and each page; where they let the person in, until all is answered."""
    doors = [path for path, (method, _endpoint) in asgi._ENDPOINTS.items() if method == "POST"]
    program = httpx2.Client(base_url=web.address, headers={"authorization": f"Bearer {key}"}, timeout=20)
    with program, closing(Visitor(web, person)) as visitor:
        answers = [program.post(door, **REQUESTS[door]) for door in doors]
        asked = visitor.ask("Hello?", model="good")
        if asked.is_success:
            list(visitor.events(asked.json()["follow"]))
        made = visitor.http.post("/images/make/", json={**DRAWING, "size": ImageSize.SQUARE, "count": 1})
        if made.is_success:
            web.run(drawing.draw(UUID(made.json()["job"])))
    return [
        (answer.status_code, answer.json()["error"]["code"] if answer.is_error else "")
        for answer in (*answers, asked, made)
    ]
