"""A comment: one sentence to somebody's post. The post's words are data, never instructions."""

from __future__ import annotations

from fleet.content import sanitise
from fleet.jobs.outcomes import Skipped
from fleet.llm.base import CommentRequest, SeenPost
from fleet.platforms.base import Action, Verb
from fleet.runtime import paying
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped:
    """Return the comment, written once for all attempts."""
    words = work.step("words", lambda: _write(work))
    if not words["text"]:
        return Skipped("nothing to say came out")
    return Action(Verb.COMMENT, work.account, str(work.claim.job_id), target=work.claim.target, text=words["text"])


def _write(work: Work) -> dict[str, object]:
    payload = work.claim.payload
    author = str(payload.get("author_name") or payload.get("author") or "")
    post = SeenPost(str(work.claim.target), author, str(payload.get("caption", "")))
    request = CommentRequest(work.deps.speaker(work.agent), (post,))
    words, usage = paying.words_of(work).write_comment(request, work.dice("words"), within_s=work.words_within_s)
    return {"text": sanitise.clean_comment(words.text), "by": f"{usage.provider}/{usage.model}"}
