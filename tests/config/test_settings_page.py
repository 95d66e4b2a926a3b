"""Where each setting came from: the same variables as in the document, and never a secret."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from config import env
from config.env import Reading, Source
from tests.architecture.test_documents import _first_cells, _text


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Reading]:
    """What a test reads itself, beside what the program read."""
    kept = dict(env._readings)
    monkeypatch.setattr(env, "_readings", kept)
    return kept


@pytest.mark.django_db
def test_the_page_shows_every_documented_setting_and_no_secret(root: User, client: Client) -> None:
    client.force_login(root)
    page = client.get("/manage/settings/").content.decode()
    assert set(re.findall(r"<th scope=\"row\"><code>(\w+)</code>", page)) == _first_cells("docs/settings.md")
    assert "Asia/Hong_Kong" in page
    for secret in (settings.SECRET_KEY, settings.AUDIT_KEY):
        assert secret not in page


def test_the_documents_defaults_are_the_programs() -> None:
    """Where the document's default is one word in code, it is what the program falls back to."""
    stated = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", _text("docs/settings.md"), re.MULTILINE))
    actual = {one.name: one.default for one in env.list_readings() if not one.is_secret}
    words = {name: int(value) if isinstance(value, bool) else value for name, value in actual.items()}
    paths = {"CREDENTIAL_KEY", "AUDIT_ANCHORS", "HOP_THREADS", "DATA_DIR"}  # said by another setting
    differing = {name for name, text in stated.items() if name in words and str(words[name]) != text} - paths
    assert differing == set()


def test_where_a_value_came_from(monkeypatch: pytest.MonkeyPatch, readings: dict[str, Reading], tmp_path: Path) -> None:
    monkeypatch.setenv("A_NUMBER", "7")
    assert (env.number("A_NUMBER", 3), env.number("ANOTHER", 3)) == (7, 3)
    assert readings["A_NUMBER"] == Reading("A_NUMBER", Source.ENVIRONMENT, 7, 3)
    assert readings["ANOTHER"] == Reading("ANOTHER", Source.DEFAULT, 3, 3)

    (tmp_path / "key").write_text("in a file")
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "key"))
    assert env.secret("A_SECRET") == "in a file"
    assert readings["A_SECRET"] == Reading("A_SECRET", Source.FILE, None, None, is_secret=True)

    made = env.secret("B_SECRET") or env.kept_secret("B_SECRET", tmp_path / "made")
    assert readings["B_SECRET"].source == Source.MADE
    assert env.kept_secret("B_SECRET", tmp_path / "made") == made


@pytest.mark.django_db
def test_the_password_of_an_address_is_not_shown(
    root: User, client: Client, monkeypatch: pytest.MonkeyPatch, readings: dict[str, Reading]
) -> None:
    monkeypatch.setenv("UPSTREAM_PROXY", "http://campus:hunter2@proxy.example.edu:3128")
    env.text("UPSTREAM_PROXY")
    client.force_login(root)
    page = client.get("/manage/settings/").content.decode()
    assert "http://…@proxy.example.edu:3128" in page
    assert "hunter2" not in page
