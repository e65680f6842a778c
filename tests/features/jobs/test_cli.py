"""Jobs and dead letters from the command line."""

from __future__ import annotations

import uuid

import pytest

from fleet.engine.jobs import lists, queries
from fleet.engine.jobs.states import DeadReason
from fleet.features.publishing.kinds import BROWSE, LIKE, POST
from tests.engine.test_perform import add
from tests.factories import Fleet
from tests.features.agents.test_cli import HOSTILE, Cli

JOB_KEYS = {
    "id", "kind", "state", "priority", "agent_id", "agent", "tick_no", "surface", "target", "attempts", "max_attempts",
    "claims", "next_attempt_at", "sending_at", "held", "remote_id", "url", "picture", "dead_reason", "error", "text",
    "requested_by", "created_at", "expires_at", "finished_at",
}  # fmt: skip


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def dead(fleet: Fleet, agent: uuid.UUID, *, kind: str = POST, reason: DeadReason = DeadReason.EXHAUSTED,
         target: str | None = None, hours_ago: float = 0, stale: bool = False,
         error: str = "503") -> uuid.UUID:  # fmt: skip
    """Add a dead letter."""
    job_id = add(fleet, agent, kind, target=target)
    fleet.sql(
        "UPDATE jobs SET state = 'dead', dead_reason = :reason, error = :error,"
        " finished_at = clock_timestamp() - make_interval(secs => :age),"
        " expires_at = clock_timestamp() + make_interval(secs => :left) WHERE id = :id",
        reason=str(reason), error=error, age=hours_ago * 3600, left=-1 if stale else 3600, id=job_id,
    )  # fmt: skip
    return job_id


def test_jobs_are_listed_with_their_agents_and_filtered(cli: Cli, fleet: Fleet) -> None:
    ann, bob = fleet.agent(username="ann_1"), fleet.agent(username="bob_1")
    add(fleet, ann, POST)
    add(fleet, bob, LIKE, target="p1")
    page = cli.json("jobs", "list")
    assert page["next"] is None
    assert set(page["items"][0]) == JOB_KEYS
    assert {job["agent"] for job in page["items"]} == {"ann_1", "bob_1"}
    assert [job["kind"] for job in cli.json("jobs", "list", "--agent", "bob_1")["items"]] == ["like"]
    assert len(cli.json("jobs", "list", "--kind", "post", "--state", "ready")["items"]) == 1
    assert len(cli.json("jobs", "list", "--state", "done")["items"]) == 0
    assert len(cli.json("jobs", "list", "--older-than", "1h")["items"]) == 0
    assert len(cli.json("jobs", "list", "--newer-than", "1h")["items"]) == 2
    assert "2 jobs." in cli("jobs", "list").stderr


def test_a_list_of_a_span_goes_on_below_its_cursor(cli: Cli, fleet: Fleet) -> None:
    made = {str(add(fleet, fleet.agent(), POST)) for _ in range(3)}
    first = cli.json("jobs", "list", "--newer-than", "1h", "--limit", "2")
    assert f"--cursor {first['next']}" in cli("jobs", "list", "--newer-than", "1h", "--limit", "2").stderr
    rest = cli.json("jobs", "list", "--newer-than", "1h", "--cursor", first["next"])
    assert {job["id"] for job in first["items"] + rest["items"]} == made
    assert len(rest["items"]) == 1 and rest["next"] is None


def test_a_job_is_found_by_the_beginning_of_its_id(cli: Cli, fleet: Fleet) -> None:
    job_id = add(fleet, fleet.agent(username="ann_1"), POST)
    shown = cli.json("jobs", "show", str(job_id)[:8])
    assert shown["id"] == str(job_id)
    assert set(shown) == JOB_KEYS | {"payload", "checkpoint", "result", "remedy", "history"}
    fleet.sql("UPDATE jobs SET claims = 1")
    told = cli("jobs", "show", str(job_id)).stdout
    assert "ann_1" in told and "begun 1 time" in told and "begun 1 times" not in told


@pytest.mark.parametrize(("prefix", "code"), [("abc", 2), ("zzzz", 2), ("0000abcd", 3), (str(uuid.UUID(int=7)), 3)])
def test_a_malformed_job_id_is_distinguished_from_an_unknown_one(cli: Cli, prefix: str, code: int) -> None:
    cli("jobs", "show", prefix, code=code)


def test_retry_makes_a_waiting_job_due_and_rings(cli: Cli, fleet: Fleet) -> None:
    job_id = add(fleet, fleet.agent(), POST)
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() + interval '1 h'")
    cli("jobs", "retry", str(job_id)[:8])
    assert fleet.job(job_id).next_attempt_at < fleet.job(job_id).expires_at
    assert cli.json("status")["queues"]["normal"] == 1


def test_cancel_calls_off_and_a_second_time_is_a_conflict(cli: Cli, fleet: Fleet) -> None:
    job_id = add(fleet, fleet.agent(), POST)
    cli("jobs", "cancel", str(job_id))
    assert fleet.job(job_id).state == "cancelled"
    assert "cancelled" in cli("jobs", "cancel", str(job_id), code=4).stderr


