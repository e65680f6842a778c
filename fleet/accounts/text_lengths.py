"""The lengths of texts that the server of an account sets, as they were read last.

Jobs read them from the server (`TextLimitingAdapter`), outside of transactions, and store them in the account's row;
pages and previews read the row, so they call no server.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from fleet.accounts.models import AccountRow
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import TextRule
from fleet.core.db import Tx

_NUMBERS = ("most", "url_length")


def store(tx: Tx, account_id: uuid.UUID, own: Mapping[str, TextRule]) -> None:
    """Keep the rules that an account's server has of its own; the row is written only if they have changed."""
    values = {kind: {name: getattr(rule, name) for name in _NUMBERS} for kind, rule in own.items()}
    row = AccountRow
    changed = row.text_lengths.is_distinct_from(sa.literal(values, JSONB))
    tx.execute(sa.update(row).where(row.id == account_id, changed).values(text_lengths=values))


def stored(tx: Tx, account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Mapping[str, TextRule]]:
    """Return the rules of accounts by kind of text, as they were read last; empty where a server has none."""
    query = sa.select(AccountRow.id, AccountRow.adapter, AccountRow.text_lengths)
    found = tx.execute(query.where(AccountRow.id.in_(account_ids))).tuples()
    return {account_id: rules(adapter, lengths) for account_id, adapter, lengths in found}


def rules(adapter: str, lengths: Mapping[str, Mapping[str, Any]]) -> Mapping[str, TextRule]:
    """Return the rules that an account's row holds (`AccountRow.text_lengths`)."""
    texts = adapters.get(adapter).texts if adapter in adapters.names() else {}
    return {kind: replace(texts[kind], **numbers) for kind, numbers in lengths.items() if kind in texts}
