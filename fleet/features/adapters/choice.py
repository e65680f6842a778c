"""The choice of another account for an operation that the job's own account cannot do: by capability, health and cost.

`best` is pure. `choose` reads what it needs; it is registered at "jobs.elsewhere" and runs only where the own account
is stopped, has lost its credentials, or does not do the operation.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet.accounts.models import SETTINGS_ACCOUNT, key_of
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import Capability, Operation
from fleet.core.errors import FleetError
from fleet.engine import controls, registry
from fleet.engine.agents import identities
from fleet.engine.agents.loop import ActingAgent, through
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.elsewhere import OtherAccount
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import Claim
from fleet.features.adapters.health import checks

ON_ANY_NETWORK = frozenset({"post"})
"""What an agent may do on another network instead: it is prepared anew there."""
ON_THE_SAME = frozenset({"post", "comment", "like", "react", "repost", "follow"})
"""What another account at the same server may do instead. Removals and edits belong to the account that wrote."""
_OWN_POSTS = ("follows", "draft", "item")
"""In a payload: the job is about the account's own posts, or people chose the account."""


@dataclass(frozen=True, slots=True)
class AccountCandidate:
    """An account that could do a job."""

    account_id: uuid.UUID
    name: str
    surface: str
    operation: Operation
    obstacle: str = ""
    """Why it cannot: stopped, no credentials, the operation is off."""
    failures: int = 0
    """Its checks that failed since the last good one."""


def best(candidates: Iterable[AccountCandidate]) -> AccountCandidate | None:
    """Return the account to take: able, then without consent, native, healthy, cheap; else the first. Pure."""
    able = [one for one in candidates if not one.obstacle and one.operation.capability is not Capability.UNSUPPORTED]
    return min(able, key=_rank, default=None)


def _rank(one: AccountCandidate) -> tuple[bool, bool, int, float]:
    is_workaround = one.operation.capability is Capability.WORKAROUND
    return one.operation.needs_consent, is_workaround, one.failures, one.operation.usd


def choose(deps: Deps, claim: Claim, agent: ActingAgent, holds: Sequence[Hold]) -> OtherAccount | None:
    """Return the account that does a job instead of its own; None if its own can do it, or no other can."""
    action = registry.current().action_of(claim.kind)
    if action not in ON_THE_SAME or any(name in claim.payload for name in _OWN_POSTS):
        return None
    own = _candidate(deps, through(agent, claim.account_id, claim.surface), claim, action, holds)
    if not own.obstacle:
        return None
    hold = controls.covering(holds, agent, claim.kind)
    if hold is not None and hold.scope not in ("account", "surface"):
        return None  # it would wait there as well
    if not _exists_elsewhere(deps, agent, claim, action, holds):
        return None
    others = [one for one in _others(deps, agent, claim, action, holds) if _is_near(deps, claim, one, action)]
    found = best(others)
    if found is None:
        return None
    stored = None if found.account_id == SETTINGS_ACCOUNT else found.account_id
    return OtherAccount(stored, found.surface, found.name, own.name, own.obstacle)


def _exists_elsewhere(deps: Deps, agent: ActingAgent, claim: Claim, action: str, holds: Sequence[Hold]) -> bool:
    """Say without the database whether any other account of the fleet could do a job, whichever agent has it.

    Most jobs that wait at a stopped account have no other one: they cost no transaction.
    """
    for account in deps.accounts.all():
        if account.key.id != key_of(claim.account_id):
            stored = None if account.key.id == SETTINGS_ACCOUNT else account.key.id
            one = _candidate(deps, through(agent, stored, account.adapter), claim, action, holds)
            if best([one]) is not None and _is_near(deps, claim, one, action):
                return True
    return False


def _others(deps: Deps, agent: ActingAgent, claim: Claim, action: str, holds: Sequence[Hold]) -> list[AccountCandidate]:
    with deps.db.transaction() as tx:
        row = tx.session.get(AgentRow, agent.id)
        known = [] if row is None else identities.of_agent(tx, row)
        checked = checks.newest(tx, [key_of(one.account_id) for one in known])
    found = []
    for one in known:
        if key_of(one.account_id) == key_of(claim.account_id) or one.remote_id is None:
            continue
        way = through(agent, one.account_id, one.surface, one.remote_id)
        last = checked.get(key_of(one.account_id))
        found.append(_candidate(deps, way, claim, action, holds, failures=last.failures if last else 0))
    return found


def _candidate(
    deps: Deps, way: ActingAgent, claim: Claim, action: str, holds: Sequence[Hold], *, failures: int = 0
) -> AccountCandidate:
    account_id, unknown = key_of(way.account_id), Operation(name=action, capability=Capability.UNSUPPORTED)
    try:
        account = deps.accounts.get(account_id)
        kind = adapters.get(account.adapter)
    except FleetError as error:
        return AccountCandidate(account_id, way.surface, way.surface, unknown, str(error))
    operation = kind.operation(action)
    hold = controls.covering(holds, way, claim.kind)
    obstacle = ""
    if hold is not None:
        obstacle = hold.words()
    elif account.lost is not None:
        obstacle = "its credentials cannot be opened"
    elif operation.capability is Capability.UNSUPPORTED:
        obstacle = f"{account.adapter} has no {action}"
    elif not operation.is_on and action not in account.operations:
        obstacle = f"{action} is off there"
    return AccountCandidate(account_id, account.key.name, account.adapter, operation, obstacle, failures)


def _is_near(deps: Deps, claim: Claim, one: AccountCandidate, action: str) -> bool:
    """Say whether a job makes sense there: a target exists at one server only, and a post can go to any network."""
    if claim.target is None and action in ON_ANY_NETWORK:
        return True
    own, other = deps.accounts.get(claim.account_id), deps.accounts.get(one.account_id)
    return (own.adapter, own.access.address) == (other.adapter, other.access.address)
