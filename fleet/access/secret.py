"""What is shown once and kept as a hash: keys of sessions, tokens and invitations, and passwords."""

from __future__ import annotations

import functools
import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.core.errors import InvalidInput

TOKEN_PREFIX = "flt_"  # noqa: S105  scanners of repositories look for such beginnings
LEAST_CHARS = 12
_MOST_CHARS = 256
_hasher = PasswordHasher()


def new_key(prefix: str = "") -> str:
    """Return a key of 256 random bits, to be shown once."""
    return prefix + secrets.token_urlsafe(32)


def digest(key: str) -> bytes:
    """Return what is kept of a key. One round does: nobody can guess 256 random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def csrf_of(session_key: str) -> str:
    """Return the word that a session's forms carry. It follows from the cookie and does not tell it."""
    return hashlib.sha256(b"csrf:" + session_key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def hash_password(password: str) -> str:
    """Return what is kept of a password (argon2id). Raises InvalidInput for one that is too short or too long."""
    if len(password) < LEAST_CHARS:
        raise InvalidInput(f"A password has {LEAST_CHARS} characters at least.", fix="Four random words do.")
    if len(password) > _MOST_CHARS:
        raise InvalidInput(f"A password has {_MOST_CHARS} characters at most.")
    return _hasher.hash(password)


def is_password(kept: str | None, password: str) -> bool:
    """Say whether it is the password. Takes as long without a hash: time tells nobody which names exist."""
    try:
        return _hasher.verify(kept or _nobodys(), password[: _MOST_CHARS + 1]) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Say whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@functools.cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))
