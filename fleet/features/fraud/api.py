"""Scores of orders for programs: /api/v1/fraud."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.features.fraud import service
from fleet.features.fraud.decisions import LEFT_OUT, FraudDecision
from fleet.features.orders import service as orders
from fleet.web.auth import TheDeps, needs

router = APIRouter(prefix="/fraud", tags=["fraud"])


class StoreFraudOut(BaseModel):
    """How orders of a store are scored, and what came of it."""

    store: str = Field(description="name of the account of the store")
    mode: str = Field(description="off, score or hold")
    bar: int = Field(description="points from which an order is held")
    most_held: int = Field(description="orders that may be held at a time")
    scored: int
    above_bar: int
    held: int


class FraudOut(BaseModel):
    """Every store, and what scores of their orders do not know."""

    items: list[StoreFraudOut]
    left_out: list[str]


class FraudScoredOut(BaseModel):
    """What scoring an order again led to."""

    order: uuid.UUID
    number: str
    decision: FraudDecision
    points: int | None
    reasons: list[str]
    held_why: str


@router.get("", dependencies=[needs(Permission.FLEET_VIEW)])
def show_fraud(deps: TheDeps) -> FraudOut:
    """Return how orders are scored at each store, and what came of it."""
    with deps.db.transaction() as tx:
        found = service.by_store(deps, tx)
    return FraudOut(items=[StoreFraudOut(**asdict(one)) for one in found], left_out=list(LEFT_OUT))


@router.post("/orders/{order_id}", dependencies=[needs(Permission.ORDERS_EDIT)])
def score_order(deps: TheDeps, order_id: uuid.UUID) -> FraudScoredOut:
    """Score an order again by what is known now; it is held if its score rose to the bar."""
    with deps.db.transaction() as tx:
        decision = service.assess(deps, tx, order_id)
        row = orders.get(tx, order_id)
        return FraudScoredOut(order=row.id, number=row.number, decision=decision, points=row.fraud_points,
                              reasons=row.fraud_reasons, held_why=row.held_why)  # fmt: skip
