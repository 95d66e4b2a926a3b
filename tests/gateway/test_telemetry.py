"""What operators see of calls: figures right whichever worker is asked."""

from pathlib import Path

import httpx2
import pytest
from django.db import connection
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.upstream import FakeUpstream
from tests.gateway.test_disconnects import until
from tests.servers import Server, running_server


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
