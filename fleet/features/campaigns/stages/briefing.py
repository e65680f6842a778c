"""What the posts of a campaign are about: its message or variants, its topics and feeds, or briefs by a model.

A goal goes to the fleet's models once, paid by the budgets of the campaign's first agent; without a model the offline
writer plans. What comes back are drafts: people approve each item (`ContentItemRow.is_drafted`).
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from fleet.engine.attempts.work import Work
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.models import CampaignRow
from fleet.features.campaigns.stages import feeds
from fleet.features.costs import budget_guard
from fleet.llm.base import BriefRequest

_LONGEST_DAYS = 366


def briefs(work: Work, campaign: CampaignRow) -> list[dict[str, Any]]:
    """Return what the campaign's posts are about. Raises the errors of the agent's budgets."""
    picture = campaign.picture_prompt
    if campaign.goal:
        return _planned(work, campaign)
    if campaign.variants:  # a brief for each round; which variant an account has is drawn with its items
        return [{"brief": "", "message": "", "picture": picture} for _ in range(campaign.rounds)]
    if campaign.message:
        return [{"brief": "", "message": campaign.message, "picture": picture}]
    found = [*campaign.topics, *feeds.topics(work, campaign.feeds)]
    return [{"brief": one, "message": "", "picture": picture} for one in dict.fromkeys(found)]


def _planned(work: Work, campaign: CampaignRow) -> list[dict[str, Any]]:
    request = BriefRequest(
        campaign.goal, campaign.audience, posts=campaign.rounds,
        days=days_of(campaign.starts_at, campaign.ends_at, campaign.rounds),
        first_day=campaign.starts_at.date().isoformat(),
        networks=tuple(dict.fromkeys(one["surface"] for one in campaign.targets)),
        voice=brands.of(work.deps, campaign.brand).voice,
    )  # fmt: skip
    plan, usage = budget_guard.words_of(work).plan_campaign(request, work.dice("plan"), within_s=work.words_within_s)
    by = f"{usage.provider}/{usage.model}"
    return [
        {
            "brief": one.topic, "message": "", "day": one.day, "hashtags": list(one.hashtags), "by": by,
            "picture": campaign.picture_prompt or one.picture, "reason": plan.reason,
        }
        for one in plan.posts
    ]  # fmt: skip


def days_of(starts_at: datetime, ends_at: datetime | None, posts: int) -> int:
    """Return how many days a campaign has: one for each post without an end."""
    if ends_at is None:
        return posts
    return min(_LONGEST_DAYS, max(1, math.ceil((ends_at - starts_at) / timedelta(days=1))))
