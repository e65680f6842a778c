"""The platforms that have agents of their own, and the rhythm of each. Pure data.

Hours and bands of engagement are those of the design that Fleet implements. It has none for AT Protocol and Mastodon:
they take X's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

EVERY_DAY = frozenset(range(7))
WORKDAYS = frozenset(range(1, 6))  # 0 is Sunday


@dataclass(frozen=True, slots=True)
class Bands:
    """Engagement of a post in percent of those who saw it, or else of its account's followers: the least of a band."""

    excellent: float
    good: float
    average: float
    poor: float


@dataclass(frozen=True, slots=True)
class PlatformProfile:
    """One platform. `adapter` is the name of its adapter, and of the kind of its agents."""

    adapter: str
    title: str
    post_hours: tuple[int, ...]
    """Local hours of the persona's zone at which its agents post."""
    bands: Bands
    days: frozenset[int] = EVERY_DAY
    formats: tuple[str, ...] = ()
    """Formats that its agents can post besides plain posts."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Default weights of what its agents do besides posts and answers; actions that the platform forbids weigh 0."""


_READING = {"browse": 0.6}
_OPT_IN = {**_READING, "like": 0.0, "repost": 0.0, "follow": 0.0, "comment": 0.0}
"""Where a platform wants reactions only to those who asked, people switch them on for single agents."""

NETWORKS: Mapping[str, PlatformProfile] = MappingProxyType(
    {
        one.adapter: one
        for one in (
            PlatformProfile("atproto", "Bluesky (AT Protocol)", (8, 12, 16, 20), Bands(3, 2, 1, 0.3), weights=_OPT_IN),
            PlatformProfile("mastodon", "Mastodon", (8, 12, 16, 20), Bands(3, 2, 1, 0.3), weights=_OPT_IN),
            PlatformProfile("x", "X", (8, 12, 16, 20), Bands(3, 2, 1, 0.3), weights=_READING),
            PlatformProfile(
                "instagram", "Instagram", (11, 17), Bands(6, 4, 2, 1), weights=_READING, formats=("story", "reel")
            ),
            PlatformProfile(
                "facebook",
                "Facebook Pages",
                (10, 14, 18),
                Bands(5, 3, 1.5, 0.5),
                weights=_READING,
                formats=("story", "reel"),
            ),
            PlatformProfile(
                "linkedin",
                "LinkedIn",
                (9, 13),
                Bands(4, 2.5, 1.5, 0.5),
                WORKDAYS,
                weights=_READING,
                formats=("video", "document"),
            ),
            PlatformProfile("tiktok", "TikTok", (15, 19), Bands(15, 10, 5, 2), weights=_READING, formats=("video",)),
        )
    }
)
