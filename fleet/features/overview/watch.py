"""The health of everything, as this process read it last: one reading for banners, page, stream and API.

Broker and workers are asked in a thread, so that no page waits for them. What the ledger knows is read every two
seconds at most, and less often where reading takes long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fleet.core import clock, queue
from fleet.core.db import Tx
from fleet.engine import controls
from fleet.engine.agents import queries
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.engine.points.health import Level, PartHealth, Rates
from fleet.features.overview import health, outages
from fleet.features.overview.health import BrokerAnswers, Signs
from fleet.features.overview.hours import Sparing
from fleet.web.cached_stats import Background, Cached

_ASKED_S = 2.0
_FIRST_PING_S, _PING_S = 0.4, 1.0
_SILENT_S = 6.0  # an answer takes a little longer than a ping


@dataclass(frozen=True, slots=True)
class HealthReading:
    """The health of everything at one moment, the parts of every fleet first."""

    conditions: Sequence[PartHealth]
    rates: Rates

    @property
    def is_at_work(self) -> bool:
        """Whether workers are known to be at work."""
        return any(one.key == "workers" and one.level is Level.OK for one in self.conditions)

    @property
    def down(self) -> list[PartHealth]:
        """The things that do not work, those first without which nothing runs."""
        return [one for one in self.conditions if one.is_down]


class HealthWatch:
    """The health as this process read it last. Any thread may call it."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._app: Any = None
        self._broker = Background(self._ask, every_s=_ASKED_S)
        self._features: Sparing[list[PartHealth]] = Sparing()
        self._rates: Sparing[Rates] = Sparing()
        self._began: dict[str, datetime] = {}
        self._reading = Cached(self._read)

    def get(self) -> HealthReading:
        """Return the health, at most two seconds old, and ask broker and workers for the next time.

        Raises Unavailable while the database is away.
        """
        self._broker.refresh()
        return self._reading.get()

    def asked(self, *, depths: Mapping[str, int] | None, within_s: float) -> HealthReading:
        """Return the health with an answer of broker and workers, for which a new process waits so long.

        It does not wait where the ledger shows that workers are at work. `depths` are those that the caller has read;
        None if the broker did not answer.
        """
        if self._broker.last is None and depths is not None:
            found = self._read(BrokerAnswers(depths=depths))
            if found.is_at_work:
                return found
        self._broker.refresh()
        if self._broker.last is None and self._broker.wait(within_s):
            self._reading.forget()
        return self._reading.get()

    def forget(self) -> None:
        """Read again at the next request."""
        self._reading.forget()
        self._features, self._rates = Sparing(), Sparing()

    def _ask(self) -> BrokerAnswers:
        url = self._deps.settings.broker_url
        if not url or url.startswith("memory:"):  # in this process: there is nobody to ask
            return BrokerAnswers()
        if self._app is None:
            self._app = queue.make_app(url)
        before = self._broker.last
        if before is None:  # somebody may wait for the first answer
            return health.ask(self._deps, self._app, within_s=_FIRST_PING_S)
        return health.ask(self._deps, self._app, within_s=_PING_S, unanswered=before.unanswered)

    def _answers(self) -> tuple[BrokerAnswers, float]:
        """Return the last answers of the broker and their age. A broker that is silent has a problem."""
        last, age_s = self._broker.last or BrokerAnswers(), self._broker.age_s
        silent_s = self._broker.busy_s
        if silent_s >= _SILENT_S and not last.problem:
            return BrokerAnswers(problem="The broker does not answer."), silent_s
        return last, age_s

    def _read(self, asked: BrokerAnswers | None = None) -> HealthReading:
        asked = self._answers()[0] if asked is None else asked
        with self._deps.db.transaction() as tx:
            began_s = clock.monotonic_s()
            now = tx.now()
            took_ms = (clock.monotonic_s() - began_s) * 1000
            signs = _signs(tx)
            own = [self._since(one, now, signs) for one in health.parts(asked, signs, took_ms)]
            found = self._features.get(lambda: outages.conditions(self._deps, tx))
            rates = self._rates.get(lambda: stats.rates(tx))
        return HealthReading((*own, *found), rates)

    def ages(self) -> Mapping[str, float]:
        """Return the ages in seconds of what `get` returned last, by what it is."""
        asked_s, features_s = self._answers()[1], self._features.age_s
        return {"broker": asked_s, "workers": asked_s, "things": features_s, "failures": self._rates.age_s}

    def _since(self, one: PartHealth, now: datetime, signs: Signs) -> PartHealth:
        """Date the outage of a part: from the last sign of life, or from when this process saw it first."""
        if not one.is_down:
            self._began.pop(one.key, None)
            return one
        quiet_s = min(signs.swept_s or 0.0, 86_400.0)
        return replace(one, since=self._began.setdefault(one.key, now - timedelta(seconds=quiet_s)))


def _signs(tx: Tx) -> Signs:
    is_paused = any(hold.scope == "fleet" for hold in controls.in_force(tx))
    return Signs(outages.last_sweep_s(tx), queries.overdue_s(tx) or 0.0, is_paused)


def of(deps: Deps) -> HealthWatch:
    """Return the watch of this process."""
    return deps.part("overview.health", HealthWatch)


def banners(deps: Deps) -> Sequence[PartHealth]:
    """Return what is down, for the banners of every page (`frame.banners`)."""
    return of(deps).get().down
