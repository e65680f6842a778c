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
"""`hours(deps, account_id, zone, usual) -> tuple[int, ...]`: better local hours of a zone than the usual ones of the
network; none if it knows of none.
"""
RESOURCE, ACTION = "content_item", "publish"
BRAND = "brand_rules"
"""The kind of the documents with rules of brands."""
