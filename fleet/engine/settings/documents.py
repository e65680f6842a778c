"""Documents that people edit at run time and features read: personas, experiments, approval rules. A version is a row.

A document of a name stands above the file of that name. `live` hands the latest versions to features, which validate
them. Changes take turns, as those of settings do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.agents.commands import Outdated
from fleet.engine.settings.models import DocumentRow

Contents = Mapping[str, Mapping[str, Any]]
"""Documents of one kind by name. The same object until one changes."""
NONE: Contents = MappingProxyType({})
UNWRITTEN = 0
"""The version of a document that was never set."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """One version of a document; `document` is None after it was removed."""

    name: str
    version: int
    document: Mapping[str, Any] | None
    set_by: str
    set_at: datetime
    reason: str
    revision: int


def take_turn(tx: Tx, kind: str) -> None:
    """Wait for other changes of documents of this kind to end, and hold off those who rely on one (`rely_on`)."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"fleet.documents.{kind}"))))


def rely_on(tx: Tx, kind: str) -> None:
    """Hold off changes of documents of this kind until this transaction ends: it refers to one."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtext(f"fleet.documents.{kind}"))))


def all_current(tx: Tx) -> tuple[int, Mapping[str, Contents]]:
    """Return the newest revision, and the latest version of every document by kind, without removed ones."""
    newest = sa.select(DocumentRow).distinct(DocumentRow.kind, DocumentRow.name)
    rows = tx.execute(newest.order_by(DocumentRow.kind, DocumentRow.name, DocumentRow.version.desc())).scalars().all()
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if row.document is not None:
            found.setdefault(row.kind, {})[row.name] = row.document
    return max((row.revision for row in rows), default=0), found


def latest(tx: Tx, kind: str, name: str) -> StoredDocument | None:
    """Return the latest version of a document, also of a removed one; None if it was never set."""
    return next(iter(history(tx, kind, name, limit=1)), None)


def history(tx: Tx, kind: str, name: str, *, limit: int, before: int | None = None) -> Sequence[StoredDocument]:
    """Return the versions of a document, newest first; `before` is the last version of the page above."""
    query = sa.select(DocumentRow).where(DocumentRow.kind == kind, DocumentRow.name == name)
    if before is not None:
        query = query.where(DocumentRow.version < before)
    rows = tx.execute(query.order_by(DocumentRow.version.desc()).limit(limit)).scalars()
    return [_stored(row) for row in rows]


def newest_of(tx: Tx, kind: str) -> Mapping[str, StoredDocument]:
    """Return the latest version of every document of a kind, of removed ones too."""
    query = sa.select(DocumentRow).where(DocumentRow.kind == kind).distinct(DocumentRow.name)
    rows = tx.execute(query.order_by(DocumentRow.name, DocumentRow.version.desc())).scalars()
    return {row.name: _stored(row) for row in rows}


def put(
    tx: Tx, kind: str, name: str, document: Mapping[str, Any] | None, *, by: str, reason: str,
    seen: Collection[str] | None = None,
) -> StoredDocument:  # fmt: skip
    """Add a version; None removes the document. The caller has its turn.

    `seen` are the versions that the person has read: raises Outdated if there is another one by now.
    """
    before = latest(tx, kind, name)
    version = before.version if before else UNWRITTEN
    if seen is not None and str(version) not in seen:
        raise Outdated(f"{name} was changed meanwhile.", fix="Look at it again.")
    # One counter for all kinds: those who add to another kind wait here.
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.documents"))))
    newest = tx.scalar(sa.select(sa.func.coalesce(sa.func.max(DocumentRow.revision), 0)))
    row = DocumentRow(
        kind=kind, name=name, version=version + 1, document=document, set_by=by[:100], set_at=tx.now(), reason=reason,
        revision=newest + 1,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    return _stored(row)


def _stored(row: DocumentRow) -> StoredDocument:
    return StoredDocument(row.name, row.version, row.document, row.set_by, row.set_at, row.reason, row.revision)
