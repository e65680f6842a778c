"""How many other people may decide about a request: without any, nobody waits for themselves.

A user of the command line who has no account is one of those who do: the owner of a fleet has an account for the
dashboard, and another name at the terminal.
"""

from __future__ import annotations

import uuid

from fleet.access import Permission, Principal, Via, allows, at_least, users
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.approvals import approver
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import SUBJECT, Person, Rule, is_own, may_decide
from fleet.features.approvals.settings import ApprovalsSettings

_TERMINAL = f"{Via.TERMINAL}:"


def others(tx: Tx, settings: Settings, approvers: tuple[str, ...], asker: str, *, subject: str = "") -> int:
    """Return how many people these approvers are, besides the asker, as `Principal.by` names them, and the subject."""
    accounts = {
        user.name: Person(f"{Via.SESSION}:{user.name}", frozenset(map(str, at_least(user.role))))
        for user in users.listed(tx)
        if allows(user.role, Permission.DRAFTS_DECIDE)
    }
    named = {entry.partition("=")[0] for entry in settings.of(ApprovalsSettings).roles_of} - accounts.keys()
    people = [*accounts.values(), *(approver.person(settings, name, is_local=False) for name in named)]
    found = sum(may_decide(one, approvers) and not is_own(one, asker) and not is_own(one, subject) for one in people)
    is_nameless = asker.startswith(_TERMINAL) and not any(is_own(one, asker) for one in people)
    return max(0, found - 1) if is_nameless else found


def is_alone(tx: Tx, settings: Settings, request: Request) -> bool:
    """Say whether the author of a request may decide about it: they asked themselves, and there are too few others."""
    if request.asker is None:
        return False
    subject = str(request.facts.get(SUBJECT, ""))
    found = others(tx, settings, request.approvers, request.requested_by, subject=subject)
    return found < request.min_approvals


def named(deps: Deps, name: str) -> Principal:
    """Return a user as a session of theirs has them. Raises NotFound."""
    with deps.db.transaction() as tx:
        user = users.get(tx, name)
        found = users.principal(tx, user.id, key_id=uuid.UUID(int=0))
    if found is None:  # removed between the two queries
        raise NotFound(f"There is no user {name!r}.")
    return found


def is_approver(settings: Settings, who: Principal, rule: Rule) -> bool:
    """Say whether a rule names somebody as one who decides."""
    return may_decide(approver.decider(settings, who, None), rule.approvers)
