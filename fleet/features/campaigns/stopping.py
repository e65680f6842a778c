"""Stop and resume a campaign: its own items publish nothing meanwhile; its agents go on with everything else.

Workers read the stop wherever they read pauses, last just before each write ("jobs.stops"). An emergency stop of the
scope campaign is this stop ("leader.stops"). Ending it may need an approval, as the end of a pause.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from pydantic import Field

from fleet.access import Permission, Principal, audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.engine.attempts.job_stops import JobStop
from fleet.engine.deps import Deps
from fleet.engine.jobs import snooze
from fleet.engine.jobs.ledger import Claim
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.campaigns.kinds import CONTINUE
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.campaigns.states import FINAL
from fleet.features.publishing.kinds import POST

_FIX = "`fleet campaigns list` shows names and ids."


class CampaignStops:
    """How the team leader stops a campaign, by its id or name. Raises NotFound, Conflict for a name of several."""

    def agents(self, tx: Tx, campaign: str) -> Sequence[uuid.UUID]:
        """Return the agents that publish for it: its targets, and those of items that are not published."""
        row = _named(tx, campaign)
        items = sa.select(ContentItemRow.agent_id).where(
            ContentItemRow.campaign_id == row.id, ContentItemRow.state.not_in(sorted(FINAL))
        )
        return sorted({uuid.UUID(str(one["agent"])) for one in row.targets} | set(tx.session.scalars(items)))

    def stop(self, tx: Tx, campaign: str, *, by: str, reason: str) -> bool:
        """Stop it in the caller's transaction; False if it was stopped already."""
        return put(tx, _named(tx, campaign), by=by, reason=reason)

    def resume_command(self, tx: Tx, campaign: str) -> str:
        """Return the command that ends the stop."""
        return f"fleet campaigns resume {_named(tx, campaign).id}"

    def in_flight(self, tx: Tx, campaign: str) -> int:
        """Return how many writes of its items have begun and may still land."""
        jobs = sa.select(ContentItemRow.job_id).where(ContentItemRow.campaign_id == _named(tx, campaign).id)
        sending = (JobRow.id.in_(jobs), JobRow.state == JobState.SENDING, JobRow.lease_until > tx.sql_now)
        return int(tx.scalar(sa.select(sa.func.count()).where(*sending)) or 0)


STOPS = CampaignStops()


def stop(deps: Deps, campaign_id: uuid.UUID, *, by: str, reason: str) -> bool:
    """Stop a campaign from the COMMIT on; False if it was stopped already. Raises NotFound."""
    with deps.db.transaction() as tx:
        return put(tx, _named(tx, str(campaign_id)), by=by, reason=reason)


def put(tx: Tx, row: CampaignRow, *, by: str, reason: str) -> bool:
    """Stop a campaign in the caller's transaction; False if it was stopped already."""
    running = sa.update(CampaignRow).where(CampaignRow.id == row.id, CampaignRow.stopped_at.is_(None))
    values = {"stopped_at": tx.sql_now, "stopped_by": by[:100], "stop_reason": reason[:300]}
    stopped = tx.execute(running.values(**values)).rowcount == 1
    if audit.noted(tx, stopped, "campaign.stopped", f"campaign:{row.id}", reason=reason):
        _tell(tx, "campaign.stopped", row, by=by, reason=reason)
    return stopped


def resume(deps: Deps, campaign_id: uuid.UUID, *, by: str) -> bool:
    """Let a campaign go on, and its waiting jobs; False if it was not stopped. Raises NotFound."""
    with deps.db.transaction() as tx:
        snooze.free_held(tx)  # jobs first: the end of an attempt locks them before anything else
        row = _named(tx, str(campaign_id))
        stopped = sa.update(CampaignRow).where(CampaignRow.id == row.id, CampaignRow.stopped_at.is_not(None))
        resumed = tx.execute(stopped.values(stopped_at=None, stopped_by="", stop_reason="")).rowcount == 1
        if audit.noted(tx, resumed, "campaign.resumed", f"campaign:{row.id}"):
            _tell(tx, "campaign.resumed", row, by=by)
        return resumed


def _tell(tx: Tx, subject: str, row: CampaignRow, *, by: str, reason: str = "") -> None:
    organisation = None if row.organisation_id is None else str(row.organisation_id)
    events.emit(
        tx, subject, organisation=organisation, campaign=row.name, by=by, reason=reason, page=f"/campaigns/{row.id}"
    )


def _concerns(claim: Claim) -> bool:
    return claim.kind in (POST, CONTINUE) and "item" in claim.payload


def _why(tx: Tx, claim: Claim) -> str | None:
    """Return why an item must not be published now: its campaign is stopped."""
    query = sa.select(CampaignRow.stop_reason, CampaignRow.stopped_by).join(
        ContentItemRow, ContentItemRow.campaign_id == CampaignRow.id
    )
    item = (ContentItemRow.id == uuid.UUID(claim.payload["item"]), CampaignRow.stopped_at.is_not(None))
    row = tx.execute(query.where(*item)).one_or_none()
    return None if row is None else f"the campaign is stopped: {row.stop_reason or 'by ' + row.stopped_by}"


STOP = JobStop(_concerns, _why)


class CampaignArguments(VerbArguments):
    """Which campaign."""

    campaign: uuid.UUID = Field(description="id of the campaign")


def _preview(deps: Deps, tx: Tx, given: CampaignArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    row = _named(tx, str(given.campaign))
    if row.stopped_at is None:
        raise NotFound("The campaign is not stopped.", fix="Nothing is left to do.")
    before = {"state": "stopped", "by": row.stopped_by, "reason": row.stop_reason}
    return VerbPreview(
        resource_id=str(row.id), summary=f"Let the campaign {row.name} go on", before=before,
        after={"state": "active"}, facts={"campaign": row.name, **before}, arguments={"campaign": str(row.id)},
    )  # fmt: skip


def _run(deps: Deps, given: CampaignArguments, who: Principal) -> bool:
    return resume(deps, given.campaign, by=who.by)


RESUME = Verb(
    resource="campaign", action="resume", help="Let a stopped campaign go on, so that its items are published.",
    permission=Permission.CONTROLS_PAUSE, arguments=CampaignArguments,
    example={"campaign": "0b9e5c8a-3c1f-4f0e-9d1d-2f5f7c1a9b11"}, preview=_preview, run=_run,
)  # fmt: skip


def _named(tx: Tx, campaign: str) -> CampaignRow:
    try:
        found = tx.session.get(CampaignRow, uuid.UUID(campaign))
    except ValueError:
        query = sa.select(CampaignRow).where(CampaignRow.name == campaign).limit(2)
        several = tx.session.scalars(query).all()
        if len(several) > 1:
            raise Conflict(f"Several campaigns are called {campaign}.", fix=f"Name it by its id: {_FIX}") from None
        found = several[0] if several else None
    if found is None:
        raise NotFound(f"There is no campaign {campaign}.", fix=_FIX)
    return found
