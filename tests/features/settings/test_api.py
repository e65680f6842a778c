"""Settings at run time for programs: set, read with their layers, refused, and in force in another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.accounts.keys import make_ring
from fleet.core.errors import NotFound
from fleet.engine.agents import commands as agent_commands
from fleet.engine.agents import loop
from fleet.engine.settings import layers, store
from fleet.features.settings import commands as settings
from fleet.features.settings.queries import Target
from tests.factories import Fleet, Surface, make_fleet
from tests.features.agents.test_commands import until_done_or_behind_us
from tests.web_client import Web

COMMENTS = "/api/v1/settings/caps.comment.per_day"
LEAD = "/api/v1/settings/ai_comment_lead"


@pytest.fixture
def fleet(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """A fleet with a second account and a pinned setting."""
    monkeypatch.setenv("FLEET_PINNED", "tempo,FLEET_RETENTION_DAYS,caps.like")
    made = make_fleet(database_url, systems={"second": Surface()})
    yield made
    made.deps.close()


def other_process(fleet: Fleet, **changes: Any) -> Any:
    """Return the connections of another process of the same fleet, which has read no row yet."""
    return dataclasses.replace(fleet.deps, **changes)


def rows(fleet: Fleet) -> list[Any]:
    with fleet.deps.db.transaction() as tx:
        return store.rows(tx)


def changes(fleet: Fleet) -> list[str]:
    query = "SELECT payload->>'change' FROM events WHERE subject = 'settings.changed' ORDER BY id"
    with fleet.deps.db.transaction() as tx:
        return [str(one[0]) for one in tx.execute(sa.text(query))]


def test_a_cap_set_by_the_api_holds_in_another_process_and_the_audit_log_has_both_values(web: Web) -> None:
    api, worker, agent = web.program("admin"), other_process(web.fleet), web.fleet.agent()
    username = web.fleet.row(agent).username
    worker.live.refresh()
    was = worker.gateway(None, agent).policy.caps.actions["comment"].per_day
    made = api.put(COMMENTS, json={"value": 7, "reason": "a quiet week"})
    assert (made.status_code, made.json()["value"], made.json()["source"]) == (200, 7, "fleet"), made.text
    assert api.put(COMMENTS, json={"value": "3", "agent": username}).json()["value"] == 3
    worker.live.expire()  # two seconds later
    assert worker.live.refresh()
    assert worker.gateway().policy.caps.actions["comment"].per_day == 7
    assert worker.gateway(None, agent).policy.caps.actions["comment"].per_day == 3
    assert not worker.live.refresh(), "nothing has changed since"
    shown = api.get(COMMENTS, params={"agent": username}).json()
    assert [(one["source"], one["value"], one["is_in_force"]) for one in shown["layers"]] == [
        ("default", was, False), ("fleet", 7, False), ("agent", 3, True),
    ]  # fmt: skip
    (set_first,) = [one for one in shown["changes"] if one["after"]["reason"]]
    assert (set_first["before"], set_first["after"]) == ({"value": None}, {"value": 7, "reason": "a quiet week"})
    assert api.delete(COMMENTS, params={"agent": username}).json()["value"] == 7
    assert api.delete(COMMENTS).json()["source"] == "default"
    lines = api.get("/api/v1/audit", params={"target": "setting:caps.comment.per_day"}).json()["items"]
    assert [line["action"] for line in lines] == ["setting.unset"] * 2 + ["setting.set"] * 2
    assert changes(web.fleet) == [
        "set to 7", "set to 3", "unset", "unset",
    ]  # fmt: skip


WRONG: list[tuple[str, dict[str, Any], int]] = [
    ("caps.comment.per_day", {"value": -1}, 422), ("caps.comment.per_day", {"value": True}, 422),
    ("caps.comment.per_day", {"value": 1.5}, 422), ("caps.comment.per_day", {"value": None}, 422),
    ("caps.comment.per_day", {"value": {"a": 1}}, 422), ("caps.comment.per_day", {"value": "9" * 5000}, 422),
    ("caps.comment.per_year", {"value": 1}, 404), ("caps.pots.per_day", {"value": 1}, 404),
    ("caps", {"value": {}}, 422), ("caps.comment.gap_s", {"value": "nan"}, 422),
    ("nothing_like_it", {"value": 1}, 404), ("__class__", {"value": 1}, 404), ("database_url.x", {"value": 1}, 404),
    ("database_url", {"value": "postgresql://evil/x"}, 422), ("openai_api_key", {"value": "sk-1"}, 422),
    ("llm_effort", {"value": "immense"}, 422), ("llm_order", {"value": ["openai", "nobody"]}, 422),
    ("llm_order", {"value": ["a\u202eb"]}, 422), ("openai_model", {"value": "x\x00y"}, 422),
    ("openai_model", {"value": "m" * 9_000}, 422), ("dry_run", {"value": "perhaps"}, 422),
    ("surface_writes_per_minute", {"value": 5, "agent": "AGENT"}, 422),
    ("dry_run", {"value": True, "agent": "x_y_z"}, 404),
    ("dry_run", {"value": True, "agent": "AGENT", "account": "second"}, 422), ("dry_run", {"worth": 1}, 422),
    ("retention_days", {"value": 3}, 409), ("caps.like.per_day", {"value": 3}, 409), ("tempo", {"value": 3}, 422),
]  # fmt: skip


def test_what_is_wrong_is_refused_and_changes_nothing(web: Web) -> None:
    username, api = web.fleet.row(web.fleet.agent()).username, web.program("admin")
    for name, wrong, status in WRONG:
        body = {key: username if value == "AGENT" else value for key, value in wrong.items()}
        answer = api.put(f"/api/v1/settings/{name}", json=body)
        assert (answer.status_code, "evil" in answer.text) == (status, False), f"{name} {body}: {answer.text}"
    assert rows(web.fleet) == []


def test_a_pinned_setting_says_so_and_a_row_from_before_does_not_count(web: Web) -> None:
    api = web.program("admin")
    web.fleet.sql("INSERT INTO settings VALUES ('fleet', '', 'retention_days', '3', 'ana', now(), '', 1)")
    web.fleet.deps.live.expire()
    shown = api.get("/api/v1/settings/retention_days").json()
    assert (shown["value"], shown["is_pinned"], shown["source"]) == (30, True, "default")
    assert web.fleet.deps.settings.retention_days == 30
    assert "FLEET_PINNED" in api.delete("/api/v1/settings/retention_days").text


def test_a_change_of_a_value_that_was_changed_since_it_was_read_is_refused(web: Web) -> None:
    api = web.program("admin")
    tag = api.get(LEAD).headers["etag"]
    assert api.put(LEAD, json={"value": 1}, headers={"if-match": tag}).status_code == 200
    assert api.put(LEAD, json={"value": 2}, headers={"if-match": tag}).status_code == 412
    assert api.delete(LEAD, headers={"if-match": tag}).status_code == 412
    assert api.get(LEAD).json()["value"] == 1


def test_a_combination_that_is_wrong_for_one_agent_is_refused_for_the_fleet(web: Web) -> None:
    """The keys of both models are there; batches are Anthropic's, and one agent's first model is not."""
    keyed = web.fleet.deps.given.model_copy(
        update={"openai_api_key": SecretStr("sk-o"), "anthropic_api_key": SecretStr("sk-a")}
    )
    web.app.state.deps = deps = dataclasses.replace(web.fleet.deps, given=keyed)
    api, username = web.program("admin"), web.fleet.row(web.fleet.agent()).username
    batch, order = "/api/v1/settings/llm_batch", "/api/v1/settings/llm_order"
    assert api.put(order, json={"value": "openai", "agent": username}).json()["value"] == ["openai"]
    refused = api.put(batch, json={"value": True})
    assert (refused.status_code, "openai is the first model" in refused.text) == (422, True), refused.text
    assert not deps.settings.llm_batch
    assert api.delete(order, params={"agent": username}).status_code == 200
    assert api.put(batch, json={"value": True}).status_code == 200


def test_a_value_whose_key_is_lost_keeps_no_setting_from_changing_and_counts_when_the_key_is_back(
    web: Web, tmp_path: Path
) -> None:
    """Symptom: it was checked as none, so that nothing could be set, not even `dry_run`, and it could not be unset."""
    given = web.fleet.deps.given.model_copy(update={"secret_keys": SecretStr(""), "home": tmp_path})
    web.app.state.deps = deps = dataclasses.replace(web.fleet.deps, given=given)
    channel, api = "jsons://me:word@example.org:9/", web.program("admin")
    file = make_ring(given)
    assert file is not None
    assert api.put("/api/v1/settings/notify", json={"value": channel}).status_code == 200
    hidden = file.rename(tmp_path / "away")
    worker = other_process(web.fleet, given=given)
    worker.live.refresh()
    assert api.put(LEAD, json={"value": 1}).json()["value"] == 1
    worker.live.expire()
    assert worker.live.refresh()
    assert (worker.settings.ai_comment_lead, worker.settings.notify) == (1, ())
    hidden.rename(file)
    worker.live.expire()
    assert worker.live.refresh(), "the key is back, and nothing has changed"
    assert [one.get_secret_value() for one in worker.settings.notify] == [channel]
    file.unlink()
    assert api.delete("/api/v1/settings/notify").json()["source"] == "default"
    assert (changes(web.fleet)[-1], deps.settings.notify) == ("unset", ())


def test_hours_that_are_set_are_reported_so_though_the_agents_next_time_cannot_be_drawn(web: Web) -> None:
    """Symptom: 422 after the commit, for an agent whose persona is gone, though the hours were set."""
    agent = web.fleet.agent(kind="gallery", persona_id="gone")
    web.fleet.sql("UPDATE agents SET next_tick_at = now() + interval '1 hour'")
    before = web.fleet.row(agent)
    body = {"value": "9-17", "agent": before.username}
    answer = web.program("admin").put("/api/v1/settings/agent_hours", json=body)
    assert (answer.status_code, answer.json().get("value")) == (200, ["9-17"]), answer.text
    assert web.fleet.row(agent).next_tick_at == before.next_tick_at


def test_who_sets_a_setting_for_an_agent_waits_for_its_deletion_and_is_refused(web: Web) -> None:
    """Symptom: the row stayed for ever, since nothing else unsets the settings of an agent that is deleted."""
    deps, agent = web.fleet.deps, web.fleet.agent()
    target = Target(agent=web.fleet.row(agent).username)
    with ThreadPoolExecutor(1) as other:
        with deps.db.transaction() as tx:
            row = loop.lock(tx, agent)
            agent_commands.delete(tx, agent)
            settings.forget_agent(deps, tx, row, by="ana")
            made = other.submit(settings.put, deps, "dry_run", True, target, by="ben")
            until_done_or_behind_us(tx, made)
        with pytest.raises(NotFound):
            made.result(60)
    assert rows(web.fleet) == []


def test_an_agents_values_are_checked_with_those_of_its_own_accounts(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: under the lock of all changes, each of 200 agents was checked with each of 200 accounts."""
    second = web.fleet.account("second")
    agents = [web.fleet.agent(account_id=account) for account in (None, second, second)]
    for number, agent in enumerate(agents):
        web.fleet.set_setting("ai_comment_lead", number, agent=agent)
    api, made = web.program("admin"), []
    for name, spare in (("second", 30), ("gallery", 20)):
        body = {"value": spare, "account": name}
        assert api.put("/api/v1/settings/caps.comment.per_day", json=body).status_code == 200
    monkeypatch.setattr(settings, "_check", lambda deps, name, checked: made.append(checked))
    assert api.put("/api/v1/settings/recent_texts", json={"value": 400}).status_code == 200
    found = [(one.ai_comment_lead, layers.value_of(one, COMMENTS.rpartition("/")[2])) for one in made]
    assert sorted(found, key=str) == sorted([(3, None), (3, 20), (3, 30), (0, 20), (1, 30), (2, 30)], key=str)


