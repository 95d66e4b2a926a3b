"""Other people's clients, unchanged, against a running server: each feature of docs/clients.md, as the table says.

They live in environments of their own under build/clients: some bring packages that would hide what ours lacks. The
first run installs them from the lock files; without a package registry it fails and says so.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import httpx2
import pytest

from accounts.models import User
from accounts.services import create_api_key
from gateway.services import LOCAL_MODEL_NAME
from policies.selectors import list_outstanding
from policies.services import acknowledge, install_clauses
from quotas.services import set_quota
from quotas.types import Period, Unit
from tests.architecture.source import ROOT
from tests.contract.test_client_errors import Met, check_faults, kind_of, list_faults
from tests.contract.test_faulty_providers import faulty, patient_server
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

__all__ = ["faulty", "patient_server"]  # fixtures

HERE = ROOT / "tests" / "clients"
PLACE = ROOT / "build" / "clients"
PAGE = ROOT / "docs" / "clients.md"
CLIENTS = {
    "openai-python", "openai-python (aiohttp)", "openai-node", "langchain-openai", "Vercel AI SDK", "llm",
    "pydantic-ai",
}  # fmt: skip
Refusal = tuple[str, str, str, int, str]  # a key, a model; the exception, the status and the code they end in


def install(name: str, source: Path, commands: Callable[[Path], Sequence[Sequence[str]]]) -> Path:
    """An environment under build/clients as its lock file wants it; made anew when that changes."""
    folder, wanted = PLACE / name, hashlib.sha256(source.read_bytes()).hexdigest()
    stamp = folder / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands(folder):
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"The clients could not be installed (is a package registry there?):\n{done.stderr[-2000:]}")
    stamp.write_text(wanted)
    return folder


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "PYTEST", "DJANGO"))}
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")  # as scripts/steps.sh: node has a list of its own
    if authorities.is_file():
        kept = {"NODE_USE_SYSTEM_CA": "1", "NODE_EXTRA_CA_CERTS": str(authorities), **kept}
    return {**kept, "PATH": path, "LLM_USER_PATH": str(PLACE), "PYTHONPATH": "", **more}


@pytest.fixture(scope="module")
def python() -> list[str]:
    """The command that runs the Python clients."""
    lock = ROOT / "requirements-clients.txt"

    def commands(folder: Path) -> list[list[str]]:
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
        locked = ["--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
        return [
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            [*pip, "--disable-pip-version-check", *locked],
        ]

    return [str(install("python", lock, commands) / "bin" / "python"), str(HERE / "python_clients.py")]


@pytest.fixture(scope="module")
def node() -> list[str]:
    """The command that runs the JavaScript clients."""
    lock = HERE / "package-lock.json"

    def commands(folder: Path) -> list[list[str]]:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        return [["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]]

    folder = install("node", lock, commands)
    return ["node", str(shutil.copy(HERE / "node_clients.mjs", folder))]  # it finds its packages beside itself


@pytest.fixture
def refusals(server: Server, saras_key: str, omar: User, ines: User, root: User) -> list[Refusal]:
    """What every client meets: Omar has nothing left, Ines has asked too often, Ruth has accepted nothing."""
    set_quota(limit=1000)
    set_quota(limit=0, user_id=omar.id)
    set_quota(limit=1, unit=Unit.ATTEMPTS, period=Period.HOUR, user_id=ines.id)
    omars, iness, ruths = (create_api_key(user_id=person.id, name="laptop")[1] for person in (omar, ines, root))
    install_clauses()
    for person in User.objects.exclude(id=root.id):
        for version in list_outstanding(person.pk):
            acknowledge(user_id=person.pk, version_id=version.pk, language="en")
    hello = {"model": "good", "messages": [{"role": "user", "content": "Hello?"}]}
    httpx2.post(f"{server.api}/chat/completions", json=hello, headers={"authorization": f"Bearer {iness}"})
    cases = [
        ("cak_wrong", "good", 401, "invalid_api_key"),
        (ruths, "good", 403, "acknowledgment_required"),
        (saras_key, "no-such-model", 404, "model_not_found"),
        (saras_key, "error-400", 400, "invalid_request"),
        (saras_key, "content-filter", 400, "content_filter"),
        (omars, "good", 429, "insufficient_quota"),
        (iness, "good", 429, "rate_limit_exceeded"),
        (saras_key, "garbage", 502, "upstream_error"),
        (saras_key, "azure-busy", 503, "upstream_busy"),
    ]
    return [(key, model, kind_of(status), status, code) for key, model, status, code in cases]


def start(*command: str, told: str = "") -> "subprocess.CompletedProcess[str]":
    """A program of clients, run to its end; it may read what it is told."""
    return subprocess.run(
        command, input=told, cwd=HERE, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )


def run(
    command: Sequence[str], server: Server, key: str, *, model: str = "good", refusals: Sequence[Refusal] = ()
) -> dict[str, set[str]]:
    """What each client did well; a failure fails the test with the client's own words."""
    done = start(*command, server.api, key, model, json.dumps(refusals))
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    failures = [f"{client}: {feature}: {why}" for client, feature, why in told if why]
    assert told, done.stderr[-3000:]
    assert not failures, "\n".join(failures)
    did: dict[str, set[str]] = {}
    for client, feature, _why in told:
        did.setdefault(client, set()).add(feature)
    return {client: features for client, features in did.items() if client in CLIENTS}


