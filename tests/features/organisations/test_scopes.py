"""The scope organisation of settings, pauses and budgets: it covers its agents and nobody else, for its members too."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from fleet.access import Role
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.accounts.sealing import new_key
from fleet.core.db import visibility
from fleet.core.errors import InvalidInput
from fleet.engine.attempts import reserve
from fleet.engine.attempts.perform import perform
from fleet.features.approvals import service as approvals
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import Proposal
from fleet.features.controls import commands as controls
from fleet.features.costs import commands as costs
from fleet.features.costs.budget_guard import Purse, Unpaid
from fleet.features.organisations import service
from fleet.features.publishing.kinds import LIKE
from fleet.features.settings import commands as settings
from fleet.features.settings.queries import Target
from fleet.spending import ledger
from fleet.spending.budgets import Period, Scope, Spender
from tests.engine.test_perform import _before, add
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import Cli
from tests.web_client import Web

LEAD, HOURS = "/api/v1/settings/ai_comment_lead", "/api/v1/settings/agent_hours"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with an agent in each of two organisations."""
    made = make_fleet(database_url, secret_keys=new_key())
    service.create(made.deps, "Client Two")
    made.agent(username="ours", name="Ours", persona_id="ai_artist")
    made.agent(username="theirs", name="Theirs", persona_id="ai_artist")
    service.move_agent(made.deps, "Client Two", "theirs")
    yield made
    made.deps.close()


def id_of(fleet: Fleet, username: str) -> uuid.UUID:
    found: uuid.UUID = fleet.sql("SELECT id FROM agents WHERE username = :name", name=username).scalar_one()
    return found


def admin_of(web: Web, organisation: str) -> TestClient:
    name = f"admin-{organisation[-3:].lower()}"
    admin = web.program(Role.ADMIN, name=name)
    service.add_member(web.fleet.deps, organisation, name)
    return admin


def test_a_setting_of_an_organisation_stands_between_the_fleet_and_the_persona(web: Web, fleet: Fleet) -> None:
    owner, worker = web.program(), dataclasses.replace(fleet.deps)
    body = {"value": 5, "organisation": "Client Two", "reason": "a launch"}
    for more in ({"value": 9}, body):
        assert owner.put(LEAD, json=more).status_code == 200
    worker.live.refresh()
    rows = {name: fleet.row(id_of(fleet, name)) for name in ("ours", "theirs")}
    found = {name: worker.settings_of(row.id, None, row.persona_id, row.organisation_id) for name, row in rows.items()}
    assert {name: one.ai_comment_lead for name, one in found.items()} == {"ours": 9, "theirs": 5}
    again = worker.settings_of(rows["theirs"].id, None, None, rows["theirs"].organisation_id)
    assert again is found["theirs"], "made once a revision"
    shown = owner.get(LEAD, params={"agent": "theirs"}).json()
    assert [(one["source"], one["whose"], one["value"], one["is_in_force"]) for one in shown["layers"]][-2:] == [
        ("fleet", "", 9, False), ("organisation", "Client Two", 5, True),
    ]  # fmt: skip
    assert owner.put(LEAD, json={"value": 3, "agent": "theirs"}).json()["source"] == "agent"
    order = "/api/v1/settings/llm_order"
    for more in ({"organisation": "Client Two", "value": "openai"}, {"persona": "ai_artist", "value": "anthropic"}):
        assert owner.put(order, json=more).status_code == 200
    worker.live.expire()
    worker.live.refresh()
    theirs = rows["theirs"]
    assert worker.settings_of(theirs.id, None, "ai_artist", theirs.organisation_id).llm_order == ("anthropic",)
    assert worker.model_order(theirs.id, None, theirs.organisation_id).scope == "organisation"


def test_a_job_runs_under_the_settings_of_its_agents_organisation(web: Web, fleet: Fleet) -> None:
    assert web.program().put("/api/v1/settings/dry_run", json={"value": True, "organisation": "client two"}).is_success
    jobs = {name: add(fleet, id_of(fleet, name), LIKE, target="p1") for name in ("ours", "theirs")}
    for job in jobs.values():
        perform(fleet.deps, job)
    results = {name: fleet.job(job).result or {} for name, job in jobs.items()}
    assert {name: "draft" in one for name, one in results.items()} == {"ours": False, "theirs": True}, results


