"""A backup: one tar file with the database, the media and the keys that an installation cannot make again.

SQLite is copied by its online backup interface and PostgreSQL by pg_dump, so that the server may go on running.
Keys that come from the environment are the operator's to keep and not in the file.
"""

import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection

from config import env

DATABASE, MEDIA, SECRET_KEY, AUDIT_KEY = "database", "media", "secret_key", "audit_key"


def write(file: Path) -> None:
    """Write a backup to `file`, readable by its owner only.

    Raises:
        OSError: the file exists already or cannot be written, or pg_dump failed.
    """
    handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as target, tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / DATABASE
        _dump(dump)
        with tarfile.open(fileobj=target, mode="w") as tar:
            tar.add(dump, DATABASE)
            for name, path in _files().items():
                if path.exists():
                    tar.add(path, name)


def read(file: Path) -> None:
    """Replace database, media and keys by those of the backup in `file`.

    Raises:
        OSError, tarfile.TarError, KeyError: the file is not a backup, or pg_restore failed.
    """
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as folder:
        with tarfile.open(file) as tar:
            tar.getmember(DATABASE)
            strange = [member.name for member in tar if not _is_ours(member)]
            if strange:
                raise tarfile.TarError(f"it holds {strange[0]!r}, which no backup does.")
            # Python 3.11.4 brought the filter, Debian 12 has 3.11.2: hence _is_ours() before it.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(folder)  # noqa: S202  # every member was looked at
        _load(Path(folder) / DATABASE)
        for name, path in _files().items():
            kept = Path(folder) / name
            if kept.exists():
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                kept.replace(path)


def _files() -> dict[str, Path]:
    """What lies beside the database, by its name in the tar file."""
    return {MEDIA: settings.MEDIA_ROOT} | {name: settings.DATA_DIR / name for name in (SECRET_KEY, AUDIT_KEY)}


def would_overwrite() -> bool:
    """Whether there are people in the database already."""
    try:
        return get_user_model().objects.exists()
    except DatabaseError:
        return False  # no tables yet


def _is_ours(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    return (
        path.parts[0] in (DATABASE, MEDIA, SECRET_KEY, AUDIT_KEY)
        and ".." not in path.parts
        and (member.isfile() or member.isdir())
    )


def _dump(target: Path) -> None:
    if connection.vendor == "sqlite":
        _copy_sqlite(_sqlite_file(), target)
    else:
        _run("pg_dump", "--format=custom", f"--file={target}", _postgres_name())


def _load(source: Path) -> None:
    connection.close()
    if connection.vendor == "sqlite":
        _copy_sqlite(source, _sqlite_file())
    else:
        replace = ["--clean", "--if-exists", "--no-owner", "--single-transaction"]
        _run("pg_restore", *replace, f"--dbname={_postgres_name()}", str(source))


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _sqlite_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


def _postgres_name() -> str:
    return str(connection.settings_dict["NAME"])


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs against our server; the password stays out of the list of processes."""
    psql, secrets = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    server = psql[1 : psql.index(_postgres_name())]
    try:
        subprocess.run([program, *server, *arguments], env=env.enriched(secrets or {}), check=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        raise OSError(f"{program} failed with code {error.returncode}.") from error
