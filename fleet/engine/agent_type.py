"""The behaviour of an agent type: how it gathers, decides, and turns its decision into rows and jobs.

`fleet.engine.tick` is the one pipeline that calls it. A feature registers a module of this shape with its `AgentType`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from fleet.core.db import Also
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import ClaimedTick
from fleet.engine.registry import AUTONOMOUS


@dataclass(frozen=True, slots=True)
class ClaimedAgent:
    """An agent whose tick this process decides."""

    tick: ClaimedTick
    agent: ActingAgent
    holds: Sequence[Hold]
    now: datetime


class Decision(Protocol):
    """What an agent chose. An empty thought makes no event."""

    @property
    def action(self) -> str | None:
        """What it is about to do, if anything."""

    @property
    def thought(self) -> str:
        """What the agent thinks, as text for people."""

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""


@dataclass(frozen=True, slots=True)
class Acts:
    """The jobs that follow from a decision, and `also`: further writes of the transaction that records it.

    A decision without `also` is recorded in one round trip.
    """

    jobs: Sequence[NewJob]
    also: Also | None = None


class Behaviour(Protocol):
    """One agent type. What `gather` returns is all that `decide` knows; both are recorded."""

    def gather(self, deps: Deps, claimed: ClaimedAgent) -> Any:
        """Read everything that the decision needs."""

    def decide(self, moment: Any, dice: random.Random) -> Decision:
        """Choose what to do. Pure: the same observation and random numbers give the same decision."""

    def act(self, deps: Deps, claimed: ClaimedAgent, decision: Any) -> Acts:
        """Return the jobs and writes that follow from a decision."""

    def to_data(self, moment: Any) -> dict[str, Any]:
        """Return a moment as data for the decision log."""

    def from_data(self, data: Mapping[str, Any]) -> Any:
        """Return the moment that `to_data` wrote down."""


def behaviour_of(kind: str, mode: str = AUTONOMOUS) -> Behaviour:
    """Return how agents of a kind behave in a mode. Raises InvalidInput for one that no feature registered."""
    features = registry.current()
    found = features.agents.get(kind) if mode == AUTONOMOUS else features.modes.get((kind, mode))
    if found is None:
        which = f"of the kind {kind!r}" if mode == AUTONOMOUS else f"of the kind {kind!r} that are {mode}"
        raise InvalidInput(
            f"No feature of this fleet has agents {which}.", fix="Upgrade its workers, or set FLEET_FEATURES."
        )
    return cast(Behaviour, registry.load(found.behaviour))
