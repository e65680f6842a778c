"""Secrets that are shown once and stored as a hash: keys of sessions, tokens and invitations, and passwords.

zxcvbn estimates how many guesses a password takes: it knows common passwords, words and names, keyboard rows, repeats
and dates. It is loaded where a password is chosen: no other process pays for its word lists.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.core.errors import InvalidInput

# Scanners of repositories search for these prefixes, and `fleet.core.masking` masks them.
TOKEN_PREFIX = "flt_"  # noqa: S105
INVITATION_PREFIX = "fli_"
SESSION_PREFIX = "fls_"
MOST_PASSWORD_CHARS = 256
LEAST_PASSWORD_CHARS = 12
_LEAST_SCORE = 3  # of 0 to 4: more than 10^8 guesses
# The estimate takes the square of the length: seconds for 72 signs that stand for letters, under the lock below.
_ESTIMATED_CHARS = 40
_FIX = "Four random words do."
_WHY = {
    "repeat": "it repeats the same characters or the same word",
    "sequence": "it is a run of neighbours such as abc or 123",
    "spatial": "it follows the keys of a keyboard",
    "date": "it is a date",
    "regex": "it is a year",
    "bruteforce": "it has too few different characters",
}
_lock = threading.Lock()
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


def refuse_weak(password: str, name: str) -> None:
    """Raise InvalidInput for a password that is short, too long, or easy to guess; `name` is its user's."""
    if password and not password.casefold().replace(name.casefold(), ""):
        raise InvalidInput("A password is not the name itself.", fix=_FIX)
    if len(password) < LEAST_PASSWORD_CHARS:
        raise InvalidInput(f"A password has {LEAST_PASSWORD_CHARS} characters at least.", fix=_FIX)
    if len(password) > MOST_PASSWORD_CHARS:
        raise InvalidInput(f"A password has {MOST_PASSWORD_CHARS} characters at most.")
    found = _estimated(password[:_ESTIMATED_CHARS], name)
    if found["score"] < _LEAST_SCORE:
        raise InvalidInput(f"This password is easy to guess: {_why(found['sequence'])}.", fix=_FIX)


def _estimated(password: str, name: str) -> Mapping[str, Any]:
    from zxcvbn import zxcvbn  # its word lists take a twentieth of a second to load

    with _lock:  # it keeps the words that are given to it in a dictionary of the process
        return zxcvbn(password, user_inputs=[name, "fleet"])


def _why(sequence: Sequence[Mapping[str, Any]]) -> str:
    longest = max(sequence, key=lambda match: len(match["token"]))
    if longest["pattern"] != "dictionary":
        return _WHY[longest["pattern"]]
    match longest["dictionary_name"]:
        case "user_inputs":
            return "it contains the user's name or the fleet's"
        case "passwords":
            return "it is like a very common password"
    return "it is a common word or name with little added"


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password. `refuse_weak` comes before, where one is chosen."""
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
