"""The only reader of the environment: typed values, each refused with a full sentence when malformed.

Every variable read here is described in docs/settings.md; a test compares the two. What was read, and where it came
from, is remembered for the administrators' page of settings; a secret is remembered as set or not set.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import ParamSpec, TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
P = ParamSpec("P")
T = TypeVar("T")


class Source(Enum):
    """Where the value of a variable came from."""

    ENVIRONMENT = "environment"
    FILE = "file"  # the one that NAME_FILE names
    MADE = "made"  # once, on this machine, and kept under DATA_DIR
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Reading:
    """One variable as it was read; of a secret neither value nor default."""

    name: str
    source: Source
    value: object
    default: object
    is_secret: bool = False


_readings: dict[str, Reading] = {}


def list_readings() -> list[Reading]:
    """What this process read, in the order of the settings."""
    return list(_readings.values())


def _remembered(read: Callable[P, T]) -> Callable[P, T]:
    """A reader of a variable; one that asks another reader has the last word."""

    @wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        value = read(*args, **kwargs)
        asked = signature(read).bind(*args, **kwargs).arguments
        name = str(asked["name"])
        default = asked["values"][0] if "values" in asked else asked.get("default", "")
        _readings[name] = Reading(name, _source_of(name), value, default)
        return value

    return answer


def _remembered_as_secret(read: Callable[P, T]) -> Callable[P, T]:
    """A reader of a variable that holds a password or a key: only that it was set is remembered, and where."""

    @wraps(read)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        value = read(*args, **kwargs)
        name = str(signature(read).bind(*args, **kwargs).arguments["name"])
        source = Source.FILE if os.environ.get(f"{name}_FILE", "").strip() else _source_of(name)
        _readings[name] = Reading(name, source, None, None, is_secret=True)
        return value

    return answer


def _source_of(name: str) -> Source:
    return Source.ENVIRONMENT if os.environ.get(name, "").strip() else Source.DEFAULT


def choose_settings() -> None:
    """Name the settings module for entry points that Django does not start itself."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def export(name: str, value: str) -> None:
    """Set the variable for this process and the ones it starts: what the supervisor chose for all of them."""
    os.environ[name] = value


def enriched(values: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `values` added, for a program that is started."""
    return {**os.environ, **values}


@_remembered
def text(name: str, default: str = "") -> str:
    """The variable as text without surrounding space, or `default` when unset or empty."""
    return os.environ.get(name, "").strip() or default


@_remembered
def flag(name: str, *, default: bool) -> bool:
    """The variable as a yes or no.

    Raises:
        ImproperlyConfigured: the value is neither.
    """
    raw = os.environ.get(name)
    if raw is None:
        return default
    value = raw.strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}; write 1 for yes or 0 for no.")


@_remembered
def number(name: str, default: int, *, least: int = 0) -> int:
    """The variable as a whole number of at least `least`.

    Raises:
        ImproperlyConfigured: the value is not a whole number, or smaller.
    """
    raw = text(name)
    if not raw:
        return default
    if not (raw.isascii() and raw.isdigit()) or int(raw) < least:
        raise ImproperlyConfigured(f"{name} is {raw!r}; write a whole number of at least {least}.")
    return int(raw)


@_remembered
def one_of(name: str, values: Sequence[str]) -> str:
    """The variable as one of `values`; the first when unset.

    Raises:
        ImproperlyConfigured: it is none of them.
    """
    value = text(name, values[0])
    if value not in values:
        raise ImproperlyConfigured(f"{name} is {value!r}; write one of {', '.join(values)}.")
    return value


@_remembered
def words(name: str, default: list[str]) -> list[str]:
    """The variable as a list separated by commas."""
    raw = text(name)
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else default


@_remembered
def address(name: str) -> str:
    """The variable as the address of a site, without the slash at its end; "" when unset.

    Raises:
        ImproperlyConfigured: it is written otherwise.
    """
    raw = text(name)
    if raw and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+/?", raw):
        raise ImproperlyConfigured(f"{name} is {raw!r}; write an address such as https://ai.example.edu.")
    return raw.rstrip("/")


@_remembered
def color(name: str, default: str) -> str:
    """The variable as a color, #rrggbb.

    Raises:
        ImproperlyConfigured: it is written otherwise.
    """
    raw = text(name, default).lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", raw):
        raise ImproperlyConfigured(f"{name} is {raw!r}; write a color such as #0e5a6d.")
    return raw


@_remembered
def file(name: str) -> str:
    """The variable as the path of a file that can be read, or "" when unset.

    Raises:
        ImproperlyConfigured: there is no such file.
    """
    raw = text(name)
    if raw and not os.access(raw, os.R_OK):
        raise ImproperlyConfigured(f"{name} names {raw!r}, which cannot be read.")
    return raw


@_remembered_as_secret
def secret(name: str, default: str = "") -> str:
    """The variable, or the content of the file that NAME_FILE names.

    Raises:
        ImproperlyConfigured: NAME_FILE names a file that cannot be read.
    """
    file = os.environ.get(f"{name}_FILE", "").strip()
    if not file:
        return os.environ.get(name, "").strip() or default
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names {file!r}, which cannot be read: {error}.") from error


@_remembered_as_secret
def database(name: str, default: str) -> dict[str, object]:
    """Django's database settings for a URL such as postgres://user:password@host/name.

    Raises:
        ImproperlyConfigured: the URL names neither SQLite nor PostgreSQL.
    """
    url = secret(name, default)
    parsed: dict[str, object] = dict(environ.Env.db_url_config(url))
    if parsed.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        scheme = url.split(":", 1)[0]
        raise ImproperlyConfigured(f"{name} begins with {scheme!r}; this product runs on sqlite or postgres.")
    return parsed


@_remembered_as_secret
def mail(name: str, folder: Path) -> dict[str, object]:
    """Django's mail settings for a URL such as smtp+tls://user:password@host:587, or files in `folder` when unset.

    Raises:
        ImproperlyConfigured: the URL names no way to send mail.
    """
    url = secret(name)
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend", "EMAIL_FILE_PATH": str(folder)}
    return dict(environ.Env.email_url_config(url))


def noted(file: Path) -> str:
    """What a supervisor noted in `file` for the verbs run beside it, or "" when none did."""
    return file.read_text().strip() if file.exists() else ""


def kept_secret(name: str, file: Path) -> str:
    """A random secret made once and kept in `file`, readable by its owner only: for runs that set none as `name`."""
    _readings[name] = replace(_readings[name], source=Source.MADE)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as new:
        new.write(secrets.token_urlsafe(50))
    return file.read_text().strip()
