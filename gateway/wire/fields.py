"""What a field of a request may hold, said once: each rule checks a value, and can say what it wanted to people and,
as JSON Schema, to programs."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import InvalidRequest
from core.text import is_printable
from gateway.types import ExtraFields

Schema = Mapping[str, Any]

# What core.text.is_printable refuses, for a regular expression.
_UNPRINTABLE = "\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on a value, its wording after "must be", and the condition as JSON Schema."""

    says: str | Promise
    holds: Callable[[Any], bool]
    schema: Schema


BOOLEAN = Rule(gettext_lazy("true or false"), lambda value: isinstance(value, bool), {"type": "boolean"})
OBJECT = Rule(gettext_lazy("an object"), lambda value: isinstance(value, dict), {"type": "object"})
ANYTHING = Rule("JSON", lambda value: True, {})


def number(least: float, most: float) -> Rule:
    return Rule(
        f"{least} … {most}",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most,
        {"type": "number", "minimum": least, "maximum": most},
    )


def integer(least: int, most: int) -> Rule:
    return Rule(
        f"{least} … {most}",
        lambda value: type(value) is int and least <= value <= most,
        {"type": "integer", "minimum": least, "maximum": most},
    )


def text(longest: int) -> Rule:
    return Rule(
        gettext_lazy("a text of at most %d characters") % longest,
        lambda value: isinstance(value, str) and len(value) <= longest,
        {"type": "string", "maxLength": longest},
    )


def name(longest: int) -> Rule:
    """A text on one line that may go into the database and into a log."""
    return Rule(
        gettext_lazy("a name of at most %d characters") % longest,
        lambda value: isinstance(value, str) and 0 < len(value) <= longest and _is_on_one_line(value),
        {"type": "string", "minLength": 1, "maxLength": longest, "pattern": f"^[^{_UNPRINTABLE}]*$"},
    )


def matching(expression: str, says: str | Promise) -> Rule:
    """A text that is, from its first character to its last, what a regular expression of any language describes."""
    whole = re.compile(rf"(?:{expression})\Z")
    return Rule(
        says,
        lambda value: isinstance(value, str) and bool(whole.match(value)),
        {"type": "string", "pattern": f"^(?:{expression})$"},
    )


def _is_on_one_line(value: str) -> bool:
    return (value.isascii() and value.isprintable()) or all(map(is_printable, value))


def one_of(*values: str) -> Rule:
    return Rule(
        " / ".join(values),
        lambda value: isinstance(value, str) and value in values,
        {"type": "string", "enum": list(values)},
    )


def list_of(rule: Rule, most: int, least: int = 1) -> Rule:
    return Rule(
        format_lazy(gettext_lazy("a list of {least} to {most} entries"), least=least, most=most),
        lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(rule.holds, value)),
        {"type": "array", "minItems": least, "maxItems": most, "items": rule.schema},
    )


def either(*rules: Rule) -> Rule:
    says = format_lazy(" | ".join(["{}"] * len(rules)), *(rule.says for rule in rules))
    return Rule(says, lambda value: any(rule.holds(value) for rule in rules), any_of(rule.schema for rule in rules))


def any_of(schemas: Iterable[Schema]) -> Schema:
    """What one of the schemas takes, at least."""
    return {"anyOf": list(schemas)}


def describe(rules: Mapping[str, Rule], *, required: Collection[str] = (), **inside: Schema) -> Schema:
    """What `check_fields` takes by these rules, as JSON Schema.

    Args:
        inside: by field, what is looked at within it, where a rule only says that it is an object or a list.
    """
    schemas = {field: inside.get(field, rule.schema) for field, rule in rules.items()}
    return {
        "type": "object",
        "properties": {field: one if field in required else _or_null(one) for field, one in schemas.items()},
        "required": list(required),
        "additionalProperties": False,
    }


def describe_list(rule: Rule, entries: Schema) -> Schema:
    """A list as long as the rule lets it be, of these entries."""
    return {**rule.schema, "items": entries}


def _or_null(schema: Schema) -> Schema:
    return any_of([*schema.get("anyOf", [schema]), {"type": "null"}]) if schema else schema


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        InvalidRequest: not UTF-8, not JSON (NaN and Infinity are not), or not an object.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(_("The body is not valid JSON: %(why)s.") % {"why": error.msg}) from error
    if not isinstance(value, dict):
        raise InvalidRequest(_("The body must be a JSON object."))
    return value


def read_request(
    raw: bytes,
    rules: Mapping[str, Rule],
    *,
    required: Collection[str],
    extra_fields: ExtraFields,
    usual_model: str = "",
) -> dict[str, Any]:
    """The fields of a request's body.

    Args:
        extra_fields: the names that an administrator allows beyond OpenAI's, for the model of a given name.
        usual_model: the one that is asked for where the body names none.

    Raises:
        InvalidRequest: `param` names the field to blame.
    """
    body = read_object(raw)
    model = body.get("model") or usual_model
    is_known = rules.keys() >= body.keys()
    also = () if is_known or not rules["model"].holds(model) else extra_fields(model)
    return check_fields(body, rules, required=required, also=also)


def check_fields(
    value: Mapping[str, Any],
    rules: Mapping[str, Rule],
    *,
    required: Collection[str] = (),
    also: Collection[str] = (),
    path: str = "",
) -> dict[str, Any]:
    """The fields of `value` that are set, each as its rule wants it; `null` means "not set", as clients write it.

    Args:
        also: names that may hold anything.
        path: where `value` is in the request, such as "messages[0].".

    Raises:
        InvalidRequest: an unknown field, a missing one, or one of the wrong kind; `param` names it.
    """
    given = {key: item for key, item in value.items() if item is not None}
    for field in required:
        if field not in given:
            raise missing(path + field)
    for field, item in given.items():
        rule = rules.get(field)
        if rule is None and field not in also:
            shown = path + field[:60]
            raise InvalidRequest(_("The field %(name)s is not known here.") % {"name": shown}, param=shown)
        if rule is not None and not rule.holds(item):
            raise _wrong(path + field, rule)
    return given


def check_object(
    value: object, rules: Mapping[str, Rule], *, required: Collection[str] = (), path: str
) -> dict[str, Any]:
    """The same for what may be no object at all."""
    if not isinstance(value, dict):
        raise _wrong(path.rstrip("."), OBJECT)
    return check_fields(value, rules, required=required, path=path)


def check_kind(value: object, kinds: Collection[str], *, path: str, usual: str = "") -> dict[str, Any]:
    """An object whose `type` is one of `kinds`, with that type written out if it was left to the `usual` one.

    Raises:
        InvalidRequest: no object, or of another type.
    """
    if not isinstance(value, dict):
        return check_object(value, {}, path=path)
    kind = usual if value.get("type") is None else value["type"]
    check_fields({"type": kind}, {"type": one_of(*kinds)}, path=path)
    return {**value, "type": kind}


def missing(field: str) -> InvalidRequest:
    """What to raise for a field that should be there."""
    return InvalidRequest(_("The field %(name)s is missing.") % {"name": field}, param=field)


def _wrong(field: str, rule: Rule) -> InvalidRequest:
    return InvalidRequest(_("The field %(name)s must be: %(rule)s.") % {"name": field, "rule": rule.says}, param=field)
