"""What a mind is: how one kind of agent gathers, decides, and turns its decision into rows and jobs.

`fleet.engine.tick` is the one pipeline that calls it. A mind is a module of this folder, in the shape of `Mind`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fleet.core.db import Tx
from fleet.engine.agents.loop import Actor
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.ticks import ClaimedTick


@dataclass(frozen=True, slots=True)
class Awake:
    """An agent whose tick this process decides."""

    tick: ClaimedTick
    agent: Actor
    holds: Sequence[Hold]
    now: datetime


class Decision(Protocol):
    """What an agent chose. An empty thought is told to nobody."""

    @property
    def action(self) -> str | None:
        """What it is about to do, if anything."""

    @property
    def thought(self) -> str:
        """What it thinks, in words."""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""


@dataclass(frozen=True, slots=True)
class Acts:
    """What follows from a decision: jobs, and what is only state, written in the transaction that records it.

    `then` returns further jobs, if what it found asks for any. Minds without it are recorded in one round trip.
    """

    jobs: Sequence[NewJob]
    then: Callable[[Tx], Sequence[NewJob]] | None = None


class Mind(Protocol):
    """One kind of agent. What `gather` returns is all that `decide` knows; both are written down."""

    def gather(self, deps: Deps, awake: Awake) -> Any:
        """See what there is to see."""

    def decide(self, moment: Any, dice: random.Random) -> Decision:
        """Choose; pure: the same moment and dice give the same decision."""

    def act(self, deps: Deps, awake: Awake, decision: Any) -> Acts:
        """Return what follows from a decision."""

    def to_data(self, moment: Any) -> dict[str, Any]:
        """Return a moment as data for the decision log."""

    def from_data(self, data: Mapping[str, Any]) -> Any:
        """Return the moment that `to_data` wrote down."""
