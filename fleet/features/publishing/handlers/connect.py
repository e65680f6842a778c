"""A request to be friends, in the words that were approved."""

from __future__ import annotations

from fleet.adapters.base import Action, Verb
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Skipped
from fleet.features.content.surfaces import Kind
from fleet.features.publishing import approved
from fleet.features.publishing.words.review_words import reviewed_once


def prepare(work: Work) -> Action | Skipped:
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
    return Action(
        Verb.CONNECT, work.account, str(work.claim.job_id), target=work.claim.target, text=words.get("text", "")
    )  # fmt: skip
