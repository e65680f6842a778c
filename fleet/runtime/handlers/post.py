"""A post: words, then a picture, then the gallery. Words and picture are paid for once, whatever happens between."""

from __future__ import annotations

from typing import Any

from fleet.content import sanitise
from fleet.core import logs
from fleet.images.placeholder import data_url, render_jpeg
from fleet.jobs import queries
from fleet.jobs.outcomes import Skipped
from fleet.jobs.policy import JobKind
from fleet.llm.base import PostRequest
from fleet.platforms import base, guard
from fleet.platforms.base import Action, ImageOrder, Verb
from fleet.runtime import paying
from fleet.runtime.work import Work

log = logs.get(__name__)


def prepare(work: Work) -> Action | Skipped:
    """Return the post, with a caption and a picture that are the same in every attempt."""
    words = work.step("words", lambda: _write(work))
    if not words["caption"]:
        return Skipped("nothing to say came out")
    image = work.step("image", lambda: _make_image(work, words["image_prompt"]))
    # Our own rendering is made anew from its prompt each time rather than kept in the database.
    url = image.get("url") or data_url(render_jpeg(words["image_prompt"], _style(work)))
    return Action(
        Verb.POST, work.account, str(work.claim.job_id), text=words["caption"], image_url=url,
        alt_text=words["alt_text"],
    )  # fmt: skip


def _write(work: Work) -> dict[str, Any]:
    with work.deps.db.transaction() as tx:
        recent = queries.recent_results(tx, work.agent.id, JobKind.POST, "caption")
    request = PostRequest(work.deps.speaker(work.agent), tuple(recent))
    words, usage = paying.words_of(work).write_post(request, work.dice("words"), within_s=work.words_within_s)
    return {
        "image_prompt": words.image_prompt,
        "caption": sanitise.clean_caption(words.caption),
        "alt_text": sanitise.clean_alt_text(words.alt_text),
        "by": f"{usage.provider}/{usage.model}",
    }


def _make_image(work: Work, prompt: str) -> dict[str, Any]:
    """Have the surface's workflow make the picture; if that fails, and only then, Fleet renders one itself.

    Budgets, the kill switch and the like are no failures of the workflow and never lead to a placeholder (facts 1.4).
    """
    order = ImageOrder(work.account, prompt, f"{work.claim.job_id}:image")
    try:
        return {"url": work.gateway.make_image(order, work.lease), "by": "workflow"}
    except guard.DryRun:
        return {"by": "placeholder", "why": "dry run"}
    except base.Refused as error:
        why = str(error)
    except base.Uncertain as error:
        # It may have been made and paid: the same key asks for it again before we give it up.
        if work.claim.attempts == 0:
            raise
        why = str(error)
    log.warning("placeholder_image", job_id=str(work.claim.job_id), reason=why)
    return {"by": "placeholder", "why": why}


def _style(work: Work) -> str:
    return work.agent.persona_id or "default"
