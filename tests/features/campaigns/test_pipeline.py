"""Campaigns in the ledger: from a message to posts on every network, each published once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.base import AnyAction, Receipt, Resolution
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.core.failpoints import Point
from fleet.engine.attempts import perform as performing
from fleet.engine.attempts.perform import perform
from fleet.features.approvals import service as approvals
from fleet.features.approvals.rules import Person
from fleet.features.campaigns import items, service
from fleet.features.campaigns import stopping as campaign_stopping
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.models import ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.values import ItemEdit, ItemTarget, NewCampaign, NewItem
from fleet.features.leader import stopping
from fleet.features.leader.stopping import StopScope
from tests.factories import Fleet, Surface, make_fleet, raises, reply_lost

LONG = " ".join(f"Sentence {number} tells of brass lamps and wet slate in a quiet harbour." for number in range(1, 13))


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


def test_a_thread_that_was_interrupted_goes_on_where_it_stopped(fleet: Fleet, networks: dict[str, Network]) -> None:
    x = networks["x"]
    new = NewItem(target=ItemTarget(agent(fleet, "x")), message=LONG)
    item = service.compose(fleet.deps, new, by="ann").id
    work(fleet)
    x.faults = [lambda _: None, raises(base.Refused("The surface said no: 403."))]
    come_due(fleet)
    publication.sweep(fleet.deps)
    (row,) = rows(fleet)
    assert (row.state, row.failed_in, len(row.remote_ids)) == ("failed", "publishing", 1) and "403" in row.error
    with pytest.raises(Conflict, match="published already"):
        service.edit(fleet.deps, item, ItemEdit(["other words"]), by="ann")
    service.retry(fleet.deps, item, by="ann")
    work(fleet)
    (row,) = rows(fleet)
    assert row.state == "published" and len(row.parts) > 2
    assert [one.payload.words for one in x.writes] == row.parts
    assert [getattr(one.payload, "follows", "") for one in x.writes] == ["", *row.remote_ids[:-1]]


def test_a_lost_reply_in_a_thread_doubles_nothing(fleet: Fleet, networks: dict[str, Network]) -> None:
    service.compose(fleet.deps, NewItem(target=ItemTarget(agent(fleet, "x")), message=LONG), by="ann")
    work(fleet)
    networks["x"].faults = [lambda _: None, reply_lost]
    come_due(fleet)
    for _ in range(3):
        fleet.time_passes()
        for job in fleet.jobs(state="unknown"):
            perform(fleet.deps, job.id)
        work(fleet)
    (row,) = rows(fleet)
    assert row.state == "published"
    assert [one.payload.words for one in networks["x"].writes] == row.parts


def test_topics_are_written_about_by_the_fleets_models(fleet: Fleet) -> None:
    new = NewCampaign(name="Lamps", topics=["brass lamps", "wet slate"], targets=[ItemTarget(agent(fleet, "x"))])
    service.create(fleet.deps, new, by="ann")
    work(fleet)
    found = rows(fleet)
    assert {one.brief for one in found} == {"brass lamps", "wet slate"}
    assert {one.state for one in found} == {"scheduled"} and all(one.message and one.parts for one in found)
    assert abs(found[0].scheduled_at - found[1].scheduled_at) >= timedelta(hours=1)  # type: ignore[operator]


def test_a_text_below_the_bar_waits_for_people_and_a_rejected_one_is_not_published(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    rules = {"claims": ["cheapest"], "bar": 80}
    brands.put(fleet.deps, "lamps", rules, by="ann", reason="claims are checked")
    new = NewItem(target=ItemTarget(agent(fleet, "x")), message="The cheapest brass lamp.", brand="lamps")
    item = service.compose(fleet.deps, new, by="ann").id
    work(fleet)
    (row,) = rows(fleet)
    assert (row.state, row.score) == ("waiting", 65) and row.reasons[0]["rule"] == "claim"
    assert row.request_id is not None
    (result,) = approvals.reject(fleet.deps, [row.request_id], Person("ben", frozenset({"owner"})), "not true")
    assert result.error is None
    service.edit(fleet.deps, item, ItemEdit(["A brass lamp."]), by="ann")
    work(fleet)
    assert rows(fleet)[0].state == "scheduled" and not networks["x"].writes


def test_items_of_an_account_keep_its_gap_and_move_duplicate_and_cancel(
    database_url: str, networks: dict[str, Network]
) -> None:
    fleet = make_fleet(database_url, systems=networks, caps={"post": {"gap_s": 1800}})
    fleet.account("x", adapter="x")
    poster = ItemTarget(agent(fleet, "x"))
    at = datetime.now(UTC) + timedelta(days=3)
    first = service.compose(fleet.deps, NewItem(target=poster, message="A brass lamp.", at=at), by="ann")
    with pytest.raises(Conflict, match="another item") as wrong:
        soon = NewItem(target=poster, message="Wet slate.", at=at + timedelta(minutes=10))
        service.compose(fleet.deps, soon, by="ann")
    assert "is free" in str(wrong.value.fix)
    later = service.duplicate(fleet.deps, first.id, by="ann", at=at + timedelta(hours=2))
    with pytest.raises(Conflict, match="another item"):
        service.reschedule(fleet.deps, later.id, at + timedelta(minutes=5), by="ann")
    service.reschedule(fleet.deps, later.id, at + timedelta(hours=5), by="ann")
    service.cancel(fleet.deps, first.id, by="ann")
    service.reschedule(fleet.deps, later.id, at, by="ann")
    work(fleet)
    found = {one.id: one for one in rows(fleet)}
    assert (found[first.id].state, found[later.id].state) == ("cancelled", "scheduled")
    assert found[later.id].scheduled_at == at
    with pytest.raises(InvalidInput, match="past"):
        service.reschedule(fleet.deps, later.id, datetime.now(UTC) - timedelta(days=1), by="ann")
    fleet.deps.close()


def test_a_supervised_agents_items_wait_for_people_and_are_published_once_approved(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    target = ItemTarget(agent(fleet, "x", autonomy="supervised"))
    service.compose(fleet.deps, NewItem(target=target, message="A brass lamp."), by="ann")
    work(fleet)
    assert rows(fleet)[0].state == "waiting"
    approve(fleet)
    come_due(fleet)
    assert rows(fleet)[0].state == "published" and len(networks["x"].writes) == 1


def test_an_emergency_stop_of_a_campaign_holds_its_items_back_and_nothing_else_of_its_agents(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    ann = agent(fleet, "x")
    new = NewCampaign(name="Lamps", message="Brass lamps.", targets=[ItemTarget(ann)])
    campaign = service.create(fleet.deps, new, by="ann")
    service.compose(fleet.deps, NewItem(target=ItemTarget(ann), message="Wet slate."), by="ann")
    work(fleet)
    with pytest.raises(NotFound):
        stopping.stop(fleet.deps, StopScope.CAMPAIGN, "Slate", by="ann", reason="")
    done = stopping.stop(fleet.deps, StopScope.CAMPAIGN, "Lamps", by="ann", reason="a wrong link")
    assert (done.changed, done.agents, done.resume) == (True, 1, (f"fleet campaigns resume {campaign.id}",))
    assert not stopping.stop(fleet.deps, StopScope.CAMPAIGN, str(campaign.id), by="ann", reason="").changed
    come_due(fleet)
    assert [one.payload.text for one in networks["x"].writes] == ["Wet slate."], "its agent goes on"
    states = {one.message: one.state for one in rows(fleet)}
    assert states == {"Brass lamps.": "scheduled", "Wet slate.": "published"}
    assert campaign_stopping.resume(fleet.deps, campaign.id, by="ann")
    assert not campaign_stopping.resume(fleet.deps, campaign.id, by="ann")
    come_due(fleet)
    assert {one.state for one in rows(fleet)} == {"published"}
    service.create(fleet.deps, new, by="ann")
    with pytest.raises(Conflict, match="Several campaigns"):
        stopping.stop(fleet.deps, StopScope.CAMPAIGN, "Lamps", by="ann", reason="")


@pytest.mark.parametrize("moment", [None, Point.JOB_PREPARED, Point.JOB_ANNOUNCED])
def test_a_stop_forbids_an_items_write_before_its_claim_its_announcement_and_its_sending(
    fleet: Fleet, networks: dict[str, Network], monkeypatch: pytest.MonkeyPatch, moment: Point | None
) -> None:
    new = NewCampaign(name="Lamps", message="Brass lamps.", targets=[ItemTarget(agent(fleet, "x"))])
    campaign = service.create(fleet.deps, new, by="ann")
    work(fleet)
    fleet.sql("UPDATE content_items SET scheduled_at = clock_timestamp()")
    publication.sweep(fleet.deps)
    (job,) = fleet.jobs(kind="post")
    reach = performing.reach

    def stop_there(point: Point) -> None:
        if point is moment:
            campaign_stopping.stop(fleet.deps, campaign.id, by="ann", reason="a wrong link")
        reach(point)

    monkeypatch.setattr(performing, "reach", stop_there)
    if moment is None:
        campaign_stopping.stop(fleet.deps, campaign.id, by="ann", reason="a wrong link")
    work(fleet)
    assert networks["x"].writes == []
    row = fleet.job(job.id)
    assert row.state == "ready" and "the campaign is stopped: a wrong link" in (row.held or "")
    assert row.sending_at is None, "it counts for no cap"
    moment = None
    campaign_stopping.resume(fleet.deps, campaign.id, by="ann")
    work(fleet)
    assert [one.state for one in rows(fleet)] == ["published"] and len(networks["x"].writes) == 1


def test_a_job_that_waits_for_the_end_of_a_stop_publishes_nothing_of_a_campaign_that_was_cancelled_meanwhile(
    fleet: Fleet, networks: dict[str, Network]
) -> None:
    new = NewCampaign(name="Lamps", message="Brass lamps.", targets=[ItemTarget(agent(fleet, "x"))])
    campaign = service.create(fleet.deps, new, by="ann")
    work(fleet)
    fleet.sql("UPDATE content_items SET scheduled_at = clock_timestamp()")
    publication.sweep(fleet.deps)
    campaign_stopping.stop(fleet.deps, campaign.id, by="ann", reason="a wrong link")
    work(fleet)
    service.cancel_campaign(fleet.deps, campaign.id, by="ann")
    campaign_stopping.resume(fleet.deps, campaign.id, by="ann")
    work(fleet)
    publication.sweep(fleet.deps)
    assert networks["x"].writes == []
    assert [(one.state, one.error) for one in rows(fleet)] == [("failed", "its campaign is cancelled")]


def test_ended_items_are_pruned_at_their_age_and_a_campaign_with_its_last_one(fleet: Fleet) -> None:
    new = NewCampaign(name="Lamps", message="A brass lamp.", targets=[ItemTarget(agent(fleet, "x"))])
    old = service.create(fleet.deps, new, by="ann")
    planned = service.create(fleet.deps, new, by="ann")
    work(fleet)
    service.cancel_campaign(fleet.deps, old.id, by="ann")

    def prune() -> int:
        with fleet.deps.db.transaction() as tx:
            return items.prune(tx, days=30, limit=100)

    assert prune() == 0
    for table in ("content_items", "campaigns"):
        fleet.sql(f"UPDATE {table} SET created_at = created_at - interval '40 days'")
    assert prune() == 0, "the item was changed lately"
    fleet.sql("UPDATE content_items SET updated_at = updated_at - interval '40 days'")
    assert prune() == 2
    assert fleet.sql("SELECT id FROM campaigns").scalars().all() == [planned.id]
    assert [one.campaign_id for one in rows(fleet)] == [planned.id]
