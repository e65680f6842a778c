"""The action `light`: what it says, and how often an agent may do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fleet.adapters.base import ActionType, Cap, Payload


@dataclass(frozen=True, slots=True)
class Colour(Payload):
    """The colour to show."""

    colour: str


LIGHT = ActionType(name="light", noun="colour", payload=Colour, cap=Cap(gap=timedelta(seconds=1), per_day=10_000))
