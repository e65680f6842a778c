"""Experiments: dimension, variants, and the choice of a variant for a post. Pure.

`fleet.features.experiments.experiment_file` reads them, `fleet.features.experiments.assign` assigns them. An assignment
follows from names alone: every process, on every machine and in every year, gives the same post the same variant.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from fleet.llm.base import Style


class Dimension(StrEnum):
    """What an experiment varies. Two active ones must not vary the same: their effects could not be separated."""

    CAPTION_STYLE = "caption_style"
    PROMPT_STYLE = "prompt_style"
    POSTING_HOUR = "posting_hour"


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant. `hours` are the window [start, end) of local hours in which an agent posts that day."""

    name: str
    weight: int = 1
    style: Style | None = None
    hours: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. The others are compared with its first variant.

    `enough` is how many posts (or days of agents) each variant needs before its effect is shown.
    """

    name: str
    question: str
    dimension: Dimension
    variants: tuple[Variant, ...]
    enough: int = 100

    def variant(self, name: str) -> Variant | None:
        """Return a variant by its name; None for one that is no longer in the file."""
        return next((one for one in self.variants if one.name == name), None)

    def share(self, name: str) -> float | None:
        """Return the part of posts that a variant's weight gives it; None for one that is no longer in the file."""
        found = self.variant(name)
        return None if found is None else found.weight / sum(one.weight for one in self.variants)


def unit_of_tick(tick_no: int) -> str:
    """Return the unit of a post that is assigned by itself."""
    return f"tick {tick_no}"


def unit_of_day(day: date) -> str:
    """Return the unit of an agent that is assigned for a whole local day."""
    return day.isoformat()


def pick(experiment: Experiment, agent_id: uuid.UUID, unit: str) -> Variant:
    """Return the variant of an agent's unit: by hash, in proportion to the weights, the same in every process.

    Each experiment draws for itself: the assignment of another one gives no information about it. Changing names, order
    or weights of variants changes the assignment of posts from then on; recorded assignments stay.
    """
    total = sum(variant.weight for variant in experiment.variants)
    digest = hashlib.sha256(f"fleet experiment\n{experiment.name}\n{agent_id}\n{unit}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") * total >> 64
    for variant in experiment.variants:
        if place < variant.weight:
            return variant
        place -= variant.weight
    return experiment.variants[-1]


def fits_every_day(experiment: Experiment, week: Sequence[Sequence[float]]) -> bool:
    """Return whether each variant's window has a waking hour on every day that has one at all.

    `week` holds the rates of 7 days by local hour. An agent that sleeps through one variant's hours would be missing
    from it alone, so an agent takes part in all variants or in none.
    """
    days = [day for day in week if any(day)]
    windows = [variant.hours for variant in experiment.variants if variant.hours is not None]
    return bool(days) and all(any(day[start:end]) for day in days for start, end in windows)
