"""Users that approval rules name: whether each exists and may decide. Called by entry points when rules are loaded.

A name that never could decide is a mistake in the file and refused. One that lost its permission later is only
reported: a change of a user's role must not keep the fleet from starting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from fleet.access import users
from fleet.core import logs
from fleet.core.db import Database, Tx
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.approvals.rules import Rule, are_about, users_of
from fleet.features.approvals.ruleset.in_force import rules_of
from fleet.features.approvals.settings import ApprovalsSettings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """A user of a rule who cannot decide. `is_lost` says that they could before."""

    words: str
    fix: str
    is_lost: bool


def problems(db: Database, settings: Settings, rules: Sequence[Rule]) -> list[RuleProblem]:
    """Return the problems of the users that rules name; users in FLEET_ROLES_OF decide at the command line."""
    named = [(rule.name, name) for rule in rules for name in users_of(rule)]
    if not named:
        return []
    at_terminal = {entry.partition("=")[0] for entry in settings.of(ApprovalsSettings).roles_of}
    with db.transaction() as tx:
        return [found for rule, name in named if name not in at_terminal for found in _problem(tx, rule, name)]


def refuse(db: Database, settings: Settings, rules: Sequence[Rule]) -> None:
    """Raise InvalidInput for a user who never could decide; log a warning for one who cannot any more."""
    for problem in problems(db, settings, rules):
        if not problem.is_lost:
            raise InvalidInput(problem.words, fix=problem.fix)
        log.warning("approver_cannot_decide", problem=problem.words, fix=problem.fix)


def refuse_name(deps: Deps, name: str) -> None:
    """Raise InvalidInput for a name that rules mention: a new user of that name would gain their rights."""
    if are_about(rules_of(deps), name):
        raise InvalidInput(
            f"The approval rules name the user {name[:60]}.",
            fix="Choose another name, or have an admin make that user.",
        )


def refuse_unknown(deps: Deps) -> None:
    """Do the same for the rules and settings of a process that is about to serve."""
    refuse(deps.db, deps.settings, rules_of(deps))


def _problem(tx: Tx, rule: str, name: str) -> Iterator[RuleProblem]:
    """Yield the problem of one user, if any."""
    said = f"The approval rule {rule!r} names user:{name}"
    match users.standing(tx, name):
        case users.ApproverStatus.DECIDES:
            return
        case users.ApproverStatus.UNKNOWN:
            near = get_close_matches(name.lower(), [user.name for user in users.listed(tx)], n=1)
            meant = f"Did you mean user:{near[0]}? Else create" if near else "Create"
            fix = (
                f"{meant} the account before the rules name it (`fleet users create {name} --role reviewer`), give the"
                f" name roles at the command line with FLEET_ROLES_OF, or name a role."
            )
            yield RuleProblem(f"{said}, and there is no such account.", fix, is_lost=False)
        case users.ApproverStatus.REMOVED:
            yield RuleProblem(f"{said}, whose account was removed.", "Name another user, or a role.", is_lost=True)
        case standing:
            fix = f"`fleet users role {name} reviewer` lets them decide; or name another user, or a role."
            words = f"{said}, whose role may not decide about requests."
            yield RuleProblem(words, fix, is_lost=standing is users.ApproverStatus.DEMOTED)
