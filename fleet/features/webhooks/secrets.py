"""Secrets of webhooks: make, seal for one row and field, unseal, and seal again.

Called by the commands and handlers of webhooks, and by `keys` when keys change. A secret that is unsealed here is
masked in every output of this process from then on.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

from fleet.accounts.sealing import Keyring, LostKey, Sealed
from fleet.core import masking
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.features.webhooks import sources
from fleet.features.webhooks.outbound import subscriptions
from fleet.features.webhooks.outbound.subscriptions import SealedSecret, Subscription
from fleet.features.webhooks.sources import InboundSource

_PREFIX = "whsec_"
_LOST = "Give it another secret, or bring back the key of the key store that sealed it."


def fresh() -> str:
    """Return a new secret; its text, unchanged, is the key for signing and verifying."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    masking.conceal(secret)
    return secret


def seal_subscriptions(keys: Keyring, subscription_id: uuid.UUID, secret: str) -> SealedSecret:
    """Seal a subscription's secret."""
    return _seal(keys, f"hook_subscriptions/{subscription_id}/secret", secret)


def seal_older(keys: Keyring, subscription_id: uuid.UUID, secret: str) -> SealedSecret:
    """Seal a subscription's secret as the older of two."""
    return _seal(keys, f"hook_subscriptions/{subscription_id}/previous_secret", secret)


def seal_sources(keys: Keyring, source_id: uuid.UUID, secret: str) -> SealedSecret:
    """Seal a source's secret."""
    return _seal(keys, f"hook_sources/{source_id}/secret", secret)


def newest(keys: Keyring, found: Subscription) -> str:
    """Return a subscription's secret. Raises LostKey."""
    return _open(keys, f"hook_subscriptions/{found.id}/secret", found.secret)


def older(keys: Keyring, found: Subscription) -> str | None:
    """Return the secret that a subscription had before, if it had one. Raises LostKey."""
    if found.previous is None:
        return None
    return _open(keys, f"hook_subscriptions/{found.id}/previous_secret", found.previous)


def of_source(keys: Keyring, source: InboundSource) -> str:
    """Return a source's secret. Raises LostKey."""
    return _open(keys, f"hook_sources/{source.id}/secret", source.secret)


def reseal(tx: Tx, keys: Keyring) -> Sequence[str]:
    """Seal with the first key all secrets that another key sealed; return their owners. Raises LostKey."""
    first, done = keys.key_ids[0], []
    for one in subscriptions.listed(tx):
        if {one.secret.key_id, one.previous.key_id if one.previous else first} != {first}:
            before = older(keys, one)
            subscriptions.reseal(
                tx, one.id, seal_subscriptions(keys, one.id, newest(keys, one)),
                None if before is None else seal_older(keys, one.id, before),
            )  # fmt: skip
            done.append(f"webhook {one.id}")
    for source in sources.listed(tx):
        if source.secret.key_id != first:
            sources.seal(tx, source.name, seal_sources(keys, source.id, of_source(keys, source)))
            done.append(f"source {source.name}")
    return done


def _seal(keys: Keyring, name: str, secret: str) -> SealedSecret:
    sealed = keys.seal(name, secret)
    return SealedSecret(sealed.ciphertext, sealed.key_id)


def _open(keys: Keyring, name: str, secret: SealedSecret) -> str:
    try:
        opened = keys.open(name, Sealed(secret.ciphertext, secret.key_id))
    except FleetError as error:
        raise LostKey(f"The secret of {name.rpartition('/')[0]} cannot be opened.", fix=_LOST) from error
    masking.conceal(opened)
    return opened
