"""What each write of the resource API may set: every field by name, in fields.txt beside this file.

The list is made from the router. Whatever is not in it cannot be written, and a serializer that begins to take another
field fails here until somebody has thought about it and put it in. Whatever else is sent is refused by its name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from rest_framework import serializers

from accounts.models import User
from core.serializers import ExactSerializer, WholeNumberField

TABLE = Path(__file__).parent / "fields.txt"
WIDTH = 40  # of the first column
WRITES = ("post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


def list_writes() -> Iterator[tuple[str, list[str]]]:
    """Every write of the router with the fields it takes, as its serializer has them."""
    yield from ((operation, list(_fields(taken)) if taken else []) for operation, taken in _list_operations())


def list_bodies() -> Iterator[tuple[str, Any]]:
    """Every write that has a body, with what reads it."""
    yield from ((operation, taken) for operation, taken in _list_operations() if taken)


def _list_operations() -> Iterator[tuple[str, Any]]:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    generator._initialise_endpoints()  # type: ignore[no-untyped-call]
    for path, regex, method, view in generator._get_paths_and_endpoints():  # type: ignore[no-untyped-call]
        if method.lower() not in WRITES:
            continue
        view.schema.get_operation(path, regex, "", method, generator.registry)
        asked = view.schema.get_request_serializer()
        taken = asked() if isinstance(asked, type) else asked
        yield f"{method:6} {path}", taken if method != "DELETE" else None


def _fields(serializer: Any) -> Iterator[str]:
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.ListSerializer) and not field.read_only:
            yield from (f"{name}[].{inner}" for inner in _fields(field.child))
        elif not field.read_only:
            yield name


def test_every_write_takes_the_fields_that_are_listed_and_no_other() -> None:
    actual = [f"{operation:{WIDTH}}{' '.join(fields)}".rstrip() for operation, fields in sorted(list_writes())]
    stated = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    missing = [line for line in actual if line not in stated]
    gone = [line for line in stated if line not in actual]
    assert (missing, gone) == ([], []), "\n".join(["put in:", *missing, "take out:", *gone])


def test_the_description_is_openapi_3_and_lists_the_same_fields(description: dict[str, Any]) -> None:
    validate_schema(description)  # type: ignore[no-untyped-call]
    assert description["openapi"].startswith("3.")
    listed = dict(list_writes())
    for path, operations in description["paths"].items():
        for method in WRITES & operations.keys():
            body = operations[method].get("requestBody")
            shown = set(_writable(description, body)) if body else set()
            assert shown == {field.partition("[")[0] for field in listed[f"{method.upper():6} {path}"]}, path


def test_every_body_has_an_example_that_names_only_its_fields(description: dict[str, Any]) -> None:
    lacking = []
    for path, operations in description["paths"].items():
        for method in WRITES & operations.keys():
            if body := operations[method].get("requestBody"):
                examples = body["content"]["application/json"].get("examples", {})
                shown = [example["value"] for example in examples.values()]
                if not shown or any(not example.keys() <= set(_writable(description, body)) for example in shown):
                    lacking.append(f"{method} {path}")
    assert lacking == []


def _writable(description: dict[str, Any], body: dict[str, Any]) -> Iterator[str]:
    properties = _shape(description, body)["properties"]
    return (name for name, field in properties.items() if not field.get("readOnly"))


def _shape(description: dict[str, Any], body: dict[str, Any]) -> Any:
    schema = body["content"]["application/json"]["schema"]
    return description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]


@pytest.mark.parametrize(
    "more",
    [
        {"id": 99_999},
        {"is_superuser": True, "is_staff": True},
        {"password": "x", "last_login": None},
        {"created_at": "2001-01-01T00:00:00Z"},
        {"suspension_reason": "none", "groups": [1], "user_permissions": [1]},
        {"Name": "Sara", "x" * 500: 1, "": 1},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_not_listed_is_refused_by_name_and_changes_nothing(
    root: User, sara: User, more: dict[str, Any]
) -> None:
    client = Client()
    client.force_login(root)
    before = dict(User.objects.filter(pk=sara.pk).values().get())
    answer = client.patch(f"/api/people/{sara.pk}/", more | {"name": "Sara Lee", "role": "king"}, "application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["fields"].keys() == {name[:60] for name in more} | {"role"}, "with all other mistakes"
    assert dict(User.objects.filter(pk=sara.pk).values().get()) == before


def test_every_body_is_exact_and_its_description_says_so(description: dict[str, Any]) -> None:
    taken = [serializer for _operation, serializer in list_bodies()]
    assert [type(serializer).__name__ for serializer in taken if not _is_exact(serializer)] == []
    for operations in description["paths"].values():
        for method in WRITES & operations.keys():
            if body := operations[method].get("requestBody"):
                assert _shape(description, body)["additionalProperties"] is False


def _is_exact(serializer: Any) -> bool:
    lists = [field for field in serializer.fields.values() if isinstance(field, serializers.ListSerializer)]
    inner = [field.child for field in lists if not field.read_only]
    return isinstance(serializer, ExactSerializer) and all(_is_exact(one) for one in inner)


def test_a_field_of_a_field_is_refused_too(root: User) -> None:
    client = Client()
    client.force_login(root)
    routes = [{"upstream_name": "x", "base_url": "http://elsewhere.example"}]
    answer = client.post("/api/models/", {"name": "m", "operation": "chat", "routes": routes}, "application/json")
    assert "base_url" in str(answer.json()["error"]["fields"]["routes"])


def test_every_number_of_a_body_takes_the_digits_of_json_alone() -> None:
    numbers = [
        (operation, name, field)
        for operation, taken in list_bodies()
        for serializer in (taken, *(getattr(field, "child", None) for field in taken.fields.values()))
        for name, field in getattr(serializer, "fields", {}).items()
        if isinstance(field, serializers.IntegerField) and not field.read_only
    ]
    assert [(operation, name) for operation, name, field in numbers if not isinstance(field, WholeNumberField)] == []
    assert {"context_tokens", "position", "weight", "limit", "version"} <= {
        name for _operation, name, _field in numbers
    }
