"""One limit of an outside system: what was used in its sliding window, who waits for it, and when there is room. Pure.

A window is divided into `CELLS` cells. A unit counts from its cell until `SPAN` cells later: at least one window and
one cell. So no window of the system's length holds more than the limit, also if one call travels a cell longer than
another, and `CELLS / SPAN` (98 %) of the limit can be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

CELLS = 128
SPAN = CELLS + 2
NEAR = 0.8
"""From this share of a limit on, people are warned."""
MOST_TICKETS = 100
_A_MOMENT_S = 0.001  # the end of a cell, divided by its width, may be rounded down into the cell
BACKGROUND = 0.5
"""The share of a limit that reads in the background may use; the rest is for writes and agents."""
GRACE_S = 20.0
"""How long room is held for a caller after it was told to come: the sweep finds due jobs every 5 s."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The place of one waiting call. Tickets are served by `turn`, and each further one of an agent has a later turn:
    agents take turns, however many calls each has.
    """

    holder: str
    agent: str
    cost: int
    turn: int
    until: float
    """When its room is no longer held."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `holder` names the job or the tick, `agent` shares the room fairly."""

    holder: str
    agent: str


@dataclass(slots=True)
class Window:
    """The state of one limit. Times are seconds of one clock, the database's."""

    most: int
    window_s: float
    cells: list[list[int]] = field(default_factory=list)
    """[number of the cell, units], oldest first."""
    tickets: list[Ticket] = field(default_factory=list)
    turn: int = 0
    """The turn of the ticket that was served last."""
    blocked_until: float = 0.0
    room: int | None = None
    """The units that the system says are left until `room_until`, less those used since."""
    room_until: float = 0.0
    seen_most: int | None = None
    """The size of the limit as the system gives it, if it is another."""
    warned_until: float = 0.0

    def used(self) -> int:
        """Return the units that count now, after `advance`."""
        return sum(units for _, units in self.cells)

    @property
    def width(self) -> float:
        """The length of a cell in seconds."""
        return self.window_s / CELLS

    def advance(self, now: float) -> None:
        """Forget what no longer counts. A clock that goes back changes nothing."""
        oldest = self._cell(now) - SPAN
        self.cells = [one for one in self.cells if one[0] > oldest]
        self.tickets = [one for one in self.tickets if one.until > now]
        if self.room is not None and self.room_until <= now:
            self.room = None

    def wait_until(self, caller: Caller, cost: int, now: float, *, is_background: bool = False) -> float | None:
        """Return when a call can have its room; None if it can now. Call `advance` before.

        A call in the background has its room when a share of the limit is enough, also for those that wait.
        """
        most = max(int(self.most * BACKGROUND), min(cost, self.most)) if is_background else self.most
        ahead = sum(one.cost for one in self.tickets) if is_background else self._ahead(caller, cost)
        until = [self.blocked_until, self._free_at(ahead, cost, now, most)]
        if self.room is not None and (is_background or self.room < cost):
            until.append(self.room_until)
        latest = max(until)
        return latest if latest > now else None

    def take(self, caller: Caller, cost: int, now: float) -> int:
        """Use units; return the cell, which `give_back` takes."""
        cell = max(self._cell(now), self.cells[-1][0] if self.cells else 0)
        if self.cells and self.cells[-1][0] == cell:
            self.cells[-1][1] += cost
        else:
            self.cells.append([cell, cost])
        if self.room is not None:
            self.room = max(self.room - cost, 0)
        served = next((one for one in self.tickets if one.holder == caller.holder), None)
        if served is not None:
            self.turn = max(self.turn, served.turn)
            self.tickets.remove(served)
        return cell

    def give_back(self, cell: int, cost: int) -> None:
        """Return units that were not used."""
        for one in self.cells:
            if one[0] == cell:
                one[1] = max(one[1] - cost, 0)
                if self.room is not None:
                    self.room += cost
        self.cells = [one for one in self.cells if one[1]]

    def queue(self, caller: Caller, cost: int, until: float) -> None:
        """Hold room for a call that was told to come at a time."""
        for place, one in enumerate(self.tickets):
            if one.holder == caller.holder:
                self.tickets[place] = replace(one, cost=cost, until=until + GRACE_S)
                return
        if len(self.tickets) < MOST_TICKETS:
            turn = self._turn_of(caller, cost)
            self.tickets.append(Ticket(caller.holder, caller.agent, cost, turn, until + GRACE_S))
            self.tickets.sort(key=lambda one: one.turn)  # stable: of equal turns the first that came

    def observe(
        self, now: float, *, most: int | None, room: int | None, room_until: float, blocked_until: float
    ) -> None:
        """Adopt what the system says: never more room than is known already."""
        self.blocked_until = max(self.blocked_until, blocked_until)
        if most is not None:
            self.seen_most = most if most != self.most else None
        if room is not None and room_until > now and (self.room is None or room < self.room):
            self.room, self.room_until = room, room_until

    def is_near(self, now: float) -> bool:
        """Return whether to warn that the limit is nearly spent: once a window."""
        if self.used() < NEAR * self.most or now < self.warned_until:
            return False
        self.warned_until = now + self.window_s
        return True

    def _cell(self, now: float) -> int:
        return int(now // self.width)

    def _turn_of(self, caller: Caller, cost: int) -> int:
        own = [one.turn for one in self.tickets if one.agent == caller.agent]
        return max([self.turn, *own]) + cost

    def _ahead(self, caller: Caller, cost: int) -> int:
        """Return the units of the calls whose turn is before that of this one."""
        place = next((n for n, one in enumerate(self.tickets) if one.holder == caller.holder), None)
        if place is not None:
            return sum(one.cost for one in self.tickets[:place])
        turn = self._turn_of(caller, cost)
        return sum(one.cost for one in self.tickets if one.turn <= turn)

    def _free_at(self, ahead: int, cost: int, now: float, most: int) -> float:
        """Return when so many units more can be used than count now."""
        needed = self.used() + ahead + cost - most
        if needed <= 0:
            return now
        for cell, units in self.cells:
            needed -= units
            if needed <= 0:
                return max((cell + SPAN) * self.width, now + _A_MOMENT_S)
        # All that count now are gone by then; the rest of those ahead need windows of their own.
        last = (self.cells[-1][0] if self.cells else self._cell(now)) + SPAN
        return max(last * self.width, now) + (needed + most - 1) // most * self.window_s

    def to_data(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "most": self.most, "window_s": self.window_s, "cells": self.cells, "turn": self.turn,
            "tickets": [[one.holder, one.agent, one.cost, one.turn, one.until] for one in self.tickets],
            "blocked_until": self.blocked_until, "room": self.room, "room_until": self.room_until,
            "seen_most": self.seen_most, "warned_until": self.warned_until,
        }  # fmt: skip


def load(data: Mapping[str, Any], *, most: int, window_s: float, now: float) -> Window:
    """Return the stored state of a limit that allows `most` in `window_s` by now. `data` is empty at first.

    What was used under another length of the window counts as used now.
    """
    if not data:
        return Window(most, window_s)
    found = Window(**{**data, "most": most, "window_s": window_s, "tickets": [Ticket(*one) for one in data["tickets"]]})
    if data["window_s"] != window_s:
        used, found.cells = found.used(), []
        if used:
            found.take(Caller("", ""), used, now)
    return found
