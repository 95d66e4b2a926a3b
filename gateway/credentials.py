"""The secrets of providers: encrypted in the database with a key that lives outside it."""

import base64

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
        ImproperlyConfigured: neither the present nor the former key opens it.
    """
    try:
        return _keys().decrypt(token.encode()).decode() if token else ""
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "A provider's credential cannot be opened: CREDENTIAL_KEY (or SECRET_KEY) changed. "
            "Put the former value into CREDENTIAL_KEY_OLD, or enter the credential again."
        ) from error


def _keys() -> MultiFernet:
    secrets = [settings.CREDENTIAL_KEY, settings.CREDENTIAL_KEY_OLD]
    return MultiFernet([Fernet(_derive(secret)) for secret in secrets if secret])


def _derive(secret: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"provider credentials")
    return base64.urlsafe_b64encode(derivation.derive(secret.encode()))