def test_an_anonymous_request_takes_in_settings_of_another_process(web: Web) -> None:
    """Symptom: a process that received webhooks and nothing else never read a change."""
    with web.deps.db.transaction() as tx:
        store.put(tx, store.FLEET, "ai_comment_lead", 9, by="tests", reason="")
    web.deps.live.expire()
    assert web.anonymous().post("/hooks/in/shop", content=b"{}").status_code == 401
    assert web.deps.settings.ai_comment_lead == 9


@pytest.mark.parametrize(("role", "seen", "made"), [("viewer", 403, 403), ("operator", 200, 403), ("admin", 200, 200)])
def test_who_may_see_and_set(web: Web, role: str, seen: int, made: int) -> None:
    api = web.program(role)
    assert api.get(LEAD).status_code == seen
    assert api.put(LEAD, json={"value": 1}).status_code == made


def test_the_order_of_models_of_a_persona_stands_between_those_of_the_fleet_and_of_an_agent(web: Web) -> None:
    api, worker = web.program("admin"), other_process(web.fleet)
    mine, other = web.fleet.agent(persona_id="data_viz"), web.fleet.agent(persona_id="data_viz")
    order = "/api/v1/settings/llm_order"
    for body in ({"value": "openai"}, {"value": "anthropic", "persona": "data_viz"},
                 {"value": "openai,anthropic", "agent": web.fleet.row(mine).username}):  # fmt: skip
        assert api.put(order, json={**body, "reason": "a try"}).status_code == 200
    worker.live.expire()
    worker.live.refresh()
    found = [worker.settings_of(*whose).llm_order for whose in (
        (mine, None, "data_viz"), (other, None, "data_viz"), (other, None, "ai_artist"), (None,),
    )]  # fmt: skip
    assert found == [("openai", "anthropic"), ("anthropic",), ("openai",), ("openai",)]
    assert [worker.model_order(mine, "data_viz").scope, worker.model_order(other, "data_viz").scope] == [
        "agent", "persona",
    ]  # fmt: skip
    shown = api.get(order, params={"agent": web.fleet.row(mine).username}).json()
    assert [(one["source"], one["whose"], one["is_in_force"]) for one in shown["layers"][-3:]] == [
        ("fleet", "", False), ("persona", "data_viz", False), ("agent", web.fleet.row(mine).username, True),
    ]  # fmt: skip
    assert api.put(order, json={"value": "openai", "persona": "nobody"}).status_code == 404
    assert api.put(order, json={"value": "gpt", "persona": "data_viz"}).status_code == 422
    both = api.put(order, json={"value": "openai", "persona": "data_viz", "account": "gallery"})
    assert (both.status_code, "for the persona or for the account" in both.text) == (422, True), both.text
    assert api.put("/api/v1/settings/dry_run", json={"value": True, "persona": "data_viz"}).status_code == 422
    page = web.browser().get("/personas/data_viz").text
    assert "set for the persona" in page
    assert api.delete(order, params={"persona": "data_viz"}).json()["source"] == "fleet"
