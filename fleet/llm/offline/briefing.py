"""Briefs without a model: angles on the goal, spread over the days. Called by `fleet.llm.offline.provider`. Pure."""

from __future__ import annotations

import random

from fleet.core import text
from fleet.llm.answers import fit_to_show
from fleet.llm.base import BriefRequest, CampaignPlan, PlannedPost

_ANGLES = (
    "What stands behind it: {goal}", "A question about it: {goal}", "One detail of it: {goal}",
    "How it begins: {goal}", "What surprised us about it: {goal}", "Before and after: {goal}",
    "A common mistake about it: {goal}", "How it looks in daily life: {goal}", "Who it is for: {goal}",
    "What it takes: {goal}", "A look behind the scenes: {goal}", "Thanks to those who take part: {goal}",
    "What comes next: {goal}", "In one sentence: {goal}",
)  # fmt: skip
_LONGEST_GOAL_CHARS = 200


def answer(request: BriefRequest, dice: random.Random) -> CampaignPlan:
    """Return as many different briefs as were asked for, evenly spread over the days."""
    goal = text.cut(fit_to_show(request.goal), _LONGEST_GOAL_CHARS) or "the campaign"
    step = request.days / request.posts
    return CampaignPlan(
        tuple(
            PlannedPost(1 + int(number * step), angle.format(goal=goal))
            for number, angle in enumerate(dice.sample(_ANGLES, request.posts))
        ),
        "angles on the goal, without a model",
    )
