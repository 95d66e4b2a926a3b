"""The source as the architecture tests see it: rooms, floors, and every module parsed once."""

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = "core"


@dataclass(frozen=True, slots=True)
class Module:
    """One file of a room, such as accounts/services.py."""

    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.parts[0]

    @property
    def kind(self) -> str:
        """The file's place in its room: `services` for accounts/services.py and for accounts/services/keys.py."""
        return self.path.parts[1].removesuffix(".py")

    def __str__(self) -> str:
        return str(self.path)


@cache
def floors() -> dict[str, int]:
    """Each room's floor, as the import contract in pyproject.toml stacks them; core is 0."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["name"] == "1 Floors")
    return {room.strip(): floor for floor, layer in enumerate(reversed(layers)) for room in layer.split("|")}


@cache
def modules() -> tuple[Module, ...]:
    """Every module of every room, migrations apart."""
    paths = [
        path for room in floors() for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts
    ]
    return tuple(Module(path.relative_to(ROOT), ast.parse(path.read_text())) for path in paths)


def names_in(tree: ast.AST) -> list[str]:
    """Every dotted name that is read or imported, such as `timezone.now` or `django.http.HttpResponse`."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module)):
                found += [f"{module}.{alias.name}" for alias in node.names]
            case ast.Attribute() | ast.Name():
                found.append(ast.unparse(node))
            case ast.arg():
                found.append(node.arg)
    return found
