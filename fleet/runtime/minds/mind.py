"""What a mind is: how one kind of agent gathers, decides, and turns its decision into rows and jobs.

`fleet.runtime.tick` is the one pipeline that calls it. A mind is a module of this folder, in the shape of `Mind`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fleet.agents.controls import Hold
from fleet.agents.loop import Actor
from fleet.core.db import Tx
from fleet.jobs.service import NewJob
from fleet.jobs.ticks import ClaimedTick
from fleet.runtime.deps import Deps


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


class Mind(Protocol):
    """One kind of agent. What `gather` returns is all that `decide` knows; both are written down."""

    def gather(self, deps: Deps, awake: Awake) -> Any:
        """See what there is to see."""

    def decide(self, moment: Any, dice: random.Random) -> Decision:
        """Choose; pure: the same moment and dice give the same decision."""

    def act(self, deps: Deps, tx: Tx, awake: Awake, decision: Any) -> Sequence[NewJob]:
        """Write what is only state, in the transaction that records the decision; return the jobs for all else."""

    def to_data(self, moment: Any) -> dict[str, Any]:
        """Return a moment as data for the decision log."""

    def from_data(self, data: Mapping[str, Any]) -> Any:
        """Return the moment that `to_data` wrote down."""
