"""A request to be friends, in the words that were approved."""

from __future__ import annotations

from fleet.content.surfaces import Kind
from fleet.jobs.outcomes import Skipped
from fleet.platforms.base import Action, Verb
from fleet.runtime.handlers import drafted
from fleet.runtime.reviewing import reviewed_once
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped:
    """Return the request."""
    said = drafted.content_of(work)
    if said is None:
        return Skipped("a request to be friends needs a draft")
    stale = drafted.why_not(work)
    if stale is not None:
        return stale
    words = reviewed_once(work, {"text": (Kind.COMMENT, said["text"])}) if said["text"] else {}
    if isinstance(words, Skipped):
        return words
    return Action(
        Verb.CONNECT, work.account, str(work.claim.job_id), target=work.claim.target, text=words.get("text", "")
    )  # fmt: skip
