"""What campaigns and content items are: the list, one campaign by state, one item as its network shows it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import ConfigDict

from fleet.access import Permission
from fleet.core import wall_time
from fleet.core.db import Tx
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.engine.points import verbs
from fleet.features.campaigns import items, queries, service, stopping
from fleet.features.campaigns.api import ItemQuery, Pauser, Planner, campaign_out, preview_of, require
from fleet.features.campaigns.arms import results
from fleet.features.campaigns.arms.api import ArmsQuery, ReadingAge
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.states import EDITABLE, ItemState
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import go, render
from fleet.web.requests.cursors import Paging

router = APIRouter()
_VIEW = [needs(Permission.DRAFTS_VIEW)]
_MOST_OF_CAMPAIGN = 500


class CampaignPageQuery(ArmsQuery):
    """At which age posts are compared."""

    model_config = ConfigDict(extra="ignore")


@router.get("/campaigns", dependencies=_VIEW)
def list_campaigns(request: Request, deps: TheDeps, which: Annotated[Paging, Query()]) -> Response:
    """Show campaigns, newest first."""
    with deps.db.transaction() as tx:
        found = queries.campaigns(tx, limit=which.one_more, below=which.place(uuid.UUID))
        rows, following = which.page(found, lambda row: row.id)
        counts = queries.counts(tx, [row.id for row in rows])
        shown = [campaign_out(row, counts[row.id]) for row in rows]
    return render(request, "campaigns/campaigns.html", campaigns=shown, next=following)


@router.get("/campaigns/{campaign_id}", dependencies=_VIEW)
def show_campaign(
    request: Request, deps: TheDeps, campaign_id: uuid.UUID, which: Annotated[CampaignPageQuery, Query()]
) -> Response:
    """Show one campaign with the results of its variants and its items by stage."""
    with deps.db.transaction() as tx:
        row = queries.campaign(tx, campaign_id)
        one = campaign_out(row, queries.counts(tx, [row.id])[row.id])
        views = queries.page(tx, ItemQuery(campaign=campaign_id).filter(), limit=_MOST_OF_CAMPAIGN)
        counts = _measured(tx, [view.row for view in views])
        arms = results.results(tx, row, age_h=which.age_h)
        plan = tx.session.get(JobRow, row.job_id) if row.job_id and not views else None
        failed_plan = plan if plan is not None and plan.state == JobState.DEAD else None
    stages = [(state, [view for view in views if view.row.state == state]) for state in ItemState]
    return render(
        request, "campaigns/campaign.html", one=one, stages=[found for found in stages if found[1]], counts=counts,
        arms=arms, ages=[int(one) for one in ReadingAge], age_h=which.age_h, failed_plan=failed_plan,
    )  # fmt: skip


@router.get("/content-items/{item_id}", dependencies=_VIEW)
def show_item(request: Request, deps: TheDeps, item_id: uuid.UUID) -> Response:
    """Show one item as its network will show it, its score with the reasons, and its history."""
    with deps.db.transaction() as tx:
        view = require(tx, item_id)
        changes = items.history(tx, item_id)
        counts = _measured(tx, [view.row]).get(item_id)
    row = view.row
    return render(
        request, "campaigns/item.html", one=view, row=row, previews=[preview_of(view)], history=changes, counts=counts,
        zones=wall_time.zone_names(), editable=ItemState(row.state) in EDITABLE and not row.remote_ids,
    )  # fmt: skip


@router.post("/campaigns/{campaign_id}/cancel")
def cancel_campaign(request: Request, deps: TheDeps, who: Planner, campaign_id: uuid.UUID) -> Response:
    """Cancel a campaign and its items that are not being published."""
    done = lambda: service.cancel_campaign(deps, campaign_id, by=who.by)  # noqa: E731
    return _done(request, f"/campaigns/{campaign_id}", done, "The campaign is cancelled.")


@router.post("/campaigns/{campaign_id}/stop")
def stop_campaign(
    request: Request, deps: TheDeps, who: Pauser, campaign_id: uuid.UUID, *,
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:  # fmt: skip
    """Have no write of a campaign's items begin."""
    done = lambda: stopping.stop(deps, campaign_id, by=who.by, reason=reason)  # noqa: E731
    return _done(request, f"/campaigns/{campaign_id}", done, "The campaign is stopped: none of its items is published.")


@router.post("/campaigns/{campaign_id}/resume")
def resume_campaign(request: Request, deps: TheDeps, who: Pauser, campaign_id: uuid.UUID) -> Response:
    """Let a stopped campaign go on; may need an approval."""
    done = lambda: verbs.perform(deps, who, "campaign", "resume", campaign=str(campaign_id))  # noqa: E731
    return _done(request, f"/campaigns/{campaign_id}", done, "The campaign goes on.")


@router.post("/content-items/{item_id}/cancel")
def cancel_item(request: Request, deps: TheDeps, who: Planner, item_id: uuid.UUID) -> Response:
    """Cancel an item that is not being published."""
    done = lambda: service.cancel(deps, item_id, by=who.by)  # noqa: E731
    return _done(request, f"/content-items/{item_id}", done, "The item is cancelled.")


@router.post("/content-items/{item_id}/retry")
def retry_item(request: Request, deps: TheDeps, who: Planner, item_id: uuid.UUID) -> Response:
    """Go on with a failed item where it stopped."""
    done = lambda: service.retry(deps, item_id, by=who.by)  # noqa: E731
    return _done(request, f"/content-items/{item_id}", done, "The item goes on.")


def _done(request: Request, back: str, act: Callable[[], Any], words: str) -> Response:
    try:
        act()
    except FleetError as error:
        return go(request, back, str(error), wrong=True)
    return go(request, back, words)


def _measured(tx: Tx, rows: Sequence[ContentItemRow]) -> Mapping[uuid.UUID, tuple[int, int]]:
    """Return the newest likes and comments of published items by item, of all parts that a feature measured."""

    def counts(jobs: list[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
        found: dict[uuid.UUID, tuple[int, int]] = {}
        for newest in registry.current().extensions("publishing.counts"):
            found |= newest(tx, jobs)
        return found

    parts = publication.counted(rows, counts)
    known = {item_id: [one for one in found if one is not None] for item_id, found in parts.items()}
    return {item_id: (sum(one[0] for one in found), sum(one[1] for one in found))
            for item_id, found in known.items() if found}  # fmt: skip
