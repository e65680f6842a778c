"""Items in the ledger: the job of each part, in order; what becomes of it; and the sweep that begins items when due.

The first part of an item is a job of the kind "post", each further part one of the kind "continue_item", added in the
transaction that records the part before it. All content is frozen in the job.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa

from fleet.adapters import registry as adapters
from fleet.adapters.base import AnyAction
from fleet.adapters.manifest import MediaRule
from fleet.adapters.social import POST, LinkCard, Media, PostPayload
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine import publish
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import Claim, NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.campaigns import items
from fleet.features.campaigns.kinds import CONTINUE
from fleet.features.campaigns.models import PART, CampaignRow, ContentItemRow
from fleet.features.campaigns.states import STAGED, ItemEvent, ItemState
from fleet.features.content.surfaces import Kind
from fleet.features.media import service as media
from fleet.features.publishing import pictures
from fleet.features.publishing.words.review_words import reviewed_once
from fleet.images.export import fitting
from fleet.images.placeholder import data_url

THREAD_PART = replace(POST, is_counted=False)
"""A further part of a thread: it does not wait for the gap between two posts. It counts as a post for later ones."""
_AT_ONCE = 100
_Count = TypeVar("_Count")
_ENDED = (JobState.DEAD, JobState.SKIPPED, JobState.CANCELLED)


def begin_due(deps: Deps) -> int:
    """Begin the items whose time has come, but of stopped campaigns; return how many. Called by each sweep."""
    with deps.db.transaction() as tx:
        one = ContentItemRow
        stopped = sa.select(CampaignRow.id).where(CampaignRow.stopped_at.is_not(None))
        due = sa.select(one).where(
            one.state == ItemState.SCHEDULED, one.scheduled_at <= tx.sql_now,
            sa.or_(one.campaign_id.is_(None), one.campaign_id.not_in(stopped)),
        )  # fmt: skip
        rows = tx.session.scalars(due.order_by(one.scheduled_at).limit(_AT_ONCE).with_for_update(skip_locked=True))
        found = rows.all()
        for row in found:
            add_job(deps, tx, items.move(tx, row, ItemEvent.BEGAN))
        return len(found)


def follow_jobs(deps: Deps) -> None:
    """Record the items whose job ended without success, and those whose job was replayed. Called by each sweep."""
    one, job = ContentItemRow, JobRow
    with deps.db.transaction() as tx:
        working = (*STAGED, ItemState.PUBLISHING)
        query = (
            sa.select(one, job.state, sa.func.coalesce(job.error, job.result["why"].astext, job.held))
            .join(job, job.id == one.job_id)
            .where(sa.or_(
                sa.and_(one.state.in_(working), job.state.in_(_ENDED)),
                sa.and_(one.state == ItemState.FAILED, job.state.not_in((*_ENDED, JobState.DONE))),
            ))
            .limit(_AT_ONCE).with_for_update(of=one, skip_locked=True)
        )  # fmt: skip
        for row, state, error in tx.execute(query).all():
            if row.state == ItemState.FAILED:
                items.move(tx, row, ItemEvent.RESUMED, words="its job was replayed")
            else:
                why = str(error or f"its job was {state}")[:500]
                items.move(tx, row, ItemEvent.FAILED, words=why, error=why)


def sweep(deps: Deps) -> None:
    """Begin due items and follow jobs."""
    begin_due(deps)
    follow_jobs(deps)


def add_job(deps: Deps, tx: Tx, row: ContentItemRow) -> ContentItemRow:
    """Add the job of an item's next part."""
    part = len(row.remote_ids)
    is_last = part == len(row.parts) - 1
    payload: dict[str, Any] = {
        "item": str(row.id), "part": part, "parts": len(row.parts), "revision": row.revision,
        "text": row.parts[part], "media": list(row.media) if part == 0 else [],
        "link": dict(row.link) if is_last else {}, "follows": row.remote_ids[-1] if part else "",
        "approved_by": row.approved_by,
    }  # fmt: skip
    if row.arm and part == 0:  # the feature experiments measures posts that have a variant
        payload["variants"] = {f"campaign {row.campaign_id}": row.arm}
    job_id = _job_id(row, part, row.revision)
    job = NewJob(
        id=job_id, agent_id=row.agent_id, kind=CONTINUE if part else POST.name, surface=row.surface,
        account_id=row.account_id, payload=payload, requested_by=row.approved_by,
    )  # fmt: skip
    publish.add_jobs(tx, deps.publisher, [job])
    return items.change(tx, row, job_id=job_id)


def _job_id(row: ContentItemRow, part: int, revision: int) -> uuid.UUID:
    return ids.derived("publish item", row.id, part, revision)


def jobs_of(row: ContentItemRow, part: int) -> list[uuid.UUID]:
    """Return the ids that the job of a part of an item can have: one for each revision."""
    return [_job_id(row, part, revision) for revision in range(1, row.revision + 1)]


