"""The agent of a store: it looks whether its store is to be synced, and begins a run.

A run comes of a person's request, of webhooks, of changes of the catalogue, or of the schedule; `rules` decides.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.adapters.shops import ChangesAdapter
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL
from fleet.features.stores import rules
from fleet.features.stores.kinds import WRITES
from fleet.features.stores.models import ExternalRefRow, ShopEventRow, StoreRow, SyncCursorRow, SyncRunRow
from fleet.features.stores.rules import Direction, StoreSignals, Strategy, SyncDecision, SyncRequest
from fleet.features.stores.state.context import StoreContext, context_for, priority_of
from fleet.features.stores.state.refs import AFTER_REFUSAL
from fleet.features.stores.sync import levels, pushing
from fleet.features.stores.sync.run import SYNC, fail, part_id

_MOST_EVENTS, _MOST_REREADS = 1000, 200
_REREAD_FOR = timedelta(days=1)
_TIMES = ("now", "synced_at", "swept_at", "stock_at", "failed_at", "event_at")
_DELTAS = ("interval", "full_every", "stock_every")


@dataclass(frozen=True, slots=True)
class StoreObservation:
    """What is known of a store, and what its run is to read by name. `signals` None: it is no store any more."""

    store: str
    signals: StoreSignals | None
    named: tuple[str, ...] = ()
    events: int = 0
    lost_run: str | None = None
    """A run whose job ended before it did, and why."""
    lost_why: str = ""


@dataclass(frozen=True, slots=True)
class StoreDecision:
    """Whether to begin a run."""

    store: str
    sync: SyncDecision
    named: tuple[str, ...] = ()
    requested_by: str | None = None
    lost_run: str | None = None
    lost_why: str = ""
    action: str | None = None

    @property
    def thought(self) -> str:
        """Why it syncs; nothing where it does not."""
        return f"{self.sync.strategy} sync of {self.store}: {self.sync.reason}" if self.sync.is_due else ""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {"is_due": self.sync.is_due, "reason": self.sync.reason, "strategy": self.sync.strategy.value,
                "direction": self.sync.direction.value, "priority": self.sync.priority,
                "named": len(self.named)}  # fmt: skip


def gather(deps: Deps, claimed: ClaimedAgent) -> StoreObservation:
    """Read the store's health, cursors, events, requests, and whether the catalogue has something to write."""
    with deps.db.transaction() as tx:
        row = tx.session.scalars(
            sa.select(StoreRow).where(StoreRow.agent_id == claimed.agent.id, StoreRow.removed_at.is_(None))
        ).one_or_none()
        if row is None:
            return StoreObservation("", None)
        context = context_for(deps, tx, row)
        running, lost_run, lost_why = _running(tx, row)
        _reread_stale(tx, row)
        _retry_refused(tx, row)
        named, count, urgency, oldest = _events(tx, row)
        streams = {one.stream: one.swept_at for one in tx.session.scalars(
            sa.select(SyncCursorRow).where(SyncCursorRow.account_id == row.account_id))}  # fmt: skip
        failed_at = tx.scalar(sa.select(sa.func.max(SyncRunRow.ended_at)).where(
            SyncRunRow.account_id == row.account_id, SyncRunRow.state == "failed"))  # fmt: skip
        dirty = 0 if running else _dirty(tx, context)
    tempo, settings = deps.settings.tempo, context.settings
    asked = row.requested
    signals = StoreSignals(
        now=claimed.now, interval=settings.interval / tempo, full_every=timedelta(hours=settings.store_full_h) / tempo,
        stock_every=timedelta(minutes=settings.store_stock_min) / tempo, direction=context.direction,
        is_running=running, has_changes=_tells_changes(deps, context), has_stock_feed=True,
        synced_at=row.synced_at, swept_at=streams.get("products"), stock_at=streams.get("stock"),
        failed_syncs=row.failed_syncs + (lost_run is not None),
        failed_at=claimed.now if lost_run is not None else failed_at, events=count, event_priority=urgency,
        event_at=oldest, dirty=dirty, request=SyncRequest(
            strategy=Strategy(asked["strategy"]) if asked.get("strategy") else None,
            direction=Direction(asked["direction"]) if asked.get("direction") else None, by=asked["by"],
        ) if asked else None,
    )  # fmt: skip
    return StoreObservation(context.name, signals, named, count, lost_run, lost_why)


def _tells_changes(deps: Deps, context: StoreContext) -> bool:
    """Say whether the shop tells which products changed, by its adapter. Makes no call."""
    return isinstance(deps.gateway(context.account_id).adapter, ChangesAdapter)


def _running(tx: Tx, row: StoreRow) -> tuple[bool, str | None, str]:
    """Return whether a run is under way; or the run whose newest job has ended without it, and why."""
    run = tx.session.scalars(
        sa.select(SyncRunRow).where(SyncRunRow.account_id == row.account_id, SyncRunRow.state == "running")
    ).one_or_none()
    if run is None:
        return False, None, ""
    job = tx.session.get(JobRow, part_id(run.id, run.part))
    if job is not None and job.state in FINAL:
        return False, str(run.id), job.error or f"its job is {job.state}"
    return True, None, ""


