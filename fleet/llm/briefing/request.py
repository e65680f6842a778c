"""One request for the briefs of a campaign, and the briefs. Values only."""

from __future__ import annotations

from dataclasses import dataclass

MOST_BRIEFS = 14
MOST_HASHTAGS = 5


@dataclass(frozen=True, slots=True)
class BriefRequest:
    """What a campaign is for. `days` is its length; `voice` is that of its brand. All of it is text of the operator."""

    goal: str
    audience: str
    posts: int
    days: int
    first_day: str
    """ISO 8601."""
    networks: tuple[str, ...] = ()
    voice: str = ""


@dataclass(frozen=True, slots=True)
class PlannedPost:
    """What one post is about. `day` counts from 1; an agent writes the words later."""

    day: int
    topic: str
    picture: str = ""
    hashtags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """The posts of a campaign in the order of their days, and the reason for them."""

    posts: tuple[PlannedPost, ...]
    reason: str = ""
