"""Sealed values of settings that hold secrets: JSON with the ciphertext and the id of its key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from fleet.accounts.sealing import Keyring, Sealed

_CIPHERTEXT, _KEY_ID = "sealed", "key_id"


def is_sealed(value: object) -> bool:
    """Say whether a stored value is sealed."""
    return isinstance(value, Mapping) and set(value) == {_CIPHERTEXT, _KEY_ID}


def key_id_of(value: Mapping[str, Any]) -> str:
    """Return the id of the key that sealed a value."""
    return str(value[_KEY_ID])


def seal(ring: Keyring, name: str, value: Any) -> dict[str, str]:
    """Return a value as the table keeps it."""
    sealed = ring.seal(_bound_to(name), json.dumps(value))
    return {_CIPHERTEXT: base64.b64encode(sealed.ciphertext).decode(), _KEY_ID: sealed.key_id}


def opened(ring: Callable[[], Keyring], name: str, value: Any) -> Any:
    """Return a stored value without its seal. Raises LostKey, and InvalidInput when there is no key at all."""
    if not is_sealed(value):
        return value
    sealed = Sealed(base64.b64decode(value[_CIPHERTEXT]), key_id_of(value))
    return json.loads(ring().open(_bound_to(name), sealed))


def _bound_to(name: str) -> str:
    return f"setting {name}"