def _events(tx: Tx, row: StoreRow) -> tuple[tuple[str, ...], int, int, datetime | None]:
    """Return what pending events name, most urgent first; their number, their urgency and the oldest one's time."""
    event = ShopEventRow
    found = tx.session.scalars(
        sa.select(event).where(event.account_id == row.account_id, event.handled_at.is_(None))
        .order_by(event.priority.desc(), event.received_at).limit(_MOST_EVENTS)
    ).all()  # fmt: skip
    named: dict[str, None] = {}
    for one in found:
        if one.kind == "sku":
            named[f"sku:{one.product_id}"] = None
        elif one.order_id:
            named[f"order:{one.order_id}"] = None
        elif one.kind == "stock" and one.variant_id:
            named[f"variant:{one.variant_id}"] = None
        elif one.product_id:
            named[f"product:{one.product_id}"] = None
    return tuple(named), len(found), max((one.priority for one in found), default=0), \
        min((one.received_at for one in found), default=None)  # fmt: skip


def _reread_stale(tx: Tx, row: StoreRow) -> None:
    """Have objects read again whose write found something else than was expected, or was refused."""
    event = ShopEventRow
    own_id = sa.literal("job:") + sa.cast(JobRow.id, sa.String)
    known = sa.select(event.event_id).where(event.account_id == row.account_id, event.event_id == own_id)
    ended = tx.session.scalars(
        sa.select(JobRow).where(
            JobRow.agent_id == row.agent_id, JobRow.kind.in_(WRITES), JobRow.state.in_(("skipped", "dead")),
            JobRow.finished_at > tx.sql_now - _REREAD_FOR, ~sa.exists(known),
        ).limit(_MOST_REREADS)
    ).all()  # fmt: skip
    for job in ended:
        named = _objects(tx, row.account_id, job)
        rows = [{"account_id": row.account_id, "event_id": f"job:{job.id}" + (f":{number}" if number else ""),
                 "priority": 7, **one} for number, one in enumerate(named)]  # fmt: skip
        if not rows:  # nothing to read: it is noted, so that it is looked at once
            rows = [{"account_id": row.account_id, "event_id": f"job:{job.id}", "priority": 0, "kind": "product",
                     "product_id": "", "variant_id": "", "order_id": "", "handled_at": tx.now()}]  # fmt: skip
        for one in rows:
            tx.execute(insert(event).values(**one).on_conflict_do_nothing())


def _retry_refused(tx: Tx, row: StoreRow) -> None:
    """Have creations looked for again an hour after the shop refused them: their products can be created then."""
    event = ShopEventRow
    own_id = sa.literal("job:") + sa.cast(JobRow.id, sa.String) + ":later"
    known = sa.select(event.event_id).where(event.account_id == row.account_id, event.event_id == own_id)
    ended = tx.session.scalars(
        sa.select(JobRow).where(
            JobRow.agent_id == row.agent_id, JobRow.kind == "create_product", JobRow.state == "dead",
            JobRow.finished_at.between(tx.sql_now - _REREAD_FOR, tx.sql_now - AFTER_REFUSAL), ~sa.exists(known),
        ).limit(_MOST_REREADS)
    ).all()  # fmt: skip
    for job in ended:
        for one in _objects(tx, row.account_id, job):
            new = insert(event).values(account_id=row.account_id, event_id=f"job:{job.id}:later", priority=5, **one)
            tx.execute(new.on_conflict_do_nothing())


def _objects(tx: Tx, account_id: uuid.UUID, job: JobRow) -> list[dict[str, str]]:
    """Return what a write was about, as events: products, variants for stock, SKUs of a creation, or an order."""
    none = {"product_id": "", "variant_id": "", "order_id": ""}
    payload = job.payload
    if job.kind == "update_order":
        return [{**none, "kind": "order", "order_id": str(payload.get("external_id", ""))}]
    if job.kind == "create_product":
        skus = [one.get("variant.sku") for one in payload["values"]["variants"]]
        return [{**none, "kind": "sku", "product_id": str(sku)} for sku in skus[:1] if sku]
    ref = ExternalRefRow
    if job.kind in ("update_product", "add_variants", "remove_product"):
        local_ids = [uuid.UUID(payload["product"])]
    else:
        local_ids = [uuid.UUID(one["variant"]) for one in payload["changes"]]
    query = sa.select(ref.kind, ref.external_id, ref.parent_id).where(
        ref.account_id == account_id, ref.state == "mapped"
    )
    found = tx.execute(query.where(ref.local_id.in_(local_ids), ref.external_id.is_not(None))).all()
    if job.kind == "set_stock":
        return [{**none, "kind": "stock", "variant_id": one.external_id} for one in found]
    products = dict.fromkeys(one.external_id if one.kind == "product" else one.parent_id for one in found)
    return [{**none, "kind": "product", "product_id": one} for one in products if one]


def _dirty(tx: Tx, context: StoreContext) -> int:
    """Return whether the catalogue has something that the store is to get."""
    if not context.direction.pushes:
        return 0
    return int(pushing.is_any_change(tx, context)) + int(levels.is_any_unsent(tx, context))


