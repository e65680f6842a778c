"""One job at a time through `perform`, with the surface failing in every way it can."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters import base
from fleet.adapters import gateway as guard
from fleet.adapters.base import AnyAction, Resolution
from fleet.core import events, ids
from fleet.core.clock import Clock
from fleet.core.errors import Conflict, InvalidInput, Unavailable
from fleet.engine.agents.status import AgentStatus
from fleet.engine.attempts import perform as perform_module
from fleet.engine.attempts import reserve
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger, queries, snooze
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.sweep import sweep
from fleet.features.controls import commands as fleetwide
from fleet.features.jobs import commands as job_commands
from fleet.features.publishing.kinds import COMMENT, DEPROVISION, LIKE, POST, PROVISION
from tests.factories import Fleet, make_fleet, raises, reply_lost, until_somebody_waits


def add(fleet: Fleet, agent_id: uuid.UUID, kind: str, *, target: str | None = None, tick_no: int = 1,
        **payload: object) -> uuid.UUID:  # fmt: skip
    job = NewJob(ids.job(agent_id, tick_no, 0), agent_id, kind, "floimg", tick_no, target, payload)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def settle(fleet: Fleet, job_id: uuid.UUID, *, most: int = 20) -> str:
    """Sweep and perform until the job has ended; return its state."""
    for _ in range(most):
        if fleet.job(job_id).finished_at is not None:
            break
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()
        perform(fleet.deps, job_id)
    return fleet.job(job_id).state


def test_a_post_is_shown_once_and_everything_about_it_is_recorded(fleet: Fleet) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, POST)
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.remote_id, row.attempts, row.claims) == ("done", "e1", 0, 1)
    assert [effect.text for effect in fleet.surface.effects] == ["A harbour, take 1."]
    assert fleet.row(agent).totals == {"post": 1}
    assert fleet.row(agent).last_action_at is not None
    with fleet.deps.db.transaction() as tx:
        assert [event.subject for event in events.latest(tx, job_id=job)] == ["job.done"]
        (attempt,) = queries.attempts_of(tx, job)
    assert (attempt.outcome, attempt.worker) == ("done", "test:1")


def test_a_second_delivery_of_the_message_changes_nothing(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    for _ in range(3):
        perform(fleet.deps, job)
    assert len(fleet.surface.effects) == 1
    assert fleet.job(job).claims == 1


def test_two_deliveries_at_once_claim_once(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    threads = [threading.Thread(target=perform, args=(fleet.deps, job)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fleet.surface.effects) == 1
    assert fleet.job(job).claims == 1


@pytest.mark.parametrize("kind", [POST, COMMENT])
def test_a_lost_reply_is_found_by_looking_and_not_sent_again(fleet: Fleet, kind: str) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, kind, target="p1" if kind == COMMENT else None, author="zoe")
    fleet.surface.faults = [reply_lost]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "unknown"
    assert settle(fleet, job) == "done"
    assert len(fleet.surface.effects) == 1
    assert fleet.job(job).remote_id == "e1"
    said = {"target": "p1", "to": "zoe"} if kind == COMMENT else {"alt_text": "A harbour."}
    result = dict(fleet.job(job).result or {})
    assert ("picture" in result) == (kind == POST)  # the copy that the attempt before has made
    result.pop("picture", None)
    assert result == {"text": fleet.surface.effects[0].text, "adopted": True} | said


def test_what_is_surely_not_there_is_sent_again_with_the_same_words(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [raises(base.Uncertain("502"))]
    perform(fleet.deps, job)
    assert settle(fleet, job) == "done"
    assert [effect.text for effect in fleet.surface.effects] == ["A harbour, take 1."]
    assert fleet.words.calls == 1
    assert len(fleet.surface.images_paid) == 1


def test_a_probe_does_not_adopt_what_another_job_has_done(fleet: Fleet) -> None:
    agent = fleet.agent()
    first = add(fleet, agent, POST, tick_no=1)
    perform(fleet.deps, first)
    second = add(fleet, agent, POST, tick_no=2)
    fleet.words.calls = 0  # the same caption once more
    fleet.surface.faults = [raises(base.Uncertain("502"))]
    perform(fleet.deps, second)
    assert settle(fleet, second) == "done"
    assert len(fleet.surface.effects) == 2
    assert fleet.job(first).remote_id != fleet.job(second).remote_id


def test_a_like_stays_a_like_however_often_the_reply_is_lost(fleet: Fleet) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, LIKE, target="p1")
    fleet.surface.faults = [reply_lost, reply_lost]
    assert settle(fleet, job) == "done"
    assert fleet.surface.liked == {(fleet.row(agent).username, "p1")}
    assert fleet.row(agent).totals == {"like": 1}


def test_a_write_that_no_probe_can_find_is_left_to_a_person(fleet: Fleet) -> None:
    fleet.surface.actions = {**fleet.surface.actions, POST: Resolution.ASK}
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [reply_lost]
    assert settle(fleet, job) == "dead"
    assert fleet.job(job).dead_reason == "unknown_outcome"
    assert len(fleet.surface.effects) == 1


def test_a_surface_that_swallows_every_write_ends_in_a_dead_letter(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [raises(base.Uncertain("502")) for _ in range(50)]
    assert settle(fleet, job) == "dead"
    assert fleet.job(job).dead_reason == "exhausted"
    assert fleet.surface.writes_begun == fleet.job(job).max_attempts


def test_a_probe_that_keeps_failing_leaves_an_unknown_outcome(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [reply_lost]
    fleet.surface.probe_faults = [base.Unreachable("down") for _ in range(50)]
    assert settle(fleet, job) == "dead"
    assert fleet.job(job).dead_reason == "unknown_outcome"
    assert fleet.surface.writes_begun == 1


def test_a_write_that_may_be_out_is_not_looked_for_before_it_has_settled(database_url: str) -> None:
    fleet = make_fleet(database_url, settle_s=20.0)
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [raises(base.Uncertain("no answer"))]
    perform(fleet.deps, job)
    with pytest.raises(Conflict, match="may be out"):
        job_commands.retry_job(fleet.deps, str(job))
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.surface.probes) == ("unknown", 0)
    fleet.sql("UPDATE job_attempts SET ended_at = ended_at - interval '21 s'")
    job_commands.retry_job(fleet.deps, str(job))
    perform(fleet.deps, job)
    assert fleet.surface.probes == 1
    fleet.deps.close()


@pytest.mark.parametrize("error", [base.Refused("400 bad query"), base.Vanished("404"), InvalidInput("no persona")])
def test_a_probe_that_is_refused_says_nothing_about_what_it_looked_for(fleet: Fleet, error: Exception) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [reply_lost]
    perform(fleet.deps, job)
    fleet.surface.probe_faults = [error]
    fleet.time_passes()
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "unknown_outcome")
    assert fleet.job(job).sending_at is not None, "it may be out, and counts toward the caps"
    assert job_commands.replay_dead(fleet.deps, JobFilter(ids=(job,)), by="ada") == 1
    assert settle(fleet, job) == "done"
    assert len(fleet.surface.effects) == 1


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (base.Refused("422 too rude"), "dead", "permanent"),
        (base.Vanished("404"), "skipped", None),
        (guard.NotAllowed("not yours"), "dead", "policy"),
    ],
)
def test_a_definite_no_ends_the_job(fleet: Fleet, error: Exception, state: str, reason: str | None) -> None:
    job = add(fleet, fleet.agent(), COMMENT, target="p1", author="zoe")
    fleet.surface.faults = [raises(error)]
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == (state, reason)
    assert fleet.surface.effects == []


def test_failures_cost_attempts_until_they_are_used_up(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(base.Unreachable("refused")) for _ in range(50)]
    assert settle(fleet, job) == "dead"
    row = fleet.job(job)
    assert (row.dead_reason, row.attempts) == ("exhausted", row.max_attempts)


def test_a_rate_limit_costs_no_attempt(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(base.Throttled("429", retry_after_s=7))]
    asked_at = fleet.deps.now()
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.attempts, row.claims, row.sending_at) == ("ready", 0, 0, None)
    assert row.held is not None
    assert row.next_attempt_at >= asked_at + timedelta(seconds=7)
    assert settle(fleet, job) == "done"


def test_an_agents_budget_puts_that_agent_to_sleep_until_it_resets(fleet: Fleet) -> None:
    agent, other = fleet.agent(), fleet.agent()
    reset = datetime.now(UTC) + timedelta(hours=3)
    job = add(fleet, agent, POST)
    fleet.surface.image_faults = [base.SurfaceBudgetSpent("429 AGENT_DAILY", whole_fleet=False, reset_at=reset)]
    perform(fleet.deps, job)
    row = fleet.row(agent)
    assert (row.status, row.paused_until, row.next_tick_at) == (AgentStatus.PAUSED, reset, reset)
    assert (fleet.job(job).state, fleet.job(job).next_attempt_at, fleet.job(job).attempts) == ("ready", reset, 0)
    assert fleet.row(other).status == AgentStatus.RUNNING
    assert "image" not in fleet.job(job).checkpoint, "a spent budget is never answered by a placeholder"


def test_the_fleets_budget_holds_the_whole_surface_until_it_resets(fleet: Fleet) -> None:
    job, other = (add(fleet, fleet.agent(), LIKE, target="p1") for _ in range(2))
    reset = datetime.now(UTC) + timedelta(hours=3)
    fleet.surface.faults = [raises(base.SurfaceBudgetSpent("429 FLEET_DAILY", whole_fleet=True, reset_at=reset))]
    perform(fleet.deps, job)
    perform(fleet.deps, other)
    assert fleet.surface.writes_begun == 1
    assert fleet.job(other).next_attempt_at == reset
    (hold,) = fleetwide.holds(fleet.deps)
    assert (hold.scope, hold.key, hold.until) == ("account", str(SETTINGS_ACCOUNT), reset)


@pytest.mark.parametrize("error", [base.SurfacePaused("503 FLEET_PAUSED"), base.TokenRefused("401")])
def test_what_only_a_person_can_mend_pauses_the_surface_until_one_resumes_it(fleet: Fleet, error: Exception) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(error)]
    perform(fleet.deps, job)
    assert [hold.until for hold in fleetwide.holds(fleet.deps)] == [None]
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 1
    fleetwide.resume(fleet.deps, "surface", "floimg", by="ada")
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"


def test_a_failed_workflow_leads_to_a_picture_of_our_own(fleet: Fleet) -> None:
    sent: list[AnyAction] = []
    fleet.surface.faults = [sent.append]  # type: ignore[list-item]
    fleet.surface.image_faults = [base.Refused("the workflow made no picture")]
    job = add(fleet, fleet.agent(), POST)
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    assert sent[0].payload.draft()["image_url"].startswith("data:image/jpeg;base64,")
    assert fleet.job(job).checkpoint["image"]["by"] == "placeholder"


def test_a_picture_that_may_have_been_paid_is_asked_for_again_with_the_same_key(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.image_faults = [base.Uncertain("timeout")]
    assert settle(fleet, job) == "done"
    assert fleet.surface.images_paid == [f"{job}:image"]
    assert fleet.job(job).checkpoint["image"]["by"] == "workflow"


def test_a_missing_account_is_forgotten_so_that_the_next_tick_asks_for_one(fleet: Fleet) -> None:
    agent = fleet.agent()
    job = add(fleet, agent, LIKE, target="p1")
    fleet.surface.faults = [raises(base.AccountMissing("403"))]
    perform(fleet.deps, job)
    assert fleet.row(agent).remote_account is None
    assert fleet.job(job).state == "ready"


def test_provisioning_gives_an_account_and_wakes_the_agent(fleet: Fleet) -> None:
    agent = fleet.agent(account=False)
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() + interval '1 hour'")
    perform(fleet.deps, add(fleet, agent, PROVISION))
    row = fleet.row(agent)
    assert row.remote_account == f"u-{row.username}"
    assert row.next_tick_at is not None and row.next_tick_at < datetime.now(UTC) + timedelta(seconds=1)


def test_dry_run_sends_nothing_and_returns_the_draft(database_url: str) -> None:
    fleet = make_fleet(database_url, dry_run=True)
    jobs = [
        add(fleet, fleet.agent(), POST),
        add(fleet, fleet.agent(), COMMENT, target="p1", author="zoe"),
        add(fleet, fleet.agent(), LIKE, target="p1"),
        add(fleet, fleet.agent(), PROVISION),
    ]
    for job in jobs:
        perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 0
    assert fleet.surface.images_paid == []
    assert {fleet.job(job).state for job in jobs} == {"skipped"}
    draft = (fleet.job(jobs[0]).result or {})["draft"]
    assert draft["text"] == "A harbour, take 1."
    fleet.deps.close()


def test_a_surface_that_is_not_on_the_list_is_never_written_to(fleet: Fleet) -> None:
    fleet.surface.host = "gallery.example.org"
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "policy")
    assert fleet.surface.writes_begun == 0


def test_labels_cannot_be_turned_off_where_others_live(database_url: str) -> None:
    fleet = make_fleet(database_url, label_agents=False, label_off_reason="a private test")
    fleet.surface.third_party = True
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "policy")
    fleet.deps.close()


def test_the_kill_switch_stops_every_kind_and_lifting_it_sets_them_going(fleet: Fleet) -> None:
    jobs = [
        add(fleet, fleet.agent(), POST),
        add(fleet, fleet.agent(), COMMENT, target="p1", author="zoe"),
        add(fleet, fleet.agent(), LIKE, target="p1"),
        add(fleet, fleet.agent(), PROVISION),
        add(fleet, fleet.agent(), DEPROVISION),
    ]
    fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="drill")
    for job in jobs:
        perform(fleet.deps, job)
    assert (fleet.surface.writes_begun, fleet.surface.images_paid) == (0, [])
    assert {fleet.job(job).state for job in jobs} == {"ready"}
    assert {fleet.job(job).attempts for job in jobs} == {0}
    fleetwide.lift_kill_switch(fleet.deps, by="ada")
    for job in jobs:
        perform(fleet.deps, job)
    assert {fleet.job(job).state for job in jobs} == {"done"}


def test_a_claimed_job_is_not_put_aside_for_a_switch_that_is_lifted_meanwhile(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    _throw(fleet)
    lift = _before(reserve.look_again, lambda: fleetwide.lift_kill_switch(fleet.deps, by="ada"))
    monkeypatch.setattr(reserve, "look_again", lift)
    perform(fleet.deps, job)
    assert fleet.job(job).state == "ready"
    assert waits_s(fleet, job) <= 0


def test_a_stopped_write_does_not_wait_for_a_switch_that_is_lifted_meanwhile(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    gateway = fleet.deps.gateway()
    gateway.write = _before(gateway.write, lambda: _throw(fleet))  # type: ignore[method-assign]
    lift = _before(perform_module._record, lambda: fleetwide.lift_kill_switch(fleet.deps, by="ada"))
    monkeypatch.setattr(perform_module, "_record", lift)
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.surface.writes_begun) == ("ready", 0)
    assert waits_s(fleet, job) <= 0


def test_lifting_the_kill_switch_waits_for_jobs_being_snoozed(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    _throw(fleet)
    lifting = threading.Thread(target=fleetwide.lift_kill_switch, args=(fleet.deps,), kwargs={"by": "ada"})
    with fleet.deps.db.transaction() as tx:
        snooze.let_nobody_free(tx)
        lifting.start()
        until_somebody_waits(tx)
        tx.execute(sa.text("UPDATE jobs SET held = 'drill', next_attempt_at = clock_timestamp() + interval '5 min'"))
    lifting.join(10)
    assert waits_s(fleet, job) <= 0


def waits_s(fleet: Fleet, job_id: uuid.UUID) -> float:
    """Return in how many seconds a job is due."""
    query = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM jobs WHERE id = :id"
    return float(fleet.sql(query, id=job_id).scalar())


def test_a_kill_switch_thrown_while_words_are_written_stops_the_write(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.words.write_post = _then(fleet.words.write_post, lambda: _throw(fleet))  # type: ignore[method-assign]
    perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 0
    assert fleet.job(job).state == "ready"


def test_a_kill_switch_thrown_after_the_announcement_still_stops_the_write(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    gateway = fleet.deps.gateway()
    gateway.write = _before(gateway.write, lambda: _throw(fleet))  # type: ignore[method-assign]
    perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 0
    assert (fleet.job(job).state, fleet.job(job).sending_at) == ("ready", None)


def _throw(fleet: Fleet) -> None:
    fleetwide.throw_kill_switch(fleet.deps, by="ada", reason="drill")


def _then(call, after):  # type: ignore[no-untyped-def]
    def both(*args, **kwargs):  # type: ignore[no-untyped-def]
        result = call(*args, **kwargs)
        after()
        return result

    return both


def _before(call, first):  # type: ignore[no-untyped-def]
    def both(*args, **kwargs):  # type: ignore[no-untyped-def]
        first()
        return call(*args, **kwargs)

    return both


@pytest.mark.parametrize("scope", ["fleet", "surface", "persona", "agent", "kind"])
def test_a_pause_of_any_scope_holds_what_it_covers(fleet: Fleet, scope: str) -> None:
    agent, other = fleet.agent(persona_id="ai_artist"), fleet.agent(persona_id="data_viz")
    key = {"fleet": "*", "surface": "floimg", "persona": "ai_artist", "agent": fleet.row(agent).username,
           "kind": "like"}[scope]  # fmt: skip
    held = add(fleet, agent, LIKE, target="p1")
    free = add(fleet, other, COMMENT, target="p1", author="zoe")
    fleetwide.pause(fleet.deps, scope, key, by="ada")
    for job in (held, free):
        perform(fleet.deps, job)
    assert fleet.job(held).state == "ready"
    assert fleet.job(free).state == ("ready" if scope in ("fleet", "surface") else "done")
    assert fleetwide.resume(fleet.deps, scope, key, by="ada")
    perform(fleet.deps, held)
    assert fleet.job(held).state == "done"


def test_a_pause_for_a_while_lifts_itself(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleetwide.pause(fleet.deps, "fleet", by="ada", for_=timedelta(hours=1))
    perform(fleet.deps, job)
    assert fleet.job(job).state == "ready"
    fleet.sql("UPDATE controls SET until = clock_timestamp()")
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"


def test_posts_keep_their_distance_even_when_two_are_ready_at_once(database_url: str) -> None:
    fleet = make_fleet(database_url, caps={"post": {"gap_s": 1800}})
    agent = fleet.agent()
    jobs = [add(fleet, agent, POST, tick_no=n) for n in (1, 2)]
    threads = [threading.Thread(target=perform, args=(fleet.deps, job)) for job in jobs]
    with fleet.deps.db.transaction() as tx:
        tx.execute(sa.text(f"SELECT pg_advisory_xact_lock(hashtextextended('agent:{agent}', 0))"))
        for thread in threads:
            thread.start()
        until_somebody_waits(tx, 2)
    for thread in threads:
        thread.join()
    assert sorted(fleet.job(job).state for job in jobs) == ["done", "ready"]
    (held,) = [fleet.job(job) for job in jobs if fleet.job(job).state == "ready"]
    assert (held.held, held.attempts) == ("cap: one post in 30 min", 0)
    fleet.deps.close()


def test_a_message_that_comes_too_early_claims_nothing(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() + interval '1 min'")
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.job(job).claims, fleet.surface.writes_begun) == ("ready", 0, 0)


@pytest.mark.parametrize("error", [base.Refused("422"), base.Vanished("404")])
def test_a_write_that_ended_in_a_definite_no_counts_toward_no_cap(database_url: str, error: Exception) -> None:
    fleet = make_fleet(database_url, caps={"post": {"gap_s": 1800}})
    agent = fleet.agent()
    refused, next_one = (add(fleet, agent, POST, tick_no=n) for n in (1, 2))
    fleet.surface.faults = [raises(error)]
    perform(fleet.deps, refused)
    perform(fleet.deps, next_one)
    assert fleet.job(next_one).state == "done"
    fleet.deps.close()


def test_a_daily_cap_counts_what_went_out(database_url: str) -> None:
    fleet = make_fleet(database_url, caps={"like": {"per_day": 2}})
    agent = fleet.agent()
    jobs = [add(fleet, agent, LIKE, target=f"p{n}", tick_no=n) for n in range(3)]
    for job in jobs:
        perform(fleet.deps, job)
    assert [fleet.job(job).state for job in jobs] == ["done", "done", "ready"]
    fleet.deps.close()


def test_a_refused_write_counts_toward_no_cap(database_url: str) -> None:
    fleet = make_fleet(database_url, caps={"post": {"gap_s": 1800}})
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [raises(base.Throttled("429"))]
    perform(fleet.deps, job)
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == "done"
    fleet.deps.close()


def test_agents_do_not_crowd_a_post(fleet: Fleet) -> None:
    jobs = [add(fleet, fleet.agent(), COMMENT, target="p1", author="zoe", comments=1) for _ in range(6)]
    threads = [threading.Thread(target=perform, args=(fleet.deps, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [fleet.job(job).state for job in jobs]
    assert (states.count("done"), states.count("skipped")) == (4, 2), "one human comment, plus three"


def test_a_second_like_or_comment_on_one_post_cannot_be_added(fleet: Fleet) -> None:
    agent = fleet.agent()
    add(fleet, agent, LIKE, target="p1", tick_no=1)
    add(fleet, agent, LIKE, target="p1", tick_no=2)
    assert len(fleet.jobs(kind="like")) == 1


def test_a_worker_that_dies_while_preparing_costs_nothing_but_time(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.image_faults = [_Killed()]
    with pytest.raises(_Killed):
        perform(fleet.deps, job)
    assert fleet.job(job).state == "running"
    assert settle(fleet, job) == "done"
    assert (fleet.words.calls, len(fleet.surface.effects), fleet.job(job).attempts) == (1, 1, 0)


def test_a_worker_that_dies_after_the_write_is_found_out_by_looking(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)

    def die(_: AnyAction):  # type: ignore[no-untyped-def]
        def after() -> None:
            raise _Killed

        return after

    fleet.surface.faults = [die]
    with pytest.raises(_Killed):
        perform(fleet.deps, job)
    assert fleet.job(job).state == "sending"
    assert settle(fleet, job) == "done"
    assert len(fleet.surface.effects) == 1


class _Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


def test_a_job_that_kills_its_workers_becomes_poison(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    for _ in range(30):
        if fleet.job(job).finished_at:
            break
        fleet.surface.image_faults = [_Killed()]
        fleet.lease_runs_out()
        sweep(fleet.deps)
        fleet.time_passes()
        try:
            perform(fleet.deps, job)
        except _Killed:
            continue
    assert (fleet.job(job).state, fleet.job(job).dead_reason) == ("dead", "poison")


def test_tries_that_ended_are_no_sign_of_poison(fleet: Fleet) -> None:
    """Symptom: a delivery that had failed eleven times was poison as soon as one worker was lost with it."""
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.image_faults = [_Killed()]
    with pytest.raises(_Killed):
        perform(fleet.deps, job)
    fleet.sql("UPDATE jobs SET attempts = 11, claims = 12, max_attempts = 12 WHERE id = :id", id=job)
    assert settle(fleet, job) == "done"


def test_jobs_that_were_lost_together_part(fleet: Fleet) -> None:
    """Symptom: what ran beside a deadly job was claimed again beside it, twelve times, and became poison as well."""
    jobs = [add(fleet, fleet.agent(), POST) for _ in range(10)]
    due = "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM jobs WHERE id = ANY(:ids)"
    lasted: list[list[float]] = []
    for _ in range(6):
        fleet.time_passes()
        for job in jobs:
            fleet.surface.image_faults = [_Killed()]
            with pytest.raises(_Killed):
                perform(fleet.deps, job)
        fleet.lease_runs_out()
        sweep(fleet.deps)
        lasted.append([float(row[0]) for row in fleet.sql(due, ids=jobs)])
    assert max(lasted[0]) <= 0, "who was lost once goes on at once"
    assert max(lasted[5]) - min(lasted[5]) > 1
    assert max(lasted[5]) <= 62


def test_an_end_that_the_ledger_does_not_take_is_a_dead_letter_that_says_so(fleet: Fleet) -> None:
    """Symptom: a surface that answered with an id of 300 signs had the job looked for and found twelve times."""
    agent = fleet.agent()
    job = add(fleet, agent, POST)
    fleet.surface._apply = lambda action: base.Receipt("e" * 300)  # type: ignore[method-assign]
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.dead_reason, row.claims) == ("dead", "unknown_outcome", 1)
    assert "too long" in str(row.error)
    assert fleet.row(agent).current_action is None


def test_an_agent_whose_job_is_held_or_ended_by_the_sweep_is_shown_at_nothing(fleet: Fleet) -> None:
    held, late, poisoned = (fleet.agent() for _ in range(3))
    fleet.sql("UPDATE agents SET current_action = 'like'")
    fleetwide.pause(fleet.deps, "agent", fleet.row(held).username, by="test")
    perform(fleet.deps, add(fleet, held, LIKE, target="p1"))
    assert fleet.row(held).current_action is None
    stale, deadly = (add(fleet, one, LIKE, target="p1") for one in (late, poisoned))
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=stale)
    fleet.sql(
        "UPDATE jobs SET state = 'running', claims = 12, lease_until = clock_timestamp() WHERE id = :id", id=deadly
    )  # fmt: skip
    sweep(fleet.deps)
    assert [fleet.job(job).state for job in (stale, deadly)] == ["skipped", "dead"]
    assert [fleet.row(one).current_action for one in (late, poisoned)] == [None, None]


def test_the_sweep_leaves_an_agent_at_what_it_does_by_now(fleet: Fleet) -> None:
    agent = fleet.agent()
    stale = add(fleet, agent, LIKE, target="p1")
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() WHERE id = :id", id=stale)
    fleet.sql("UPDATE agents SET current_action = 'post'")
    sweep(fleet.deps)
    assert fleet.row(agent).current_action == "post"


def test_a_holder_of_an_old_lease_cannot_finish_or_send(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)

    def lose_the_lease() -> None:
        fleet.lease_runs_out()
        sweep(fleet.deps)

    fleet.words.write_post = _then(fleet.words.write_post, lose_the_lease)  # type: ignore[method-assign]
    perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 0
    assert fleet.job(job).state == "ready"
    assert fleet.job(job).checkpoint == {}, "words that came too late are not kept"


def test_a_lease_that_has_run_out_is_noticed_before_the_write(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    work_lease = guard.Lease(0.0)
    gateway = fleet.deps.gateway()
    write = gateway.write
    gateway.write = lambda action, lease, **_: write(action, work_lease)  # type: ignore[method-assign]
    perform(fleet.deps, job)
    assert fleet.surface.writes_begun == 0
    assert fleet.job(job).state == "ready"


def test_an_outcome_after_the_lease_is_recorded_and_changes_nothing(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)

    def lose_the_lease(_: AnyAction):  # type: ignore[no-untyped-def]
        def after() -> None:
            fleet.lease_runs_out()
            sweep(fleet.deps)

        return after

    fleet.surface.faults = [lose_the_lease]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "unknown"
    with fleet.deps.db.transaction() as tx:
        assert "job.fenced" in [event.subject for event in events.latest(tx, job_id=job)]
    assert settle(fleet, job) == "done"
    assert len(fleet.surface.effects) == 1


def test_an_unexpected_error_before_the_write_is_a_failed_attempt(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.image_faults = [ZeroDivisionError("oops")]
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.attempts) == ("ready", 1)
    assert "ZeroDivisionError" in (row.error or "")


def test_an_unexpected_error_in_the_write_leaves_the_outcome_unknown(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), POST)
    fleet.surface.faults = [raises(ZeroDivisionError("oops"))]
    perform(fleet.deps, job)
    assert fleet.job(job).state == "unknown"


def test_a_broker_that_is_away_delays_but_loses_nothing(fleet: Fleet) -> None:
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.sql("UPDATE jobs SET published_at = clock_timestamp() - interval '1 hour'")
    fleet.bell.broken = Unavailable("the broker is away")
    sweep(fleet.deps)
    assert fleet.job(job).state == "ready"
    fleet.bell.broken = None
    fleet.sql("UPDATE jobs SET published_at = clock_timestamp() - interval '1 hour'")
    sweep(fleet.deps)
    assert [message.args for message in fleet.bell.take()] == [(str(job),)]


def test_an_expired_job_is_skipped_without_attempts_and_dead_after_one(fleet: Fleet) -> None:
    untried = add(fleet, fleet.agent(), LIKE, target="p1")
    tried = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(base.Unreachable("refused"))]
    perform(fleet.deps, tried)
    fleet.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '1 s'")
    sweep(fleet.deps)
    assert fleet.job(untried).state == "skipped"
    assert (fleet.job(tried).state, fleet.job(tried).dead_reason) == ("dead", "expired")


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_worker_whose_clock_is_wrong_waits_by_the_databases(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, wrong_by: timedelta
) -> None:
    monkeypatch.setattr(Clock, "now", lambda _: datetime.now(UTC) + wrong_by)
    job = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(base.Throttled("429", retry_after_s=30))]
    perform(fleet.deps, job)
    wait = fleet.job(job).next_attempt_at - datetime.now(UTC)
    assert timedelta(seconds=20) < wait < timedelta(seconds=31)


@pytest.mark.parametrize("unstorable", ["\x00", "\ud800"], ids=["nul", "half_a_character"])
def test_a_refusal_in_signs_that_no_database_keeps_is_recorded_without_them(fleet: Fleet, unstorable: str) -> None:
    job_id = add(fleet, fleet.agent(), LIKE, target="p1")
    fleet.surface.faults = [raises(base.Refused(f"no{unstorable} such post.", fix=f"Look at p1{unstorable}."))]
    perform(fleet.deps, job_id)
    assert (fleet.job(job_id).state, fleet.job(job_id).error) == ("dead", "no such post. Look at p1.")