def test_dead_letters_are_listed_by_reason_kind_agent_age_and_id(cli: Cli, fleet: Fleet) -> None:
    ann, bob = fleet.agent(username="ann_1"), fleet.agent(username="bob_1")
    old = dead(fleet, ann, hours_ago=50)
    poison = dead(fleet, bob, kind=LIKE, reason=DeadReason.POISON, target="p1")

    def found(*options: str) -> list[str]:
        return [job["id"] for job in cli.json("dead", "list", *options)["items"]]

    assert set(found()) == {str(old), str(poison)}
    assert found("--reason", "poison") == [str(poison)]
    assert found("--kind", "post") == [str(old)]
    assert found("--agent", "bob_1") == [str(poison)]
    assert found("--older-than", "2d") == [str(old)]
    assert found("--newer-than", "2h") == [str(poison)]
    assert found("--id", str(old)[:8]) == [str(old)]


def test_a_hostile_error_is_shown_and_not_obeyed(cli: Cli, fleet: Fleet) -> None:
    dead(fleet, fleet.agent(), error=HOSTILE)
    shown = cli("dead", "list", columns=200).output
    assert "[red]Ann[/red]" in shown
    assert "\x1b" not in shown


def test_dead_show_is_for_the_dead(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent()
    shown = cli("dead", "show", str(dead(fleet, agent))).stdout
    assert "exhausted" in shown
    assert "then replay" in " ".join(shown.split()), "what can be done about it"
    alive = add(fleet, agent, BROWSE, tick_no=9)
    assert "fleet jobs show" in cli("dead", "show", str(alive), code=4).stderr


def test_a_dry_run_shows_and_changes_nothing(cli: Cli, fleet: Fleet) -> None:
    job_id = dead(fleet, fleet.agent())
    assert "Would replay 1 of 1 dead letter." in cli("dead", "replay", "--dry-run").stdout
    assert "Would discard 1 of 1 dead letter." in cli("dead", "discard", "--dry-run").stdout
    assert fleet.job(job_id).state == "dead"


def test_very_many_dead_letters_are_not_counted(cli: Cli, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 2)
    for _ in range(3):
        dead(fleet, fleet.agent())
    assert "Would replay 3 of very many dead letters." in cli("dead", "replay", "--dry-run").stdout


def test_replay_asks_and_brings_back_to_life_once(cli: Cli, fleet: Fleet) -> None:
    job_id = dead(fleet, fleet.agent())
    assert "--yes" in cli("dead", "replay", code=2).stderr
    assert fleet.job(job_id).state == "dead"
    assert "Replayed 1 dead letter." in cli("dead", "replay", "--yes").stdout
    assert fleet.job(job_id).state == "ready"
    assert "Replayed 0 of 0 dead letters." in cli("dead", "replay", "--yes").stdout
    assert cli.json("status")["queues"]["normal"] == 1


def test_replay_skips_stale_jobs_unless_asked(cli: Cli, fleet: Fleet) -> None:
    job_id = dead(fleet, fleet.agent(), stale=True)
    result = cli("dead", "replay", "--yes")
    assert "--allow-stale" in result.stderr
    assert fleet.job(job_id).state == "dead"
    cli("dead", "replay", "--yes", "--allow-stale")
    assert fleet.job(job_id).state == "ready"


def test_replay_takes_no_more_than_its_limit(cli: Cli, fleet: Fleet) -> None:
    for _ in range(3):
        dead(fleet, fleet.agent())
    assert "Replayed 2 dead letters." in cli("dead", "replay", "--limit", "2", "-y").stdout
    assert len(cli.json("dead", "list")["items"]) == 1


def test_replay_obeys_its_filters(cli: Cli, fleet: Fleet) -> None:
    kept = dead(fleet, fleet.agent(), reason=DeadReason.PERMANENT)
    back = dead(fleet, fleet.agent(), reason=DeadReason.EXHAUSTED)
    cli("dead", "replay", "--reason", "exhausted", "-y")
    assert (fleet.job(kept).state, fleet.job(back).state) == ("dead", "ready")


def test_discard_keeps_the_row(cli: Cli, fleet: Fleet) -> None:
    job_id = dead(fleet, fleet.agent())
    assert "--yes" in cli("dead", "discard", code=2).stderr
    cli("dead", "discard", "--yes")
    assert fleet.job(job_id).state == "cancelled"
    assert len(cli.json("dead", "list")["items"]) == 0


def test_a_message_that_no_task_understands_is_shown_and_stays_dead(cli: Cli, fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        queries.quarantine(tx, task="fleet.nothing", body=HOSTILE.replace("\x07", ""), why="unknown task")
    assert "unreadable" in cli("dead", "list", columns=160).stdout
    assert "no task can read" in cli("dead", "replay", "-y").stderr
    assert len(cli.json("dead", "list")["items"]) == 1
