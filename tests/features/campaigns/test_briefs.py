"""Campaigns that a model plans: paid once within budgets, and nothing is published before people approve it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.core.errors import InvalidInput
from fleet.features.campaigns import queries, service
from fleet.features.campaigns.values import ItemEdit, ItemTarget, NewCampaign
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.providers.openai_provider import OpenAIModel
from fleet.llm.writer import ModelWriter
from tests.factories import Fleet
from tests.features.campaigns.test_pages import web
from tests.features.campaigns.test_pipeline import Network, agent, approve, come_due, fleet, networks, rows, work
from tests.features.costs.test_budget_guard import KEY, calls, limit
from tests.model_server import ModelServer, Question, Reply, honest
from tests.web_client import Web

__all__ = ["fleet", "networks", "web"]  # the fixtures
GOAL = "Tell people that our brass lamps are mended, not thrown away."
TOPICS = ["How a lamp with a broken switch is mended.", "What the workshop smells like in the morning."]


def mind(question: Question) -> str:
    if "posts" not in question.fields:
        return honest(question)
    posts = [{"day": 1 + 2 * number, "topic": topic, "picture": "", "hashtags": ["lamps"]}
             for number, topic in enumerate(TOPICS)]  # fmt: skip
    return json.dumps({"reason": "It shows the work.", "posts": posts})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(mind).running() as running:
        yield running


def models(fleet: Fleet, server: ModelServer, *, wait: bool = False) -> None:
    """Have the fleet write with two real clients over a local server."""
    made = (
        AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url),
        OpenAIModel(KEY, "gpt-6-luna", base_url=f"{server.url}/v1"),
    )
    writers = [ModelWriter(one, price_list()) for one in made]
    fleet.deps.models_override.writer = Chain(
        writers, OfflineProvider(), sleep=lambda _: None, wait_for_budget=wait
    )  # fmt: skip


def create(fleet: Fleet, **changes: Any) -> Any:
    new = NewCampaign(**{"name": "Mended", "goal": GOAL, "audience": "owners of old lamps", "rounds": 2,
                         "targets": [ItemTarget(agent(fleet, "x"))], **changes})  # fmt: skip
    return service.create(fleet.deps, new, by="ann")


def test_a_model_plans_a_campaign_and_people_approve_every_item_before_it_is_published(
    fleet: Fleet, networks: dict[str, Network], server: ModelServer
) -> None:
    models(fleet, server)
    server.script.append(Reply(text="prose"))
    starts = datetime.now(UTC) + timedelta(days=1)
    campaign = create(fleet, starts_at=starts, ends_at=starts + timedelta(days=5))
    work(fleet)
    found = sorted(rows(fleet), key=lambda row: row.brief)
    assert [row.brief for row in found] == TOPICS and all(row.hashtags == ["lamps"] for row in found)
    assert {row.state for row in found} == {"waiting"} and all(row.is_drafted and row.message for row in found)
    first, second = (row.scheduled_at for row in found)
    assert first is not None and second is not None and timedelta(days=1) < second - first < timedelta(days=4)
    plans = [one for one in calls(fleet) if one.purpose == "plan_campaign"]
    assert [one.outcome for one in plans] == ["malformed", "repaired"] and all(one.microusd > 0 for one in plans)
    service.edit(fleet.deps, found[0].id, ItemEdit(["A switch, a drop of oil, an hour of patience."]), by="ann")
    copy = service.duplicate(fleet.deps, found[1].id, by="ann")
    work(fleet)
    assert {row.state for row in rows(fleet)} == {"waiting"}, "what people edit or copy waits again"
    service.cancel(fleet.deps, copy.id, by="ann")
    come_due(fleet)
    assert networks["x"].writes == []
    approve(fleet)
    come_due(fleet)
    assert len(networks["x"].writes) == 2 and all(one.is_approved for one in networks["x"].writes)
    with fleet.deps.db.transaction() as tx:
        briefs = queries.campaign(tx, campaign.id).briefs
    assert briefs[0]["by"] == "anthropic/claude-haiku-5-5" and briefs[0]["reason"] == "It shows the work."


def test_a_plan_waits_for_a_spent_budget_or_is_made_without_a_model(fleet: Fleet, server: ModelServer) -> None:
    models(fleet, server, wait=True)
    limit(fleet, 1)
    create(fleet)
    work(fleet)
    (job,) = fleet.jobs(kind="plan_campaign")
    assert job.state == "ready" and "budget" in (job.held or "") and rows(fleet) == [] and server.asked == []
    models(fleet, server)
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp()")
    work(fleet)
    assert {row.state for row in rows(fleet)} == {"waiting"} and len(rows(fleet)) == 2
    assert all("brass lamps are mended" in row.brief for row in rows(fleet))
    with fleet.deps.db.transaction() as tx:
        assert queries.campaign(tx, rows(fleet)[0].campaign_id).briefs[0]["by"].startswith("offline/")  # type: ignore[arg-type]


def test_no_item_is_scheduled_after_the_end_of_its_campaign(fleet: Fleet) -> None:
    ends = datetime.now(UTC) + timedelta(hours=6)
    create(fleet, ends_at=ends)
    work(fleet)
    assert [(row.state, row.scheduled_at is not None and row.scheduled_at <= ends) for row in rows(fleet)] == [
        ("waiting", True)
    ] * 2, "whatever the good hours are"
    fleet.sql("UPDATE campaigns SET ends_at = clock_timestamp()")
    fleet.sql("UPDATE content_items SET scheduled_at = clock_timestamp()")
    approve(fleet)
    assert {row.state for row in rows(fleet)} == {"cancelled"}, "they were approved after the end"
    create(fleet, ends_at=ends)
    fleet.sql("UPDATE campaigns SET ends_at = starts_at")
    work(fleet)
    assert [row.state for row in rows(fleet)] == ["cancelled"] * 4, "no hour is left"
    assert {row.error for row in rows(fleet)} == {"no free time is left before the campaign ends"}
    notes = fleet.sql("SELECT note FROM content_item_history WHERE event = 'cancelled'")
    assert {str(one[0]) for one in notes} == {"no free time is left before the campaign ends"}


def test_a_late_plan_keeps_the_days_of_its_briefs(fleet: Fleet) -> None:
    starts = datetime.now(UTC) + timedelta(days=1)
    campaign = create(fleet, rounds=3, starts_at=starts, ends_at=starts + timedelta(days=3))
    fleet.sql("UPDATE campaigns SET starts_at = starts_at - interval '2 days', ends_at = ends_at - interval '2 days'")
    work(fleet)
    ends = campaign.ends_at - timedelta(days=2)
    assert all(row.scheduled_at and row.scheduled_at <= ends for row in rows(fleet)) and len(rows(fleet)) == 3


def test_a_goal_stands_alone(fleet: Fleet) -> None:
    for wrong in ({"message": "Lamps."}, {"topics": ["lamps"]}, {"variants": ["a", "b"]}, {"rounds": 15},
                  {"goal": " "}):  # fmt: skip
        with pytest.raises(InvalidInput, match="goal"):
            create(fleet, **wrong)


def test_a_goal_is_typed_in_the_form_and_its_page_shows_the_briefs(web: Web) -> None:
    ana = web.browser("operator")
    form = {"name": "Mended", "target": agent(web.fleet, "x"), "goal": GOAL, "audience": "owners", "rounds": "2"}
    refused = ana.post("/campaigns/new", **form, message="Lamps.")
    assert refused.status_code == 422 and 'id="goal-problem"' in refused.text and GOAL in refused.text
    made = ana.post("/campaigns/new", **form)
    assert made.status_code == 303, made.text
    work(web.fleet)
    page = ana.get(made.headers["location"].partition("?")[0]).text
    assert ", ended" not in page and ", ends" not in page
    web.fleet.sql("UPDATE campaigns SET ends_at = clock_timestamp()")
    assert ", ended" in ana.get(made.headers["location"].partition("?")[0]).text
    assert "2 briefs by test/1" in page and GOAL in page and "Waiting (2)" in page
