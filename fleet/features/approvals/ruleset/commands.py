"""Change the approval rules as a whole: checked, versioned, noted in the audit log, and told as an event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.access import Via, audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.core.settings import Settings
from fleet.engine.agents.commands import Outdated
from fleet.engine.deps import Deps
from fleet.features.approvals import approver, rule_file
from fleet.features.approvals.requests import people
from fleet.features.approvals.rules import Rule, may_decide
from fleet.features.approvals.ruleset import in_force, rule_users, store
from fleet.features.approvals.ruleset.in_force import RulesInForce

Given = Sequence[Mapping[str, Any]] | None
"""Rules as plain data, in the words of their file; None for those of the file itself."""


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """How rules differ from others, by their names."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    is_moved: bool

    @property
    def words(self) -> str:
        """Return the changes as a text; empty for none."""
        named = (("adds", self.added), ("changes", self.changed), ("removes", self.removed))
        parts = [f"{verb} {', '.join(names)}" for verb, names in named if names]
        return "; ".join([*parts, *(["another order"] if self.is_moved else [])])


def compare(before: Sequence[Rule], after: Sequence[Rule]) -> RuleChanges:
    """Return how rules differ. A rule under another name is another rule."""
    old, new = ({rule.name: rule for rule in rules} for rules in (before, after))
    both = [name for name in new if name in old]
    return RuleChanges(
        tuple(name for name in new if name not in old), tuple(name for name in old if name not in new),
        tuple(name for name in both if old[name] != new[name]), both != [name for name in old if name in new],
    )  # fmt: skip


def parse(deps: Deps, given: Given) -> tuple[Rule, ...]:
    """Return the rules that a change would put in force. Raises InvalidInput."""
    return in_force.file_rules(deps) if given is None else rule_file.parse(given)


def check(deps: Deps, tx: Tx, given: Given, *, seen: Collection[str] | None = None) -> RulesInForce:
    """Return the rules in force, if these may replace them.

    `seen` are the versions that the person has read. Raises Conflict for pinned rules, Outdated, and InvalidInput for
    rules that are wrong or under which nobody could decide.
    """
    now = in_force.read(deps, tx)
    if now.is_pinned:
        raise Conflict(
            "The approval rules are pinned by the environment: nobody changes them at run time.",
            fix=f"Remove {in_force.PINNED} from FLEET_PINNED and restart, or change the file.",
        )
    if seen is not None and str(now.version) not in seen:
        raise Outdated("The approval rules were changed meanwhile.", fix="Look at them again.")
    rules = parse(deps, given)
    with deps.db.joined(tx):
        for problem in rule_users.problems(deps.db, deps.settings, rules):
            raise InvalidInput(problem.words, fix=problem.fix)
    _refuse_undecidable(tx, deps.settings, rules)
    return now


def change(deps: Deps, given: Given, *, by: str, reason: str = "", seen: Collection[str] | None = None) -> bool:
    """Put rules in force, or the file's; return whether that changed anything. Raises as `check`.

    Open requests keep the rule under which they were opened.
    """
    with deps.db.transaction() as tx:
        store.take_turn(tx)
        now = check(deps, tx, given, seen=seen)
        rules = parse(deps, given)
        if now.has(given, rules):
            return False
        version = store.add(tx, None if given is None else rules, by=by, reason=reason)
        words = compare(now.rules, rules).words
        said = f"{'reset to the file' if given is None else 'changed'}{': ' * bool(words)}{words}"[:500]
        audit.note(
            tx, "approval_rules.changed", f"approval_rules:{version}", before={"version": now.version},
            after={"version": version, "change": said, "reason": reason},
        )  # fmt: skip
        events.emit(
            tx, "approval_rules.changed", agent_id=None, job_id=None, version=version, change=said, reason=reason, by=by
        )
        tx.afterwards(deps.live.expire)
    return True


def restored(tx: Tx, version: int) -> Given:
    """Return the rules of an earlier version, to put them in force again. Raises NotFound."""
    rules = store.get(tx, version).rules if version else None
    return None if rules is None else [rule_file.rule_data(rule) for rule in rules]


def _refuse_undecidable(tx: Tx, settings: Settings, rules: Sequence[Rule]) -> None:
    """Raise InvalidInput for a rule that asks more people than there are who may decide, escalation included."""
    at_terminal = approver.person(settings, f"{Via.TERMINAL}:", is_local=True)
    for rule in rules:
        if not rule.requires_approval:
            continue
        named = (*rule.approvers, *rule.escalate_to)
        found = max(people.others(tx, settings, named, ""), int(may_decide(at_terminal, named)))
        if found < rule.min_approvals:
            who = ", ".join(named)
            raise InvalidInput(
                f"Nobody could decide under the rule {rule.name!r}: it needs {rule.min_approvals} of {who}, and there"
                f" {'is' if found == 1 else 'are'} {found or 'none'}.",
                fix="Name other approvers, or give a user such a role.",
            )
