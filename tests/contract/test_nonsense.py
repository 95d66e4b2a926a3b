"""Requests that nobody should send: never a 5xx, a hang, a dead worker or a charge (contract, C29)."""

from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Sum

from accounts.models import User
from accounts.services import create_api_key
from core.errors import InvalidRequest
from core.ids import new_id
from gateway.wire import image_edits
from quotas.models import Allowance
from quotas.selectors import find_differences
from quotas.services import set_quota
from tests.fakes.upstream import FakeUpstream
from tests.faults import forms, nonsense
from tests.faults.length import how_many, report
from tests.servers import Server
from usage.models import UsageRecord

EVERY = how_many(12, 1)  # of the corpus
RANDOM = how_many(200, 10_000)

pytestmark = pytest.mark.both_databases


def test_c29_nonsense_is_answered_and_costs_nothing(server: Server, offered: FakeUpstream, sara: User) -> None:
    set_quota(limit=100_000)
    _, key = create_api_key(user_id=sara.id, name="fuzz")
    requests = [*islice(nonsense.list_corpus(key), 0, None, EVERY), *nonsense.generate(key, count=RANDOM, seed=0)]
    children = list_children(server)

    verdict = nonsense.send_all(server, requests)

    assert verdict.faults == []
    assert verdict.statuses[400] > len(requests) // 3
    assert (server.process.poll(), list_children(server)) == (None, children)
    charged = UsageRecord.objects.aggregate(prompts=Sum("prompts"))["prompts"]
    assert charged <= verdict.statuses[200] * 10  # one call may ask for ten pictures
    assert Allowance.objects.aggregate(used=Sum("used"), held=Sum("held")) == {"used": charged, "held": 0}
    assert find_differences() == []
    assert "Traceback" not in server.log.read_text()
    report(f"{len(requests)} requests of nonsense, {connection.vendor}", str(dict(sorted(verdict.statuses.items()))))


def test_c29_every_form_of_the_corpus_is_read_or_refused() -> None:
    read = []
    for form in forms.list_forms():
        with suppress(InvalidRequest):
            call_id = new_id()
            image_edits.parse(
                form.data, kind=form.kind, call_id=call_id, course_code="", extra_fields=lambda _model: ()
            )
            read.append(form.trick)

    assert 0 < len(read) < len(list(forms.list_forms())) / 3


def list_children(server: Server) -> str:
    return Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
