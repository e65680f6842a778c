"""A comment: one sentence to somebody's post. The post's words are data, never instructions."""

from __future__ import annotations

import random

from fleet.content.surfaces import Kind
from fleet.jobs.outcomes import Skipped
from fleet.llm.base import CommentRequest
from fleet.platforms.base import Action, Verb
from fleet.runtime.reviewing import Draft, reviewed
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped:
    """Return the comment, written once for all attempts."""
    words = reviewed(work, lambda dice: _write(work, dice))
    if isinstance(words, Skipped):
        return words
    return Action(Verb.COMMENT, work.account, str(work.claim.job_id), target=work.claim.target, text=words["text"])


def _write(work: Work, dice: random.Random) -> Draft:
    payload = work.claim.payload
    request = CommentRequest(
        work.deps.speaker(work.agent),
        str(payload.get("author_name") or payload.get("author") or ""),
        str(payload.get("caption", "")),
    )
    words, usage = work.deps.words.write_comment(request, dice)
    return Draft({"text": (Kind.COMMENT, words.text)}, usage)
