"""The documents say what the program does, no less and no more; the lock files hold what was asked for."""

import ast
import re
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands

from core.errors import DomainError
from tests.architecture.source import ROOT, floors, modules

READERS = {"text", "flag", "number", "one_of", "words", "secret", "database", "mail", "address", "color", "file"}


def _text(path: str) -> str:
    return (ROOT / path).read_text()


def _first_cells(path: str) -> set[str]:
    """What the tables of a document describe: the code words in the first cell of each row."""
    rows = re.findall(r"^\|([^|]*)\|", _text(path), re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def _variables_read() -> set[str]:
    """The first argument of every call of config.env's readers in config/."""
    calls = [
        node
        for module in modules()
        if module.room == "config" and module.kind != "management"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS
    ]
    return {str(ast.literal_eval(call.args[0])) for call in calls if ast.unparse(call.func).startswith("env.")}


def _codes(error: type[DomainError]) -> set[str]:
    return {error.code}.union(*(_codes(child) for child in error.__subclasses__()))


def test_settings_page_describes_exactly_the_variables_that_are_read() -> None:
    assert _first_cells("docs/settings.md") == _variables_read()


def test_errors_page_describes_exactly_the_codes_that_exist() -> None:
    for module in modules():
        if module.kind == "errors":
            import_module(".".join(module.path.with_suffix("").parts))
    assert _first_cells("docs/errors.md") == _codes(DomainError)


def test_commands_page_describes_exactly_the_commands_of_the_rooms() -> None:
    ours = {name for name, app in get_commands().items() if app in floors()}
    assert {cell.split()[0] for cell in _first_cells("docs/commands.md")} == ours


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/commands.md"])
def test_commands_in_the_documents_exist(document: str) -> None:
    known = set(get_commands())
    verbs = set(re.findall(r"manage\.py ([a-z_]+)", _text(document)))
    scripts = set(re.findall(r"\./((?:scripts|\.ci)/[a-z]+)", _text(document)))
    targets = set(re.findall(r"`make ([a-z]+)`", _text(document)))
    assert verbs <= known
    assert all((ROOT / script).is_file() for script in scripts)
    assert targets <= set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))


@pytest.mark.parametrize(
    "document", sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=str
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", (ROOT / document).read_text())
    assert [target for target in targets if not (ROOT / document.parent / target).exists()] == []


@pytest.mark.django_db
def test_models_have_their_migrations() -> None:
    out = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes detected" in out.getvalue()


@pytest.mark.parametrize(
    "name", ["requirements", *(f"requirements-{use}" for use in ("dev", "build", "model", "clients"))]
)
def test_lock_files_hold_what_was_asked_for(name: str) -> None:
    asked = set(re.findall(r"^([A-Za-z0-9-]+)", _text(f"{name}.in"), re.MULTILINE))
    locked = set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==", _text(f"{name}.txt"), re.MULTILINE))
    assert {package.lower() for package in asked if package != "-c"} <= locked
