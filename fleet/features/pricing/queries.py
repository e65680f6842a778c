"""Prices as pages, the API and commands show them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.features.pricing.models import (
    CompetitorPriceRow,
    PriceElasticityRow,
    PriceProposalRow,
    PriceState,
    PricingRunRow,
)
from fleet.features.products.models import ProductRow, VariantRow


@dataclass(frozen=True, slots=True)
class PriceView:
    """A proposal with its variant; amounts in minor units."""

    row: PriceProposalRow
    product_id: uuid.UUID
    sku: str
    title: str


@dataclass(frozen=True, slots=True)
class ElasticityView:
    """The newest elasticity of a variant."""

    row: PriceElasticityRow
    product_id: uuid.UUID
    sku: str
    title: str


@dataclass(frozen=True, slots=True)
class ResultTotals:
    """What applied prices of a currency earned a day against what was expected, in minor units."""

    currency: str
    measured: int
    expected: float
    low: float
    high: float
    profit: float
    profit_low: float
    profit_high: float
    inside: int
    """Results whose expectation was within the interval of what was measured."""


def listed(
    tx: Tx, *, state: PriceState | None = None, is_applied: bool = False, sku: str = "", limit: int = 50,
    below: uuid.UUID | None = None,
) -> list[PriceView]:  # fmt: skip
    """Return proposals, newest first; `is_applied`: those whose price was in force.

    Raises NotFound if the proposal `below` is gone.
    """
    row, query = PriceProposalRow, _query()
    query = query.where(row.state == state) if state is not None else query
    query = query.where(row.applied_at.is_not(None)) if is_applied else query
    query = query.where(VariantRow.sku == sku) if sku else query
    if below is not None:
        made_at = tx.scalar(sa.select(row.made_at).where(row.id == below))
        if made_at is None:
            raise NotFound("That proposal is gone.", fix="Begin at the first page.")
        query = query.where(sa.tuple_(row.made_at, row.id) < sa.tuple_(made_at, below))
    rows = tx.execute(query.order_by(row.made_at.desc(), row.id.desc()).limit(limit))
    return [PriceView(*one) for one in rows]


def one(tx: Tx, proposal_id: uuid.UUID) -> PriceView:
    """Return a proposal. Raises NotFound."""
    query = _query().where(PriceProposalRow.id == proposal_id).execution_options(populate_existing=True)
    found = tx.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"There is no proposal {proposal_id}.", fix="`fleet pricing list` shows them.")
    return PriceView(*found)


def _query() -> sa.Select[Any]:
    columns: tuple[Any, ...] = (PriceProposalRow, ProductRow.id, VariantRow.sku, ProductRow.title)
    return (
        sa.select(*columns)
        .join(VariantRow, VariantRow.id == PriceProposalRow.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
    )


def elasticities(tx: Tx, *, limit: int = 50) -> list[ElasticityView]:
    """Return the newest elasticities, the surest first."""
    row = PriceElasticityRow
    query = (
        sa.select(row, ProductRow.id, VariantRow.sku, ProductRow.title)
        .join(VariantRow, VariantRow.id == row.variant_id)
        .join(ProductRow, ProductRow.id == VariantRow.product_id)
        .order_by(row.error, row.variant_id)
        .limit(limit)
    )
    return [ElasticityView(*found) for found in tx.execute(query)]


def totals(tx: Tx) -> list[ResultTotals]:
    """Return results by currency. Errors of single results are taken as independent."""
    row = PriceProposalRow
    query = sa.select(row.currency, row.expected, row.result).where(row.result.is_not(None))
    found: dict[str, list[tuple[Any, Any]]] = {}
    for currency, expected, result in tx.execute(query):
        if expected.get("profit") is not None:
            found.setdefault(currency, []).append((expected, result))
    return [_total(currency, pairs) for currency, pairs in sorted(found.items())]


def _total(currency: str, pairs: list[tuple[Any, Any]]) -> ResultTotals:
    def summed(values: list[Any]) -> tuple[float, float, float]:
        middle = sum(one["profit"] for one in values)
        below = sum((one["profit"] - one["low"]) ** 2 for one in values) ** 0.5
        above = sum((one["high"] - one["profit"]) ** 2 for one in values) ** 0.5
        return middle, middle - below, middle + above

    expected, measured = summed([one for one, _ in pairs]), summed([one for _, one in pairs])
    inside = sum(result["low"] <= wish["profit"] <= result["high"] for wish, result in pairs)
    return ResultTotals(currency, len(pairs), *expected, *measured, inside)


def newest_run(tx: Tx) -> PricingRunRow | None:
    """Return the newest run that the transaction sees."""
    row = PricingRunRow
    found: PricingRunRow | None = tx.session.scalars(sa.select(row).order_by(row.made_at.desc()).limit(1)).one_or_none()
    return found


def competitors(tx: Tx) -> tuple[int, datetime | None]:
    """Return how many prices of competitors are known, and the newest moment at which one was seen."""
    row = CompetitorPriceRow
    found = tx.execute(sa.select(sa.func.count(), sa.func.max(row.seen_at)).select_from(row)).one()
    return int(found[0]), found[1]


def tally(tx: Tx) -> int | None:
    """Return how many proposals wait, for the navigation."""
    return int(tx.scalar(sa.select(sa.func.count()).where(PriceProposalRow.state == PriceState.OPEN)) or 0)


def is_shown(tx: Tx) -> bool:
    """Say whether there are products with prices."""
    return bool(tx.scalar(sa.select(sa.exists(sa.select(ProductRow.id)))))
