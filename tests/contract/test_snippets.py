"""The examples of the page that shows a new key: copied as they stand, they work against this server."""

import json
import os
import shutil
import subprocess
import sys
from html import unescape
from re import DOTALL, findall

import pytest
from django.test import Client

from accounts.models import User
from policies.selectors import list_outstanding
from policies.services import acknowledge
from tests.fakes.upstream import ANSWER
from tests.servers import Server


@pytest.fixture
def snippets(server: Server, sara: User) -> dict[str, str]:
    """What Sara can copy from the page of her new key, by name; the page is made at the running server's address."""
    for version in list_outstanding(sara.pk):
        acknowledge(user_id=sara.pk, version_id=version.pk, language="en")
    client = Client(headers={"host": server.api.split("/")[2]})
    client.force_login(sara)
    page = client.post("/keys/", {"name": "notebook"}).text
    return {name: unescape(code) for name, code in findall(r'id="snippet-(\w+)">(.*?)</code>', page, DOTALL)}


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example_prints_an_answer(snippets: dict[str, str]) -> None:
    assert run([sys.executable, "-c", snippets["python"]]).strip() == ANSWER


def test_the_variables_are_enough_for_a_program_that_names_neither(snippets: dict[str, str]) -> None:
    listed = "import openai; print([model.id for model in openai.OpenAI().models.list().data])"
    script = f"{snippets['env']}\nexec \"$PYTHON\" -c '{listed}'"
    assert "good" in run(["sh", "-c", script], PYTHON=sys.executable)


@pytest.mark.skipif(not (shutil.which("curl") or os.environ.get("CI")), reason="curl is not installed")
def test_the_curl_example_prints_an_answer(snippets: dict[str, str]) -> None:
    told = json.loads(run(["sh", "-c", snippets["curl"].replace("curl ", "curl --silent --show-error ", 1)]))
    assert told["choices"][0]["message"]["content"] == ANSWER


def test_every_example_names_the_same_address_and_key(snippets: dict[str, str], server: Server) -> None:
    assert set(snippets) == {"env", "curl", "python", "node"}
    assert all(server.api in code and "cak_" in code for code in snippets.values())
