"""Browsing: look at a post and remember that one did. Nothing is written anywhere but in the ledger."""

from __future__ import annotations

from fleet.adapters.social import social
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done


def prepare(work: Work) -> Done:
    """Read the post, or the feed when it was empty."""
    platform = social(work.gateway.adapter)
    if work.claim.target is None:
        return Done(result={"posts_seen": len(platform.feed(work.account, limit=20))})
    item = platform.item(work.account, work.claim.target)
    return Done(item.id, {"likes": item.likes, "comments": item.comments})
