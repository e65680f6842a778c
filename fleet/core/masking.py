"""Remove secrets from texts: what looks like one, and the secrets that this process was given.

Called wherever a text is about to be stored or shown: logs, errors, events. Settings and the key store register their
secrets. Imports no other module of Fleet and nothing heavy: the command line's errors need it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

SHORTEST_CHARS = 8
"""Shorter values are no secrets (`none`, `ollama`), and would mask harmless words."""
_HIDDEN = "***"
_LONG_LINE_CHARS = 16
# Starts at the end of a scheme: searching for the scheme as well takes quadratic time on a long word, and texts come
# from receivers and surfaces. A password with a bare @ extends to the last one before the path.
_URL_PASSWORD = re.compile(r"(?P<head>://[^\s:/@]*):[^\s/]+@")
_WITHIN_ADDRESS = re.compile(r"[/:@?&=,;#]+")
_SERVICE_TOKEN = re.compile(r"\bfst_[A-Za-z0-9_-]+")
_KEYS_OF_PEOPLE = re.compile(r"\b(?P<kind>fl[tis]_)[A-Za-z0-9_.-]{16,}")
"""API tokens, invitations and sessions (fleet.access.secret)."""
_MODEL_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)

_concealed: tuple[str, ...] = ()


def conceal(*secrets: str) -> None:
    """Have these values taken out of every text from now on, also URL-encoded, in JSON and in Base64."""
    global _concealed
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms <= set(_concealed):
        # One assignment, so that other threads see the old or the new list; long ones first, since some contain others.
        _concealed = tuple(sorted({*_concealed, *forms}, key=len, reverse=True))


def conceal_address(address: str) -> None:
    """Register an address that may contain keys: mask it in every text, and its password and long parts alone too.

    A part with a dot is a host, and is not masked: logs must show which host did not answer.
    """
    rest = address.partition("://")[2]
    _, _, password = rest.partition("/")[0].rpartition("@")[0].partition(":")
    parts = [part for part in _WITHIN_ADDRESS.split(rest) if len(part) >= _LONG_LINE_CHARS and "." not in part]
    found = [part for part in (password, *parts) if part]
    conceal(address, *found, *map(unquote, found))


def mask(text: str) -> str:
    """Return `text` without concealed values, passwords of URLs, tokens, keys of models and private keys."""
    for form in _concealed:
        if form in text:
            text = text.replace(form, _HIDDEN)
    # Texts without secrets are the rule, and this is on the way of every event.
    if "://" in text:
        text = _URL_PASSWORD.sub(r"\g<head>:***@", text)
    if "fst_" in text:
        text = _SERVICE_TOKEN.sub("fst_***", text)
    if "fl" in text:
        text = _KEYS_OF_PEOPLE.sub(r"\g<kind>***", text)
    if "sk-" in text:
        text = _MODEL_KEY.sub("sk-***", text)
    return _PRIVATE_KEY.sub(_HIDDEN, text) if "PRIVATE KEY" in text else text


def mask_all(value: Any) -> Any:
    """Return a value as JSON has it, with every text in it masked, names of fields too."""
    match value:
        case str():
            return mask(value)
        case Mapping():
            return {mask_all(name): mask_all(one) for name, one in value.items()}
        case list() | tuple():
            return [mask_all(one) for one in value]
    return value


def _forms(secret: str) -> Iterator[str]:
    """Return the ways in which a secret may be written. Of one with many lines, each long line is one."""
    for line in _parts(secret):
        yield from (line, quote(line, safe=""), quote_plus(line), json.dumps(line)[1:-1])
        for before in range(3):
            yield from _in_base64(line.encode(), before)


def _parts(secret: str) -> Iterable[str]:
    lines = secret.strip().splitlines()
    if len(lines) == 1:
        return lines if len(lines[0]) >= SHORTEST_CHARS else ()
    return [line.strip() for line in lines if len(line.strip()) >= _LONG_LINE_CHARS and "-----" not in line]


def _in_base64(secret: bytes, before: int) -> Iterator[str]:
    """Return the letters that a secret alone becomes in base64 after `before` other bytes (of which only the
    remainder modulo three matters, as in `user:key`).
    """
    encoded = base64.b64encode(bytes(before) + secret).decode()
    first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
    yield encoded[first:last]
    yield encoded[first:last].replace("+", "-").replace("/", "_")
