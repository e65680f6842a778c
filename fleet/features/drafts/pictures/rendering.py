"""Make the pictures that people see before they decide: that of a proposed post, and a copy of the answered post's.

Called by the jobs that open, revise and illustrate drafts. A picture is ordered and paid for once; the stored file is
the one that is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.adapters import base
from fleet.adapters.gateway import NotAllowed
from fleet.core import logs
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.attempts.work import Work
from fleet.features.drafts.states import DraftKind
from fleet.features.media import service as media
from fleet.features.publishing import pictures
from fleet.images import cleaning
from fleet.images.credentials import NotSigned

log = logs.get(__name__)
_SIDE_PX, _MOST_BYTES, _MOST_PIXELS = 1024, 8 * 1024 * 1024, 40_000_000
_LATER = (base.Throttled, base.Unreachable, NotAllowed, NotSigned, InvalidInput)
"""Reasons to open a draft without its picture, unless that is paid for already: then the job tries again.

Unavailable is not one of them: a lost commit leaves open whether the order was paid for and saved.
"""


def subject(content: Mapping[str, Any]) -> str:
    """Return what the picture of a post is made from."""
    return str(content.get("image_prompt") or content.get("text") or "")


def of_ours(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the picture that Fleet made for a draft; None without one, and for one from a public address."""
    return next((one for one in content.get("media") or () if "prompt" in one), None)


def render(work: Work, content: Mapping[str, Any], part: str = "") -> list[dict[str, Any]]:
    """Return the picture of a proposed post as its content names it, made and stored once for all attempts.

    Empty for other kinds, and in a fleet without stored pictures: then it is made when the post is published. `part`
    tells the drafts of one job apart. Raises as `publishing.pictures.rendered`, and Unavailable.
    """
    if content["kind"] != DraftKind.POST or not media.keeps_pictures(work.deps):
        return []
    prompt = subject(content)

    def made() -> dict[str, Any]:
        data, source = pictures.rendered(work, prompt, part)
        return {"key": media.store(work.deps, data), "source": source, "prompt": prompt}

    return [work.step(f"stored{part}", made)]


def illustrated(work: Work, content: Mapping[str, Any], part: str = "") -> dict[str, Any]:
    """Return a proposed content with its picture, or without if none can be had now: no draft waits for it."""
    if content["kind"] != DraftKind.POST or content.get("media"):
        return dict(content)
    try:
        return {**content, "media": render(work, content, part)}
    except _LATER as error:
        if pictures.is_paid(work, part):
            raise
        log.warning("draft_picture_later", job_id=str(work.claim.job_id), reason=str(error)[:300])
        return dict(content)


def answered(work: Work, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of an answered post with the key of our copy of its picture, if that can be had."""
    url = about.get("image_url")
    if not url or not media.keeps_pictures(work.deps):
        return dict(about)
    try:
        fetch = work.deps.outside.fetcher(work.gateway.adapter, work.deps.settings)
        file = fetch(str(url), work.words_within_s)
        clean = cleaning.clean(file.data, max_bytes=_MOST_BYTES, max_pixels=_MOST_PIXELS, max_side_px=_SIDE_PX)
        return {**about, "picture": media.store(work.deps, clean.data)}
    except FleetError as error:
        log.info("answered_picture_not_had", job_id=str(work.claim.job_id), reason=str(error)[:300])
        return dict(about)
