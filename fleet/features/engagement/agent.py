"""The system agent that has accounts measured: a job for each account with something due, one at a time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from fleet.accounts.directory import OpenAccount
from fleet.core import ids
from fleet.engine import controls
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs import usage
from fleet.engine.jobs.ledger import NewJob
from fleet.features.engagement import rules, store
from fleet.features.engagement.collect import measures
from fleet.features.engagement.kinds import MEASURE
from fleet.features.engagement.rules import MeasuredAccount
from fleet.features.engagement.settings import EngagementSettings

_TIMES = ("followers_at", "retry_at")


@dataclass(frozen=True, slots=True)
class MeasuringObservation:
    """The accounts whose networks give counts."""

    now: datetime
    tempo: float
    accounts: tuple[MeasuredAccount, ...]


@dataclass(frozen=True, slots=True)
class MeasuringDecision:
    """The accounts to measure, as ids and names."""

    accounts: tuple[tuple[str, str], ...]
    action: str | None = None

    @property
    def thought(self) -> str:
        """Nothing: readings are seen on the pages of engagement."""
        return ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"measures": [name for _, name in self.accounts]}


def gather(deps: Deps, claimed: ClaimedAgent) -> MeasuringObservation:
    """Read which accounts have posts that are due, and how measuring them went."""
    tempo = deps.settings.tempo
    found = {one.key.id: one.key for one in deps.accounts.all() if _is_measured(deps, one)}
    if not found:
        return MeasuringObservation(claimed.now, tempo, ())
    with deps.db.transaction() as tx:
        states = store.states(tx, list(found))
        due = store.accounts_with_due_posts(tx, list(found), claimed.now)
        busy = usage.open_targets(tx, claimed.agent.id, MEASURE)
        held = {one.key for one in controls.in_force(tx) if one.scope == "account"}
    accounts = []
    for account_id, key in found.items():
        state = states.get(account_id)
        accounts.append(MeasuredAccount(
            str(account_id), key.name, str(account_id) in busy, str(account_id) in held, account_id in due,
            state.followers_at if state else None, state.retry_at if state else None,
        ))  # fmt: skip
    return MeasuringObservation(claimed.now, tempo, tuple(accounts))


def _is_measured(deps: Deps, one: OpenAccount) -> bool:
    if one.lost is not None or not measures(one.adapter):
        return False
    settings = deps.settings_of(None, one.key.id, None, one.organisation_id)
    return settings.of(EngagementSettings).measure_engagement


def decide(moment: MeasuringObservation, rng: random.Random) -> MeasuringDecision:  # noqa: ARG001 - as all decisions
    """Choose the accounts to measure."""
    due = rules.due(moment.accounts, moment.now, moment.tempo)
    return MeasuringDecision(tuple((one.account_id, one.name) for one in due))


def act(deps: Deps, claimed: ClaimedAgent, decision: MeasuringDecision) -> Acts:  # noqa: ARG001 - the shape of all
    """Return a job for each account."""
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    return Acts([
        NewJob(ids.job(agent.id, tick_no, place), agent.id, MEASURE, agent.surface, tick_no, target=account_id,
               payload={"account": name})
        for place, (account_id, name) in enumerate(decision.accounts)
    ])  # fmt: skip


def to_data(moment: MeasuringObservation) -> dict[str, Any]:
    """Return an observation as data."""
    return {"now": moment.now.isoformat(), "tempo": moment.tempo, "accounts": [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}
        for one in moment.accounts
    ]}  # fmt: skip


def from_data(data: Mapping[str, Any]) -> MeasuringObservation:
    """Return the observation that `to_data` wrote down."""
    accounts = []
    for one in data["accounts"]:
        times = {name: one[name] and datetime.fromisoformat(one[name]) for name in _TIMES}
        accounts.append(MeasuredAccount(**{**one, **times}))
    return MeasuringObservation(datetime.fromisoformat(data["now"]), data["tempo"], tuple(accounts))