def read_table() -> dict[str, set[str]]:
    """docs/clients.md: per client the features that are marked with ✓."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("|")
    ]
    head, _rule, *body = rows[: next((i for i, row in enumerate(rows) if len(row) != len(rows[0])), len(rows))]
    return {
        row[0]: {feature.strip("`") for feature, mark in zip(head, row, strict=True) if mark == "✓"} for row in body
    }


def list_asked() -> Counter[str]:
    """How often refusals that last were asked for."""
    lasting = ("insufficient_quota", "rate_limit_exceeded")
    return Counter(UsageRecord.objects.filter(outcome=Outcome.REFUSED, code__in=lasting).values_list("code", flat=True))


def test_python_clients_do_what_the_table_says(
    python: list[str], server: Server, saras_key: str, refusals: list[Refusal]
) -> None:
    did = run(python, server, saras_key, refusals=refusals)

    table = read_table()
    langchain = table["langchain-openai"] - {"tools", "schema", "pictures"}  # its own suite's
    assert did == {client: table[client] for client in did} | {"langchain-openai": langchain}
    # Nobody tries again what lasts: whoever has nothing left, or an hour to wait, is asked for once by every client.
    assert list_asked() == {"insufficient_quota": len(did), "rate_limit_exceeded": len(did)}


def test_javascript_clients_do_what_the_table_says(
    node: list[str], server: Server, saras_key: str, refusals: list[Refusal]
) -> None:
    did = run(node, server, saras_key, refusals=refusals)

    assert did == {client: read_table()[client] for client in ("openai-node", "Vercel AI SDK")}
    # openai-node asks once; Vercel's three times, for it knows a 429 and no x-should-retry.
    assert list_asked() == {"insufficient_quota": 1 + 3, "rate_limit_exceeded": 1 + 3}


def test_c10_every_fault_of_a_provider_is_told_to_javascript_too(node: list[str], patient_server: Server) -> None:
    cases, calls = list_faults()
    program, packages = HERE / "node_calls.mjs", Path(node[1]).parent
    told = json.dumps([asdict(call) for call in calls])
    done = start(node[0], str(shutil.copy(program, packages)), patient_server.api, told=told)

    assert done.stdout, done.stderr[-3000:]
    check_faults(cases, [Met(*one) for one in json.loads(done.stdout)])


@pytest.mark.local_model
def test_the_local_model_answers_every_client(
    python: list[str], node: list[str], local_server: Server, saras_key: str
) -> None:
    did: dict[str, set[str]] = {}
    for command in (python, node):
        did |= run(command, local_server, saras_key, model=LOCAL_MODEL_NAME)

    assert did == {client: features & {"models", "chat", "stream"} for client, features in read_table().items()}
    records = UsageRecord.objects.values_list("outcome", "provider", "prompts")
    assert Counter(records) == {(Outcome.SERVED, "local", 1): 2 * len(CLIENTS)}


def test_the_table_names_every_client() -> None:
    assert set(read_table()) == CLIENTS


def test_langchains_standard_tests_pass_but_for_those_that_the_page_names(
    python: list[str], server: Server, saras_key: str
) -> None:
    set_quota(limit=1000)
    # One event loop for all tests: LangChain keeps its connections from one to the next.
    options = ["asyncio_mode=auto", *(f"asyncio_default_{kind}_loop_scope=session" for kind in ("test", "fixture"))]
    quiet = ["-v", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(HERE)]
    quiet += [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        [python[0], "-m", "pytest", *quiet, str(HERE / "langchain_suite.py")],
        cwd=HERE,
        env=environment(CAMPUS_ADDRESS=server.api, CAMPUS_KEY=saras_key),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:]
    ended = dict(re.findall(r"::(test_\S+) ([A-Z]+)", done.stdout))
    section = PAGE.read_text().split("\n## LangChain's standard tests")[1].split("\n## ")[0]
    not_tried = set(re.findall(r"`(test_\w+)`", section))
    assert {name for name, how in ended.items() if how != "PASSED"} == not_tried
    assert f"{len(ended)} questions" in section