def counted(
    rows: Iterable[ContentItemRow], counts: Callable[[list[uuid.UUID]], Mapping[uuid.UUID, _Count]]
) -> dict[uuid.UUID, list[_Count | None]]:
    """Return the counts of each published part of items, by item; None for a part without any."""
    jobs = {row.id: [jobs_of(row, part) for part in range(len(row.remote_ids))] for row in rows if row.remote_ids}
    found = counts([job_id for parts in jobs.values() for part in parts for job_id in part]) if jobs else {}
    return {
        item_id: [next((found[job_id] for job_id in part if job_id in found), None) for part in parts]
        for item_id, parts in jobs.items()
    }


def prepare(work: Work) -> AnyAction | Skipped | None:
    """Return the post of an item's part, the same in every attempt; None for a job of something else."""
    told = work.claim.payload
    if "item" not in told:
        return None
    if not told["part"] and work.claim.state is JobState.RUNNING and _is_called_off(work):
        return Skipped("its campaign is cancelled")
    texts = {"caption": (Kind.CAPTION, told["text"])}
    shown = [one for one in told["media"] if one.get("key") or one.get("prompt")]
    for place, one in enumerate(shown):
        if one.get("alt_text"):
            texts["alt_text" if place == 0 else f"alt_text:{place}"] = (Kind.ALT_TEXT, one["alt_text"])
    words = reviewed_once(work, texts)
    if isinstance(words, Skipped):
        return words
    loaded = [
        Media(_file(work, one, place), words.get("alt_text" if place == 0 else f"alt_text:{place}", ""))
        for place, one in enumerate(shown)
    ]
    if shown and shown[0].get("key"):
        work.told = {**work.told, "picture": shown[0]["key"]}
    first, more = (loaded[0], loaded[1:]) if loaded else (Media(""), [])
    link = told["link"]
    card = LinkCard(link["url"], link.get("title", ""), link.get("description", "")) if link.get("url") else None
    key = str(shown[0].get("original") or shown[0].get("key") or "") if shown else ""
    caption, alt_text = pictures.credited(work, key or None, words["caption"], first.alt_text)
    payload = PostPayload(caption, first.url, alt_text, more_pictures=tuple(more), link=card, follows=told["follows"])
    work.told = {**work.told, "item": told["item"]}
    return work.action(THREAD_PART if told["part"] else POST, payload)


def _is_called_off(work: Work) -> bool:
    """Say whether the item's campaign was cancelled while its job waited, such as for the end of a stop."""
    campaign = sa.select(CampaignRow.cancelled_at).join(ContentItemRow, ContentItemRow.campaign_id == CampaignRow.id)
    with work.deps.db.transaction() as tx:
        return tx.scalar(campaign.where(ContentItemRow.id == uuid.UUID(work.claim.payload["item"]))) is not None


def continue_item(work: Work) -> AnyAction | Skipped:
    """Return a further part of a thread."""
    return prepare(work) or Skipped("the job names no item")


def _file(work: Work, one: Mapping[str, Any], place: int) -> str:
    """Return a picture as a data URL; nothing is fetched or drawn for a probe, which looks for the text."""
    if work.claim.state is JobState.UNKNOWN:
        return ""
    if one.get("key"):
        return data_url(media.picture_bytes(work.deps, str(one["key"])))
    made, _ = pictures.rendered(work, str(one["prompt"]), f":{place}")
    return data_url(cropped(made, work.claim.surface))


def cropped(data: bytes, network: str) -> bytes:
    """Return a picture in the form of a network: its best ratio, a type and size that it takes. Raises InvalidInput."""
    rule = adapters.get(network).pictures if network in adapters.names() else None
    return data if rule is None else fitting.fit(data, form_of(rule))[0]


def form_of(rule: MediaRule) -> fitting.PictureForm:
    """Return the form of a network's pictures, cropped to the ratio that does best there."""
    least, most = (rule.best_ratio, rule.best_ratio) if rule.best_ratio else (rule.min_ratio, rule.max_ratio)
    return fitting.PictureForm(rule.types, rule.most_bytes, least, most, rule.min_width)


def part_done(tx: Tx, work: Work, outcome: Done) -> None:
    """Record a published part, in the transaction that ends its job, and go on with the next one."""
    told = work.claim.payload
    if "item" not in told:
        return
    row = tx.session.get(ContentItemRow, uuid.UUID(told["item"]), with_for_update=True, populate_existing=True)
    if row is None or len(row.remote_ids) != told["part"]:
        return
    if row.state == ItemState.FAILED:
        row = items.move(tx, row, ItemEvent.RESUMED, words="its job was replayed")
    row = items.change(tx, row, remote_ids=[*row.remote_ids, outcome.remote_id or ""])
    items.note(tx, row, PART, words=f"part {told['part'] + 1} of {told['parts']}")
    if len(row.remote_ids) < len(row.parts):
        add_job(work.deps, tx, row)
    else:
        items.move(tx, row, ItemEvent.PUBLISHED, published_at=tx.sql_now)


def is_approved(claim: Claim) -> bool:
    """Say whether a person approved the item that a job publishes."""
    return "item" in claim.payload and bool(claim.payload.get("approved_by"))
