"""Which colour the lamp shows. Pure: no database, broker or HTTP."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COLOURS = ("green", "amber", "red")


@dataclass(frozen=True, slots=True)
class Health:
    """What a decision knows: dead letters of the last hour, how many are red, the colour, what a person asked for."""

    dead: int
    red_from: int
    shown: str | None
    asked_for: str | None = None


@dataclass(frozen=True, slots=True)
class LampDecision:
    """The colour to show, or None to leave the lamp as it is."""

    colour: str | None
    thought: str

    @property
    def action(self) -> str | None:
        """The kind of job that follows."""
        return "light" if self.colour else None

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data for the decision log."""
        return {"action": self.action, "thought": self.thought, "colour": self.colour}


def decide(health: Health, rng: random.Random) -> LampDecision:
    """Choose the colour by the number of dead letters."""
    colour = "green" if not health.dead else "amber" if health.dead < health.red_from else "red"
    if colour == health.shown and not health.asked_for:
        return LampDecision(None, "")
    return LampDecision(colour, f"{health.dead} dead letters in the last hour: {colour}")


def to_data(health: Health) -> dict[str, Any]:
    """Return what the decision knew as data for the decision log."""
    return asdict(health)


def from_data(data: Mapping[str, Any]) -> Health:
    """Return what `to_data` recorded, to repeat a decision."""
    return Health(**data)
