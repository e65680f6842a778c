"""Kill switch, pauses, triggers, status, check, replay and activity from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.agents import decisions
from fleet.features.controls import commands as fleetwide
from fleet.features.personas.library import SHIPPED
from tests.factories import WITHIN_S, Fleet
from tests.features.agents.test_cli import Cli

STATUS_KEYS = {
    "agents", "agents_by_persona", "jobs", "dead", "holds", "kill_switch", "queues", "broker_problem", "oldest_tick_s",
    "most_overdue_agent_s", "in_flight", "unknown", "totals", "tempo", "dry_run", "gallery_url",
    "rates", "health",
}  # fmt: skip


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def decided(fleet: Fleet) -> uuid.UUID:
    """Return an agent, ann_1, that has decided its first tick."""
    agent = fleet.agent(username="ann_1", name="Ann", weights={"post": 1.0})
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    return agent


def test_the_kill_switch_goes_on_without_asking_and_off_only_when_asked(cli: Cli, fleet: Fleet) -> None:
    assert "is on: no write begins" in cli("kill-switch", "on", "--reason", "fire").stdout
    assert "was on already" in cli("kill-switch", "on").stdout
    assert cli.json("kill-switch", "status")["kill_switch"] is True
    assert "fire" in cli("status", columns=120).stdout
    assert "--yes" in cli("kill-switch", "off", code=2).stderr
    assert cli.json("status")["kill_switch"] is True
    assert "is off" in cli("kill-switch", "off", "-y").stdout
    assert "was not on" in cli("kill-switch", "off", "-y").stdout
    assert cli.json("kill-switch", "status") == {"kill_switch": False, "items": []}


@pytest.mark.parametrize(
    ("scope", "key"), [("fleet", None), ("persona", "ai_artist"), ("agent", "ann_1"), ("kind", "post")]
)
def test_every_scope_is_paused_for_a_while_and_resumed(cli: Cli, fleet: Fleet, scope: str, key: str | None) -> None:
    fleet.agent(username="ann_1")
    words = [scope, *([key] if key else [])]
    assert "is paused for 2 h" in cli("pause", "-y", *words, "--for", "2h", "--reason", "lunch").stdout
    assert "was paused already" in cli("pause", "-y", *words, "--for", "1h").stdout
    (hold,) = cli.json("status")["holds"]
    assert (hold["scope"], hold["reason"]) == (scope, "lunch")
    assert hold["until"] is not None
    shown = cli("kill-switch", "status", columns=160).stdout
    assert "lunch" in shown
    assert key is None or key in shown
    assert "resumed" in cli("resume", *words).stdout
    assert "was not paused" in cli("resume", *words).stdout
    cli("pause", "-y", *words)
    assert cli("kill-switch", "status", columns=160).stdout.count("by cli:") == 1


def test_a_pause_counts_and_asks_first(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", running=False)
    refused = cli("pause", "fleet", code=2).stderr
    assert "Pause the whole fleet? It concerns 1 agent (0 running) and 0 waiting jobs." in refused
    assert "--yes" in refused and cli.json("status")["holds"] == []


def test_a_surface_is_stopped_without_its_address_and_token(cli: Cli) -> None:
    cli("pause", "-y", "surface", "floimg", FLEET_GALLERY_URL="")
    assert [hold["key"] for hold in cli.json("status")["holds"]] == ["floimg"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["fleet", "ann_1"], 2),
        (["persona"], 2),
        (["persona", "nobody"], 3),
        (["agent", "nobody_1"], 3),
        (["kind", "dance"], 2),
        (["surface", "myspace"], 3),
    ],
)
def test_a_pause_without_agents_is_refused(cli: Cli, words: list[str], code: int) -> None:
    cli("pause", "-y", *words, code=code)
    assert cli.json("status")["holds"] == []


def test_a_trigger_opens_a_tick_and_rings_ahead_of_the_others(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", running=False)
    assert "tick 1" in cli("trigger", "ann_1", "--action", "post").stdout
    (entry,) = cli.json("agents", "decisions", "ann_1")["items"]
    assert entry["asked_for"] == "post"
    assert entry["requested_by"].startswith("cli:")
    assert cli.json("status")["queues"]["high"] == 1


def test_a_trigger_under_the_kill_switch_is_a_conflict(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1")
    cli("kill-switch", "on")
    assert "kill switch" in cli("trigger", "ann_1", code=4).stderr


def test_a_dead_broker_is_one_warning_and_the_work_is_kept(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1")
    result = cli("trigger", "ann_1", FLEET_BROKER_URL="redis://:hush@127.0.0.1:1/0")
    assert "It is stored" in result.stderr
    assert "hush" not in result.output
    assert len(cli.json("agents", "decisions", "ann_1")["items"]) == 1


def test_status_counts_what_there_is(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(persona_id="ai_artist")
    fleet.agent(persona_id="ai_artist", running=False)
    fleet.agent()
    seen = cli.json("status")
    assert set(seen) == STATUS_KEYS
    assert seen["agents"] == {"running": 2, "paused": 0, "idle": 1, "error": 0}
    assert seen["agents_by_persona"]["ai_artist"] == {"idle": 1, "running": 1}
    shown = cli("status").stdout
    assert "ai_artist" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_status_without_agents_says_how_to_make_some(cli: Cli) -> None:
    assert "fleet seed" in cli("status").stdout


def test_status_tells_a_dead_broker_and_goes_on(cli: Cli, fleet: Fleet) -> None:
    seen = cli.json("status", FLEET_BROKER_URL="redis://:hush@127.0.0.1:1/0")
    assert seen["queues"] is None
    assert "cannot be reached" in seen["broker_problem"]
    assert "hush" not in json.dumps(seen)


def test_a_dead_database_is_unavailable(cli: Cli) -> None:
    result = cli("status", code=5, FLEET_DATABASE_URL="postgresql://fleet:hush@127.0.0.1:1/fleet")
    assert "hush" not in result.output
    assert "`fleet check`" in result.stderr


def test_an_empty_database_wants_migrate_and_gets_it(fresh_database: str, broker_url: str) -> None:
    cli = Cli(fresh_database, broker_url)
    assert "`fleet migrate`" in cli("agents", "list", code=2).stderr
    findings = {item["check"]: item for item in json.loads(cli("check", "--json", code=1).stdout)["checks"]}
    assert findings["migrations"]["level"] == "fail"
    assert "Missing" in cli("migrate", "--dry-run").stdout
    assert "Done" in cli("migrate").stdout
    assert "up to date" in cli("migrate").stdout
    assert cli.json("agents", "list", "--kind", "gallery")["items"] == []
    assert [one["username"] for one in cli.json("agents", "list")["items"]] == [
        "fleet_approvals",
        "fleet_forecast",
        "fleet_health",
        "fleet_hooks",
        "fleet_leader",
        "fleet_metrics",
        "fleet_pricing",
        "fleet_reconciler",
        "fleet_tuning",
    ]


def test_check_says_what_is_right_and_what_is_wrong_with_its_fix(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    result = json.loads(cli("check", "--json", code=1, FLEET_HOME=str(tmp_path)).stdout)
    assert result["ok"] is False
    findings = {item["check"]: item for item in result["checks"]}
    for right in ("settings", "home", "personas", "database", "clock", "migrations", "broker", "beat"):
        assert findings[right]["level"] == "ok", findings[right]
    for wrong in ("gallery", "workers"):
        assert findings[wrong]["level"] == "fail"
        assert findings[wrong]["fix"]


def test_check_wants_a_home_that_can_be_written_only_where_something_is_kept_in_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / ".check").mkdir()  # stands for the read-only disk of a container
    (tmp_path / "objects").mkdir()

    def level(**env: str) -> str:
        found = json.loads(cli("check", "--json", code=1, FLEET_HOME=str(tmp_path), **env).stdout)["checks"]
        return str({item["check"]: item["level"] for item in found}["home"])

    assert level() == "fail"  # fetched pictures are kept there
    assert level(FLEET_OBJECTS=str(tmp_path / "objects")) == "ok"
    (tmp_path / "run.json").write_text(
        '{"version": 1, "boot": "", "fleet": [1, 1], "urls": {}, "ports": {}, "processes": {}}'
    )
    assert level(FLEET_OBJECTS=str(tmp_path / "objects")) == "fail"  # `fleet up` lives there


def test_check_reports_overdue_agents_as_a_missing_beat(cli: Cli, fleet: Fleet) -> None:
    fleet.agent()
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '5 min'")
    findings = {item["check"]: item for item in json.loads(cli("check", "--json", code=1).stdout)["checks"]}
    assert findings["beat"]["level"] == "fail"
    assert "fleet beat" in findings["beat"]["fix"]


def test_check_finds_a_gallery_that_agents_may_not_write_to(cli: Cli) -> None:
    env = {"FLEET_GALLERY_URL": "https://gallery.example.org", "FLEET_SERVICE_TOKEN": "fst_abcdefgh"}
    findings = {item["check"]: item for item in json.loads(cli("check", "--json", code=1, **env).stdout)["checks"]}
    assert "FLEET_ALLOWED_HOSTS" in findings["gallery"]["message"]


def test_check_names_the_broken_persona_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_bytes((SHIPPED / "names.yaml").read_bytes())
    (tmp_path / "broken.yaml").write_text("id: [")
    for arguments, code in ((["check"], 1), (["persona", "check"], 2)):
        shown = cli(*arguments, code=code, columns=200, FLEET_PERSONAS_DIR=str(tmp_path)).stdout
        assert "broken.yaml" in shown


def test_check_does_not_hide_behind_a_dead_broker(cli: Cli) -> None:
    shown = cli("check", code=1, columns=200, FLEET_BROKER_URL="redis://:hush@127.0.0.1:1/0").stdout
    assert "✗ fail broker" in shown
    assert "hush" not in shown


def test_replay_of_a_decision_is_the_same(cli: Cli, fleet: Fleet) -> None:
    decided(fleet)
    assert "The same: post." in cli("replay", "ann_1", "1").stdout
    assert cli.json("replay", "ann_1", "1")["same"] is True


def test_replay_of_a_decision_that_comes_out_differently_shows_how(cli: Cli, fleet: Fleet) -> None:
    decided(fleet)
    fleet.sql("""UPDATE ticks SET outcome = outcome || '{"action": "like"}'""")
    shown = cli("replay", "ann_1", "1", code=1).stdout
    assert '-   "action": "like"' in shown
    assert '+   "action": "post"' in shown


def test_replay_of_what_was_never_decided(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1")
    said = cli("replay", "ann_1", "9", code=3).stderr
    assert "This agent has no tick 9" in said and "fleet agents decisions" in said
    cli("trigger", "ann_1")
    cli("replay", "ann_1", "1", code=4)


def test_activity_is_a_page_newest_last_and_json_newest_first(cli: Cli, fleet: Fleet) -> None:
    decided(fleet)
    fleetwide.throw_kill_switch(fleet.deps, by="ann", reason="fire")
    lines = cli("activity", columns=120).stdout.splitlines()
    assert "KILL SWITCH on, by ann: fire" in lines[-1]
    page = cli.json("activity")
    assert page["items"][0]["subject"] == "control.kill_switch.thrown"
    assert set(page["items"][0]) == {
        "id", "position", "occurred_at", "subject", "agent_id", "agent", "name", "emoji", "words", "url", "job_id",
        "payload",
    }  # fmt: skip
    thoughts = cli.json("activity", "--subject", "agent.thought", "--agent", "ann_1")["items"]
    assert [event["agent"] for event in thoughts] == ["ann_1"]
    assert "💭" in cli("activity", "-v", "--subject", "agent.*").stdout
    for follow in ((), ("--follow",)):
        misspelt = cli("activity", "--subject", "job.don", *follow, code=2)
        assert "No event has the subject 'job.don'" in misspelt.stderr and "job.done" in misspelt.stderr
    assert cli("activity", "--subject", "picture.replaced").stderr == "Nothing happened.\n"
    fleet.sql("UPDATE events SET occurred_at = occurred_at - interval '3 h' WHERE subject <> 'agent.thought'")
    assert {event["subject"] for event in cli.json("activity", "--since", "2h")["items"]} == {"agent.thought"}
    assert {"agent.thought"} < {event["subject"] for event in cli.json("activity", "--since", "4h")["items"]}
    assert "No event has the subject" in cli("activity", "--since", "2h", "--subject", "job.don", code=2).stderr
    assert "1 event. More: --cursor " in cli("activity", "--limit", "1").stderr
    cli("activity", "--follow", "--cursor", "x", code=2)
    every = cli.json("activity", "--limit", "1000")
    above = cli.json("activity", "--limit", str(len(every["items"]) - 1))
    assert cli.json("activity", "--cursor", above["next"]) == {"items": every["items"][-1:], "next": None}
    assert "✦ is new" in cli("agents", "activity", "ann_1").stdout


def test_activity_follows_what_happens_until_ctrl_c(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    env = {**os.environ, "FLEET_DATABASE_URL": cli.database_url, "FLEET_BROKER_URL": cli.broker_url}
    follower = subprocess.Popen(
        # SIGINT ignored, as a shell starts a job in the background.
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh",
         sys.executable, "-m", "fleet.cli", "activity", "--follow", "--json", "--subject", "control.*"],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        fleetwide.pause(fleet.deps, "fleet", by="ann")
        fleet.agent()  # an event of another subject
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["subject"] == "control.paused"
        fleetwide.resume(fleet.deps, "fleet", by="ann")
        assert json.loads(follower.stdout.readline())["subject"] == "control.resumed"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=WITHIN_S) == 130
        assert follower.stderr is not None
        assert follower.stderr.read().strip() == ""
    finally:
        follower.kill()
        follower.communicate()


def test_dispatch_and_sweep_by_hand(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.set_setting("agent_hours", ["3-4"])
    fleet.set_setting("agent_timezone", "UTC")
    assert "Woke 1 agent." in cli("dispatch").stdout
    wakes_at = fleet.row(agent).next_tick_at
    assert wakes_at is not None and wakes_at.hour == 3, "with the settings that are set at run time"
    assert "No agent is due." in cli("dispatch").stdout
    assert "Nothing was left lying." in cli("sweep").stdout
    fleet.sql("UPDATE ticks SET published_at = clock_timestamp() - interval '1 h'")
    assert "Ticks rung 1." in cli("sweep").stdout


def test_personas_need_no_database() -> None:
    bare = Cli("", "")
    assert len(bare.json("persona", "list")["items"]) == 6
    assert bare.json("persona", "show", "ai_artist")["schedule"]["timezone"] == "UTC"
    assert "ai_artist" in bare("persona", "show", "ai_artist").stdout
    assert "The persona files are sound." in bare("persona", "check").stdout
    assert len(bare.json("persona", "schedule", "ai_artist")["schedule"]["rates"]) == 7
    assert "Mon" in bare("persona", "schedule", "ai_artist").stdout
    assert "'ai_artist'" in bare("persona", "show", "ai_artits", code=3).stderr


def test_the_shell_completes_agents_and_offers_nothing_when_it_cannot_ask(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1")
    words = {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet agents show an", "COMP_CWORD": "3"}
    assert "plain,ann_1" in cli(**words).stdout
    assert cli(**words, FLEET_DATABASE_URL="postgresql://127.0.0.1:1/x").stdout.strip() == ""
    elsewhere = {**words, "COMP_WORDS": "fleet --server http://127.0.0.1:1 agents show an", "COMP_CWORD": "5"}
    assert cli(**elsewhere).stdout.strip() == ""


def test_people_decisions_count(fleet: Fleet) -> None:
    decided(fleet)
    rows, total = decisions.decisions(fleet.deps, "ann_1", limit=5)
    assert (len(rows), total) == (1, 1)
