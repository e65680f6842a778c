"""The system agent that has accounts checked: every five minutes, and soon after errors.

Each check is a job: one of an account at a time, and none of an account whose adapter has no check.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fleet.adapters.base import CheckingAdapter
from fleet.core import ids
from fleet.core.errors import FleetError
from fleet.engine import controls
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats, usage
from fleet.engine.jobs.ledger import NewJob
from fleet.features.adapters.configuration import in_force
from fleet.features.adapters.health import checks, rules
from fleet.features.adapters.health.kinds import CHECK
from fleet.features.adapters.health.rules import CheckedAccount

_TIMES = ("checked_at", "called_in_vain_at")


@dataclass(frozen=True, slots=True)
class HealthObservation:
    """The accounts that can be checked."""

    now: datetime
    accounts: tuple[CheckedAccount, ...]


@dataclass(frozen=True, slots=True)
class HealthDecision:
    """The accounts to check."""

    accounts: tuple[tuple[str, str], ...]
    """Their ids and names."""
    action: str | None = None

    @property
    def thought(self) -> str:
        """Nothing: checks are seen on the page of adapters."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"checks": [name for _, name in self.accounts]}


def gather(deps: Deps, claimed: ClaimedAgent) -> HealthObservation:
    """Read the newest checks of the accounts that can be checked, and what calls of agents say."""
    known = [one for one in deps.accounts.all() if _has_check(deps, one.key.id)]
    found = {one.key.id: one.key for one in known}
    if not found:
        return HealthObservation(claimed.now, ())
    with deps.db.transaction() as tx:
        newest = checks.newest(tx, list(found))
        failed = stats.failed_calls(tx)
        busy = usage.open_targets(tx, claimed.agent.id, CHECK)
        held = {one.key: one.set_by for one in controls.in_force(tx) if one.scope == "account"}
    accounts = []
    for one in known:
        account_id, key = one.key.id, one.key
        last, errors = newest.get(account_id), failed.get(account_id)
        accounts.append(CheckedAccount(
            str(account_id), key.name, str(account_id) in busy,
            held.get(str(account_id), controls.HEALTH) != controls.HEALTH,
            last.checked_at if last else None, last.failures if last else 0, errors.last_at if errors else None,
            in_force.check_s(deps, one.adapter, account_id, one.organisation_id),
        ))  # fmt: skip
    return HealthObservation(claimed.now, tuple(accounts))


def _has_check(deps: Deps, account_id: uuid.UUID) -> bool:
    try:
        return isinstance(deps.gateway(account_id).adapter, CheckingAdapter)
    except FleetError:  # its credentials are lost, or its adapter is not installed: its health says so already
        return False


def decide(moment: HealthObservation, rng: random.Random) -> HealthDecision:  # noqa: ARG001 - the shape of decisions
    """Choose the accounts to check."""
    return HealthDecision(tuple((one.account_id, one.name) for one in rules.due(moment.accounts, moment.now)))


def act(deps: Deps, claimed: ClaimedAgent, decision: HealthDecision) -> Acts:  # noqa: ARG001 - the shape of all
    """Return a job for each account."""
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    return Acts([
        NewJob(ids.job(agent.id, tick_no, place), agent.id, CHECK, agent.surface, tick_no, target=account_id,
               payload={"account": name})
        for place, (account_id, name) in enumerate(decision.accounts)
    ])  # fmt: skip


def to_data(moment: HealthObservation) -> dict[str, Any]:
    """Return an observation as data."""
    return {"now": moment.now.isoformat(), "accounts": [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}
        for one in moment.accounts
    ]}  # fmt: skip


def from_data(data: Mapping[str, Any]) -> HealthObservation:
    """Return the observation that `to_data` wrote down."""
    accounts = []
    for one in data["accounts"]:
        times = {name: one[name] and datetime.fromisoformat(one[name]) for name in _TIMES}
        accounts.append(CheckedAccount(**{**one, **times}))
    return HealthObservation(datetime.fromisoformat(data["now"]), tuple(accounts))
