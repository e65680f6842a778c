"""Experiments that are set, started and stopped while the fleet runs: in force elsewhere, stable, and kept apart."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from fleet.core import yaml_file
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.experiments import assign, experiment_file, variants
from fleet.features.experiments.service import experiments_of
from fleet.features.experiments.variants import Dimension
from tests.factories import Fleet
from tests.web_client import Web

HERE = "/api/v1/experiments"
POSTS_ALONE = {"post": 1.0}


def another_process(fleet: Fleet) -> Any:
    return dataclasses.replace(fleet.deps, parts={})


def named(deps: Any) -> list[str]:
    deps.live.expire()
    deps.live.refresh()
    return [one.name for one in experiments_of(deps)]


def document(name: str, **changes: Any) -> dict[str, Any]:
    """Return the content of a shipped experiment under another name."""
    shipped = next(one for one in experiment_file.shipped() if one.name == "caption_question")
    return {**experiment_file.document_of(shipped), "name": name, **changes}


def test_every_shipped_experiment_survives_a_document() -> None:
    for one in experiment_file.shipped():
        assert experiment_file.check(experiment_file.document_of(one)) == (one, [])


def test_an_experiment_from_its_start_to_its_end_in_another_process(web: Web) -> None:
    fleet, api, worker = web.fleet, web.program("admin"), another_process(web.fleet)
    assert named(worker) == []
    assert api.put(f"{HERE}/mine", json={"document": document("mine")}).json() == {"changed": True}
    assert named(worker) == [], "a new one is off"
    assert api.post(f"{HERE}/mine/start", json={"reason": "a try"}).json() == {"changed": True}
    assert api.post(f"{HERE}/mine/start", json={}).json() == {"changed": False}
    assert named(worker) == ["mine"]
    (running,) = experiments_of(worker)
    agents = [uuid.uuid4() for _ in range(50)]
    before = [variants.pick(running, agent, "tick 1").name for agent in agents]
    # The same variants for the same posts, whatever else is changed.
    assert api.put(f"{HERE}/mine", json={"document": document("mine", question="Or so?", enough=50)}).status_code == 200
    assert named(worker) == ["mine"]
    assert [variants.pick(experiments_of(worker)[0], agent, "tick 1").name for agent in agents] == before
    others = document("mine")
    others["variants"][1]["weight"] = 9
    refused = api.put(f"{HERE}/mine", json={"document": others})
    assert (refused.status_code, "its variants stay as they are" in refused.text) == (409, True), refused.text
    same = api.post(f"{HERE}/caption_question/start", json={})
    assert (same.status_code, "mine runs and varies the caption style" in same.text) == (409, True), same.text
    assert api.delete(f"{HERE}/mine").status_code == 409
    agent = fleet.agent(weights=POSTS_ALONE)
    dispatch(fleet.deps)
    tick(worker, TickKey(agent, 1))
    (post,) = fleet.jobs(kind="post")
    assert set(post.payload["variants"]) == {"mine"}
    assert api.post(f"{HERE}/mine/stop", json={}).json() == {"changed": True}
    assert named(worker) == []
    question = {**post.payload, "variants": {"mine": "question"}}
    assert len(assign.styles(worker, question)) == 1, "an assigned post keeps its style"
    later = api.put(f"{HERE}/mine", json={"document": others})
    assert (later.status_code, "has posts" in later.text) == (409, True), later.text
    assert api.post(f"{HERE}/caption_question/start", json={}).json() == {"changed": True}
    assert named(worker) == ["caption_question"]
    assert api.delete(f"{HERE}/mine", params={"reason": "over"}).json() == {"changed": True}
    found = {one["name"]: (one["source"], one["on"]) for one in api.get(HERE).json()["items"]}
    assert (found["caption_question"], found["mine"]) == (("changed", True), (None, False))
    subjects = fleet.sql("SELECT subject FROM events WHERE subject LIKE 'experiment.%' ORDER BY id").scalars()
    assert list(subjects) == [
        "experiment.created", "experiment.started", "experiment.changed", "experiment.stopped", "experiment.started",
        "experiment.removed",
    ]  # fmt: skip


def test_one_that_settings_switch_on_can_be_stopped_and_reset(web: Web) -> None:
    api, worker = web.program("admin"), another_process(web.fleet)
    shipped = tuple(one for one in experiment_file.shipped() if one.dimension is Dimension.PROMPT_STYLE)
    web.deps.parts["experiments"] = worker.parts["experiments"] = shipped
    name = shipped[0].name
    assert named(worker) == [name]
    assert api.post(f"{HERE}/{name}/stop", json={}).json() == {"changed": True}
    assert named(worker) == []
    assert api.delete(f"{HERE}/{name}").json() == {"changed": True}
    assert named(worker) == [name]


def test_wrong_input_is_refused_with_words_for_a_file_and_stays_in_the_form(web: Web) -> None:
    api, page = web.program("admin"), web.browser()
    wrong = api.put(f"{HERE}/mine", json={"document": document("mine", dimension="mood")})
    assert (wrong.status_code, "'mood' is none; write caption_style" in wrong.text) == (422, True), wrong.text
    assert api.put(f"{HERE}/other", json={"document": document("mine")}).status_code == 422
    assert api.post(f"{HERE}/nothing/start", json={}).status_code == 404
    assert web.program("operator").post(f"{HERE}/caption_question/start", json={}).status_code == 403
    for text in ("<b>name</b>: [", "name: &a x\nquestion: *a\n", "name: mine\nquestion: <b>Why?</b>\n"):
        shown = page.post("/experiments/new", text=text)
        assert shown.status_code == 422
        assert "&lt;b&gt;" in shown.text or "alias" in shown.text
        assert "<b>" not in shown.text
    added = page.post("/experiments/new", text=yaml_file.dump(document("mine")), reason="a try")
    assert added.headers["location"] == "/experiments/mine"
    assert page.post("/experiments/mine/start").status_code == 303
    assert "Stop" in page.get("/experiments/mine").text
