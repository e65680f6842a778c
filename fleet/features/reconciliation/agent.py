"""The reconciler: one system agent that has stores and posts compared when due, and ends fixes whose jobs ended.

The comparison of a store is a job of the store's agent, that of posts one of the reconciler, each through the account:
pausing it holds the job.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.engine import controls, registry
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL
from fleet.features.reconciliation import rules, service
from fleet.features.reconciliation.compare.run import fail, part_id
from fleet.features.reconciliation.fixes.jobs import settle_ended
from fleet.features.reconciliation.models import ReconciliationRow
from fleet.features.reconciliation.posts import begin as posts
from fleet.features.reconciliation.posts import ledger
from fleet.features.reconciliation.posts import rules as post_rules
from fleet.features.reconciliation.settings import ReconciliationSettings
from fleet.features.stores.models import StoreRow, SyncRunRow

_MOST_STORES = 500


@dataclass(frozen=True, slots=True)
class ObservedStore:
    """What is known of a store. `every_s` None: it is compared only when people ask."""

    account_id: str
    name: str
    adapter: str
    every_s: float | None
    last_at: datetime | None
    is_busy: bool
    """Whether a comparison, or a sync, is running."""
    lost_run: str | None = None
    """A run whose job ended before it did, and why."""
    lost_why: str = ""


@dataclass(frozen=True, slots=True)
class ObservedPosts:
    """What is known of an account with posts. `every_s` None: it is compared only when people ask."""

    account_id: str
    name: str
    every_s: float | None
    last_at: datetime | None
    missed_at: datetime | None
    """When posts were missed that are to be read a second time."""
    is_busy: bool
    is_held: bool
    lost_run: str | None = None
    lost_why: str = ""


@dataclass(frozen=True, slots=True)
class ReconcilerObservation:
    """The stores and the accounts with posts at a moment."""

    now: datetime
    stores: tuple[ObservedStore, ...]
    posts: tuple[ObservedPosts, ...] = ()
    tempo: float = 1.0


@dataclass(frozen=True, slots=True)
class ReconcilerDecision:
    """The stores and posts to compare, the posts to read a second time, and the runs that were lost."""

    due: tuple[ObservedStore, ...]
    lost: tuple[ObservedStore | ObservedPosts, ...] = ()
    posts: tuple[ObservedPosts, ...] = ()
    again: tuple[ObservedPosts, ...] = ()
    action: str | None = None

    @property
    def thought(self) -> str:
        """What is compared; nothing where nothing is."""
        stores, posts = (", ".join(one.name for one in some) for some in (self.due, self.posts))
        parts = [f"compare {stores} with the catalogue" if stores else "",
                 f"compare the posts of {posts} with the ledger" if posts else ""]  # fmt: skip
        return "; ".join(one for one in parts if one)

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {
            "due": [one.name for one in self.due], "lost": [one.lost_run for one in self.lost],
            "posts": [one.name for one in self.posts], "again": [one.name for one in self.again],
        }  # fmt: skip


def gather(deps: Deps, claimed: ClaimedAgent) -> ReconcilerObservation:
    """Read when each running store, and each account with posts, was compared last, and what runs."""
    return ReconcilerObservation(claimed.now, _stores(deps), _posts(deps), deps.settings.tempo)


def _stores(deps: Deps) -> tuple[ObservedStore, ...]:
    if "stores" not in registry.current():
        return ()
    with deps.db.transaction() as tx:
        query = sa.select(StoreRow, AccountRow.name, AccountRow.adapter).join(
            AccountRow, AccountRow.id == StoreRow.account_id,
        ).join(AgentRow, AgentRow.id == StoreRow.agent_id)  # fmt: skip
        query = query.where(StoreRow.removed_at.is_(None), AgentRow.status == AgentStatus.RUNNING,
                            StoreRow.synced_at.is_not(None)).order_by(AccountRow.name).limit(_MOST_STORES)  # fmt: skip
        return tuple(_store(deps, tx, *one) for one in tx.execute(query).tuples())


def _posts(deps: Deps) -> tuple[ObservedPosts, ...]:
    accounts = posts.comparable(deps)
    with deps.db.transaction() as tx:
        held = {one.key for one in controls.in_force(tx) if one.scope == "account"}
        found = []
        for one in accounts:
            is_running, lost_run, lost_why = _running(tx, one.key.id)
            settings = deps.settings_of(None, one.key.id, None, one.organisation_id).of(ReconciliationSettings)
            every = settings.posts_every
            found.append(ObservedPosts(
                str(one.key.id), one.key.name, None if every is None else every.total_seconds() / deps.settings.tempo,
                posts.last_full(tx, one.key.id), ledger.first_missed(tx, one.key.id), is_running,
                str(one.key.id) in held, lost_run, lost_why,
            ))  # fmt: skip
    return tuple(found)


def _store(deps: Deps, tx: Tx, row: StoreRow, name: str, adapter: str) -> ObservedStore:
    run, sync = ReconciliationRow, SyncRunRow
    last = tx.scalar(sa.select(sa.func.max(run.started_at)).where(run.account_id == row.account_id))
    is_running, lost_run, lost_why = _running(tx, row.account_id)
    syncs = tx.scalar(sa.select(sa.exists().where(sync.account_id == row.account_id, sync.state == "running")))
    every = deps.settings_of(None, row.account_id, None, row.organisation_id).of(ReconciliationSettings).every
    return ObservedStore(
        str(row.account_id), name, adapter,
        None if every is None else every.total_seconds() / deps.settings.tempo, last,
        bool(syncs) or is_running, lost_run, lost_why,
    )  # fmt: skip


def _running(tx: Tx, account_id: uuid.UUID) -> tuple[bool, str | None, str]:
    """Return whether a comparison runs, else the run whose job ended before it did, and why."""
    row = ReconciliationRow
    running = tx.session.scalars(
        sa.select(row).where(row.account_id == account_id, row.state == "running")).one_or_none()  # fmt: skip
    if running is None:
        return False, None, ""
    job = tx.session.get(JobRow, part_id(running.id, running.part))
    if job is None or job.state in FINAL:
        return False, str(running.id), (job and job.error) or "its job ended"
    return True, None, ""


def decide(moment: ReconcilerObservation, rng: random.Random) -> ReconcilerDecision:  # noqa: ARG001 - as all decisions
    """Choose the stores and the posts to compare. Posts of a paused account are not read."""
    due = tuple(
        one for one in moment.stores
        if rules.is_due(now=moment.now, last_at=one.last_at, is_running=one.is_busy,
                        every=None if one.every_s is None else timedelta(seconds=one.every_s))
    )  # fmt: skip
    free = [one for one in moment.posts if not one.is_held]
    listed = tuple(
        one for one in free
        if post_rules.is_due(now=moment.now, last_at=one.last_at, is_running=one.is_busy,
                             every=None if one.every_s is None else timedelta(seconds=one.every_s))
    )  # fmt: skip
    again = tuple(
        one for one in free if one not in listed
        and post_rules.is_to_confirm(now=moment.now, first_at=one.missed_at, is_running=one.is_busy,
                                     tempo=moment.tempo)
    )  # fmt: skip
    observed: tuple[ObservedStore | ObservedPosts, ...] = (*moment.stores, *moment.posts)
    lost = tuple(one for one in observed if one.lost_run is not None)
    return ReconcilerDecision(due, lost, listed, again)


def act(deps: Deps, claimed: ClaimedAgent, decision: ReconcilerDecision) -> Acts:
    """Begin the comparisons, and end what was lost, in the transaction that records the decision."""
    accounts = {str(one.key.id): one for one in posts.comparable(deps)} if decision.posts or decision.again else {}

    def also(tx: Tx) -> None:
        settle_ended(tx)
        for one in decision.lost:
            fail(tx, one.name, None, uuid.UUID(one.lost_run), one.lost_why)
        for store in decision.due:
            row = tx.session.get(StoreRow, uuid.UUID(store.account_id))
            if row is not None and row.removed_at is None:
                service.begin(deps, tx, row, store.name, store.adapter, reason="its interval is over")
        for some, reason in ((decision.posts, "its interval is over"), (decision.again, "posts were missed once")):
            for each in some:
                account = accounts.get(each.account_id)
                if account is not None:
                    posts.begin(deps, tx, account, claimed.agent.id, reason=reason,
                                is_second_look=some is decision.again)  # fmt: skip

    return Acts([], also)


def to_data(moment: ReconcilerObservation) -> dict[str, Any]:
    """Return an observation as data."""
    return {
        "now": moment.now.isoformat(), "tempo": moment.tempo, "stores": [_data(one) for one in moment.stores],
        "posts": [_data(one) for one in moment.posts],
    }  # fmt: skip


def _data(one: ObservedStore | ObservedPosts) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}


def from_data(data: Mapping[str, Any]) -> ReconcilerObservation:
    """Return the observation that `to_data` wrote down."""
    return ReconcilerObservation(
        datetime.fromisoformat(data["now"]), tuple(ObservedStore(**_times(one)) for one in data["stores"]),
        tuple(ObservedPosts(**_times(one)) for one in data.get("posts", ())), data.get("tempo", 1.0),
    )  # fmt: skip


def _times(one: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: datetime.fromisoformat(one[name]) for name in ("last_at", "missed_at") if one.get(name)}
    return {**one, **times}
