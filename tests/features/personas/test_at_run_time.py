"""Personas that change while the fleet runs: seen by other processes, followed by agents, checked like files."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from fleet.core.errors import NotFound
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.schedule import local_time, rate_at
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.personas import library
from fleet.features.personas.editing import commands
from fleet.features.personas.editing import form as fields
from fleet.features.personas.service import personas_of, schedule_of
from tests.factories import Fleet
from tests.web_client import Web

AI = "/api/v1/personas/ai_artist"
OWN = "/api/v1/personas/lighthouse"


def document(deps: Any, persona_id: str = "ai_artist", **changes: Any) -> dict[str, Any]:
    """Return the document of a persona with other values for some fields."""
    return {**library.document_of(personas_of(deps).get(persona_id)), **changes}


def another_process(fleet: Fleet) -> Any:
    """Return the connections of another process, which has read no row yet."""
    return dataclasses.replace(fleet.deps, parts={"personas": fleet.deps.parts["personas"]})


def made(fleet: Fleet, name: str, persona: str = "ai_artist") -> Any:
    """Make an agent of a persona as people do, and start it."""
    new = agent_commands.draft(fleet.deps, username=name, name=name, persona_id=persona, by="tests")
    return agent_commands.create(fleet.deps, new, start=True)


def test_a_change_reaches_another_process_and_the_agents_that_kept_the_personas_values(web: Web) -> None:
    fleet, api = web.fleet, web.program("admin")
    personas_of(fleet.deps)
    worker = another_process(fleet)
    worker.live.refresh()
    before = personas_of(worker)
    follows, own = made(fleet, "follows"), made(fleet, "own")
    agent_commands.update(fleet.deps, "own", {"vibe": "stubborn", "like_weight": 0.1})
    week = {**document(fleet.deps)["schedule"], "peak_hours": [[3, 5]], "timezone": "Asia/Tokyo"}
    content = document(fleet.deps, vibe="calm", interval_seconds=[100, 200], weights={"post": 0.3}, schedule=week)
    answer = api.put(AI, json={"document": content, "reason": "a quiet week"})
    assert (answer.status_code, answer.json()["agents_changed"]) == (200, 2), answer.text
    persona = answer.json()["persona"]
    assert (persona["source"], persona["version"], persona["reason"]) == ("changed", 1, "a quiet week")
    assert personas_of(worker) is before, "it looks at most every two seconds"
    worker.live.expire()
    assert worker.live.refresh()
    seen = personas_of(worker).get("ai_artist")
    assert (seen.character.vibe, seen.schedule.peak, seen.interval.min_s) == ("calm", ((3, 5),), 100)
    assert personas_of(worker) is personas_of(worker), "made once a change"
    assert schedule_of(worker, "ai_artist", follows).timezone == "Asia/Tokyo"
    row, other = fleet.row(follows), fleet.row(own)
    assert (row.vibe, row.weights, row.min_interval_s) == ("calm", {"post": 0.3}, 100)
    assert (other.vibe, other.weights["like"], other.min_interval_s) == ("stubborn", 0.1, 100)
    # Back to the file: those who followed follow again.
    gone = api.delete(AI, params={"reason": "it is over"})
    assert (gone.json()["persona"]["source"], gone.json()["agents_changed"]) == ("file", 2)
    assert fleet.row(follows).vibe == before.get("ai_artist").character.vibe
    assert personas_of(fleet.deps) is before
    versions = api.get(f"{AI}/versions").json()["items"]
    assert [(one["version"], one["document"] is None, one["reason"]) for one in versions] == [
        (2, True, "it is over"), (1, False, "a quiet week"),
    ]  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        logged = tx.execute(sa.text("SELECT action, before->>'vibe', after->>'reason' FROM audit "
                                    "WHERE target = 'persona:ai_artist' ORDER BY id")).all()  # fmt: skip
        told = tx.execute(sa.text("SELECT subject FROM events WHERE subject LIKE 'persona.%' ORDER BY id")).scalars()
        assert list(told) == ["persona.changed", "persona.reset"]
    assert [tuple(one) for one in logged] == [
        ("persona.changed", before.get("ai_artist").character.vibe, "a quiet week"),
        ("persona.reset", "calm", "it is over"),
    ]


def test_the_next_tick_is_drawn_again_by_the_new_hours_and_acts_by_the_new_persona(web: Web) -> None:
    fleet = web.fleet
    agent = made(fleet, "ann")
    now = datetime.now(UTC)
    hour = (now.hour + 6) % 24
    week = {"timezone": "UTC", "active_days": list(fields.DAY_NAMES), "peak_hours": [], "peak_multiplier": 1.0,
            "off_peak_multiplier": 1.0,
            "sleep_hours": [[(hour + 1) % 24, hour]] if (hour + 1) % 24 != hour else []}  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.text("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 minute'"))
    answer = web.program("admin").put(AI, json={"document": document(fleet.deps, schedule=week)})
    assert answer.status_code == 200, answer.text
    due = fleet.row(agent).next_tick_at
    rhythm = schedule_of(fleet.deps, "ai_artist", agent)
    assert rate_at(rhythm, due) > 0, "it wakes when it is awake by the new week"
    assert local_time(rhythm, due).hour == hour
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    assert local_time(rhythm, fleet.row(agent).next_tick_at).hour == hour


def test_one_that_agents_have_is_not_removed_and_one_that_is_removed_gets_no_agent(web: Web) -> None:
    fleet, api = web.fleet, web.program("admin")
    content = document(fleet.deps, id="lighthouse")
    assert api.get(OWN).status_code == 404
    assert api.put(OWN, json={"document": content}).json()["persona"]["source"] == "run time"
    stale = another_process(fleet)
    stale.live.refresh()
    made(fleet, "keeper", "lighthouse")
    refused = api.delete(OWN)
    assert (refused.status_code, "1 agent has the persona" in refused.text) == (409, True), refused.text
    agent_commands.update(fleet.deps, "keeper", {"persona_id": "ai_artist"})
    assert api.delete(OWN).json()["persona"] is None
    assert [one["id"] for one in api.get("/api/v1/personas").json()["items"]] == [*fleet.deps.parts["personas"].ids]
    assert "lighthouse" in personas_of(stale), "it has not looked since"
    new = agent_commands.draft(stale, username="late", name="late", persona_id="lighthouse", by="tests")
    with pytest.raises(NotFound, match="was removed"):
        agent_commands.create(stale, new)
    assert api.delete("/api/v1/personas/data_viz").json() | {"persona": 0} == {
        "changed": False, "agents_changed": 0, "persona": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("vibe", "", "vibe: is empty"), ("tier", "lazy", "tier: "), ("interval_seconds", [9, 3], "swap them"),
        ("weights", {"sing": 1}, "'sing' is not an action"), ("sing", 1, "sing: is not a field"),
        ("share", "1", "share: "), ("id", "other", "it stays as it is"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_with_the_words_for_a_file(web: Web, field: str, value: Any, problem: str) -> None:
    content = document(web.deps, **{field: value})
    api = web.program("admin")
    answer = api.put(AI, json={"document": content})
    assert (answer.status_code, problem in answer.text) == (422, True), answer.text
    found = api.post("/api/v1/personas/preview", json={"document": content}).json()
    if field != "id":
        assert any(problem in one for one in found["problems"])
    assert found["rates"], "the week is right, and so it is shown"
    assert personas_of(web.deps).get("ai_artist").id == "ai_artist"


def test_a_row_that_is_wrong_here_leaves_the_file_in_force(web: Web) -> None:
    fleet = web.fleet
    personas_of(fleet.deps)
    insert = sa.text("INSERT INTO documents (kind, name, version, document, set_by, revision) "
                     "VALUES ('persona', :name, 1, CAST(:document AS jsonb), 'a later version', :number)")  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        for number, (name, change) in enumerate((("ai_artist", {"mood": 1}), ("data_viz", {"vibe": "calm"})), 1):
            content = json.dumps(document(fleet.deps, name, **change))
            tx.execute(insert, {"name": name, "document": content, "number": number})
    fleet.deps.live.expire()
    fleet.deps.live.refresh()
    found = personas_of(fleet.deps)
    assert (found.get("ai_artist").character.vibe, found.get("data_viz").character.vibe) == ("experimental", "calm")


def test_who_may_edit_settings_edits_personas_but_no_old_version(web: Web) -> None:
    content = document(web.deps, vibe="calm")
    for role in ("viewer", "operator"):
        api = web.program(role)
        assert api.put(AI, json={"document": content}).status_code == 403
        assert api.post("/api/v1/personas/preview", json={"document": content}).status_code == 403
    api = web.program("admin")
    tag = api.get(AI).headers["etag"]
    assert api.put(AI, json={"document": content}, headers={"if-match": tag}).status_code == 200
    late = api.put(AI, json={"document": {**content, "vibe": "late"}}, headers={"if-match": tag})
    assert (late.status_code, "changed meanwhile" in late.text) == (412, True), late.text
    assert personas_of(web.deps).get("ai_artist").character.vibe == "calm"


def test_every_shipped_persona_survives_the_form_and_a_file_unchanged() -> None:
    for one in library.load():
        content = library.document_of(one)
        assert commands.read(one.id, fields.document(fields.of(content))) == one
        assert commands.read(one.id, yaml.safe_load(yaml.safe_dump(content))) == one


def test_the_models_samples_are_paid_and_recorded(web: Web) -> None:
    api = web.program("admin")
    found = api.post("/api/v1/personas/preview", json={"document": document(web.deps), "by": "model"})
    assert found.status_code == 200, found.text
    assert len({one["caption"] for one in found.json()["posts"]}) == 3
