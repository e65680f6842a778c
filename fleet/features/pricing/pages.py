"""The page of prices: proposals with their evidence, applied ones with what they earned, competitors, elasticities."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from fleet.core.errors import FleetError, InvalidInput
from fleet.features.pricing import api, competitors, queries
from fleet.features.pricing.api import VIEW, PriceDecider, PriceQuery, Pricer
from fleet.features.pricing.models import PriceState
from fleet.web.auth import TheDeps
from fleet.web.rendering import KeptForm, go, render

router = APIRouter()
_HERE = "/pricing"


class FilledReason(BaseModel):
    """Why a price is dismissed."""

    reason: str = Field("", max_length=1000)


@router.get(_HERE, dependencies=[VIEW])
def pricing(request: Request, deps: TheDeps) -> Response:
    """Show proposals of prices, and what applied ones earned."""
    proposals = api.page(deps, PriceQuery(state=PriceState.OPEN, limit=100)).items
    found = api.results(deps, limit=50)
    with deps.db.transaction() as tx:
        run, rivals = queries.newest_run(tx), queries.competitors(tx)
        reasons = {} if run is None else dict(run.reasons)
        has_prices = queries.is_shown(tx)
    return render(
        request, "pricing/pricing.html", proposals=proposals, results=found, run=run, reasons=reasons,
        competitors=rivals[0], seen_at=rivals[1], has_products=has_prices,
    )  # fmt: skip


@router.post("/pricing/propose")
def propose(request: Request, deps: TheDeps, who: Pricer) -> Response:
    """Look at all prices now."""
    try:
        api.run_now(deps, "", who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The pricing agent looks at all prices.")


@router.post("/price-proposals/{price_id}/accept")
def accept(request: Request, deps: TheDeps, price_id: uuid.UUID, who: PriceDecider) -> Response:
    """Approve a proposal."""
    try:
        done = api.accepted(deps, price_id, who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The price is changed." if done else "Approved; another person has to approve it too.")


@router.post("/price-proposals/{price_id}/dismiss")
def dismiss(
    request: Request, deps: TheDeps, price_id: uuid.UUID, who: PriceDecider, filled: Annotated[FilledReason, Form()]
) -> Response:
    """Reject a proposal."""
    try:
        api.dismissed(deps, price_id, who, filled.reason or "not now")
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The proposal is dismissed.")


@router.post("/price-proposals/{price_id}/undo")
def undo(request: Request, deps: TheDeps, price_id: uuid.UUID, who: Pricer) -> Response:
    """Restore the price before a proposal."""
    try:
        api.undone(deps, price_id, who)
    except FleetError as error:
        return go(request, _HERE, str(error), wrong=True)
    return go(request, _HERE, "The earlier price is restored.")


@router.post("/pricing/competitors")
async def import_competitors(request: Request, deps: TheDeps, who: Pricer) -> Response:
    """Import prices of competitors."""
    given = (await request.form()).get("file")
    try:
        if not isinstance(given, UploadFile) or not given.filename:
            raise InvalidInput("No file was chosen.", fix="Choose a CSV file.")
        content = await given.read(competitors.MOST_BYTES + 1)
        number = await run_in_threadpool(api.imported, deps, "", _text(content), who)
    except FleetError as error:
        return go(request, _HERE, str(error), kept=KeptForm("competitors", "file", {}))
    return go(request, _HERE, f"{number:,} prices are imported.")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("The file is no text in UTF-8.", fix="Save it as CSV, UTF-8.") from None
