"""The command line on a real database and broker: seeding, agents, and what a person reads.

`Cli` runs a command as a person would; the other test_cli modules use it too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from fleet.access import Role
from fleet.cli.app import cli as root
from fleet.engine.agents.status import AgentStatus
from fleet.engine.dispatch import dispatch
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.tick import tick
from fleet.features.users import service as accounts
from tests import ROOT
from tests.factories import Fleet

AGENT_KEYS = {
    "id", "username", "name", "kind", "status", "autonomy", "surface", "owner", "personality", "vibe", "interests",
    "scans", "scan_interval_s", "audience", "heeds_agents", "draft_days",
    "real_interval_s",
    "tick_no", "next_tick_at", "paused_until", "pause_reason", "current_action", "last_action_at", "last_thought",
    "remote_account", "url", "created_at", "updated_at", "deleted_at", "persona", "weights", "interval_s", "totals",
    "config",
}  # fmt: skip
HOSTILE = "[red]Ann[/red] \x1b[31m\x07\u202e:smile:"


@dataclass
class Cli:
    """The `fleet` command with its servers in the environment."""

    database_url: str
    broker_url: str

    def __call__(self, *arguments: str, code: int | None = 0, columns: int = 80, stdin: str | None = None,
                 **env: str) -> Result:  # fmt: skip
        """Run a command and expect its exit code, None for any; `stdin` is what it may read."""
        given = {"FLEET_DATABASE_URL": self.database_url, "FLEET_BROKER_URL": self.broker_url, "COLUMNS": str(columns)}
        result = CliRunner().invoke(root, list(arguments), input=stdin, env={**given, **env}, prog_name="fleet")
        assert code in (None, result.exit_code), f"{result.exit_code}: {result.output}"
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: str, **env: str) -> Any:
        """Run a command with --json and return what it printed."""
        result = self(*arguments, "--json", **env)
        assert "\x1b" not in result.stdout
        return json.loads(result.stdout)


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def test_seed_prints_the_usernames_and_a_second_run_adds_others(cli: Cli) -> None:
    first = cli("seed", "-n", "3", "--seed", "7").stdout.split()
    second = cli("seed", "-n", "2", "--seed", "7").stdout.split()
    assert len(set(first + second)) == 5
    assert {agent["username"] for agent in cli.json("agents", "list")["items"]} >= {*first, *second}


def test_seed_starts_only_when_asked(cli: Cli) -> None:
    cli("seed", "-n", "1")
    cli("seed", "-n", "1", "--start")
    statuses = sorted(agent["status"] for agent in cli.json("agents", "list")["items"])
    assert statuses == ["idle", "running"]


def test_seed_of_one_persona(cli: Cli) -> None:
    cli("seed", "-n", "3", "--persona", "ai_artist")
    assert {agent["persona"] for agent in cli.json("agents", "list")["items"]} == {"ai_artist"}


def test_seed_names_the_nearest_persona(cli: Cli) -> None:
    result = cli("seed", "--persona", "ai_artis", code=3)
    assert "'ai_artist'" in result.stderr


def test_a_list_pages_and_says_how_much_there_is(cli: Cli) -> None:
    cli("seed", "-n", "7")
    first = cli("agents", "list", "--limit", "5")
    assert len(first.stdout.splitlines()) == 1 + 5
    said = re.fullmatch(r"5 agents\. More: (--cursor) (\S+)\n", first.stderr)
    assert said
    following = cli("agents", "list", "--limit", "5", *said.groups())
    assert following.stderr == "2 agents.\n"
    assert not {*first.stdout.splitlines()[1:]} & {*following.stdout.splitlines()[1:]}
    assert cli("agents", "list", "--status", "error").stderr == "No agents.\n"


def test_quiet_leaves_the_answer_and_drops_the_remarks(cli: Cli) -> None:
    cli("seed", "-n", "1")
    result = cli("-q", "agents", "list")
    assert result.stderr == ""
    assert result.stdout
    assert cli("agents", "start-all", "--quiet").output == ""


def test_the_keys_of_an_agent_are_stable(cli: Cli) -> None:
    cli("seed", "-n", "1")
    page = cli.json("agents", "list")
    assert set(page) == {"items", "next"}
    assert set(page["items"][0]) == AGENT_KEYS
    username = page["items"][0]["username"]
    shown = cli.json("agents", "show", username)
    assert shown == page["items"][0] | {"drafts": None, "publishing": {"latest": []}, "settings": {"items": []}}
    assert shown["created_at"].endswith("Z")


def test_the_manual_lists_the_keys(cli: Cli, fleet: Fleet) -> None:
    manual = (ROOT / "docs" / "cli.md").read_text()
    rows = [line for line in manual.splitlines() if line.startswith("| `")]
    for command, keys in (("agents list", AGENT_KEYS), ("status", set(cli.json("status")))):
        (row,) = [row for row in rows if row.startswith(f"| `{command}`") and "," in row]
        assert keys <= set(re.findall(r"[a-z_]+", row)), command


def test_lists_filter(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", name="Ann", persona_id="ai_artist")
    fleet.agent(username="bob_1", name="Bob", persona_id="data_viz", running=False)

    def found(*options: str) -> list[str]:
        return [agent["username"] for agent in cli.json("agents", "list", *options)["items"]]

    assert found("--status", "running") == ["ann_1"]
    assert found("--persona", "data_viz") == ["bob_1"]
    assert found("--find", "AN") == ["ann_1"]
    assert found("--find", "%") == []
    assert found("--kind", "gallery", "--autonomy", "autonomous") == ["ann_1", "bob_1"]
    assert found("--autonomy", "supervised") == []


def test_hostile_names_are_shown_and_not_obeyed(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", name=HOSTILE, personality=HOSTILE, interests=(HOSTILE,))
    for arguments in (["agents", "list"], ["agents", "show", "ann_1"], ["activity"], ["agents", "list", "--json"]):
        shown = cli(*arguments, columns=200).output
        assert "[red]Ann[/red]" in shown
        assert not set("\x1b\x07\u202e") & set(shown)


def test_a_list_is_readable_at_80_columns(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="a" * 30, name="N" * 100, persona_id="product_photographer")
    lines = cli("agents", "list", columns=80).stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "a" * 12 in lines[1]


def test_create_takes_the_character_of_a_persona_and_changes_what_is_named(cli: Cli) -> None:
    cli("agents", "create", "neon_1", "--persona", "ai_artist", "--post", "9", "--interest", "fog", "--interest", "tin")
    agent = cli.json("agents", "show", "neon_1")
    assert agent["name"] == "Neon 1"
    assert agent["persona"] == "ai_artist"
    assert agent["weights"]["post"] == 9
    assert agent["weights"]["like"] > 0
    assert agent["interests"] == ["fog", "tin"]
    assert agent["interval_s"] == {"min": 30, "max": 90}
    assert agent["status"] == "idle"
    assert agent["owner"] == ""


def test_create_without_a_persona_has_weights_all_the_same(cli: Cli) -> None:
    cli("agents", "create", "neon_1", "--name", "Neon", "--start")
    agent = cli.json("agents", "show", "neon_1")
    assert agent["status"] == "running"
    assert sum(agent["weights"].values()) > 0


def test_create_has_all_options_that_edit_has(cli: Cli) -> None:
    create, edit = (root.get_command(click.Context(root), "agents").commands[name] for name in ("create", "edit"))
    assert {one.name for one in edit.params} - {"name"} <= {one.name for one in create.params}
    cli("agents", "create", "neon_1", "--autonomy", "supervised", "--scan-every", "15m", "--draft-days", "3", "--start",
        "--config", "heeds_agents=true", "--min-interval", "20")  # fmt: skip
    agent = cli.json("agents", "show", "neon_1")
    assert (agent["autonomy"], agent["scan_interval_s"], agent["draft_days"]) == ("supervised", 900, 3)
    assert (agent["heeds_agents"], agent["interval_s"], agent["status"]) == (True, {"min": 20, "max": 300}, "running")


def test_a_pause_is_described_in_plain_words(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", min_interval_s=60, max_interval_s=300)
    assert re.search(r"Pause between +about 1 to 5 min *\n", cli("agents", "show", "ann_1").stdout)
    shown = cli("agents", "show", "ann_1", FLEET_TEMPO="10").stdout
    assert re.search(r"Pause between +about 1 to 5 min; in real time about 6 to 30 s *\n", shown)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["taken_1"], 4, "taken"),
        (["No Spaces"], 2, "a-z, 0-9"),
        (["neon_1", "--persona", "nobody"], 3, "nobody"),
        (["neon_1", "--post", "0", "--comment", "0", "--like", "0", "--browse", "0"], 2, "Weights"),
        (["neon_1", "--post", "-1"], 2, "--post"),
        (["neon_1", "--post", "nan"], 2, ""),
        (["neon_1", "--min-interval", "60", "--max-interval", "5"], 2, "interval"),
        (["neon_1", "--name", "x" * 101], 2, "100 is the most"),
        (["neon_1", "--name", ""], 2, "name: is empty"),
        (["neon_1", "--config", "draft_days=many"], 2, "1 to 90 days"),
    ],
)
def test_create_refuses_what_cannot_be(cli: Cli, fleet: Fleet, arguments: list[str], code: int, words: str) -> None:
    fleet.agent(username="taken_1")
    result = cli("agents", "create", *arguments, code=code)
    assert words in result.stderr and "body." not in result.stderr
    assert [agent["username"] for agent in cli.json("agents", "list")["items"]] == ["taken_1"]


def test_edit_changes_what_is_named_and_nothing_else(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", name="Ann", vibe="calm")
    cli("agents", "edit", "ann_1", "--name", "Anna", "--like", "3", "--autonomy", "supervised")
    agent = cli.json("agents", "show", "ann_1")
    assert (agent["name"], agent["weights"]["like"], agent["autonomy"]) == ("Anna", 3, "supervised")
    assert agent["vibe"] == "calm"


@pytest.mark.parametrize("verb", ["show", "start", "pause", "resume", "stop", "decisions", "activity"])
def test_an_unknown_agent_is_not_found(cli: Cli, verb: str) -> None:
    result = cli("agents", verb, "nobody_1", code=3)
    assert "`fleet agents list`" in result.stderr


def test_delete_asks_and_without_an_answer_deletes_no_agent(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", name="Ann")
    result = cli("agents", "delete", "ann_1", code=2)
    assert "--yes" in result.stderr
    assert cli.json("agents", "show", "ann_1")["deleted_at"] is None
    cli("agents", "delete", "ann_1", "--yes")
    assert cli.json("agents", "list")["items"] == []
    assert [agent["username"] for agent in cli.json("agents", "list", "--deleted")["items"]] == ["ann_1"]
    assert "deleted" in cli("agents", "show", "ann_1").stdout


def test_the_life_of_an_agent(cli: Cli, fleet: Fleet) -> None:
    fleet.agent(username="ann_1", running=False)
    assert "lives now" in cli("agents", "start", "ann_1").stdout
    assert "was running already" in cli("agents", "start", "ann_1").stdout
    assert "is paused" in cli("agents", "pause", "ann_1", "--reason", "lunch").stdout
    assert "was not running" in cli("agents", "pause", "ann_1").stdout
    assert "lunch" in cli("agents", "show", "ann_1").stdout
    assert "Resume it instead." in cli("agents", "start", "ann_1", code=4).stderr
    assert "resumed" in cli("agents", "resume", "ann_1").stdout
    assert "is idle now" in cli("agents", "stop", "ann_1").stdout
    assert "was idle already" in cli("agents", "stop", "ann_1").stdout


def test_all_agents_or_those_of_a_persona(cli: Cli, fleet: Fleet) -> None:
    ids = [fleet.agent(persona_id=p, running=False) for p in ("ai_artist", "ai_artist", "data_viz")]
    assert "Started 2 agents." in cli("agents", "start-all", "--persona", "ai_artist").stdout
    assert "Started 1 agent." in cli("agents", "start-all").stdout
    assert "Paused 1 agent." in cli("agents", "pause-all", "--persona", "data_viz").stdout
    assert "Resumed 1 agent." in cli("agents", "resume-all").stdout
    assert "--yes" in cli("agents", "stop-all", code=2).stderr
    assert fleet.row(ids[0]).status == AgentStatus.RUNNING
    assert "Stopped 3 agents." in cli("agents", "stop-all", "-y").stdout
    assert "nobody" in cli("agents", "start-all", "--persona", "nobody", code=3).stderr


def test_stop_all_calls_off_what_was_not_begun(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent(weights={"post": 1.0})
    dispatch(fleet.deps)
    for message in fleet.bell.take():
        tick(fleet.deps, TickKey(agent, int(message.args[1])))
    assert [job.state for job in fleet.jobs()] == ["ready"]
    cli("agents", "stop-all", "-y")
    assert [job.state for job in fleet.jobs()] == ["cancelled"]


def test_decisions_tell_what_and_why(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent(username="ann_1", weights={"post": 1.0})
    dispatch(fleet.deps)
    tick(fleet.deps, TickKey(agent, 1))
    shown = cli("agents", "decisions", "ann_1", columns=120)
    assert "decided" in shown.stdout
    assert "I have an idea" in shown.stdout
    assert shown.stderr == "1 decision.\n"
    page = cli.json("agents", "decisions", "ann_1")
    assert len(page["items"]) == 1
    assert "inputs" not in page["items"][0]
    assert cli.json("agents", "decisions", "ann_1", "--inputs")["items"][0]["inputs"]["username"] == "ann_1"


def test_agents_are_given_an_owner_by_name_or_by_their_owner_before(cli: Cli, fleet: Fleet) -> None:
    accounts.create_user(fleet.deps, "ben", Role.REVIEWER, "correct horse battery")
    fleet.agent(username="ada_1")
    fleet.agent(username="bob_1")
    assert "ben owns 2 more agents." in cli("agents", "assign", "ben", "ada_1", "bob_1").stdout
    assert "Nobody owns 2 more agents." in cli("agents", "assign", "", "--from", "ben").stdout
    assert {one["owner"] for one in cli.json("agents", "list")["items"]} == {""}
    assert "no user zoe" in cli("agents", "assign", "zoe", "ada_1", code=3).stderr
    cli("agents", "assign", "ben", code=2)
