"""The files of deploy/: nginx in front of a running server, the units, and the composition."""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import yaml

from tests.architecture.source import ROOT
from tests.fakes.addresses import make_certificate
from tests.fakes.upstream import FakeUpstream
from tests.servers import Server, free_port, running_server
from usage.models import UsageRecord
from usage.types import Outcome

DEPLOY = ROOT / "deploy"


@dataclass(frozen=True)
class Site:
    """The product as people reach it: an address that nginx answers."""

    port: int
    server: Server
    certificate: Path

    @property
    def web(self) -> httpx2.Client:
        trust = ssl.create_default_context(cafile=str(self.certificate))
        trust.check_hostname = False
        return httpx2.Client(base_url=f"https://127.0.0.1:{self.port}", verify=trust, timeout=20, headers=HOST)


HOST = {"host": "ai.example.edu"}


@pytest.fixture
def behind_nginx(offered: FakeUpstream, running_upstream: FakeUpstream, tmp_path: Path) -> Iterator[Site]:
    program = shutil.which("nginx") or (pytest.fail if os.environ.get("CI") else pytest.skip)("nginx is not installed")
    environment = {
        "OPENAI_BASE_URL": running_upstream.base_url,
        "BEHIND_TLS": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "ALLOWED_HOSTS": "ai.example.edu,127.0.0.1",
        "PING_SECONDS": "60",
    }
    with running_server(tmp_path / "server", environment=environment) as server:
        site = Site(free_port(), server, make_certificate(tmp_path))
        configuration = write_configuration(site, tmp_path)
        log = (tmp_path / "nginx.log").open("ab")
        command = [program, "-p", str(tmp_path), "-c", str(configuration), "-g", "daemon off;"]
        with log, subprocess.Popen(command, stdout=log, stderr=log) as nginx:
            wait_for_door(site.port, nginx)
            yield site
            nginx.terminate()


def write_configuration(site: Site, folder: Path) -> Path:
    """The example as it is, but for its ports and its certificate, inside the frame that distributions give it."""
    text = (DEPLOY / "nginx.conf").read_text()
    for was, here in {
        "127.0.0.1:8000": f"127.0.0.1:{site.server.port}",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl;": f"listen 127.0.0.1:{site.port} ssl;",
        "/etc/ssl/certs/ai.example.edu.pem": str(site.certificate),
        "/etc/ssl/private/ai.example.edu.key": str(site.certificate),
    }.items():
        assert was in text, was
        text = text.replace(was, here)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    owner = "user root;" if os.geteuid() == 0 else ""  # pytest's folders are closed to everyone else
    frame = f"{owner} pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
    frame += f"http {{ access_log off; {temporary}\n{text}}}"
    configuration = folder / "nginx.conf"
    configuration.write_text(frame)
    return configuration


def wait_for_door(port: int, nginx: subprocess.Popen[bytes]) -> None:
    while nginx.poll() is None:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("nginx did not start")


def test_behind_nginx_words_come_as_they_are_said_and_leaving_is_noticed(
    behind_nginx: Site, offered: FakeUpstream, saras_key: str
) -> None:
    headers = {"authorization": f"Bearer {saras_key}", **HOST}
    body = {"model": "stalls", "stream": True, "messages": [{"role": "user", "content": "x" * 200_000}]}

    with behind_nginx.web as web:
        with web.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
            # The provider has stalled after its words: a proxy that waits for more would never show them.
            events = answer.iter_lines()
            words = [json.loads(line[6:]) for line in (next(events) for _ in range(8)) if line]
            assert words[1]["choices"][0]["delta"]["content"] == "Hello"

        assert offered.calls()[0].left.wait(5)
        assert web.get("/accounts/login/").status_code == 200
        assert web.get("/v1/models", headers={**headers, "x-forwarded-for": "203.0.113.9"}).status_code == 200
        assert {web.get(path).status_code for path in ("/metrics", "/readyz")} == {404}
        large = web.post("/v1/chat/completions", content=b"x" * 11_000_000, headers=headers)
        assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
    assert {record.outcome for record in UsageRecord.objects.all()} == {Outcome.CLIENT_LEFT}


def test_the_units_are_what_systemd_understands() -> None:
    program = shutil.which("systemd-analyze") or pytest.skip("systemd is not installed")
    units = sorted((DEPLOY / "systemd").iterdir())
    assert len(units) == 5
    told = subprocess.run([program, "verify", *units], capture_output=True, text=True, check=False).stderr
    problems = [line for line in told.splitlines() if "campus-ai" in line and "is not executable" not in line]
    assert problems == []


def test_the_composition_names_what_there_is() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services.keys() == {"prepare", "web", "worker", "beat", "postgres", "redis"}
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
    assert (DEPLOY / services["web"]["build"]["context"] / services["web"]["build"]["dockerfile"]).is_file()
    copied = [line.split()[1:-1] for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line[:5] == "COPY "]
    assert all((ROOT / file).exists() for files in copied for file in files if not file.startswith(("/", "--")))
