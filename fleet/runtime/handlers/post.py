"""A post: words, then a picture, then the gallery. Words and picture are paid for once, whatever happens between."""

from __future__ import annotations

import random
from typing import Any

from fleet.content.surfaces import Kind
from fleet.core import logs
from fleet.images import checks
from fleet.images.placeholder import data_url, render_jpeg
from fleet.jobs import queries
from fleet.jobs.outcomes import Skipped
from fleet.jobs.policy import JobKind
from fleet.llm.base import PostRequest
from fleet.platforms import base, guard
from fleet.platforms.base import Action, ImageOrder, Verb
from fleet.runtime.reviewing import Draft, reviewed
from fleet.runtime.work import Work

log = logs.get(__name__)


def prepare(work: Work) -> Action | Skipped:
    """Return the post, with a caption and a picture that are the same in every attempt."""
    words = reviewed(work, lambda dice: _write(work, dice))
    if isinstance(words, Skipped):
        return words
    image = work.step("image", lambda: _make_image(work, words["image_prompt"]))
    made = image.get("url") if _is_fit(work, image) else None
    # Our own rendering is made anew from its prompt each time rather than kept in the database.
    url = made or data_url(render_jpeg(words["image_prompt"], _style(work)))
    return Action(
        Verb.POST, work.account, str(work.claim.job_id), text=words["caption"], image_url=url,
        alt_text=words["alt_text"],
    )  # fmt: skip


def _write(work: Work, dice: random.Random) -> Draft:
    with work.deps.db.transaction() as tx:
        recent = queries.recent_results(tx, work.agent.id, JobKind.POST, "caption")
    request = PostRequest(work.deps.speaker(work.agent), tuple(recent))
    words, usage = work.deps.words.write_post(request, dice)
    texts = {
        "image_prompt": (Kind.PROMPT, words.image_prompt),
        "caption": (Kind.CAPTION, words.caption),
        "alt_text": (Kind.ALT_TEXT, words.alt_text),
    }
    return Draft(texts, usage)


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


def _is_fit(work: Work, image: dict[str, Any]) -> bool:
    """Look at the workflow's picture once. It is paid and kept already, so that looking again never pays again."""
    if "url" not in image or not work.deps.settings.check_images:
        return True
    why = work.step("picture", lambda: {"unfit": _why_unfit(work, image["url"])})["unfit"]
    return why is None


def _why_unfit(work: Work, url: str) -> str | None:
    try:
        picture = work.gateway.fetch_image(url, work.lease)
        why = checks.why_unfit(picture.data, picture.content_type)
    except (base.Refused, base.Vanished) as error:
        why = str(error)
    except (base.Uncertain, base.Unreachable) as error:
        if work.claim.attempts == 0:
            raise
        why = str(error)
    if why is not None:
        log.warning("picture_is_unfit", job_id=str(work.claim.job_id), reason=why)
    return why


def _style(work: Work) -> str:
    return work.agent.persona_id or "default"
