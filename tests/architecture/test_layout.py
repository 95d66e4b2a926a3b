"""What an import linter cannot see: relations, reverse doors, and the one place of each sharp tool.

The import contracts of pyproject.toml are the other half; docs/architecture.md explains both.
"""

import ast
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Field, Model

from tests.architecture.source import CORE, Module, floors, modules, names_in

PUBLIC = {"services", "selectors", "models", "types", "errors", "authentication"}
# The gateway's own doors for the rooms above it: the order of decisions, the relay that wraps them round a stream, and
# the rules a JSON body is read by, which the chat page shares.
# The audit log's admin, imports and lists are what every room's are built on. What the gateway remembers it finds by
# the digest of a key, and resolves by the pure functions of quotas. Amounts are typed and written in one way.
PUBLIC_OF = {
    "accounts": PUBLIC | {"keys", "mailing"},
    "audit": PUBLIC | {"admin", "imports", "lists"},
    "gateway": PUBLIC | {"admission", "relay", "telemetry", "wire"},
    "usage": PUBLIC | {"forms", "reports"},
    "quotas": PUBLIC | {"resolution", "simulation", "forms", "wording"},
}
CORE_MODULES = {
    "__init__",
    "append_only",
    "apps",
    "cache",
    "chosen",
    "clock",
    "credentials",
    "errors",
    "forms",
    "ids",
    "limiter",
    "locks",
    "management",
    "news",
    "protocol",
    "rest",
    "revision",
    "rows",
    "seals",
    "serializers",
    "sheets",
    "templatetags",
    "text",
    "threads",
    "types",
    "undisturbed",
    "upkeep",
}


def _relations() -> list[Any]:
    rooms = [apps.get_app_config(room) for room in floors() if room != CORE]
    fields = [field for room in rooms for model in room.get_models() for field in model._meta.get_fields()]
    return [field for field in fields if isinstance(field, Field) and field.is_relation]


def _room_of(model: type[Model]) -> str:
    return model._meta.app_label


def _offenders(broken: Callable[[Module], bool]) -> list[str]:
    return [str(module) for module in modules() if broken(module)]


def _reads(module: Module, *names: str) -> bool:
    """Whether the module names one of these, or something inside or at the end of it."""
    return any(
        found == name or found.endswith(f".{name}") or found.startswith(f"{name}.")
        for found in names_in(module.tree)
        for name in names
    )


def test_every_room_of_the_house_is_an_installed_app() -> None:
    assert set(floors()) <= {config.label for config in apps.get_app_configs()}


def test_relations_point_down_the_staircase() -> None:
    climbing = [
        str(field)
        for field in _relations()
        if floors().get(_room_of(field.related_model), 0) > floors()[_room_of(field.model)]
    ]
    assert climbing == []


def test_no_relation_between_rooms_opens_a_door_back() -> None:
    open_doors = [
        str(field)
        for field in _relations()
        if _room_of(field.related_model) in floors()
        and _room_of(field.related_model) != _room_of(field.model)
        and field.remote_field.related_name != "+"
    ]
    assert open_doors == []


def test_rooms_meet_only_at_their_public_modules() -> None:
    trespasses = [
        f"{module} imports {name}"
        for module in modules()
        if module.room != "config"  # wiring reads urls, api and tasks of every room
        for name in _imported_modules(module)
        if (parts := name.split("."))[0] in floors()
        and parts[0] not in (module.room, CORE, "config")
        and len(parts) > 1
        and parts[1] not in PUBLIC_OF.get(parts[0], PUBLIC)
    ]
    assert trespasses == []


def _imported_modules(module: Module) -> list[str]:
    found = []
    for node in ast.walk(module.tree):
        match node:
            case ast.Import():
                found += [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(source)):
                # `from quotas import services` names a module, `from quotas.services import reserve` a thing in one.
                found += [f"{source}.{alias.name}" for alias in node.names] if "." not in source else [source]
    return found


def test_services_and_selectors_know_nothing_of_http() -> None:
    words = ("request", "django.http", "django.shortcuts")
    assert _offenders(lambda module: module.kind in ("services", "selectors") and _reads(module, *words)) == []


def test_views_and_api_neither_query_nor_open_transactions() -> None:
    assert (
        _offenders(lambda module: module.kind in ("views", "desk", "api") and _reads(module, "objects", "transaction"))
        == []
    )


@pytest.mark.parametrize(
    ("tool", "homes"),
    [
        ("os.environ", {"config/env.py"}),
        ("os.getenv", set()),
        ("sync_to_async", {"core/threads.py"}),
        ("timezone.now", set()),
        ("datetime.now", {"core/clock.py"}),
        ("datetime.utcnow", set()),
        ("date.today", set()),
        ("receiver", set()),
        ("django.dispatch", set()),
        ("post_save", set()),
    ],
)
def test_each_sharp_tool_has_one_home(tool: str, homes: set[str]) -> None:
    assert _offenders(lambda module: str(module) not in homes and _reads(module, tool)) == []


def test_celery_stays_in_its_wiring_and_in_tasks() -> None:
    homes = {"config/celery.py"}
    named = _offenders(
        lambda module: (
            module.kind != "tasks"
            and str(module) not in homes
            and any(name.split(".")[0] == "celery" for name in _imported_modules(module))
        )
    )
    assert named == []


def test_imports_stand_at_the_top() -> None:
    # The local model's process alone may load the model, and only where it is installed.
    late = {str(module) for module in modules() if _imports_late(module)} - {"config/local_model.py"}
    assert late == set()


def _imports_late(module: Module) -> bool:
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(isinstance(node, ast.Import | ast.ImportFrom) for function in functions for node in ast.walk(function))


def test_only_the_named_boundaries_swallow_every_error() -> None:
    # A raw ASGI application is the last hand that can turn a bug into an answer; a writer answers each of a batch; what
    # is done again and again goes on after a bug of one round; what a provider says may be anything, and so may Redis.
    ours = {"core/upkeep.py", "gateway/asgi.py", "gateway/writer.py"}
    homes = ours | {"chat/tasks.py", "core/news.py", "core/rest.py", "gateway/upstreams/streams.py"}
    assert set(_offenders(_swallows_everything)) <= homes


def _swallows_everything(module: Module) -> bool:
    return any(
        handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")
        for handler in ast.walk(module.tree)
        if isinstance(handler, ast.ExceptHandler)
        and not any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
    )


def test_core_holds_only_what_was_agreed() -> None:
    assert {module.kind for module in modules() if module.room == CORE} <= CORE_MODULES
