"""Everything that tuning looks at: each setting in each scope, with what its rule decides from the load."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.core.db import Tx
from fleet.core.settings import Settings, SettingScope
from fleet.engine import registry
from fleet.engine.deps import Deps, caps_of
from fleet.engine.settings import store as setting_rows
from fleet.engine.settings.store import FLEET, ScopeKey
from fleet.features.reconciliation.settings import EVERY, ReconciliationSettings
from fleet.features.stores.models import StoreRow
from fleet.features.stores.rules import INTERVALS
from fleet.features.stores.settings import StoresSettings
from fleet.features.stores.state.context import traits_of
from fleet.features.tuning.decisions import rules
from fleet.features.tuning.decisions.plans import NoChange, TuningPlan
from fleet.features.tuning.decisions.rules import BatchFacts, IntervalFacts
from fleet.features.tuning.load import runs, work, writes
from fleet.features.tuning.load.window import LoadWindow
from fleet.features.tuning.load.writes import WriteCounts
from fleet.features.tuning.settings import TuningSettings

_MOST_STORES = 500
_SPARE = 1.5
"""Of the time that enough runs take: a run that fails or is late needs some."""
_PINNED = NoChange("the environment pins it")


@dataclass(frozen=True, slots=True)
class TuningLook:
    """One setting in one scope, and what its rule decided. `name` is that of the scope, for people."""

    setting: str
    key: ScopeKey
    name: str
    found: TuningPlan | NoChange


@dataclass(frozen=True, slots=True)
class _Frame:
    """The settings and the time of one look."""

    settings: Settings
    until: datetime

    @property
    def own(self) -> TuningSettings:
        return self.settings.of(TuningSettings)

    @property
    def window(self) -> LoadWindow:
        return LoadWindow(self.until - self.own.window / self.settings.tempo, self.until)

    @property
    def longest(self) -> timedelta:
        """Half of what the ledger keeps: a change is evaluated over an equal time after it."""
        return longest(self.settings)

    def runs(self, interval: timedelta) -> LoadWindow:
        """Return a window that has enough runs at this interval."""
        wanted = _SPARE * self.own.tuning_bounds.samples * interval / self.settings.tempo
        return LoadWindow(self.until - min(max(self.window.length, wanted), self.longest), self.until)


def longest(settings: Settings) -> timedelta:
    """Return the longest window of a measurement: half of what the ledger keeps, as there is one before and after."""
    return timedelta(days=settings.retention_days) / 2


def everything(deps: Deps, tx: Tx) -> Iterator[TuningLook]:
    """Yield all settings that are tuned, with what their rules decide now."""
    frame = _Frame(deps.settings, tx.now())
    own, window = frame.own, frame.window
    facts = work.facts(tx, window, threads=own.tuning_threads, goal_s=own.tuning_wait_s)
    yield TuningLook(rules.WORKERS, FLEET, "", rules.workers(facts, own.tuning_bounds))
    counted: dict[LoadWindow, Mapping[str, WriteCounts]] = {}
    for name, value in _caps(frame.settings):
        window = _under_value(tx, name, [FLEET], frame.window)
        if window not in counted:
            counted[window] = writes.by_kind(tx, window)
        facts_of_cap = writes.facts(tx, name, value, window, counted[window])
        found = _PINNED if deps.given.is_pinned(name) else rules.caps(facts_of_cap, own.tuning_bounds)
        yield TuningLook(name, FLEET, "", found)
    if "stores" in registry.current():
        yield from _stores(deps, tx, frame)


def _caps(settings: Settings) -> Iterator[tuple[str, int]]:
    """Yield the caps in force: the writes a minute, and those of actions in a day."""
    if settings.surface_writes_per_minute:
        yield writes.PER_MINUTE, settings.surface_writes_per_minute
    for action, cap in caps_of(settings).items():
        if cap.per_day and writes.kinds_of(f"caps.{action}.per_day"):
            yield f"caps.{action}.per_day", cap.per_day


def _under_value(tx: Tx, name: str, keys: Sequence[ScopeKey], window: LoadWindow) -> LoadWindow:
    """Return the part of a window in which the value in force was: what was before says nothing about it."""
    changes = [row.set_at for row in setting_rows.rows(tx, name=name) if row.key in keys]
    return LoadWindow(max([window.since, *changes]), window.until)


def _stores(deps: Deps, tx: Tx, frame: _Frame) -> Iterator[TuningLook]:
    query = sa.select(StoreRow.account_id, StoreRow.organisation_id, AccountRow.name, AccountRow.adapter)
    query = query.join(AccountRow, AccountRow.id == StoreRow.account_id).where(StoreRow.removed_at.is_(None))
    for row in tx.execute(query.order_by(StoreRow.account_id).limit(_MOST_STORES)).all():
        settings = deps.settings_of(None, row.account_id, None, row.organisation_id)
        store = _Store(tx, frame, row.account_id, row.organisation_id, row.name, row.adapter, settings)
        for name in store.names:
            found = _PINNED if deps.given.is_pinned(name) else store.look(name)
            yield TuningLook(name, store.keys[-1], store.name, found)


@dataclass(frozen=True, slots=True)
class _Store:
    """A store whose settings are looked at."""

    tx: Tx
    frame: _Frame
    account_id: uuid.UUID
    organisation_id: uuid.UUID
    name: str
    adapter: str
    settings: Settings

    @property
    def names(self) -> Sequence[str]:
        compared = ("reconcile_every",) if "reconciliation" in registry.current() else ()
        return ("store_interval", *compared, "store_batch")

    @property
    def keys(self) -> Sequence[ScopeKey]:
        """The scopes that count for it, weakest first."""
        organisation = ScopeKey(SettingScope.ORGANISATION, str(self.organisation_id))
        return FLEET, organisation, ScopeKey(SettingScope.ACCOUNT, str(self.account_id))

    def look(self, name: str) -> TuningPlan | NoChange:
        match name:
            case "store_batch":
                return self._batch(self.settings.of(StoresSettings).store_batch)
            case "store_interval":
                return self._interval(name, INTERVALS, self.settings.of(StoresSettings).store_interval)
            case _:
                return self._interval(name, EVERY, self.settings.of(ReconciliationSettings).reconcile_every)

    def _interval(self, name: str, ladder: Mapping[str, timedelta], value: str) -> TuningPlan | NoChange:
        """Decide about an interval. Values at which a result could not be measured are no choices."""
        frame, tempo = self.frame, self.settings.tempo
        samples = frame.own.tuning_bounds.samples
        choices = {one: span.total_seconds() / tempo for one, span in ladder.items()
                   if span / tempo * samples <= frame.longest or one == value}  # fmt: skip
        window = _under_value(self.tx, name, self.keys, frame.runs(ladder.get(value, timedelta())))
        found = runs.scheduled(self.tx, runs.TABLES[name], self.account_id, window)
        facts = IntervalFacts(
            setting=name, ladder=choices, value=value, runs=found.done, changed=found.changed, changes=found.changes,
            failed=found.failed, run_p95_s=found.p95_s,
        )  # fmt: skip
        return rules.intervals(facts, frame.own.tuning_bounds)

    def _batch(self, value: int) -> TuningPlan | NoChange:
        frame, most = self.frame, traits_of(self.adapter).page
        ended, failed = runs.outcomes(self.tx, self.account_id, frame.window, batch=min(value, most))
        long = LoadWindow(frame.until - frame.longest, frame.until)
        facts = BatchFacts(
            setting="store_batch", value=value, most=most, runs=ended, failed=failed,
            tried=runs.by_batch(self.tx, self.account_id, long),
        )  # fmt: skip
        return rules.batches(facts, frame.own.tuning_bounds)
