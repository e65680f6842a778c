"""Handlers of reposts and follows, and the check that nobody is approached who wants to be left alone."""

from __future__ import annotations

from fleet.adapters.base import AnyAction
from fleet.adapters.social import FOLLOW, REPOST, FollowPayload, RepostPayload
from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.platforms.inbox import opt_outs
from fleet.features.platforms.networks import NETWORKS


def repost(work: Work) -> AnyAction:
    """Return the repost of the job's target."""
    return work.action(REPOST, RepostPayload(work.target))


def follow(work: Work) -> AnyAction:
    """Return the following of the job's target."""
    return work.action(FOLLOW, FollowPayload(work.target))


def obstacle(tx: Tx, work: Work, action: AnyAction) -> Skipped | None:
    """Return why a write must not happen: somebody asked to be left alone after it was decided.

    Called in the transaction that commits to the write, only for platforms, so that galleries pay nothing for it.
    """
    claim = work.claim
    if claim.surface not in NETWORKS:
        return None
    target = getattr(action.payload, "target", None)
    offered = [one for one in claim.payload.get("seen", ()) if one.get("id") == target]
    about = offered[0] if offered else claim.payload
    author = str(about.get("author") or "").casefold()
    remote_ids = {str(about.get("author_id") or ""), str(target or "")} - {""}
    if not author and not remote_ids:
        return None
    if opt_outs.among(tx, claim.surface, {author} - {""}, remote_ids):
        return Skipped(f"{author or target} asked to be left alone")
    return None
