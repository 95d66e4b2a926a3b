"""What a person is told of their use is the same wherever they ask, and what the ledger has (contract, C22)."""

import base64
from typing import Any

import httpx2
import pytest
from django.db.models import Sum

from accounts.types import Principal
from gateway import admission
from quotas.models import LedgerEntry
from quotas.selectors import find_differences
from tests.fakes.upstream import FakeUpstream, _png
from tests.gateway.test_admission import chat
from tests.gateway.test_duties import CHAT

LEFT = "x-ratelimit-remaining-prompts"
EDIT = {"data": {"model": "image-edits", "prompt": "Add a junk"}, "files": {"image": base64.b64decode(_png())}}
# A call of each kind, with what its answer says is left: of 20, just after it was admitted.
CALLS: list[tuple[str, dict[str, Any], int]] = [
    ("/v1/chat/completions", {"json": CHAT}, 19),
    ("/v1/chat/completions", {"json": {**CHAT, "stream": True}}, 18),
    ("/v1/responses", {"json": {"model": "good", "input": "Hi"}}, 17),
    ("/v1/embeddings", {"json": {"model": "embed-good", "input": "Hi"}}, 16),
    ("/v1/moderations", {"json": {"model": "omni-moderation-latest", "input": "Hi"}}, 16),  # costs nothing
    ("/v1/images/edits", EDIT, 15),
    ("/v1/images/generations", {"json": {"model": "image-partial", "prompt": "a harbor", "n": 3}}, 12),  # two come
    ("/v1/chat/completions", {"json": {**CHAT, "model": "error-400"}}, 12),
    ("/v1/chat/completions", {"json": {**CHAT, "model": "breaks", "stream": True}}, 12),
    ("/v1/chat/completions", {"json": {**CHAT, "model": "nobody's"}}, 13),
]


@pytest.mark.both_databases
def test_c22_headers_and_pages_of_the_api_say_what_the_ledger_says(
    web: httpx2.Client, offered: FakeUpstream, caller: Principal
) -> None:
    told = [web.post(path, **request).headers.get(LEFT) for path, request, _left in CALLS]
    admission.admit(caller, chat(model="good"))  # it runs on

    [quota] = web.get("/api/me/").json()["quotas"]
    used, held = LedgerEntry.objects.aggregate(used=Sum("delta_used"), held=Sum("delta_held")).values()
    assert told == [str(left) for _path, _request, left in CALLS]
    assert (quota["used"], quota["held"], quota["left"]) == (used, held, 20 - used - held) == (7, 1, 12)
    assert web.get("/v1/models").headers[LEFT] == "12"
    assert sum(call["prompts"] for call in web.get("/api/usage/").json()["results"]) == used
    assert web.get("/api/reports/").json()["total"]["prompts"] == used
    assert find_differences() == []
