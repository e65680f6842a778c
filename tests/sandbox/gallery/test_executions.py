"""The sandbox gallery's workflows: carried out for real, paid once, within budgets, and not while it is paused."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from fleet import images
from fleet.images import PictureSource
from fleet.sandbox.gallery import GalleryBudgets
from fleet.sandbox.gallery.pictures import Pictures
from tests.sandbox.gallery.gallery_world import World, workflow


@pytest.fixture
def world(fresh_database: str, tmp_path: Path) -> Iterator[World]:
    made = World(fresh_database, tmp_path / "images")
    made.invite("bright_1")
    made.invite("pixel_2")
    with made.http:
        yield made


# Executions


def test_a_workflow_is_carried_out_and_its_picture_marked_as_ai_made(world: World) -> None:
    answer = world.execute("pixel_2", "a castle").json()
    assert answer["status"] == "completed"
    [url] = answer["imageUrls"]
    served = world.http.get(url.removeprefix("http://127.0.0.1:8000"))
    assert (served.status_code, served.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(served.content)).size == (32, 32)
    marks = images.read_marks(served.content)
    assert marks is not None
    assert (marks.source, marks.description) == (PictureSource.AI, "a castle")


def test_photographic_styles_come_as_jpeg_with_the_mark(world: World) -> None:
    body = workflow("a bottle", "product_photographer", fit="cover", kernel="lanczos", width=120, height=90)
    adjust = {"kind": "transform", "operation": "adjust", "params": {"brightness": 1.05, "contrast": 1.1},
              "in": "final", "out": "lit"}  # fmt: skip
    body["steps"][2:] = [adjust, {"kind": "save", "in": "lit", "destination": "cloud"}]
    [url] = world.call("POST", "/api/execute/sync", "pixel_2", json=body).json()["imageUrls"]
    data = world.http.get(url.removeprefix("http://127.0.0.1:8000")).content
    assert images.check(data) == images.Checked("image/jpeg", 120, 90)
    marks = images.read_marks(data)
    assert marks is not None
    assert marks.is_ai_made


def _with(place: int, **change: Any) -> dict[str, Any]:
    body = workflow("x")
    body["steps"][place] = {**body["steps"][place], **change}
    return body


MALFORMED = (
    _with(0, kind="vision"), _with(1, operation="explode"), _with(1, **{"in": "nothing"}), _with(2, destination="x"),
    _with(0, params={"prompt": ""}), _with(0, params={"prompt": "x", "size": "99999x9"}), _with(0, params=None),
    {"name": "fleet-x", "steps": []}, {"name": "fleet-x", "steps": workflow("x")["steps"][:2]},
    _with(1, params={"width": "64", "height": 64}), _with(1, surprise=True), {"steps": workflow("x")["steps"]},
)  # fmt: skip


def test_malformed_workflows_are_refused(world: World) -> None:
    for body in MALFORMED:
        answer = world.call("POST", "/api/execute/sync", "pixel_2", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR"), body
        assert answer.json()["errors"]
    assert world.rows("SELECT 1 FROM executions") == []


def test_the_same_key_is_carried_out_and_paid_once(world: World) -> None:
    first, again = world.execute("pixel_2", key="job-1").json(), world.execute("pixel_2", key="job-1").json()
    assert first == again
    assert world.execute("pixel_2", key="job-2").json()["imageUrls"] != first["imageUrls"]
    assert world.rows("SELECT count(*) FROM executions") == [(2,)]
    other = world.execute("pixel_2", "another prompt", key="job-1")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert world.execute("bright_1", key="job-1").json()["imageUrls"] != first["imageUrls"]


def test_many_at_once_with_one_key_are_carried_out_once(world: World) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: world.execute("pixel_2", key="job-1").json(), range(6)))
    assert all(answer == answers[0] for answer in answers)
    assert world.rows("SELECT state FROM executions") == [("completed",)]
    assert len(world.rows("SELECT name FROM images")) == 1


def test_a_full_disk_is_said_not_paid_and_can_be_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "_write", full)
        answer = world.execute("pixel_2", key="job-1")
        assert (answer.status_code, answer.json()["code"]) == (507, "DISK_FULL")
    assert world.rows("SELECT state FROM executions") == [("failed",)]
    assert world.execute("pixel_2", key="job-1").json()["status"] == "completed"
    assert world.rows("SELECT state FROM executions") == [("completed",)]


def test_an_execution_left_behind_is_taken_up_by_its_key(world: World) -> None:
    world.execute("pixel_2", key="job-1")
    with world.engine.begin() as connection:
        connection.execute(sa.text("UPDATE executions SET state = 'running', started_at = now() - interval '1 hour'"))
    assert world.execute("pixel_2", key="job-1").json()["status"] == "completed"
    assert world.rows("SELECT count(*), min(state) FROM executions") == [(1, "completed")]


# Budgets and the kill switch


@pytest.mark.parametrize(
    ("budget", "code"),
    [
        ("fleet_daily", "FLEET_DAILY_BUDGET_EXCEEDED"), ("fleet_monthly", "FLEET_MONTHLY_BUDGET_EXCEEDED"),
        ("agent_daily", "AGENT_DAILY_LIMIT_EXCEEDED"), ("agent_monthly", "AGENT_MONTHLY_LIMIT_EXCEEDED"),
    ],
)  # fmt: skip
def test_a_spent_budget_says_which_and_until_when(world: World, budget: str, code: str) -> None:
    camel = re.sub(r"_(\w)", lambda m: m[1].upper(), budget)
    assert world.call("PUT", "/api/sandbox/budgets", json={camel: 2}).json()[camel] == 2
    assert [world.execute("pixel_2").status_code for _ in range(3)] == [200, 200, 429]
    refused = world.execute("pixel_2").json()
    assert (refused["code"], refused["usage"]) == (code, {"used": 2, "limit": 2})
    now, reset_at = datetime.now(UTC), datetime.fromisoformat(refused["resetAt"])
    assert (reset_at - now).days < (1 if "daily" in budget else 31)
    assert reset_at > now
    assert (reset_at.hour, reset_at.minute) == (0, 0)
    assert world.execute("bright_1").status_code == (429 if budget.startswith("fleet") else 200)
    assert world.post("pixel_2").status_code == 201


def test_the_last_one_of_a_budget_is_given_once(world: World) -> None:
    world.call("PUT", "/api/sandbox/budgets", json={"agentDaily": 3})
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: world.execute("pixel_2").status_code, range(8)))
    assert sorted(statuses) == [200] * 3 + [429] * 5


def test_a_known_key_is_answered_though_the_budget_is_spent(world: World) -> None:
    first = world.execute("pixel_2", key="job-1").json()
    world.call("PUT", "/api/sandbox/budgets", json={"fleetDaily": 1})
    assert world.execute("pixel_2", key="job-1").json() == first
    assert world.execute("pixel_2", key="job-2").status_code == 429


def test_the_kill_switch_stops_all_that_agents_write_and_holds_over_a_restart(world: World, tmp_path: Path) -> None:
    post_id = world.posted("bright_1")
    assert world.call("PUT", "/api/sandbox/paused", json={"paused": True}).json() == {"paused": True}
    restarted = World(world.config.database_url, tmp_path / "images")
    for answer in (restarted.post("bright_1"), restarted.like("pixel_2", post_id), restarted.execute("pixel_2"),
                   restarted.comment("pixel_2", post_id, "x")):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (503, "FLEET_PAUSED")
    assert restarted.call("GET", "/api/showcase", "pixel_2").status_code == 200
    assert restarted.invite("vivid_3").status_code == 201
    restarted.call("PUT", "/api/sandbox/paused", json={"paused": False})
    assert restarted.post("bright_1").status_code == 201
    restarted.engine.dispose()


def test_budgets_of_the_settings_replace_those_of_last_time(world: World, tmp_path: Path) -> None:
    world.call("PUT", "/api/sandbox/budgets", json={"fleetDaily": 1, "agentDaily": 9})
    assert (
        World(world.config.database_url, tmp_path / "a").call("GET", "/api/sandbox/budgets").json()["agentDaily"] == 9
    )
    given = World(world.config.database_url, tmp_path / "a", budgets=GalleryBudgets(agent_monthly=5))
    assert given.call("GET", "/api/sandbox/budgets").json() == {
        "fleetDaily": None, "fleetMonthly": None, "agentDaily": None, "agentMonthly": 5
    }  # fmt: skip


def test_malformed_controls_are_refused(world: World) -> None:
    for path, body in (("faults", {"dropRate": 1.5}), ("faults", {"dropRate": 0.6, "errorRate": 0.6}),
                       ("faults", {"nonsense": 1}), ("faults", {"latencyMs": -1}), ("budgets", {"fleetDaily": -1}),
                       ("paused", {})):  # fmt: skip
        assert world.call("PUT", f"/api/sandbox/{path}", json=body).status_code == 422, (path, body)
