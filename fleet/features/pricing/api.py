"""Prices for programs: /api/v1/price-proposals and /api/v1/pricing. Amounts are decimal texts: "27.99"."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.adapters.shops import Money
from fleet.engine.deps import Deps
from fleet.features.approvals import approver
from fleet.features.pricing import competitors, queries, service
from fleet.features.pricing.models import PriceState
from fleet.features.pricing.queries import ElasticityView, PriceView, ResultTotals
from fleet.features.products import commands as products
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, line, prose

router = APIRouter(tags=["pricing"])
VIEW = needs(Permission.FLEET_VIEW)
Pricer = Annotated[Principal, needs(Permission.PRODUCTS_EDIT)]
PriceDecider = Annotated[Principal, needs(Permission.DRAFTS_DECIDE)]
OrganisationName = Annotated[str, line(60), Field(description="name or id; empty for your own")]


class ProfitOut(BaseModel):
    """A change of profit a day with its interval of 80 %; null where cost or orders are not known."""

    profit: str | None
    low: str | None
    high: str | None


class PriceProposalOut(BaseModel):
    """A proposal to change the price of a variant."""

    id: uuid.UUID
    organisation_id: uuid.UUID
    product_id: uuid.UUID
    variant_id: uuid.UUID
    run_id: uuid.UUID
    request_id: uuid.UUID | None = Field(description="the request for approval")
    sku: str
    title: str
    currency: str
    before: str
    after: str
    change_percent: float
    basis: str = Field(description="elasticity, overstock, unsold, scarce, competitor or floor")
    words: str
    evidence: dict[str, Any] = Field(description="the figures it rests on; amounts in minor units")
    expected: ProfitOut = Field(description="expected change of profit a day")
    state: PriceState
    why: str
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    applied_at: datetime | None
    undone_at: datetime | None
    earned: ProfitOut | None = Field(description="measured change of profit a day; null before a week is over")
    result: dict[str, Any] | None = Field(description="units and days before and after, and the season taken out")


class PriceProposalPage(Page[PriceProposalOut]):
    """A page of proposals, newest first."""


class PriceQuery(Paging):
    """Which proposals."""

    state: PriceState | None = None
    sku: Annotated[str, line(100)] = ""


class ProposePricesIn(Body):
    """Whose prices to look at now."""

    organisation: OrganisationName = ""


class PricingJobOut(BaseModel):
    """The job that looks at the prices."""

    job_id: uuid.UUID


class DismissPriceIn(Body):
    """Why a price is dismissed."""

    reason: Annotated[str, prose(1000, least=1)]


class CompetitorFileIn(Body):
    """A CSV file with prices of competitors."""

    organisation: OrganisationName = ""
    content: Annotated[str, Field(min_length=1, max_length=competitors.MOST_BYTES)] = Field(
        description="columns sku, competitor, price, and perhaps seen_at (2026-11-24)"
    )


class CompetitorFileOut(BaseModel):
    """How many prices a file had."""

    imported: int


class ElasticityOut(BaseModel):
    """The elasticity of a variant: percent of units for one percent of price, with its standard error."""

    product_id: uuid.UUID
    variant_id: uuid.UUID
    sku: str
    title: str
    category: str
    value: float
    error: float
    own: float = Field(description="from the variant's orders alone, before it was shrunk to its category")
    own_error: float
    weeks: int
    prices: int
    units: int
    made_at: datetime


class ResultTotalOut(BaseModel):
    """What measured prices of a currency earned a day together, against what was expected."""

    currency: str
    measured: int
    expected: ProfitOut
    earned: ProfitOut
    inside: int = Field(description="results in whose interval of 80 % the expectation was")


class PriceResultsOut(BaseModel):
    """What applied prices earned."""

    totals: list[ResultTotalOut]
    items: list[PriceProposalOut]
    elasticities: list[ElasticityOut]


def price_out(one: PriceView) -> PriceProposalOut:
    """Return a proposal as the API shows it."""
    row = one.row
    own = {name: getattr(row, name) for name in PriceProposalOut.model_fields if hasattr(row, name)}
    change = 100 * (row.after_minor - row.before_minor) / row.before_minor
    return PriceProposalOut(**{
        **own, "product_id": one.product_id, "sku": one.sku, "title": one.title,
        "before": _amount(row.before_minor, row.currency), "after": _amount(row.after_minor, row.currency),
        "change_percent": round(change, 2), "expected": _profit(row.expected, row.currency),
        "earned": None if row.result is None else _profit(row.result, row.currency),
    })  # fmt: skip


def _amount(minor: float | None, currency: str) -> str | None:
    return None if minor is None else str(Money(round(minor), currency).decimal)


def _profit(values: Any, currency: str) -> ProfitOut:
    return ProfitOut(**{name: _amount(values.get(name), currency) for name in ("profit", "low", "high")})


def _elasticity_out(one: ElasticityView) -> ElasticityOut:
    own = {name: getattr(one.row, name) for name in ElasticityOut.model_fields if hasattr(one.row, name)}
    return ElasticityOut(**own, product_id=one.product_id, sku=one.sku, title=one.title)


def _total_out(one: ResultTotals) -> ResultTotalOut:
    expected = {"profit": one.expected, "low": one.low, "high": one.high}
    earned = {"profit": one.profit, "low": one.profit_low, "high": one.profit_high}
    return ResultTotalOut(currency=one.currency, measured=one.measured, inside=one.inside,
                          expected=_profit(expected, one.currency), earned=_profit(earned, one.currency))  # fmt: skip


def page(deps: Deps, which: PriceQuery) -> PriceProposalPage:
    """Return a page of proposals."""
    with which.continued(), deps.db.transaction() as tx:
        found = queries.listed(tx, state=which.state, sku=which.sku, limit=which.one_more,
                               below=which.place(uuid.UUID))  # fmt: skip
        items, following = which.page(found, lambda one: one.row.id)
        return PriceProposalPage(items=[price_out(one) for one in items], next=following)


def results(deps: Deps, *, limit: int = 100) -> PriceResultsOut:
    """Return what applied prices earned, and the newest elasticities."""
    with deps.db.transaction() as tx:
        applied = queries.listed(tx, is_applied=True, limit=limit)
        return PriceResultsOut(
            totals=[_total_out(one) for one in queries.totals(tx)], items=[price_out(one) for one in applied],
            elasticities=[_elasticity_out(one) for one in queries.elasticities(tx, limit=limit)],
        )  # fmt: skip


def run_now(deps: Deps, organisation: str, who: Principal) -> uuid.UUID:
    """Look at the prices of an organisation now; return the id of the job. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        organisation_id = products.organisation(tx, organisation)
    return service.request(deps, organisation_id, by=who.by)