def test_an_admin_of_an_organisation_sets_what_is_its_own_and_sees_no_other_values(web: Web, fleet: Fleet) -> None:
    owner, admin, other = web.program(), admin_of(web, "Client Two"), admin_of(web, "default")
    fleet.account("shop")
    service.move_account(fleet.deps, "Client Two", "shop")
    body = {"reason": "a word of theirs"}
    for whose in ({"organisation": "Client Two"}, {"account": "shop"}, {"agent": "theirs"}):
        made = admin.put(LEAD, json={**body, "value": 6, **whose})
        assert made.status_code == 200, made.text
    for whose in (
        {}, {"organisation": "default"}, {"agent": "ours"}, {"account": "gallery"}, {"account": str(SETTINGS_ACCOUNT)},
    ):  # fmt: skip
        for answer in (admin.put(LEAD, json={"value": 7, **whose}), admin.delete(LEAD, params=whose)):
            assert answer.status_code == 404, (whose, answer.text)
    order = admin.put("/api/v1/settings/llm_order", json={"value": "openai", "persona": "ai_artist"})
    assert order.status_code == 404, order.text
    seen = other.get(LEAD).text + other.get("/api/v1/settings").text
    assert "a word of theirs" not in seen and "Client Two" not in seen
    assert "a word of theirs" in admin.get(LEAD).text
    assert owner.get(LEAD).json()["value"] == 3, "the fleet's is as it was"
    for path in ("/api/v1/personas/ai_artist", "/api/v1/experiments/none", "/api/v1/approvals/rules"):
        assert admin.put(path, json={}).status_code == 403, path
    page = web.browser().get("/settings/ai_comment_lead").text
    assert 'name="organisation"' in page and "a word of theirs" in page


def test_a_fleet_with_one_organisation_has_no_scope_of_that_name(database_url: str) -> None:
    fleet = make_fleet(database_url)
    web = Web(fleet)
    browser, program = web.browser(), web.program()
    for path in ("/settings/ai_comment_lead", "/settings", "/controls", "/controls/pause"):
        assert "rganisation" not in browser.get(path).text, path
    found = program.get(LEAD).json()
    assert found["scopes"] == ["fleet", "account", "agent"]
    refused = program.put(LEAD, json={"value": 1, "persona": "ai_artist"})
    assert (refused.status_code, "rganisation" in refused.text) == (422, False)
    fleet.deps.close()


def test_hours_of_an_organisation_or_the_fleet_must_wake_each_of_its_agents(web: Web, fleet: Fleet) -> None:
    owner = web.program()
    slow = fleet.agent(username="slow_one", min_interval_s=60, max_interval_s=5 * 86_400)
    for value, whose in (("9-10", {}), ("9-10", {"organisation": "default"})):
        refused = owner.put(HOURS, json={"value": value, **whose})
        assert (refused.status_code, "slow_one would never wake" in refused.text) == (422, True), refused.text
    assert owner.put(HOURS, json={"value": "9-10", "organisation": "Client Two"}).status_code == 200
    moved = owner.put("/api/v1/organisations/Client Two/agents/slow_one")
    assert (moved.status_code, "never wake" in moved.text) == (422, True)
    kept = owner.put(HOURS, json={"value": "0-24", "agent": "slow_one"})
    assert kept.status_code == 200, kept.text
    assert owner.put(HOURS, json={"value": "9-10"}).status_code == 200, "the slow one keeps its own hours"
    with pytest.raises(InvalidInput, match="never wake"):
        settings.unset(fleet.deps, "agent_hours", Target(agent="slow_one"), by="ada")
    assert fleet.row(slow).status == "running"


