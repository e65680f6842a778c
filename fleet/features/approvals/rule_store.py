"""The rules in force: those that somebody set in the database, or else those of the file, or the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine.deps import Deps
from fleet.features.approvals import rule_file
from fleet.features.approvals.models import RulesRow
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.settings import ApprovalsSettings

STORED = "database"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in their order, and where they come from: `database`, `shipped`, or the name of the file.

    `version` rises with each change by a person; 0 before the first one.
    """

    rules: tuple[Rule, ...]
    source: str
    version: int = 0
    by: str | None = None
    reason: str | None = None
    at: datetime | None = None


def in_force(deps: Deps, tx: Tx | None = None) -> RuleSet:
    """Return the rules in force. Raises InvalidInput for a file that is wrong."""
    if tx is None:
        with deps.db.transaction() as own:
            return in_force(deps, own)
    row = tx.session.scalar(sa.select(RulesRow).order_by(RulesRow.id.desc()).limit(1))
    if row is None:
        return of_file(deps)
    if row.rules is None:
        found = of_file(deps)
        return RuleSet(found.rules, found.source, row.id, row.by_name, row.reason, row.created_at)
    return RuleSet(rule_file.parse(row.rules), STORED, row.id, row.by_name, row.reason, row.created_at)


def of_file(deps: Deps) -> RuleSet:
    """Return the rules of the file, read once a process. Raises InvalidInput for a file that is wrong."""
    path = deps.settings.of(ApprovalsSettings).approval_rules
    name = "shipped" if path is None else path.name
    return RuleSet(deps.part("approval_rules", _load), name)


def _load(deps: Deps) -> tuple[Rule, ...]:
    path = deps.settings.of(ApprovalsSettings).approval_rules
    return rule_file.shipped() if path is None else rule_file.load(path)


def store(tx: Tx, rules: Sequence[Mapping[str, Any]] | None, *, by: str, reason: str, version: int) -> None:
    """Put rules in force, in the form of `rule_file.parse`, or None for those of the file.

    `version` is that of the rules which the person read. Raises Conflict if there are others by now.
    """
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.approval_rules"))))
    row = tx.session.scalar(sa.select(RulesRow).order_by(RulesRow.id.desc()).limit(1))
    if (0 if row is None else row.id) != version:
        raise Conflict("The approval rules were changed meanwhile.", fix="Look at them again.")
    data = None if rules is None else [dict(one) for one in rules]
    tx.execute(sa.insert(RulesRow).values(rules=data, by_name=by[:100], reason=reason[:1000] or None))
    before = None if row is None else {"rules": row.rules}
    audit.note(tx, "approval_rules.set", "approval_rules", before=before, after={"rules": data, "reason": reason})