def shown(deps: Deps, proposal_id: uuid.UUID) -> PriceProposalOut:
    """Return a proposal. Raises NotFound."""
    with deps.db.transaction() as tx:
        return price_out(queries.one(tx, proposal_id))


def accepted(deps: Deps, proposal_id: uuid.UUID, who: Principal) -> bool:
    """Approve a proposal; False if more people have to. Raises NotFound, Conflict, and as an approval does."""
    return service.accept(deps, proposal_id, approver.decider(deps.settings, who, None))


def dismissed(deps: Deps, proposal_id: uuid.UUID, who: Principal, reason: str) -> None:
    """Reject a proposal. Raises NotFound, Conflict, and as a rejection does."""
    service.dismiss(deps, proposal_id, approver.decider(deps.settings, who, None), reason)


def undone(deps: Deps, proposal_id: uuid.UUID, who: Principal) -> None:
    """Restore the price before a proposal. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        service.undo(tx, proposal_id, by=who.by)


def imported(deps: Deps, organisation: str, content: str, who: Principal) -> int:
    """Import prices of competitors; return how many. Raises NotFound, InvalidInput."""
    with deps.db.transaction() as tx:
        return competitors.import_file(tx, products.organisation(tx, organisation), content, by=who.by)


@router.get("/price-proposals", dependencies=[VIEW])
def list_price_proposals(deps: TheDeps, *, which: Annotated[PriceQuery, Query()]) -> PriceProposalPage:
    """Return a page of proposals of prices, newest first."""
    return page(deps, which)


@router.post("/price-proposals", status_code=202)
def propose_prices(deps: TheDeps, *, body: ProposePricesIn, who: Pricer) -> PricingJobOut:
    """Look at all prices of an organisation now, and propose changes."""
    return PricingJobOut(job_id=run_now(deps, body.organisation, who))


@router.get("/price-proposals/{price_id}", dependencies=[VIEW])
def show_price_proposal(deps: TheDeps, price_id: uuid.UUID) -> PriceProposalOut:
    """Return a proposal with its evidence, and what it earned."""
    return shown(deps, price_id)


@router.post("/price-proposals/{price_id}/accept")
def accept_price(deps: TheDeps, price_id: uuid.UUID, *, who: PriceDecider) -> PriceProposalOut:
    """Approve a proposal; the price changes once enough people have."""
    accepted(deps, price_id, who)
    return shown(deps, price_id)


@router.post("/price-proposals/{price_id}/dismiss")
def dismiss_price(deps: TheDeps, price_id: uuid.UUID, *, body: DismissPriceIn, who: PriceDecider) -> PriceProposalOut:
    """Reject a proposal. Its variant is left alone for a week."""
    dismissed(deps, price_id, who, body.reason)
    return shown(deps, price_id)


@router.post("/price-proposals/{price_id}/undo")
def undo_price(deps: TheDeps, price_id: uuid.UUID, *, who: Pricer) -> PriceProposalOut:
    """Restore the price before an applied proposal; 409 if it was changed since, or is below floor or cost by now."""
    undone(deps, price_id, who)
    return shown(deps, price_id)


@router.get("/pricing/results", dependencies=[VIEW])
def show_price_results(deps: TheDeps) -> PriceResultsOut:
    """Return what applied prices earned against what was expected, and the newest elasticities."""
    return results(deps)


@router.post("/pricing/competitors")
def import_competitor_prices(deps: TheDeps, *, body: CompetitorFileIn, who: Pricer) -> CompetitorFileOut:
    """Import prices of competitors from a CSV file: all lines, or none."""
    return CompetitorFileOut(imported=imported(deps, body.organisation, body.content, who))