def test_a_change_of_hours_moves_the_agents_that_follow_them_and_no_other(web: Web, fleet: Fleet) -> None:
    owner, now = web.program(), datetime.now(UTC)
    fleet.agent(username="own_hours", name="Own", persona_id="ai_artist")
    assert owner.put(HOURS, json={"value": "0-24", "agent": "own_hours"}).status_code == 200
    fleet.sql("UPDATE agents SET next_tick_at = now() + interval '6 days'")

    def moved() -> dict[str, datetime]:
        found = fleet.sql("SELECT username, next_tick_at FROM agents WHERE next_tick_at < now() + interval '5 days'")
        return {username: at.astimezone(UTC) for username, at in found.all()}

    first, second = (now + timedelta(hours=4)).hour, (now + timedelta(hours=9)).hour
    for hour, names, whose in (
        (first, {"theirs"}, {"organisation": "Client Two"}), (second, {"theirs", "ours"}, {}),
    ):  # fmt: skip
        answer = owner.put(HOURS, json={"value": f"{hour}-{(hour + 1) % 24}", **whose})
        assert answer.status_code == 200, answer.text
        assert set(moved()) == names
        assert moved()["ours" if "ours" in names else "theirs"].hour == hour
    assert moved()["theirs"].hour == first, "its organisation has hours of its own"


