"""Store what a comparison found: one open discrepancy for each thing and field, settled when both agree again."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.approvals import service as approvals
from fleet.features.reconciliation.models import OPEN, DiscrepancyRow
from fleet.features.reconciliation.rules import Context, DiscrepancySeverity, Moved, Remedy
from fleet.features.stores.queries import words_of

Thing = tuple[str, str, str]
"""The kind of a thing (product, variant), its key and a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDiscrepancy:
    """A discrepancy that a comparison found. `key` is the id of the thing here, or there if it is not known here."""

    thing: str
    key: str
    field: str = ""
    type: StrEnum
    """A `DiscrepancyType`, or a `PostDifference`."""
    severity: DiscrepancySeverity
    moved: Moved
    context: Context
    confidence: float
    action: Remedy
    local: Any = None
    remote: Any = None
    base: Any = None
    about: str = ""
    product_id: uuid.UUID | None = None
    external_id: str = ""
    peers: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def place(self) -> Thing:
        """Where it is."""
        return self.thing, self.key, self.field


@dataclass(frozen=True, slots=True)
class ComparedAccount:
    """The account that was compared, and the run."""

    account_id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    run_id: uuid.UUID


@dataclass(slots=True)
class RecordedFindings:
    """What came of findings: rows that may be fixed or proposed, and counts."""

    rows: list[DiscrepancyRow] = dataclasses.field(default_factory=list)
    new: int = 0
    settled: int = 0
    tallies: Counter[str] = dataclasses.field(default_factory=Counter)


_STAYS = {"post": ("dismissed", "undone", "fixed")}
"""The states in which a discrepancy stays as long as both values stay; of posts also accepted ones."""
_VALUES = ("type", "about", "product_id", "external_id", "local", "remote", "base", "peers", "versions", "severity",
           "moved", "context", "confidence", "action")  # fmt: skip


def record(
    deps: Deps, tx: Tx, place: ComparedAccount, found: Sequence[FoundDiscrepancy], compared: Collection[Thing]
) -> RecordedFindings:  # fmt: skip
    """Store findings, and settle the open discrepancies of what was compared and is not among them.

    A discrepancy that a person dismissed or accepted, or whose fix was undone, stays so as long as both values stay.
    """
    known = _known(tx, place, {key for _, key, _ in compared} | {one.key for one in found})
    done, now = RecordedFindings(), tx.now()
    here = {one.place: one for one in found}
    for one in here.values():
        rows = known.get(one.place, [])
        done.tallies[f"{one.type}:{one.severity}"] += 1
        row = next((each for each in rows if each.state in OPEN), None)
        if row is None:
            row = next((each for each in rows if _stays(each, one)), None)
            if row is not None:
                row.seen_at, row.run_id = now, place.run_id
                continue
            done.rows.append(_open(tx, place, one, now))
            done.new += 1
        elif row.state != "fixing":
            if not _is_same(row, one):
                reopen(deps, tx, row, "its values changed")
            _write(row, one)
            row.seen_at, row.run_id = now, place.run_id
            done.rows.append(row)
    for (thing, key, name), rows in known.items():
        if (thing, key, name) in compared and (thing, key, name) not in here:
            for row in rows:
                if row.state in ("open", "proposed"):
                    close(deps, tx, row, "settled", "both agree again")
                    done.settled += 1
    tx.session.flush()
    return done


def _known(tx: Tx, place: ComparedAccount, keys: Collection[str]) -> dict[Thing, list[DiscrepancyRow]]:
    row = DiscrepancyRow
    query = sa.select(row).where(row.account_id == place.account_id, row.key.in_(keys))
    query = (
        query.where(row.state.in_((*OPEN, "dismissed", "undone", "fixed")))
        .order_by(row.found_at.desc())
        .with_for_update()
    )
    found: dict[Thing, list[DiscrepancyRow]] = {}
    for one in tx.session.scalars(query, execution_options={"populate_existing": True}) if keys else ():
        found.setdefault((one.thing, one.key, one.field), []).append(one)
    return found


def _stays(row: DiscrepancyRow, one: FoundDiscrepancy) -> bool:
    return row.state in _STAYS.get(one.thing, ("dismissed", "undone")) and _is_same(row, one)


def _is_same(row: DiscrepancyRow, one: FoundDiscrepancy) -> bool:
    return bool(row.type == one.type and row.local == one.local and row.remote == one.remote)


def _open(tx: Tx, place: ComparedAccount, one: FoundDiscrepancy, now: datetime) -> DiscrepancyRow:
    row = DiscrepancyRow(
        id=ids.new(), account_id=place.account_id, organisation_id=place.organisation_id, run_id=place.run_id,
        thing=one.thing, key=one.key, field=one.field, state="open", problem="", undo={}, changed_by="", found_at=now,
        seen_at=now, changed_at=now,
    )  # fmt: skip
    _write(row, one)
    tx.session.add(row)
    subject = "discrepancy.critical" if one.severity is DiscrepancySeverity.CRITICAL else "discrepancy.found"
    events.emit(tx, subject, store=place.name, about=one.about, type=str(one.type), severity=str(one.severity),
                field=one.field, local=words_of(one.local)[:100], remote=words_of(one.remote)[:100],
                organisation=str(place.organisation_id), page=f"/reconciliation/{row.id}")  # fmt: skip
    return row


def _write(row: DiscrepancyRow, one: FoundDiscrepancy) -> None:
    for name in _VALUES:
        value = getattr(one, name)
        setattr(row, name, str(value) if name in ("type", "severity", "moved", "context", "action") else value)


def reopen(deps: Deps, tx: Tx, row: DiscrepancyRow, why: str) -> None:
    """Take a question to people back, and open the discrepancy again."""
    request_id, row.request_id = row.request_id, None
    if row.state != "open":
        row.state, row.changed_at = "open", tx.now()
    tx.session.flush()
    if request_id is not None:
        approvals.take_back(deps, tx, request_id, why)


def close(deps: Deps, tx: Tx, row: DiscrepancyRow, state: str, why: str, *, by: str = "") -> None:
    """End an open discrepancy, and take a question to people back."""
    request_id, row.request_id = row.request_id, None
    row.state, row.changed_at, row.changed_by = state, tx.now(), by[:100]
    tx.session.flush()
    if request_id is not None:
        approvals.take_back(deps, tx, request_id, why)
