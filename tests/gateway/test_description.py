"""/v1/openapi.json: made from the rules that check requests, so the two cannot come apart."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import orjson
import pytest
from drf_spectacular.validation import validate_schema
from jsonschema_rs import validator_for

from gateway import asgi
from gateway.wire import chat_completions, embeddings, image_edits, images, moderations, openapi, parts, responses
from gateway.wire.fields import Rule
from tests.faults.nonsense import VALUES
from tests.servers import Server

DIALECTS = [chat_completions, embeddings, image_edits, images, moderations, responses]
LONGEST_TRIED = 100_000


def list_rules() -> Iterator[tuple[str, Rule]]:
    """Every rule of every table by which a request is checked."""
    for module in [*DIALECTS, parts]:
        name = module.__name__.rpartition(".")[2]
        for table, value in vars(module).items():
            if isinstance(value, Rule):
                yield f"{name}.{table}", value
            elif isinstance(value, dict):
                yield from ((f"{name}.{table}.{path}", rule) for path, rule in walk(value))


def walk(table: dict[str, Any]) -> Iterator[tuple[str, Rule]]:
    for key, value in table.items():
        if isinstance(value, Rule):
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{path}", rule) for path, rule in walk(value))


def list_values(schema: Any) -> Iterator[Any]:
    """What lies on both sides of every limit in a schema."""
    for key, limit in schema.items():
        if key in ("minimum", "maximum"):
            yield from (limit - 1, limit, limit + 1)
        elif key in ("minLength", "maxLength") and limit < LONGEST_TRIED:
            yield from ("x" * max(0, length) for length in (limit - 1, limit, limit + 1))
        elif key in ("minItems", "maxItems") and limit < LONGEST_TRIED:
            entries = [*list_values(schema["items"]), "x"][:1]
            yield from (entries * max(0, length) for length in (limit - 1, limit, limit + 1))
        elif key == "enum":
            yield from (*limit, limit[0].upper())
        elif key == "anyOf":
            for one in limit:
                yield from list_values(one)


def of_everything() -> list[Any]:
    """Values of every kind, as far as JSON has them; 1.0 is none of ours, and `null` means "left out"."""
    read = []
    for value in VALUES:
        with suppress(orjson.JSONDecodeError):
            read.append(orjson.loads(value))
    texts = [
        "data:image/png;base64,QUJD",
        "data:text/plain;base64,QUJD\n",
        "data:image/png;base64,",
        "1024x1024",
        "\x85",
    ]
    texts += ["1\u0663x10", "auto\n", "\u2028", "\u202e"]
    return [value for value in [*read, *texts] if value is not None and not isinstance(value, float)] + [0.5, -0.5]


def test_every_rule_and_its_description_take_the_same() -> None:
    everything = of_everything()
    differ = {}
    for name, rule in list_rules():
        validator = validator_for(dict(rule.schema))
        for value in [*everything, *list_values(rule.schema)]:
            if rule.holds(value) != validator.is_valid(value):
                differ[name] = str(value)[:80]
    assert differ == {}


@pytest.mark.parametrize("module", DIALECTS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_field_is_described_and_no_other(module: Any) -> None:
    files = {"image", "mask"} if module is image_edits else set()
    assert module.BODY["properties"].keys() == module._FIELDS.keys() | files
    assert module.BODY["additionalProperties"] is False
    validator_for(module.BODY)


def test_the_document_is_openapi_and_names_every_route() -> None:
    document = openapi.describe()
    validate_schema(document)  # type: ignore[no-untyped-call]
    methods = {path: {*item} & {"get", "post"} for path, item in document["paths"].items()}
    assert methods == {path: {method.lower()} for path, (method, _endpoint) in asgi._ENDPOINTS.items()}


def test_the_document_is_for_who_has_a_key(server: Server, saras_key: str) -> None:
    with httpx2.Client(base_url=server.address) as web:
        assert web.get(openapi.PATH).status_code == 401
        found = web.get(openapi.PATH, headers={"authorization": f"Bearer {saras_key}"})
    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")
    assert found.json()["openapi"] == "3.1.0"
