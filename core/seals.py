"""What passes through a place where others may write: our own is known by its seal, and all else is nothing."""

import hmac

from django.utils.crypto import salted_hmac

_SEAL_BYTES = 32


def seal(place: str, value: bytes) -> bytes:
    """The value, sealed with SECRET_KEY for this place: in another one the seal is worth nothing."""
    return _sign(place, value) + value


def unseal(place: str, sealed: bytes) -> bytes | None:
    """The value, or None: it was not sealed by us, or not for this place."""
    found, value = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    return value if hmac.compare_digest(found, _sign(place, value)) else None


def _sign(place: str, value: bytes) -> bytes:
    return salted_hmac(place, value, algorithm="sha256").digest()
