"""What is shown once and kept as a hash: keys of sessions, tokens and invitations, and passwords."""

from __future__ import annotations

import functools
import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.core.errors import InvalidInput

# Scanners of repositories look for such beginnings, and `fleet.core.masking` takes out what begins so.
TOKEN_PREFIX = "flt_"  # noqa: S105
INVITATION_PREFIX = "fli_"
SESSION_PREFIX = "fls_"
LEAST_CHARS = 12
_MOST_CHARS = 256
_hasher = PasswordHasher()


def new_key(prefix: str = "") -> str:
    """Return a key of 256 random bits, to be shown once."""
    return prefix + secrets.token_urlsafe(32)


def new_invitation_key() -> str:
    """Return a key of 128 random bits: a link that people pass on should fit on a line, and lives for days at most."""
    return INVITATION_PREFIX + secrets.token_urlsafe(16)


def digest(key: str) -> bytes:
    """Return what is kept of a key. One round does: nobody can guess so many random bits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def new_session_key(family: str = "") -> str:
    """Return a session's first key, or its next one, which begins with the same `family_of`."""
    return f"{family or SESSION_PREFIX + secrets.token_urlsafe(18)}.{secrets.token_urlsafe(32)}"


def family_of(session_key: str) -> str:
    """Return the part of a session's key that stays while the rest is changed from time to time."""
    return session_key.partition(".")[0]


def csrf_of(session_key: str) -> str:
    """Return the word that a session's forms carry: the same for all of its keys, or open forms would go stale."""
    return hashlib.sha256(b"csrf:" + family_of(session_key).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def hash_password(password: str, name: str) -> str:
    """Return what is kept of a password (argon2id). Raises InvalidInput for one that is weak: short, or the name."""
    if password and not password.casefold().replace(name.casefold(), ""):
        raise InvalidInput("A password is not the name itself.", fix="Four random words do.")
    if len(password) < LEAST_CHARS:
        raise InvalidInput(f"A password has {LEAST_CHARS} characters at least.", fix="Four random words do.")
    if len(password) > _MOST_CHARS:
        raise InvalidInput(f"A password has {_MOST_CHARS} characters at most.")
    try:
        return _hasher.hash(password)
    except UnicodeEncodeError:
        raise InvalidInput("The password holds half of a character.") from None


def is_password(kept: str | None, password: str) -> bool:
    """Say whether it is the password. Takes as long without a hash: time tells nobody which names exist."""
    try:
        return _hasher.verify(kept or _nobodys(), password[: _MOST_CHARS + 1]) and kept is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def is_outdated(kept: str) -> bool:
    """Say whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@functools.cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))