def decide(moment: StoreObservation, rng: random.Random) -> StoreDecision:  # noqa: ARG001 - as all decisions
    """Choose whether and how to sync."""
    signals = moment.signals
    sync = SyncDecision(False, "it is no store") if signals is None else rules.decide_sync(signals)
    requested_by = signals.request.by if signals is not None and signals.request is not None else None
    return StoreDecision(moment.store, sync, moment.named if sync.is_due else (), requested_by, moment.lost_run,
                         moment.lost_why)  # fmt: skip


def act(deps: Deps, claimed: ClaimedAgent, decision: StoreDecision) -> Acts:
    """Return the first job of a run; the run's row is written in the transaction that records the decision."""
    agent, sync = claimed.agent, decision.sync
    if not sync.is_due and decision.lost_run is None:
        return Acts([])
    run_id = ids.job(agent.id, claimed.tick.key.tick_no, 0)
    jobs = [NewJob(
        run_id, agent.id, SYNC, agent.surface, claimed.tick.key.tick_no,
        payload={"run": str(run_id), "part": 0, "store": decision.store}, requested_by=decision.requested_by,
        account_id=agent.account_id, priority=priority_of(sync.priority),
    )] if sync.is_due else []  # fmt: skip

    def also(tx: Tx) -> None:
        if decision.lost_run is not None:
            fail(tx, decision.store, agent.id, uuid.UUID(decision.lost_run), decision.lost_why)
        if sync.is_due:
            _begin(tx, agent.id, run_id, decision)

    del deps
    return Acts(jobs, also)


def _begin(tx: Tx, agent_id: uuid.UUID, run_id: uuid.UUID, decision: StoreDecision) -> None:
    row = tx.session.scalars(
        sa.select(StoreRow).where(StoreRow.agent_id == agent_id, StoreRow.removed_at.is_(None)).with_for_update(),
        execution_options={"populate_existing": True},
    ).one_or_none()
    if row is None:
        return
    sync, run = decision.sync, SyncRunRow
    new = insert(run).values(
        id=run_id, account_id=row.account_id, organisation_id=row.organisation_id, strategy=sync.strategy.value,
        direction=sync.direction.value, priority=sync.priority, reason=sync.reason[:300],
        requested_by=decision.requested_by, only=list(decision.named),
    ).on_conflict_do_nothing().returning(run.id)  # fmt: skip
    if tx.scalar(new) is None:  # another run is under way; its job finds no run and ends
        return
    if decision.requested_by is not None:
        row.requested = {}
        tx.session.flush()
    event = ShopEventRow
    newest = sa.select(event.event_id).where(event.account_id == row.account_id, event.handled_at.is_(None)) \
        .order_by(event.priority.desc(), event.received_at).limit(_MOST_EVENTS)  # fmt: skip
    # Events that came since the agent looked may be among them: those stay open.
    tx.execute(sa.update(event).where(
        event.account_id == row.account_id, event.event_id.in_(newest), _is_named(decision.named),
    ).values(handled_by=run_id).execution_options(synchronize_session=False))  # fmt: skip


def _is_named(named: tuple[str, ...]) -> sa.ColumnElement[bool]:
    event = ShopEventRow
    key = sa.case(
        (event.kind == "sku", sa.literal("sku:") + event.product_id),
        (event.order_id != "", sa.literal("order:") + event.order_id),
        (sa.and_(event.kind == "stock", event.variant_id != ""), sa.literal("variant:") + event.variant_id),
        else_=sa.literal("product:") + event.product_id,
    )
    return key.in_(named)


def to_data(moment: StoreObservation) -> dict[str, Any]:
    """Return an observation as data."""
    data: dict[str, Any] = {name: getattr(moment, name) for name in ("store", "events", "lost_run", "lost_why")}
    data["named"] = list(moment.named)
    if moment.signals is None:
        return {**data, "signals": None}
    signals = asdict(moment.signals)
    for name in _TIMES:
        signals[name] = signals[name] and signals[name].isoformat()
    for name in _DELTAS:
        signals[name] = signals[name].total_seconds()
    return {**data, "signals": signals}


def from_data(data: Mapping[str, Any]) -> StoreObservation:
    """Return the observation that `to_data` wrote down."""
    signals = data["signals"]
    found = None
    if signals is not None:
        asked = signals["request"]
        found = StoreSignals(**{
            **signals,
            **{name: signals[name] and datetime.fromisoformat(signals[name]) for name in _TIMES},
            **{name: timedelta(seconds=signals[name]) for name in _DELTAS},
            "direction": Direction(signals["direction"]),
            "request": asked and SyncRequest(
                strategy=Strategy(asked["strategy"]) if asked["strategy"] else None,
                direction=Direction(asked["direction"]) if asked["direction"] else None, by=asked["by"]),
        })  # fmt: skip
    return StoreObservation(data["store"], found, tuple(data["named"]), data["events"], data["lost_run"],
                            data["lost_why"])  # fmt: skip
