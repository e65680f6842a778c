"""The versions of the approval rules: read and add. Each is called inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.db.sql import Statement
from fleet.core.errors import NotFound
from fleet.features.approvals import rule_file
from fleet.features.approvals.models import RuleSetRow
from fleet.features.approvals.rules import Rule

NEWEST = Statement(sa.select(sa.func.coalesce(sa.func.max(RuleSetRow.version), 0)))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One version of the rules. `rules` is None where people went back to the file."""

    version: int
    rules: tuple[Rule, ...] | None
    set_by: str
    set_at: datetime
    reason: str


def take_turn(tx: Tx) -> None:
    """Wait for other changes of the rules to end: each is checked against the one before."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.approval_rules"))))


def newest(tx: Tx) -> RuleSet | None:
    """Return the version in force; None if nobody ever changed the rules. Raises InvalidInput for one of tomorrow."""
    return next(iter(page(tx, limit=1)), None)


def page(tx: Tx, *, limit: int, before: int | None = None) -> list[RuleSet]:
    """Return versions, newest first; `before` is the last version of the page above."""
    query = sa.select(RuleSetRow).order_by(RuleSetRow.version.desc()).limit(limit)
    if before is not None:
        query = query.where(RuleSetRow.version < before)
    return [_of(row) for row in tx.execute(query).scalars()]


def get(tx: Tx, version: int) -> RuleSet:
    """Return a version. Raises NotFound."""
    row = tx.execute(sa.select(RuleSetRow).where(RuleSetRow.version == version)).scalar_one_or_none()
    if row is None:
        raise NotFound(
            f"There is no version {version} of the approval rules.", fix="`fleet approvals rules history` lists them."
        )
    return _of(row)


def add(tx: Tx, rules: Sequence[Rule] | None, *, by: str, reason: str) -> int:
    """Put rules in force, or the file's; return their version. The caller has its turn."""
    version = int(tx.run(NEWEST).fetchall()[0][0]) + 1
    data = None if rules is None else [rule_file.rule_data(rule) for rule in rules]
    tx.execute(
        sa.insert(RuleSetRow).values(version=version, rules=data, set_by=by[:100], set_at=tx.sql_now, reason=reason)
    )
    return version


def _of(row: RuleSetRow) -> RuleSet:
    rules = None if row.rules is None else rule_file.parse(row.rules)
    return RuleSet(row.version, rules, row.set_by, row.set_at, row.reason)
