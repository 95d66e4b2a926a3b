"""A call's row is on the disk before its first byte leaves for a provider (contract, C01), seen from the kernel."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from django.db import connection

from tests.fakes.upstream import FakeUpstream
from tests.faults.outages import BODY
from tests.servers import SERVE, running_server

CALLS = 5
ASKED, SYNCED, SENT = "asked", "synced", "sent"
_EVENTS = {
    ASKED: re.compile(r"(?:recvfrom|read)(?:\(.*, | resumed>)\"POST /v1/chat/completions HTTP"),
    SYNCED: re.compile(r"(?:fsync|fdatasync)(?:\(.*| resumed.*)\) += 0"),
    SENT: re.compile(r"(?:sendto|write|writev|sendmsg)\(.*\"POST /v1/chat/completions HTTP"),
}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL syncs in a process of its own")
def test_c01_a_sync_lies_between_every_question_and_its_call_upstream(
    offered: FakeUpstream, saras_key: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    with running_server(tmp_path, environment={"OPENAI_BASE_URL": offered.base_url}, command=traced(trace)) as server:
        headers = {"authorization": f"Bearer {saras_key}"}
        for _ in range(CALLS):
            answer = httpx2.post(f"{server.api}/chat/completions", json=BODY, headers=headers, timeout=60)
            assert answer.status_code == 200, answer.text

    events = list(read_events(trace))
    assert events.count(ASKED) == events.count(SENT) == CALLS
    for part in " ".join(events).split(ASKED)[1:]:
        assert SYNCED in part.partition(SENT)[0].split()


def traced(trace: Path) -> list[str]:
    """The server under strace: Python runs a line that becomes it."""
    program = shutil.which("strace") or (pytest.fail if os.environ.get("CI") else pytest.skip)(
        "strace is not installed"
    )
    calls = "trace=fsync,fdatasync,recvfrom,read,sendto,sendmsg,write,writev"
    command = [
        program,
        "-f",
        "-qq",
        "-s",
        "64",
        "-e",
        calls,
        "-e",
        "signal=none",
        "-o",
        str(trace),
        sys.executable,
        *SERVE,
    ]
    return ["-c", f"import os; os.execv({program!r}, {command!r})"]


def read_events(trace: Path) -> Iterator[str]:
    for line in trace.read_text(errors="replace").splitlines():
        for name, pattern in _EVENTS.items():
            if pattern.search(line):
                yield name
