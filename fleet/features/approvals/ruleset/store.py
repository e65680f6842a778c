"""The versions of the approval rules, which are one document. Each is called inside its caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.settings import documents
from fleet.engine.settings.documents import StoredDocument
from fleet.features.approvals import rule_file
from fleet.features.approvals.rules import Rule

KIND, NAME = "approval_rules", "fleet"


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
    documents.take_turn(tx, KIND)


def newest(tx: Tx) -> RuleSet | None:
    """Return the version in force; None if nobody ever changed the rules. Raises InvalidInput for one of tomorrow."""
    return next(iter(page(tx, limit=1)), None)


def page(tx: Tx, *, limit: int, before: int | None = None) -> list[RuleSet]:
    """Return versions, newest first; `before` is the last version of the page above."""
    return [_of(one) for one in documents.history(tx, KIND, NAME, limit=limit, before=before)]


def get(tx: Tx, version: int) -> RuleSet:
    """Return a version. Raises NotFound."""
    found = next(iter(page(tx, limit=1, before=version + 1)), None)
    if found is None or found.version != version:
        raise NotFound(
            f"There is no version {version} of the approval rules.", fix="`fleet approvals rules history` lists them."
        )
    return found


def add(tx: Tx, rules: Sequence[Rule] | None, *, by: str, reason: str) -> int:
    """Put rules in force, or the file's; return their version. The caller has its turn."""
    document = None if rules is None else {"rules": [rule_file.rule_data(rule) for rule in rules]}
    return documents.put(tx, KIND, NAME, document, by=by, reason=reason).version


def parse(document: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a document. Raises InvalidInput for one of a later version of Fleet."""
    return rule_file.parse(document["rules"])


def _of(one: StoredDocument) -> RuleSet:
    rules = None if one.document is None else parse(one.document)
    return RuleSet(one.version, rules, one.set_by, one.set_at, one.reason)
