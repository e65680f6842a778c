"""Sealing with AES-256-GCM under a ring of keys: the first seals, all open. Pure but for the system's randomness.

Called by `fleet.accounts.keystore`. A value sealed under one name opens under no other (ADR 009), so write access to
the table neither reveals a secret nor allows it to be moved to another name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fleet.core import masking
from fleet.core.errors import FleetError, InvalidInput

KEY_BYTES = 32
_NONCE_BYTES = 12
_FORMAT = b"\x01"
_NEW_KEY_FIX = "`fleet secrets new-key` makes one: 32 bytes in URL-safe Base64."


class LostKey(FleetError):
    """A secret cannot be unsealed: its key is not on the ring, or the row was changed."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret. `key_id` names the key and reveals nothing of it."""

    ciphertext: bytes
    key_id: str


def new_key() -> str:
    """Return a new key, as it is written in settings and in the key file."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


class Keyring:
    """Keys in order. Safe to share between threads."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        given = list(keys)
        self._keys = {_key_id(key): AESGCM(key) for key in given}
        if not self._keys:
            raise InvalidInput("The key store has no key.", fix="`fleet secrets init` makes one.")
        self._first = given[0]

    @classmethod
    def of(cls, written: Iterable[str], *, where: str) -> Self:
        """Return the ring of keys in URL-safe Base64; errors name `where` they come from.

        Raises InvalidInput for no key and for an invalid one.
        """
        told = [key.strip() for key in written if key.strip()]
        masking.conceal(*told)
        return cls([_decoded(key, number, where) for number, key in enumerate(told, 1)])

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys; the first key seals."""
        return tuple(self._keys)

    def seal(self, name: str, secret: str) -> Sealed:
        """Seal a secret for this name, with the first key."""
        key_id, key = next(iter(self._keys.items()))
        nonce = os.urandom(_NONCE_BYTES)
        return Sealed(_FORMAT + nonce + key.encrypt(nonce, secret.encode(), _bound_to(name)), key_id)

    def fingerprint(self, name: str, text: str) -> str:
        """Return a hash by which equal texts are found, in hex. It reveals nothing without the first key.

        With another first key it is another one: who stores it stores it again when secrets are resealed.
        """
        key = hmac.digest(self._first, b"fleet fingerprint\0" + name.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def open(self, name: str, sealed: Sealed) -> str:
        """Return the secret sealed under this name. Raises LostKey."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise LostKey(
                f"{name} is sealed with the key {sealed.key_id}, which is not here.",
                fix=f"Add that key to FLEET_SECRET_KEYS or the key file, or `fleet secrets set {name}` again.",
            )
        nonce, body = sealed.ciphertext[1 : 1 + _NONCE_BYTES], sealed.ciphertext[1 + _NONCE_BYTES :]
        try:
            if sealed.ciphertext[:1] != _FORMAT:
                raise InvalidTag
            return key.decrypt(nonce, body, _bound_to(name)).decode()
        except (InvalidTag, ValueError) as error:  # ValueError: too short to be one, or no text
            raise LostKey(
                f"{name} was changed in the database since it was sealed.",
                fix=f"`fleet secrets set {name}` again, and find out who writes to the table.",
            ) from error


def _decoded(written: str, number: int, where: str) -> bytes:
    try:
        key = base64.b64decode(
            written.rstrip("=") + "=" * (-len(written.rstrip("=")) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidInput(f"{where}: key {number} is none.", fix=_NEW_KEY_FIX)
    return key


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"fleet key id\0" + key).hexdigest()[:12]


def _bound_to(name: str) -> bytes:
    return b"fleet secret\0" + name.encode()
