"""The verb that changes the approval rules, which people may have to approve under the rules of now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points import verbs
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.approvals import rule_file
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.ruleset import commands, in_force
from fleet.features.approvals.ruleset.commands import Given

_KEY = ("approval_rules", "change")


class RulesArguments(VerbArguments):
    """The rules as a whole, in the words of their file; null for those of the file."""

    rules: list[dict[str, Any]] | None
    reason: str = Field("", max_length=300)


def change(deps: Deps, who: Principal, given: Given, *, reason: str, seen: Collection[str] | None = None) -> bool:
    """Put rules in force, or the file's; return whether that changed anything.

    Raises NeedsApproval if people have to approve it first, and as `commands.change`.
    """
    with deps.db.transaction() as tx:
        now = commands.check(deps, tx, given, seen=seen)
        if now.has(given, commands.parse(deps, given)):
            return False
    rules = None if given is None else [dict(one) for one in given]
    verbs.parse_if_allowed(deps, who, *_KEY, rules=rules, reason=reason)
    return commands.change(deps, given, by=who.by, reason=reason, seen=seen)


def _check(deps: Deps, tx: Tx, given: RulesArguments, who: Principal) -> None:  # noqa: ARG001 - the shape of all
    commands.check(deps, tx, given.rules)


def _preview(deps: Deps, tx: Tx, given: RulesArguments) -> VerbPreview:
    now, rules = in_force.read(deps, tx), commands.parse(deps, given.rules)
    found = commands.compare(now.rules, rules)
    what = "Go back to the approval rules of the file" if given.rules is None else "Change the approval rules"
    return VerbPreview(
        resource_id="fleet", summary=f"{what}{': ' * bool(found.words)}{found.words}",
        before=_shown(now.rules), after=_shown(rules),
        facts={"added": len(found.added), "removed": len(found.removed), "changed": len(found.changed),
               "is_reset": given.rules is None},
    )  # fmt: skip


def _shown(rules: Sequence[Rule]) -> Mapping[str, Any]:
    """Return rules as approvers compare them: each as its file has it, and their order."""
    return {"order": [rule.name for rule in rules], "rules": {rule.name: rule_file.rule_toml(rule) for rule in rules}}


def _change(deps: Deps, given: RulesArguments, who: Principal) -> bool:
    return commands.change(deps, given.rules, by=who.by, reason=given.reason)


CHANGE = Verb(
    resource=_KEY[0], action=_KEY[1], help="Change the approval rules, or go back to those of the file.",
    permission=Permission.FLEET_EDIT, arguments=RulesArguments,
    example={"rules": None, "reason": "back to the file"}, check=_check, preview=_preview, run=_change,
)  # fmt: skip