def test_a_pause_of_an_organisation_stops_its_agents_alone_also_right_before_a_write(
    web: Web, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, surface = admin_of(web, "Client Two"), fleet.surface
    pause = {"scope": "organisation", "key": "Client Two", "reason": "a complaint"}
    assert admin.post("/api/v1/controls/pause", json={**pause, "key": "default"}).status_code == 404
    assert admin.get("/api/v1/controls/affected", params={"scope": "organisation", "key": "Client Two"}).json() == {
        "agents": 1, "running": 1, "waiting": 0, "at_work": 0,
    }  # fmt: skip
    jobs = {name: add(fleet, id_of(fleet, name), LIKE, target="p1") for name in ("ours", "theirs")}
    stop = _before(reserve.take_turns, lambda: admin.post("/api/v1/controls/pause", json=pause))
    with monkeypatch.context() as patched:
        patched.setattr(reserve, "take_turns", stop)
        perform(fleet.deps, jobs["theirs"])
    perform(fleet.deps, jobs["ours"])
    assert {name: fleet.job(job).state for name, job in jobs.items()} == {"ours": "done", "theirs": "ready"}
    assert len(surface.liked) == 1
    later = add(fleet, id_of(fleet, "theirs"), LIKE, target="p2")
    perform(fleet.deps, later)
    assert "organisation is paused: a complaint" in str(fleet.job(later).held)
    (hold,) = admin.get("/api/v1/controls").json()["items"]
    assert (hold["name"], hold["words"]) == ("Client Two", "organisation Client Two is paused: a complaint")
    assert "Organisation Client Two" in web.browser().get("/controls").text
    assert admin_of(web, "default").get("/api/v1/controls").json()["items"] == []
    told = fleet.sql("SELECT payload ->> 'organisation_name' FROM events WHERE subject = 'control.paused'").scalars()
    assert list(told) == ["Client Two"]
    del pause["reason"]
    assert admin.post("/api/v1/controls/resume", json=pause).json() == {"changed": True}
    perform(fleet.deps, jobs["theirs"])
    assert fleet.job(jobs["theirs"]).state == "done"


def test_a_budget_of_an_organisation_stops_the_calls_of_its_agents_alone(web: Web, fleet: Fleet) -> None:
    admin, rows = admin_of(web, "Client Two"), {name: fleet.row(id_of(fleet, name)) for name in ("ours", "theirs")}
    spenders = {name: Spender(row.id, row.persona_id, None, "post", row.organisation_id) for name, row in rows.items()}
    with fleet.deps.db.transaction() as tx:
        ledger.settle(tx, ledger.reserve(tx, spenders["theirs"], "anthropic", 30, lease_s=60), [])
        early = ledger.reserve(tx, spenders["theirs"], "anthropic", 40, lease_s=60)
    at = "/api/v1/budgets/organisation/Client Two/day"
    assert admin.put("/api/v1/budgets/organisation/default/day", json={"microusd": 1}).status_code == 404
    made = admin.put(at, json={"microusd": 100}).json()
    assert (made["name"], made["scope"], made["left_microusd"]) == ("Client Two", "organisation", 100)
    reserved = Purse(fleet.deps, spenders["theirs"]).reserve("anthropic", 60)
    with pytest.raises(Unpaid):
        Purse(fleet.deps, spenders["theirs"]).reserve("anthropic", 60)
    Purse(fleet.deps, spenders["ours"]).reserve("anthropic", 60)
    assert early.id is None and reserved.id is not None
    fleet.sql("UPDATE llm_reservations SET until = clock_timestamp() - interval '1 second'")
    with fleet.deps.db.transaction() as tx:
        assert ledger.charge_abandoned(tx)
    (one,) = admin.get("/api/v1/budgets").json()["items"]
    assert (one["spent_microusd"], one["reserved_microusd"]) == (60, 0)
    assert "Organisation Client Two" in web.browser().get("/controls").text
    assert admin_of(web, "default").get("/api/v1/budgets").json()["items"] == []
    notices = fleet.sql("SELECT payload FROM events WHERE subject LIKE 'budget.%' ORDER BY id").scalars().all()
    assert {notice["organisation_name"] for notice in notices} == {"Client Two"}
    assert costs.find(fleet.deps, Scope.ORGANISATION, "client two", Period.DAY) is not None


def test_what_is_set_for_an_organisation_goes_with_it(web: Web, fleet: Fleet) -> None:
    owner = web.program()
    service.create(fleet.deps, "Client Three")
    owner.put(LEAD, json={"value": 4, "organisation": "Client Three"})
    owner.put("/api/v1/budgets/organisation/Client Three/month", json={"microusd": 5})
    controls.pause(fleet.deps, "organisation", "Client Three", by="ada")
    assert owner.delete("/api/v1/organisations/Client Three").status_code == 204
    assert fleet.sql("SELECT count(*) FROM settings WHERE value IS NOT NULL").scalar_one() == 0
    with fleet.deps.db.transaction() as tx:
        for table in ("budgets", "controls"):
            assert tx.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0, table


def test_a_request_of_an_agent_of_the_whole_fleet_belongs_to_the_organisation_of_its_object(fleet: Fleet) -> None:
    fleet.sql("UPDATE agents SET organisation_id = NULL WHERE username = 'ours'")
    agent_id, theirs = id_of(fleet, "ours"), fleet.sql("SELECT id FROM organisations WHERE name = 'Client Two'")
    organisation_id = theirs.scalar_one()
    proposal = Proposal("price", "1", "change", {"price": "1"}, "agent:ours", "a price", agent_id=agent_id)
    for one, name in (
        (proposal, ""),
        (dataclasses.replace(proposal, resource_id="2", organisation_id=organisation_id), "Client Two"),
    ):
        with fleet.deps.db.transaction() as tx:
            request = approvals.propose(fleet.deps, tx, one)
            assert request.facts["organisation"] == name
            stored = sa.select(RequestRow.organisation_id).where(RequestRow.id == request.id)
            assert tx.scalar(stored) == one.organisation_id
    with visibility.restricted(frozenset({organisation_id})), fleet.deps.db.transaction() as tx:
        assert list(tx.session.scalars(sa.select(RequestRow.resource_id))) == ["2"]


def test_the_command_line_names_the_organisation(database_url: str, broker_url: str, fleet: Fleet) -> None:
    cli, named = Cli(database_url, broker_url), ("--organisation", "Client Two")
    assert "ai_comment_lead is 4 for the organisation Client Two." in cli(
        "settings", "set", "ai_comment_lead", "4", *named, "--why", "a try"
    ).output  # fmt: skip
    assert "organisation Client Two" in cli("settings", "get", "ai_comment_lead", *named, columns=140).output
    said = cli("settings", "unset", "ai_comment_lead", *named).output
    assert "for the organisation Client Two, from the layer default." in said
    assert "Organisation Client Two may spend $2.00 a day." in cli("budgets", "set", "2", *named).output
    assert "organisation Client Two" in cli("budgets", "list", columns=140).output
    said = cli("pause", "organisation", "Client Two", "-y").output
    assert "Organisation Client Two is paused." in said
    assert "organisation Client Two is paused" in cli("kill-switch", "status", columns=140).output
    assert "is resumed" in cli("resume", "organisation", "Client Two").output
