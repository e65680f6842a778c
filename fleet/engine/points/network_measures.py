"""The extension point `leader.measures`: a feature tells the team leader how networks do in a period.

A feature registers `measure(deps, tx, organisation_id, since, until)`, which returns a `Measured` by network (name of
its adapter) for the networks of which it has data. The team leader reads it inside its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

POINT = "leader.measures"


@dataclass(frozen=True, slots=True)
class Measured:
    """Engagement and growth of a network in a period; None: there is no data."""

    engagement_percent: float | None = None
    """Interactions in percent of those who saw the posts, or else of followers."""
    posts: int = 0
    """The posts behind the engagement."""
    growth_percent: float | None = None
    """Growth of followers in percent of a week of the fleet's time; below 0 is loss."""
