"""The extension point `leader.measures`: a feature tells the team leader how networks do in a period.

A feature registers `measure(deps, tx, organisation_id, since, until)`, which returns a `Measured` by network (name of
its adapter) for the networks of which it has data. The team leader reads it inside its own transaction.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

POINT = "leader.measures"


@dataclass(frozen=True, slots=True)
class Measured:
    """Engagement and growth of a network in a period; None: there is no data."""

    reaction_percent: float | None = None
    """Interactions in percent of those who saw the posts, or else of followers."""
    sample: int = 0
    """How many posts that figure is of."""
    growth_percent: float | None = None
    """Growth of followers in percent of a week of the fleet's time; below 0 is loss."""


SAMPLES = "leader.samples"
"""The extension point of evidence: `samples(deps, tx, organisation_id, since, until)` returns `PostSample`s."""


@dataclass(frozen=True, slots=True)
class PostSample:
    """Posts of one agent at one hour, of one format, or of one topic: sums of log(1 + interactions) and its squares."""

    agent_id: uuid.UUID
    number: int
    log_sum: float
    log_squares: float
    at: datetime | None = None
    """The hour of publication; None for a sample by format or topic."""
    format: str = ""
    topic: str = ""
