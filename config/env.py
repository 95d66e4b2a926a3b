"""The only reader of the environment: typed values, each refused with a full sentence when malformed.

Every variable read here is described in docs/settings.md; a test compares the two.
"""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def choose_settings() -> None:
    """Name the settings module for entry points that Django does not start itself."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def export(name: str, value: str) -> None:
    """Set the variable for this process and the ones it starts: what the supervisor chose for all of them."""
    os.environ[name] = value


def enriched(values: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `values` added, for a program that is started."""
    return {**os.environ, **values}


def text(name: str, default: str = "") -> str:
    """The variable as text without surrounding space, or `default` when unset or empty."""
    return os.environ.get(name, "").strip() or default


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


def one_of(name: str, values: Sequence[str]) -> str:
    """The variable as one of `values`; the first when unset.

    Raises:
        ImproperlyConfigured: it is none of them.
    """
    value = text(name, values[0])
    if value not in values:
        raise ImproperlyConfigured(f"{name} is {value!r}; write one of {', '.join(values)}.")
    return value


def words(name: str, default: list[str]) -> list[str]:
    """The variable as a list separated by commas."""
    raw = text(name)
    return [word.strip() for word in raw.split(",") if word.strip()] if raw else default


def address(name: str) -> str:
    """The variable as the address of a site, without the slash at its end; "" when unset.

    Raises:
        ImproperlyConfigured: it is written otherwise.
    """
    raw = text(name)
    if raw and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+/?", raw):
        raise ImproperlyConfigured(f"{name} is {raw!r}; write an address such as https://ai.example.edu.")
    return raw.rstrip("/")


def color(name: str, default: str) -> str:
    """The variable as a color, #rrggbb.

    Raises:
        ImproperlyConfigured: it is written otherwise.
    """
    raw = text(name, default).lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", raw):
        raise ImproperlyConfigured(f"{name} is {raw!r}; write a color such as #0e5a6d.")
    return raw


def file(name: str) -> str:
    """The variable as the path of a file that can be read, or "" when unset.

    Raises:
        ImproperlyConfigured: there is no such file.
    """
    raw = text(name)
    if raw and not os.access(raw, os.R_OK):
        raise ImproperlyConfigured(f"{name} names {raw!r}, which cannot be read.")
    return raw


def secret(name: str, default: str = "") -> str:
    """The variable, or the content of the file that NAME_FILE names.

    Raises:
        ImproperlyConfigured: NAME_FILE names a file that cannot be read.
    """
    file = text(f"{name}_FILE")
    if not file:
        return text(name, default)
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE names {file!r}, which cannot be read: {error}.") from error


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


def kept_secret(file: Path) -> str:
    """A random secret made once and kept in `file`, readable by its owner only: for runs that set none."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as new:
        new.write(secrets.token_urlsafe(50))
    return file.read_text().strip()
