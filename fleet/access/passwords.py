"""Refuse passwords that are easy to guess. Called where a password is chosen, never where one is checked.

zxcvbn estimates the guesses that a password takes: it knows common passwords, words and names, keyboard rows, repeats
and dates. It is loaded with the first password: no other process pays for its word lists.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.access.secret import MOST_PASSWORD_CHARS
from fleet.core.errors import InvalidInput

LEAST_CHARS = 12
_LEAST_SCORE = 3  # of 0 to 4: more than 10^8 guesses
_ESTIMATED_CHARS = 72  # the estimate takes the square of the length
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


def refuse_weak(password: str, name: str) -> None:
    """Raise InvalidInput for a password that is short, too long, or easy to guess; `name` is its user's."""
    if password and not password.casefold().replace(name.casefold(), ""):
        raise InvalidInput("A password is not the name itself.", fix=_FIX)
    if len(password) < LEAST_CHARS:
        raise InvalidInput(f"A password has {LEAST_CHARS} characters at least.", fix=_FIX)
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
