"""A post: words, then a picture, then the gallery. Words and picture are paid for once, whatever happens between."""

from __future__ import annotations

from fleet.content.surfaces import Kind
from fleet.jobs import queries
from fleet.jobs.outcomes import Held, Skipped
from fleet.jobs.policy import JobKind
from fleet.jobs.states import JobState
from fleet.llm.base import PostRequest
from fleet.platforms.base import Action, Verb
from fleet.runtime import batching, paying, trying
from fleet.runtime.pictures import picture
from fleet.runtime.remembering import MOST_RECALLED
from fleet.runtime.reviewing import Draft, Turn, reviewed
from fleet.runtime.work import Work


def prepare(work: Work) -> Action | Skipped | Held:
    """Return the post, with a caption and a picture that are the same in every attempt."""
    words = reviewed(work, lambda turn: _write(work, turn))
    if isinstance(words, Skipped | Held):
        return words
    work.told = {"reason": words["reason"]} if "reason" in words else {}
    # A post that may be out already is looked for by its words; nothing is fetched or drawn for that.
    url = "" if work.claim.state is JobState.UNKNOWN else picture(work, words["image_prompt"])
    return Action(
        Verb.POST, work.account, str(work.claim.job_id), text=words["caption"], image_url=url,
        alt_text=words["alt_text"],
    )  # fmt: skip


def _write(work: Work, turn: Turn) -> Draft | Held:
    with work.deps.db.transaction() as tx:
        recent = queries.recent_results(tx, work.agent.id, JobKind.POST, "caption")
    memories = work.deps.memory.recall(work.agent.id, (), limit=MOST_RECALLED)
    styles = trying.styles(work.deps, work.claim.payload)
    request = PostRequest(work.deps.speaker(work.agent), tuple(recent), memories, styles, turn.objections)
    made = batching.words(work, request, turn)
    if isinstance(made, Held):
        return made
    words, usage = made or paying.words_of(work).write_post(request, turn.dice, within_s=work.words_within_s)
    texts = {
        "image_prompt": (Kind.PROMPT, words.image_prompt),
        "caption": (Kind.CAPTION, words.caption),
        "alt_text": (Kind.ALT_TEXT, words.alt_text),
    }
    return Draft(texts, usage, words.reason)
