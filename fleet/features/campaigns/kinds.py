"""Kinds of job of this feature, and the extension points that it defines."""

from __future__ import annotations

from fleet.features.campaigns.states import ItemState

PLAN, WRITE, ADAPT, REVIEW, SCHEDULE = "plan_campaign", "write_item", "adapt_item", "review_item", "schedule_item"
CONTINUE = "continue_item"
STAGES = {
    ItemState.PLANNED: WRITE, ItemState.WRITTEN: ADAPT, ItemState.ADAPTED: REVIEW, ItemState.APPROVED: SCHEDULE,
}  # fmt: skip
"""The kind of job that works on an item in a state."""
HOURS = "campaigns.hours"
"""`hours(deps, agent_id, account_id, network) -> tuple[int, ...] | None`: better hours than the network's defaults."""
RESOURCE, ACTION = "content_item", "publish"
BRAND = "brand_rules"
"""The kind of the documents with rules of brands."""
