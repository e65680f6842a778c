"""Webhooks of networks: verify a delivery, then have the account's inbox read. And what people see of it.

A delivery is a hint: what it says is neither trusted nor stored. Refusals say nothing: an unknown account, one
without a secret and a wrong signature get the same response, after a signature was compared.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts import service as accounts
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import Capability
from fleet.adapters.webhook_signatures import META, Handshake, WebhookRules, secret_of
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import FleetError, NotFound
from fleet.engine import publish
from fleet.engine.agents import identities
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.points.account_hooks import AccountHook
from fleet.features.platforms.kinds import READ_INBOX
from fleet.features.platforms.network_hooks.models import NetworkHookRow

PATH = "/hooks/in/network"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.A)
_NOBODY = secrets.token_urlsafe(32)


class NotOfTheNetwork(FleetError):
    """The request does not prove that the network of the account sent it."""

    def __init__(self) -> None:
        super().__init__("The signature does not fit.")


@dataclass(frozen=True, slots=True)
class _Hooked:
    """An account that its network can call."""

    id: uuid.UUID
    name: str
    adapter: str
    rules: WebhookRules
    secret: str


def shake(deps: Deps, name: str, query: Mapping[str, str]) -> Handshake:
    """Return the answer to a network's challenge. Raises NotFound, without a reason."""
    found = _hooked(deps, name)
    rules, secret = (META, _NOBODY) if found is None else (found.rules, found.secret)
    word = verify_token(secret, found.id if found else SETTINGS_ACCOUNT) if rules.by_word else secret
    answer = rules.shake(word, query)
    if found is None or answer is None:
        raise NotFound("There is nothing here.")
    return answer


def receive(deps: Deps, name: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Have the inbox of an account read for a genuine delivery; False for one that came before.

    `headers` have names in lower case. Raises NotOfTheNetwork. A body must be a JSON object: handshakes sign other
    texts for everybody who asks.
    """
    found = _hooked(deps, name)
    rules, secret = (META, _NOBODY) if found is None else (found.rules, found.secret)
    is_genuine = rules.is_genuine(secret, headers, body, deps.now().timestamp())
    if found is None or not is_genuine or not body.lstrip().startswith(b"{"):
        raise NotOfTheNetwork
    job_id = ids.derived(READ_INBOX, found.id, hashlib.sha256(body).hexdigest())
    with deps.db.transaction() as tx:
        agent_id = identities.first_agent(tx, found.id, kind=found.adapter)
        if agent_id is None or not _has_inbox(found.adapter):
            return _note(tx, found)
        job = NewJob(job_id, agent_id, READ_INBOX, found.adapter, account_id=found.id)
        return bool(publish.add_jobs(tx, deps.publisher, [job])) and _note(tx, found)


def verify_token(secret: str, account_id: uuid.UUID) -> str:
    """Return the word that a person enters at a network that asks for one. It follows from the app's secret."""
    return hmac.new(secret.encode(), b"fleet verify token " + account_id.bytes, hashlib.sha256).hexdigest()[:40]


def hook_of(deps: Deps, account_id: uuid.UUID, adapter: str) -> AccountHook | None:
    """Return what people need to know about an account's webhook; None where its network has none.

    The extension of "accounts.hooks".
    """
    rules = adapters.get(adapter).webhooks if adapter in adapters.names() else None
    if rules is None:
        return None
    secret = _secret(deps, account_id)
    with deps.db.transaction() as tx:
        name, row = accounts.get(tx, account_id).name, tx.session.get(NetworkHookRow, account_id)
        deliveries, delivered_at = (row.deliveries, row.delivered_at) if row else (0, None)
    unread = "" if _has_inbox(adapter) else "Its network gives no inbox: deliveries are counted and have no effect."
    missing = "" if secret else "Its credentials have neither webhook_secret nor client_secret: deliveries are refused."
    return AccountHook(
        url=f"{deps.settings.web_url.rstrip('/')}{PATH}/{name}",
        verify_token=verify_token(secret, account_id) if secret and rules.by_word else "",
        attention=missing or unread,
        deliveries=deliveries, delivered_at=delivered_at,
    )  # fmt: skip


def _hooked(deps: Deps, name: str) -> _Hooked | None:
    """Return an account with a secret, by its name, at a network with webhooks."""
    if not _NAME.fullmatch(name):
        return None
    with deps.db.transaction() as tx:
        try:
            row = accounts.named(tx, name)
        except NotFound:
            return None
        account_id, known_as, adapter = row.id, row.name, row.adapter
    rules = adapters.get(adapter).webhooks if adapter in adapters.names() else None
    secret = _secret(deps, account_id) if rules is not None else ""
    return None if rules is None or not secret else _Hooked(account_id, known_as, adapter, rules, secret)


def _secret(deps: Deps, account_id: uuid.UUID) -> str:
    """Return the secret by which the network signs; empty if there is none, or its seal cannot be opened."""
    try:
        found = deps.accounts.get(account_id)
    except FleetError:
        return ""
    return "" if found.lost is not None else secret_of(found.access.credentials.get_secret_value())


def _has_inbox(adapter: str) -> bool:
    return adapters.get(adapter).operation("notifications").capability is not Capability.UNSUPPORTED


def _note(tx: Tx, found: _Hooked) -> bool:
    """Count a delivery; the first one is an event."""
    row = NetworkHookRow
    now = tx.now()
    added = insert(row).values(account_id=found.id, deliveries=1, delivered_at=now)
    count = added.on_conflict_do_update(
        index_elements=[row.account_id], set_={"deliveries": row.deliveries + 1, "delivered_at": now}
    )
    if tx.scalar(count.returning(row.deliveries)) == 1:
        events.emit(tx, "account.reached", account=found.name)
    return True


def note_reading(tx: Tx, account_id: uuid.UUID, began: sa.ColumnElement[object] | object) -> None:
    """Record that the inbox of an account was read from a moment on."""
    tx.execute(sa.update(NetworkHookRow).where(NetworkHookRow.account_id == account_id).values(read_at=began))
