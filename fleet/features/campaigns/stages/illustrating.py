"""Pictures of items: made once, cropped for each network, stored; made late in a fleet that stores no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.core.db import Tx
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.stages.publication import cropped
from fleet.features.media import service as media
from fleet.features.publishing import pictures


def original(work: Work, prompt: str, alt_text: str, part: str = "") -> list[dict[str, Any]]:
    """Return a picture made from a prompt, once for all attempts; it is stored in a fleet that stores pictures."""
    known = {"prompt": prompt, "alt_text": alt_text or prompt[:200]}
    if not media.keeps_pictures(work.deps):
        return [{**known, "key": ""}]

    def made() -> dict[str, Any]:
        data, source = pictures.rendered(work, prompt, part)
        return {**known, "key": media.store(work.deps, data), "source": source}

    return [work.step(f"stored{part}", made)]


def adapted(work: Work, row: ContentItemRow, *, needed: bool) -> list[dict[str, Any]]:
    """Return the pictures of an item, each with the crop of its network. One is made where a network needs one."""
    found = [dict(one) for one in row.media]
    if not found and (row.picture_prompt or needed):
        found = original(work, row.picture_prompt or row.brief or row.message[:500], "")
    return [_adapted(work, one, row.surface, place) for place, one in enumerate(found)]


def _adapted(work: Work, one: dict[str, Any], network: str, place: int) -> dict[str, Any]:
    if not one.get("key") and one.get("prompt") and media.keeps_pictures(work.deps):
        one = original(work, one["prompt"], one.get("alt_text", ""), f":own:{place}")[0]
    key = one.get("original") or one.get("key")
    if not key:
        return one

    def cut() -> str:
        return media.store(work.deps, cropped(media.picture_bytes(work.deps, str(key)), network))

    return {**one, "original": key, "key": work.step(f"crop:{place}", cut)}


def keep(deps: Deps, tx: Tx, found: Sequence[dict[str, Any]]) -> None:
    """Have the stored pictures stay that an item shows."""
    if media.keeps_pictures(deps):
        media.keep(tx, {str(one[name]) for one in found for name in ("key", "original") if one.get(name)})
