"""A request to be friends, in the words that were approved."""

from __future__ import annotations

from fleet.adapters.base import AnyAction
from fleet.adapters.social import CONNECT, ConnectPayload
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.content.surfaces import Kind
from fleet.features.publishing import approved
from fleet.features.publishing.words.review_words import reviewed_once


def prepare(work: Work) -> AnyAction | Skipped:
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
