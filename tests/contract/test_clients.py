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
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from accounts.models import User
from accounts.services import create_api_key
from quotas.services import set_quota
from tests.architecture.source import ROOT
from tests.servers import Server
from usage.models import UsageRecord
from usage.types import Outcome

HERE = ROOT / "tests" / "clients"
PLACE = ROOT / "build" / "clients"
CLIENTS = {
    "openai-python", "openai-python (aiohttp)", "openai-node", "langchain-openai", "Vercel AI SDK", "llm",
    "pydantic-ai",
}  # fmt: skip


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
def python() -> str:
    lock = ROOT / "requirements-clients.txt"

    def commands(folder: Path) -> list[list[str]]:
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
        locked = ["--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
        return [
            [sys.executable, "-m", "venv", "--without-pip", str(folder)],
            [*pip, "--disable-pip-version-check", *locked],
        ]

    return str(install("python", lock, commands) / "bin" / "python")


@pytest.fixture(scope="module")
def node_modules() -> Path:
    lock = HERE / "package-lock.json"

    def commands(folder: Path) -> list[list[str]]:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        return [["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]]

    return install("node", lock, commands)


@pytest.fixture
def keys(saras_key: str, omar: User) -> tuple[str, str]:
    """Sara's key, who may ask as much as she likes, and Omar's, who has nothing left."""
    set_quota(limit=1000)
    set_quota(limit=0, user_id=omar.id)
    _key, spent = create_api_key(user_id=omar.id, name="spent")
    return saras_key, spent


def run(command: Sequence[str], server: Server, keys: tuple[str, str], cwd: Path) -> dict[str, set[str]]:
    """What each client did well; a failure fails the test with the client's own words."""
    done = subprocess.run(
        [*command, server.api, *keys],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
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
        for line in (ROOT / "docs" / "clients.md").read_text().splitlines()
        if line.startswith("|")
    ]
    head, _rule, *body = rows[: next((i for i, row in enumerate(rows) if len(row) != len(rows[0])), len(rows))]
    return {
        row[0]: {feature.strip("`") for feature, mark in zip(head, row, strict=True) if mark == "✓"} for row in body
    }


def test_python_clients_do_what_the_table_says(python: str, server: Server, keys: tuple[str, str]) -> None:
    did = run([python, str(HERE / "python_clients.py")], server, keys, HERE)

    table = read_table()
    langchain = table["langchain-openai"] - {"chat", "stream", "tools", "schema", "pictures"}  # its own suite's
    expected = {client: table[client] for client in did} | {"langchain-openai": langchain}
    assert did == expected
    # Whoever has nothing left is asked for once, by every client: nobody tries a refusal again.
    assert UsageRecord.objects.filter(outcome=Outcome.REFUSED, code="insufficient_quota").count() == len(did)


def test_javascript_clients_do_what_the_table_says(node_modules: Path, server: Server, keys: tuple[str, str]) -> None:
    shutil.copy(HERE / "node_clients.mjs", node_modules)
    did = run(["node", "node_clients.mjs"], server, keys, node_modules)

    assert did == {client: read_table()[client] for client in ("openai-node", "Vercel AI SDK")}
    assert UsageRecord.objects.filter(outcome=Outcome.REFUSED, code="insufficient_quota").count() == len(did)


def test_the_table_names_every_client() -> None:
    assert set(read_table()) == CLIENTS


def test_langchains_standard_tests_pass(python: str, server: Server, keys: tuple[str, str]) -> None:
    # One event loop for all tests: LangChain keeps its connections from one to the next.
    options = ["asyncio_mode=auto", *(f"asyncio_default_{kind}_loop_scope=session" for kind in ("test", "fixture"))]
    quiet = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(HERE)]
    quiet += [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        [python, "-m", "pytest", *quiet, str(HERE / "langchain_suite.py")],
        cwd=HERE,
        env=environment(CAMPUS_ADDRESS=server.api, CAMPUS_KEY=keys[0]),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 30, done.stdout[-2000:]
