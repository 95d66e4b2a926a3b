"""Secrets the database has to keep readable: encrypted there with a key that lives outside it."""

import base64
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypt(secret: str) -> str:
    """`secret` under the present key; "" stays ""."""
    return _keys().encrypt(secret.encode()).decode() if secret else ""


def decrypt(token: str) -> str:
    """The secret inside `token`; "" stays "".

    Raises:
        ImproperlyConfigured: none of the keys opens it, or there is none.
    """
    try:
        return _keys().decrypt(token.encode()).decode() if token else ""
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A credential or second factor cannot be opened: CREDENTIAL_KEY (or SECRET_KEY) changed. "
            "Put the former value into CREDENTIAL_KEY_OLD, or enter the credential again."
        ) from error


def _keys() -> MultiFernet:
    """The present key encrypts, and every one that is known opens."""
    file = settings.CREDENTIAL_KEY_FILE
    try:
        present = _read_lines(file, Path(file).stat().st_mtime_ns) if file else (settings.CREDENTIAL_KEY,)
    except OSError as error:
        raise ImproperlyConfigured(f"CREDENTIAL_KEY_FILE cannot be read: {error.strerror}.") from error
    if not any(present):
        raise ImproperlyConfigured("CREDENTIAL_KEY_FILE holds no key.")
    return _make_keys((*present, settings.CREDENTIAL_KEY_OLD))


@lru_cache(maxsize=2)
def _read_lines(file: str, _changed: int) -> tuple[str, ...]:
    """The keys of a file, one on a line, the present one first; read again when it has changed, without a restart."""
    return tuple(Path(file).read_text().split())


@lru_cache(maxsize=8)
def _make_keys(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(secret)) for secret in secrets if secret])


def _derive(secret: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"provider credentials")
    return base64.urlsafe_b64encode(derivation.derive(secret.encode()))
