"""Campaigns in the ledger: from a message to posts on every network, each published once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters.base import AnyAction, Receipt, Resolution
from fleet.engine.attempts.perform import perform
from fleet.features.approvals import service as approvals
from fleet.features.approvals.rules import Person
from fleet.features.campaigns import service
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.values import ItemTarget, NewCampaign
from tests.factories import Fleet, Surface, make_fleet

LONG = " ".join(f"Sentence {number} tells of brass lamps and wet slate in a quiet harbour." for number in range(1, 9))


class Network(Surface):
    """A network in memory, by the name of its adapter."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.third_party = True
        self.actions = {**self.actions, "post": Resolution.PROBE}
        self.writes: list[AnyAction] = []

    def _apply(self, action: AnyAction) -> Receipt:
        self.writes.append(action)
        return super()._apply(action)


@pytest.fixture
def networks() -> dict[str, Network]:
    return {name: Network(name) for name in ("x", "linkedin")}


@pytest.fixture
def fleet(database_url: str, networks: dict[str, Network]) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems=networks)
    for name in networks:
        made.account(name, adapter=name)
    yield made
    made.deps.close()


def agent(fleet: Fleet, network: str, **changes: Any) -> str:
    values = {"kind": network, "surface": network, "account_id": fleet.accounts[network], "persona_id": "ai_artist"}
    return fleet.row(fleet.agent(**{**values, **changes})).username


def work(fleet: Fleet) -> None:
    """Carry out jobs until none is ready."""
    for _ in range(20):
        ready = fleet.jobs(state="ready")
        if not ready:
            return
        fleet.time_passes()
        for job in ready:
            perform(fleet.deps, job.id)


def rows(fleet: Fleet) -> list[ContentItemRow]:
    with fleet.deps.db.transaction() as tx:
        return list(tx.session.scalars(sa.select(ContentItemRow).order_by(ContentItemRow.surface)))


def come_due(fleet: Fleet) -> None:
    fleet.sql("UPDATE content_items SET scheduled_at = clock_timestamp() WHERE state = 'scheduled'")
    publication.sweep(fleet.deps)
    work(fleet)


def approve(fleet: Fleet) -> None:
    open_ones = [one.request_id for one in rows(fleet) if one.state == "waiting" and one.request_id]
    for result in approvals.approve(fleet.deps, open_ones, Person("ben", frozenset({"reviewer"}))):
        assert result.error is None, result.error
    work(fleet)


def test_one_message_is_adapted_reviewed_approved_scheduled_and_published_on_two_networks(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    new = NewCampaign(name="Lamps", message=LONG, targets=[ItemTarget(agent(fleet, one)) for one in ("x", "linkedin")])
    service.create(fleet.deps, new, by="ann")
    work(fleet)
    linkedin, x = rows(fleet)
    assert (linkedin.state, x.state) == ("waiting", "scheduled"), (linkedin.reasons, x.reasons, x.error)
    assert len(x.parts) > 1 and len(linkedin.parts) == 1
    approve(fleet)
    come_due(fleet)
    assert [one.state for one in rows(fleet)] == ["published", "published"]
    posts = [one.payload for one in networks["x"].writes]
    assert [one.text for one in posts] == x.parts
    assert [one.follows for one in posts] == ["", *rows(fleet)[1].remote_ids[:-1]]
    assert [one.payload.text for one in networks["linkedin"].writes] == linkedin.parts
    assert networks["linkedin"].writes[0].is_approved
