"""What operators see of calls: figures right whichever worker is asked."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from django.conf import LazySettings
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from gateway import telemetry
from tests.fakes.upstream import FakeUpstream
from tests.gateway.test_disconnects import until
from tests.servers import ROOT, Server, running_server


def ask(server: Server, key: str, model: str, *, stream: bool = False) -> httpx2.Response:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    # A connection for each, so that each goes to whichever worker is free.
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.post(f"{server.api}/chat/completions", json=body, headers=headers, timeout=30)


def read_figures(server: Server) -> dict[str, float]:
    """The figures without those of single buckets, by their name and their labels in the order of the alphabet."""
    text = httpx2.get(f"{server.address}/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()) if value)]): sample.value
        for sample in samples
        if not sample.name.endswith("_bucket")
    }


@pytest.mark.skipif(connection.vendor == "sqlite", reason="two workers are for PostgreSQL")
@pytest.mark.postgres
def test_the_figures_of_two_workers_are_added_up(
    offered: FakeUpstream, running_upstream: FakeUpstream, saras_key: str, tmp_path: Path
) -> None:
    environment = {"OPENAI_BASE_URL": running_upstream.base_url, "MAX_ATTEMPTS_PER_HOUR": "0"}
    with running_server(tmp_path, workers=2, environment=environment) as server:
        for _ in range(8):
            assert ask(server, saras_key, "good").status_code == 200
        assert ask(server, saras_key, "error-500").status_code == 502
        assert ask(server, "cak_nobody", "good").status_code == 401
        until(lambda: read_figures(server).get("gateway_ledger_seconds_count conclude") == 9)  # written by and by
        figures = [read_figures(server) for _ in range(4)]

    for seen in figures:
        assert seen["gateway_calls_total good chat served openai api"] == 8
        assert seen["gateway_calls_total upstream_error error-500 chat upstream_failed openai api"] == 1
        assert seen["gateway_first_content_seconds_count good chat openai api"] == 8
        assert seen["gateway_tokens_total output good"] == 40
        assert seen["gateway_errors_total invalid_api_key"] == 1
        assert seen["gateway_ledger_seconds_count conclude"] == 9
        assert seen["gateway_recent_prompts chat served api"] == 8
        assert seen["gateway_database_up"] == 1


COUNTING = """
import os, sys
os.getpid = lambda: 1  # as in every container
import django
django.setup()
from gateway import telemetry
telemetry._running.set(int(sys.argv[1]))
telemetry.note_error("busy")
print("counted", flush=True)
sys.stdin.read()
"""
FORKING = """
import os
import django
django.setup()
from gateway import telemetry
telemetry._running.set(2)
if os.fork():
    os.wait()
else:
    telemetry._running.set(3)
print(sum(one.value for metric in telemetry.figures().collect() for one in metric.samples))
"""
Start = Callable[[int], subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.METRICS_DIR = tmp_path / "metrics"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a process that has so many calls running, and told of one error."""
    started: list[subprocess.Popen[str]] = []

    def start(running: int) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", COUNTING, str(running)],
            cwd=ROOT,
            env=environment_in(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout and process.stdout.readline() == "counted\n"
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def environment_in(folder: Path) -> dict[str, str]:
    return {**os.environ, "DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}


def read_now() -> tuple[float, float]:
    """How many calls run, and how many errors were ever told of."""
    telemetry.forget_the_dead()
    found = {one.name: one.value for metric in telemetry.figures().collect() for one in metric.samples}
    return found.get("gateway_running_calls", 0), found["gateway_errors_total"]


def test_containers_in_which_every_process_has_the_same_number_share_a_folder(start: Start, folder: Path) -> None:
    start(2)
    another = start(3)
    assert read_now() == (5, 2)

    another.kill()
    another.wait()
    assert read_now() == (2, 2)

    files = {file.name for file in (folder / "metrics").iterdir()}
    start(4)
    assert read_now() == (6, 3)
    assert {file.name for file in (folder / "metrics").glob("counter_*")} <= files


def test_a_process_that_was_forked_counts_beside_its_parent(folder: Path) -> None:
    command = [sys.executable, "-c", FORKING]
    done = subprocess.run(command, cwd=ROOT, env=environment_in(folder), check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.splitlines()[-1] == "5.0"
