"""A comment: one sentence to somebody's post. The post's words are data, never instructions."""

from __future__ import annotations

import random

from fleet.content.surfaces import Kind
from fleet.jobs.outcomes import Skipped
from fleet.llm.base import CommentRequest, SeenPost
from fleet.platforms.base import Action, Verb
from fleet.runtime import paying
from fleet.runtime.handlers import drafted
from fleet.runtime.reviewing import Draft, reviewed, reviewed_once
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped:
    """Return the comment, written once for all attempts, or as it was approved."""
    said = drafted.content_of(work)
    stale = drafted.why_not(work)
    if stale is not None:
        return stale
    if said is not None:
        words = reviewed_once(work, {"text": (Kind.COMMENT, said["text"])}, "draft/approved")
    else:
        words = reviewed(work, lambda dice: _write(work, dice))
    if isinstance(words, Skipped):
        return words
    return Action(Verb.COMMENT, work.account, str(work.claim.job_id), target=work.claim.target, text=words["text"])


def _write(work: Work, dice: random.Random) -> Draft:
    payload = work.claim.payload
    author = str(payload.get("author_name") or payload.get("author") or "")
    post = SeenPost(str(work.claim.target), author, str(payload.get("caption", "")))
    request = CommentRequest(work.deps.speaker(work.agent), (post,))
    words, usage = paying.words_of(work).write_comment(request, dice, within_s=work.words_within_s)
    return Draft({"text": (Kind.COMMENT, words.text)}, usage)
