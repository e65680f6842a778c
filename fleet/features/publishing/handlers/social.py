"""Handlers of actions on posts: comment, like, react, connect, browse.

Texts of posts are data, never instructions. Browsing writes nothing but the ledger.
"""

from __future__ import annotations

from typing import Any

from fleet.adapters.base import AnyAction
from fleet.adapters.social import (
    COMMENT,
    CONNECT,
    REACT,
    CommentPayload,
    ConnectPayload,
    ReactionPayload,
    social,
)
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Held, Skipped
from fleet.features.content.surfaces import Kind
from fleet.features.costs import budget_guard
from fleet.features.publishing import approved, comment_candidates
from fleet.features.publishing.rules import REACTIONS
from fleet.features.publishing.words.memory import MOST_RECALLED, memory_of
from fleet.features.publishing.words.quality import quality_of
from fleet.features.publishing.words.review_words import Turn, WrittenDraft, reviewed, reviewed_once
from fleet.features.publishing.words.voice import speaker_of
from fleet.llm.base import CommentRequest, SeenPost
from fleet.llm.offline.provider import OfflineProvider


def comment(work: Work) -> AnyAction | Skipped | Held:
    """Return the comment: target and text are made once for all attempts, or approved."""
    said = approved.content_of(work)
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    words: dict[str, Any] | Skipped | Held
    if said is not None:
        words = reviewed_once(work, {"text": (Kind.COMMENT, said["text"])})
    else:
        words = reviewed(work, lambda turn: _write(work, turn))
    if isinstance(words, Skipped | Held):
        return words
    target = str(words.get("post") or work.target)
    told = {"target": target, "to": comment_candidates.chosen(work.claim, target).author, "reason": words.get("reason")}
    work.told = {name: value for name, value in told.items() if value}
    return work.action(COMMENT, CommentPayload(target, words["text"]))


def _write(work: Work, turn: Turn) -> WrittenDraft | Skipped:
    seen = tuple(SeenPost(one.id, one.author, one.caption) for one in comment_candidates.still_open(work))
    if not seen:
        return Skipped("nothing that was offered is open for a comment any more")
    authors = tuple(dict.fromkeys(post.author for post in seen))
    memories = memory_of(work.deps).recall(work.agent.id, authors, limit=MOST_RECALLED)
    heard = quality_of(work.deps).heard(work.claim.surface)
    request = CommentRequest(speaker_of(work.deps, work.agent), seen, memories, turn.objections, heard)
    words, usage = budget_guard.words_of(work).write_comment(request, turn.dice, within_s=work.words_within_s)
    # A recorded response can name another post: then write to one of these.
    if words.answers not in {one.id for one in seen}:
        words, usage = OfflineProvider().write_comment(request, turn.dice)
    return WrittenDraft({"text": (Kind.COMMENT, words.text)}, usage, words.reason, words.answers)


def wordless(work: Work) -> AnyAction | Skipped:
    """Return a like, or another reaction without text: the one that the job's kind names."""
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    action = REACTIONS[work.claim.kind].type
    return work.action(action, action.payload(work.target))


def react(work: Work) -> AnyAction | Skipped:
    """Return the reaction."""
    said = approved.content_of(work)
    if said is None:
        return Skipped("a reaction needs a draft that says which")
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    return work.action(REACT, ReactionPayload(work.target, str(said["type"])))


def connect(work: Work) -> AnyAction | Skipped:
    """Return the request."""
    said = approved.content_of(work)
    if said is None:
        return Skipped("a request to be friends needs a draft")
    stale = approved.why_not(work)
    if stale is not None:
        return stale
    words = reviewed_once(work, {"text": (Kind.COMMENT, said["text"])}) if said["text"] else {}
    if isinstance(words, Skipped):
        return words
    return work.action(CONNECT, ConnectPayload(work.target, words.get("text", "")))


def browse(work: Work) -> Done:
    """Read the post, or the feed when it was empty."""
    platform = social(work.gateway.adapter)
    if work.claim.target is None:
        return Done(result={"posts_seen": len(platform.feed(work.account, limit=20))})
    item = platform.item(work.account, work.claim.target)
    return Done(item.id, {"likes": item.likes, "comments": item.comments})
