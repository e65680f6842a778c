"""Secrets that are shown once and stored as a hash: keys of sessions, tokens and invitations, and passwords."""

from __future__ import annotations

import functools
import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.core.errors import InvalidInput

# Scanners of repositories search for these prefixes, and `fleet.core.masking` masks them.
TOKEN_PREFIX = "flt_"  # noqa: S105
INVITATION_PREFIX = "fli_"
SESSION_PREFIX = "fls_"
MOST_PASSWORD_CHARS = 256
_hasher = PasswordHasher()


def new_key(prefix: str = "") -> str:
    """Return a key of 256 random bits, to be shown once."""
    return prefix + secrets.token_urlsafe(32)


def new_invitation_key() -> str:
    """Return a key of 128 random bits: a link that people pass on should fit on a line, and is valid for days at
    most.
    """
    return INVITATION_PREFIX + secrets.token_urlsafe(16)


def digest(key: str) -> bytes:
    """Return the hash to store of a key. One round is enough for so many random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def new_session_key(family: str = "") -> str:
    """Return a session's first key, or its next one, which begins with the same `family_of`."""
    return f"{family or SESSION_PREFIX + secrets.token_urlsafe(18)}.{secrets.token_urlsafe(32)}"


def family_of(session_key: str) -> str:
    """Return the part of a session's key that stays the same when the key is rotated."""
    return session_key.partition(".")[0]


def csrf_of(session_key: str) -> str:
    """Return the CSRF token of a session: the same for all of its keys, or open forms would become stale."""
    return hashlib.sha256(b"csrf:" + family_of(session_key).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password. `passwords.refuse_weak` comes before, where one is chosen."""
    try:
        return _hasher.hash(password)
    except UnicodeEncodeError:
        raise InvalidInput("The password holds half of a character.") from None


def is_password(kept: str | None, password: str) -> bool:
    """Return whether a password matches. Takes as long without a hash, so that timing reveals no user names."""
    try:
        return _hasher.verify(kept or _nobodys(), password[: MOST_PASSWORD_CHARS + 1]) and kept is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def is_outdated(kept: str) -> bool:
    """Return whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@functools.cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))
