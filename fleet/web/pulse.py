"""What every page shows of the fleet: whether it may act, and how much waits on which page.

The numbers come from the features: `NavItem.tally`. Read by `cached_stats` for all pages of a process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fleet.core.db import Tx
from fleet.engine import controls, registry
from fleet.engine.controls import Hold
from fleet.engine.points.health import PartHealth
from fleet.engine.registry import NavItem

BANNERS = "frame.banners"
"""Features register `banners(deps)` here: the things that are down, for a banner on every page."""
_NOTHING_RUNS = ("broker", "workers", "beat")


@dataclass(frozen=True, slots=True)
class Pulse:
    """The state of the fleet. `tallies` are by path of the page, None for numbers too high to count.

    `outages` are the things that are down.
    """

    holds: Sequence[Hold] = ()
    outages: Sequence[PartHealth] = ()
    tallies: Mapping[str, int | None] = field(default_factory=dict)
    problem: str = ""
    hidden: frozenset[str] = frozenset()
    """The paths of pages that are not in the navigation now."""

    @property
    def state(self) -> str:
        """`running`, `impaired` (something is down), `down` (nothing runs), `paused` (the whole fleet), `killed`, or
        `unknown` while the database is away.
        """
        if self.problem:
            return "unknown"
        if self.held == "killed":
            return "killed"
        if any(one.key in _NOTHING_RUNS for one in self.outages):
            return "down"
        if self.held:
            return "paused"
        return "impaired" if self.outages else "running"

    @property
    def held(self) -> str:
        """`killed` or `paused`, the whole fleet; empty if neither."""
        if any(hold.hold == "kill" for hold in self.holds):
            return "killed"
        return "paused" if self._fleetwide else ""

    @property
    def words(self) -> str:
        """The state for people."""
        some = len(self.holds)
        match self.state:
            case "killed":
                return "Kill switch on"
            case "unknown":
                return "No database"
            case "down":
                return f"{next(one.name for one in self.outages if one.key in _NOTHING_RUNS)} down: nothing runs"
            case "impaired":
                down = self.outages[0].name if len(self.outages) == 1 else f"{len(self.outages)} things"
                return f"Running, {down} down"
            case "running" if some:
                return f"{some} pause{'s' if some > 1 else ''}"
        return self.state.capitalize()

    @property
    def why(self) -> str:
        """Why nothing happens, if that is so."""
        if self.problem:
            return self.problem
        first = next((hold for hold in self._fleetwide), None)
        return "" if first is None else f"{first.words()[:1].upper()}{first.words()[1:]}"

    @property
    def _fleetwide(self) -> list[Hold]:
        return [hold for hold in self.holds if hold.scope == "fleet"]


def read(tx: Tx, outages: Sequence[PartHealth] = ()) -> Pulse:
    """Return the state of the fleet, and how much waits."""
    items = [item for item in registry.current().nav if item.tally is not None]
    hidden = frozenset(item.path for item in registry.current().nav if not is_shown(tx, item))
    tallies = {item.path: registry.load(item.tally)(tx) for item in items}
    return Pulse(controls.in_force(tx), outages, tallies, hidden=hidden)


def is_shown(tx: Tx, item: NavItem) -> bool:
    """Return whether a page is in the navigation."""
    return item.is_shown is None or bool(registry.load(item.is_shown)(tx))
