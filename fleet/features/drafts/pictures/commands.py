"""Another picture of a draft: who may have it made, and whether it is being made; and what becomes of old ones.

The job is in `handlers.illustrate`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONPATH

from fleet.access import audit
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict
from fleet.engine import publish
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import LIVE
from fleet.features.approvals.request import Changed
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Person
from fleet.features.drafts import queries
from fleet.features.drafts.kinds import ILLUSTRATE_DRAFT
from fleet.features.drafts.models import DraftRow, RevisionRow
from fleet.features.drafts.pictures import rendering
from fleet.features.drafts.states import DraftKind
from fleet.features.media import service as media


def request(deps: Deps, prefix: str, by: Person, *, revision: int | None = None) -> DraftRow:
    """Have the picture of a proposed post made from its present words. It becomes a new revision of the draft.

    Raises NotFound, InvalidInput, Conflict, and as decisions do.
    """
    if not media.keeps_pictures(deps):
        raise Conflict("This fleet stores no pictures.", fix="Have the feature media (FLEET_FEATURES).")
    with deps.db.transaction() as tx:
        row = queries.get(tx, queries.resolve(tx, prefix))
        if row.kind != DraftKind.POST or row.request_id is None:
            raise Conflict(f"A {row.kind} has no picture.")
        moves.lock_for(tx, row.request_id, by)
        if revision is not None and revision != row.revision:
            raise Changed(f"The draft is at revision {row.revision}, not {revision}.", fix="Look at it again.")
        job = NewJob(
            id=_job_id(row), agent_id=row.agent_id, kind=ILLUSTRATE_DRAFT, surface=row.surface,
            account_id=row.account_id, requested_by=by.name,
            payload={"draft": str(row.id), "revision": row.revision, "by": by.name},
        )  # fmt: skip
        if not publish.add_jobs(tx, deps.publisher, [job]):
            raise Conflict("A picture of this revision was asked for already.", fix="Edit what it shows first.")
        audit.note(tx, "draft.picture", f"draft:{row.id}", after={"by": by.name, "revision": row.revision})
        return row


def under_way(deps: Deps, row: DraftRow) -> JobRow | None:
    """Return the job that makes a picture for the present revision, if one does."""
    with deps.db.transaction() as tx:
        job = tx.session.get(JobRow, _job_id(row))
    return job if job is not None and job.state in LIVE else None


def is_other(content: Mapping[str, Any]) -> bool:
    """Return whether the picture was made from other words than those that the draft has now."""
    made = rendering.of_ours(content)
    return made is not None and made["prompt"] != rendering.subject(content)


def keep(tx: Tx, content: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Have the stored pictures stay that a new draft or revision shows."""
    keys = _keys_in(content)
    media.keep(tx, {*keys, about["picture"]} if "picture" in about else keys)


def drop(deps: Deps, content: Mapping[str, Any]) -> None:
    """Have the stored pictures deleted of a content that became no revision, unless a draft shows them."""
    keys = _keys_in(content)
    with deps.db.transaction() as tx:
        media.discard(tx, keys - _shown(tx, keys))


def _keys_in(content: Mapping[str, Any]) -> set[str]:
    return {one["key"] for one in content.get("media") or () if "key" in one}


def discard(tx: Tx, draft_ids: Collection[uuid.UUID]) -> None:
    """Have the stored pictures of drafts deleted that the caller is about to delete, where no other draft has them."""
    mine = {
        str(key)
        for query in _keys(DraftRow.id.in_(draft_ids), RevisionRow.draft_id.in_(draft_ids))
        for key in tx.session.scalars(query)
    }
    media.discard(tx, mine - _shown(tx, mine, but=draft_ids))


def _shown(tx: Tx, keys: Collection[str], *, but: Collection[uuid.UUID] = ()) -> set[str]:
    """Return those of the keys that drafts show, other than these drafts."""
    found: set[str] = set()
    for query in _keys(DraftRow.id.not_in(but), RevisionRow.draft_id.not_in(but)) if keys else ():
        every = query.subquery()
        found.update(tx.session.scalars(sa.select(every.c.key).where(every.c.key.in_(keys)).distinct()))
    return found


def _keys(drafts: sa.ColumnElement[bool], revisions: sa.ColumnElement[bool]) -> tuple[sa.Select[tuple[str]], ...]:
    """Return the queries of the keys of pictures in the revisions of drafts, and of the posts that they answer."""
    each = sa.func.jsonb_path_query(RevisionRow.content, sa.cast("$.media[*].key", JSONPATH))
    shown = sa.select(each.op("#>>")(sa.text("'{}'")).label("key")).where(revisions)
    about = sa.select(DraftRow.about["picture"].astext.label("key"))
    return shown, about.where(drafts, DraftRow.about.has_key("picture"))


def _job_id(row: DraftRow) -> uuid.UUID:
    return ids.derived("picture", row.id, row.revision)
