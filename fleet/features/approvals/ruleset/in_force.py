"""The rules in force in this process: those that people edited last, else those of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.core import logs
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.approvals import rule_file
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.ruleset import store
from fleet.features.approvals.ruleset.store import RuleSet
from fleet.features.approvals.settings import ApprovalsSettings

log = logs.get(__name__)

PINNED = "approval_rules"
"""The setting that FLEET_PINNED names to have the file's rules in force, whatever people edited."""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The rules, the file below them, and the version that put them in force; None while nobody has changed any."""

    rules: tuple[Rule, ...]
    file: str
    edited: RuleSet | None
    is_pinned: bool

    @property
    def is_file(self) -> bool:
        """Whether the file's rules are in force."""
        return self.is_pinned or self.edited is None or self.edited.rules is None

    @property
    def version(self) -> int:
        """The number of the version; 0 while nobody has changed any."""
        return 0 if self.edited is None else self.edited.version

    def has(self, given: Collection[object] | None, rules: tuple[Rule, ...]) -> bool:
        """Whether a change to these rules would change nothing; `given` is None for those of the file."""
        return rules == self.rules and (given is not None or self.is_file)


class _Parsed:
    """The document that was parsed last, and its rules."""

    last: tuple[Mapping[str, Any], tuple[Rule, ...]] | None = None


def rules_of(deps: Deps) -> tuple[Rule, ...]:
    """Return the rules of this process, in order: no query. Raises InvalidInput for a file that is wrong."""
    document = deps.live.documents(store.KIND).get(store.NAME)
    if document is None or deps.given.is_pinned(PINNED):
        return file_rules(deps)
    parsed = deps.part("approval_rules.parsed", lambda _: _Parsed(), for_all=True)
    last = parsed.last
    if last is None or last[0] is not document:
        parsed.last = last = document, _readable(deps, document, otherwise=last and last[1])
    return last[1]


def _readable(deps: Deps, document: Mapping[str, Any], otherwise: tuple[Rule, ...] | None) -> tuple[Rule, ...]:
    """Return the rules of a document; those before, or the file's, for a document that only a later version reads."""
    try:
        return store.parse(document)
    except InvalidInput as error:
        log.warning("approval_rules_not_in_force", reason=str(error))
        return file_rules(deps) if otherwise is None else otherwise


def read(deps: Deps, tx: Tx) -> RulesInForce:
    """Return the rules as the table has them at this moment."""
    return _in_force(deps, store.newest(tx))


def file_rules(deps: Deps) -> tuple[Rule, ...]:
    """Return the rules of the file. Raises InvalidInput."""
    return deps.part("approval_rules", lambda deps: load(deps.given), for_all=True)


def load(settings: Settings) -> tuple[Rule, ...]:
    """Read the rules of the file that the settings name. Raises InvalidInput."""
    path = settings.of(ApprovalsSettings).approval_rules
    return rule_file.shipped() if path is None else rule_file.load(path)


def _in_force(deps: Deps, edited: RuleSet | None) -> RulesInForce:
    path = deps.given.of(ApprovalsSettings).approval_rules
    is_pinned = deps.given.is_pinned(PINNED)
    own = None if is_pinned or edited is None else edited.rules
    rules = file_rules(deps) if own is None else own
    return RulesInForce(rules, "shipped" if path is None else path.name, edited, is_pinned)
