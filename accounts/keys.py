"""The shape of an API key: what a secret scanner can recognize without our database.

    cak_ + 43 characters of [0-9A-Za-z] (256 random bits) + _ + 6 characters of checksum

The checksum is the CRC-32 of everything before it, in base 62: a scanner that meets the pattern can tell a real
key from a look-alike at once (the form GitHub chose for its tokens in 2021). It proves nothing about who made
the key; only the hash in our table does.
"""

import hashlib
import re
import secrets
import string
import zlib

PATTERN = re.compile(r"cak_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}")

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BITS = 256
_SHOWN = 12  # "cak_" and 8 of 43 characters: enough to tell keys apart, 208 bits stay secret


def new_secret() -> str:
    """A new key. Show it once and keep only `digest_of` it."""
    body = f"cak_{_base62(secrets.randbits(_RANDOM_BITS), 43)}"
    return f"{body}_{_checksum(body)}"


def is_key(text: str) -> bool:
    """Whether the text has the shape and the checksum of one of our keys."""
    return bool(PATTERN.fullmatch(text)) and secrets.compare_digest(_checksum(text[:-7]), text[-6:])


def digest_of(secret: str) -> str:
    """SHA-256, hexadecimal. 256 random bits need no salt and no slow hash: there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def prefix_of(secret: str) -> str:
    """The first characters, by which a person tells keys apart."""
    return secret[:_SHOWN]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), 6)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
