"""What each write of the resource API may set: every field by name, in fields.txt beside this file.

The list is made from the router. Whatever is not in it cannot be written, and a serializer that begins to take another
field fails here until somebody has thought about it and put it in. Sending more than that changes nothing.
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
from accounts.types import Role

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
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    generator._initialise_endpoints()  # type: ignore[no-untyped-call]
    for path, regex, method, view in generator._get_paths_and_endpoints():  # type: ignore[no-untyped-call]
        if method.lower() not in WRITES:
            continue
        view.schema.get_operation(path, regex, "", method, generator.registry)
        asked = view.schema.get_request_serializer()
        taken = asked() if isinstance(asked, type) else asked
        yield f"{method:6} {path}", list(_fields(taken)) if method != "DELETE" else []


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
    schema = body["content"]["application/json"]["schema"]
    component = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return (name for name, field in component["properties"].items() if not field.get("readOnly"))


@pytest.mark.parametrize(
    "more",
    [
        {"id": 99_999},
        {"is_superuser": True, "is_staff": True},
        {"password": "x", "last_login": None},
        {"created_at": "2001-01-01T00:00:00Z"},
        {"suspension_reason": "none", "groups": [1], "user_permissions": [1]},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_is_not_listed_changes_nothing(root: User, sara: User, more: dict[str, Any]) -> None:
    client = Client()
    client.force_login(root)
    before = dict(User.objects.filter(pk=sara.pk).values().get())
    answer = client.patch(f"/api/people/{sara.pk}/", more | {"name": "Sara Lee"}, "application/json")
    assert answer.status_code == 200
    assert dict(User.objects.filter(pk=sara.pk).values().get()) == before | {"name": "Sara Lee"}
    assert User.objects.get(pk=sara.pk).role == Role.STUDENT
