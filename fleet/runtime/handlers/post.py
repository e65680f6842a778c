"""A post: words, then a picture, then the gallery. Words and picture are paid for once, whatever happens between."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

from fleet.content.surfaces import Kind
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.images import checks
from fleet.images.placeholder import data_url, render_jpeg
from fleet.jobs import queries
from fleet.jobs.outcomes import Skipped
from fleet.jobs.policy import JobKind
from fleet.jobs.states import JobState
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
    # A post that may be out already is looked for by its words; nothing is fetched or drawn for that.
    url = "" if work.claim.state is JobState.UNKNOWN else _picture(work, words["image_prompt"])
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


def _picture(work: Work, prompt: str) -> str:
    """Return the address of the workflow's picture if it may be posted, else our own as a data URL."""
    image = work.step("image", lambda: _make_image(work, prompt), also=partial(_replaced, work))
    made = image.get("url") if _is_fit(work, image) else None
    # Our own rendering is made anew from its prompt each time rather than kept in the database.
    return made or data_url(render_jpeg(prompt, _style(work)))


def _make_image(work: Work, prompt: str) -> dict[str, Any]:
    """Have the surface's workflow make the picture; if that fails, and only then, Fleet renders one itself.

    Budgets, the kill switch and the like are no failures of the workflow and never lead to a placeholder (facts 1.4).
    """
    order = ImageOrder(work.account, prompt, f"{work.claim.job_id}:image")
    try:
        return {"url": work.gateway.make_image(order, work.lease), "by": "workflow"}
    except guard.DryRun:
        return {"by": "placeholder"}
    except base.Refused as error:
        why = str(error)
    except base.Uncertain as error:
        # It may have been made and paid: the same key asks for it again before we give it up.
        if work.claim.attempts == 0:
            raise
        why = str(error)
    return {"by": "placeholder", "why": why}


def _is_fit(work: Work, image: dict[str, Any]) -> bool:
    """Look at the workflow's picture once. It is paid and kept already, so that looking again never pays again."""
    if "url" not in image or not work.deps.settings.check_images:
        return True
    looked = work.step("picture", lambda: _look_at(work, image["url"]), also=partial(_replaced, work))
    return "why" not in looked


def _look_at(work: Work, url: str) -> dict[str, Any]:
    why = _why_unfit(work, url)
    return {"fit": True} if why is None else {"fit": False, "why": why}


def _replaced(work: Work, tx: Tx, step: Mapping[str, Any]) -> None:
    """Record that our own picture takes the place of the workflow's, paid or not, and why."""
    if "why" in step:
        events.emit(
            tx, "picture.replaced", agent_id=work.claim.agent_id, job_id=work.claim.job_id, agent=work.agent.name,
            persona=work.agent.persona_id, why=step["why"][:500],
        )  # fmt: skip
        log.warning("picture_replaced", job_id=str(work.claim.job_id), reason=step["why"])


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
    return why


def _style(work: Work) -> str:
    return work.agent.persona_id or "default"
