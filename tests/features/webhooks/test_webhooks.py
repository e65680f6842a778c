"""Webhooks: each event is told to each subscription that wants it, signed, whatever dies and whoever answers what."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from pydantic import SecretStr

from fleet.access import Via, audit
from fleet.accounts import keys
from fleet.accounts.sealing import new_key
from fleet.core import events
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.events import positions
from fleet.engine.jobs import ticks
from fleet.engine.jobs.models import JobRow, TickRow
from fleet.engine.jobs.states import JobState
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.registry import Registry
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.controls import commands as fleetwide
from fleet.features.notices.kinds import NOTIFY
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.commands import Made
from fleet.features.webhooks.kinds import DELIVER
from fleet.features.webhooks.outbound import positions as webhook_positions
from fleet.features.webhooks.outbound import sending
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from fleet.images.errors import ForbiddenAddress
from tests import ROOT, TESTS
from tests import receiver as receivers
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.picture_server import PUBLIC, Internet
from tests.receiver import Got, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    """A fleet with its staff, whose hooks may call the receiver on this machine."""
    made = make_fleet(database_url, hooks_allow=receiver.allow, secret_keys=new_key())
    staff(made.deps.db)
    look(made)  # what was before is no news
    yield made
    made.deps.close()


def deliverer(fleet: Fleet) -> uuid.UUID:
    with fleet.deps.db.transaction() as tx:
        return uuid.UUID(str(tx.scalar(sa.select(AgentRow.id).where(AgentRow.kind == "hooks"))))


def open_tick(fleet: Fleet) -> TickKey:
    agent_id = deliverer(fleet)
    with fleet.deps.db.transaction() as tx:
        last = tx.scalar(
            sa.text("SELECT coalesce(max(tick_no), 0) FROM ticks WHERE agent_id = :id").bindparams(id=agent_id)
        )
        key = TickKey(agent_id, int(last) + 1)
        ticks.open_ticks(tx, [(key, tx.now())])
        tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(tick_no=key.tick_no, status="running"))
    return key


def look(fleet: Fleet) -> None:
    """Let the agent of the hooks look once at what has happened."""
    tick(fleet.deps, open_tick(fleet))


def subscribe(fleet: Fleet, receiver: Receiver, *subjects: str) -> Made:
    return hooks.create(fleet.deps, SubscriptionFields(receiver.url, subjects or ("thing.*",)), by="test")


def happens(fleet: Fleet, subject: str = "thing.done", **payload: Any) -> None:
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, subject, **payload)


def delivery_jobs(fleet: Fleet) -> list[JobRow]:
    return fleet.jobs(kind=DELIVER)


def deliver(fleet: Fleet) -> list[JobRow]:
    """Carry out every delivery that is due, and return them all."""
    for job in delivery_jobs(fleet):
        perform(fleet.deps, job.id)
    return delivery_jobs(fleet)


def verified(got: Got, secret: str) -> bool:
    """Verify with the very code that docs/webhooks.md gives to receivers."""
    page = (ROOT / "docs/webhooks.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(import hashlib.*?)^```", page, re.M | re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict[str, Any] = {}
    exec(code, names)
    return bool(names["is_genuine"](secret, got.headers["fleet-signature"], got.body))


def test_an_event_is_delivered_signed_to_its_subscribers(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver, "thing.*")
    subscribe(fleet, receiver, "other.*")
    agent = fleet.agent()
    with fleet.deps.db.transaction() as tx:
        events.emit(tx, "thing.done", agent_id=agent, words="a harbour")
    look(fleet)
    (job,) = deliver(fleet)
    (got,) = receiver.got
    said = json.loads(got.body)
    assert job.state == JobState.DONE
    assert verified(got, made.secret)
    assert not verified(got, made.secret + "x")
    assert (said["subject"], said["agent"], said["payload"]) == ("thing.done", str(agent), {"words": "a harbour"})
    assert got.headers["fleet-event-id"] == said["id"]
    assert got.headers["fleet-event-subject"] == "thing.done"
    assert got.headers["fleet-delivery"] == str(job.id)
    (kept,) = hooks.history(fleet.deps, made.subscription.id)
    assert (kept.state, kept.status, kept.position) == ("done", 204, said["position"])


def test_the_event_of_a_published_thing_names_its_address(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver, "job.done", "thing.*")
    agent = fleet.agent(username="ana_1")
    published = add(fleet, agent, "post")
    perform(fleet.deps, published)
    happens(fleet)
    look(fleet)
    deliver(fleet)
    urls = {said["job"]: said["url"] for said in map(json.loads, (got.body for got in receiver.got))}
    remote_id = fleet.job(published).remote_id
    assert urls.keys() == {str(published), None} and urls[None] is None
    assert urls[str(published)].endswith(f"/post/ana_1/{remote_id}")


def test_a_webhook_created_before_the_agents_first_tick_misses_no_event(fleet: Fleet, receiver: Receiver) -> None:
    """Symptom: the first webhook of a fleet missed what happened until the agent that reads for it first woke."""
    fleet.sql("DELETE FROM event_readers")
    happens(fleet, number=1)
    subscribe(fleet, receiver)
    happens(fleet, number=2)
    look(fleet)
    assert [job.payload["event"]["payload"]["number"] for job in delivery_jobs(fleet)] == [2]


def test_events_before_a_webhook_was_created_are_not_delivered(fleet: Fleet, receiver: Receiver) -> None:
    happens(fleet)
    subscribe(fleet, receiver)
    look(fleet)
    assert delivery_jobs(fleet) == []


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("place", ["gather", "decide", "act", "record"])
def test_a_reader_that_dies_loses_and_repeats_no_event(
    fleet: Fleet, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    made = [subscribe(fleet, receiver), subscribe(fleet, receiver)]
    look(fleet)
    for number in range(5):
        happens(fleet, number=number)
    targets = {
        "gather": "fleet.features.webhooks.agent.gather", "decide": "fleet.features.webhooks.agent.decide",
        "act": "fleet.features.webhooks.agent.act", "record": "fleet.features.webhooks.agent.delivery.add",
    }  # fmt: skip

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(targets[place], die)
        with pytest.raises(Killed):
            look(fleet)
    assert delivery_jobs(fleet) == []
    fleet.lease_runs_out()
    sweep(fleet.deps)  # the tick is due again, for somebody else
    with fleet.deps.db.transaction() as tx:
        last = tx.scalar(sa.select(sa.func.max(TickRow.tick_no)).where(TickRow.agent_id == deliverer(fleet)))
    tick(fleet.deps, TickKey(deliverer(fleet), last))
    look(fleet)
    told = [(job.payload["subscription"], job.payload["event"]["payload"]["number"]) for job in delivery_jobs(fleet)]
    assert sorted(told) == sorted((str(one.subscription.id), number) for one in made for number in range(5))


def test_the_same_event_read_twice_is_one_job(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver)
    look(fleet)
    with fleet.deps.db.transaction() as tx:
        before = positions.standing(tx, webhook_positions.WEBHOOKS)
    happens(fleet)
    look(fleet)
    with fleet.deps.db.transaction() as tx:
        positions.reset(tx, webhook_positions.WEBHOOKS, before)
    look(fleet)
    assert len(delivery_jobs(fleet)) == 1


def test_events_of_a_slow_transaction_are_delivered_too(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver)
    look(fleet)
    slow = fleet.deps.db.transaction()
    with slow as tx:
        events.emit(tx, "thing.slow")
        happens(fleet, "thing.quick")
        look(fleet)
        assert delivery_jobs(fleet) == []  # nothing is read while something older may yet appear
    look(fleet)
    assert {job.payload["event"]["subject"] for job in delivery_jobs(fleet)} == {"thing.slow", "thing.quick"}


def test_a_subscriber_of_all_events_gets_no_delivery_events(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver, "*")
    look(fleet)
    deliver(fleet)
    happens(fleet)
    for _ in range(3):
        look(fleet)
        deliver(fleet)
    subjects = [json.loads(got.body)["subject"] for got in receiver.got]
    assert sorted(subjects) == ["hook.created", "thing.done"]


def test_a_receiver_that_is_busy_is_asked_again_when_it_wishes(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    receiver.answer(503, b"later", Retry_After="600")
    (job,) = deliver(fleet)
    waits_s = fleet.sql(
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) FROM jobs WHERE id = :id", id=job.id
    ).scalar()
    assert (job.state, job.attempts) == (JobState.READY, 1)
    assert 590 < waits_s < 670
    (kept,) = hooks.history(fleet.deps, made.subscription.id)
    assert (kept.status, kept.answer) == (503, "later")
    fleet.time_passes()
    (job,) = deliver(fleet)
    assert job.state == JobState.DONE
    first, second = receiver.got
    assert (first.body, first.headers["fleet-delivery"]) == (second.body, second.headers["fleet-delivery"])
    assert hooks.get(fleet.deps, str(made.subscription.id)).failures == 0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502])
def test_what_may_pass_is_tried_again(fleet: Fleet, receiver: Receiver, status: int) -> None:
    subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    receiver.answer(status)
    (job,) = deliver(fleet)
    assert (job.state, job.attempts) == (JobState.READY, 1)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 422])
def test_what_will_not_pass_is_a_dead_letter_at_once(fleet: Fleet, receiver: Receiver, status: int) -> None:
    made = subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    receiver.answer(status, Location=f"http://127.0.0.1:{receiver.port}/elsewhere")
    (job,) = deliver(fleet)
    assert (job.state, job.dead_reason) == (JobState.DEAD, "permanent")
    assert [got.path for got in receiver.got] == ["/in"]
    assert hooks.replay_failed(fleet.deps, made.subscription.id, by="test") == 1
    (job,) = deliver(fleet)
    assert job.state == JobState.DONE
    assert hooks.replay_failed(fleet.deps, made.subscription.id, by="test") == 0


def test_a_receiver_that_is_gone_for_good_is_left_alone(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver)
    happens(fleet)
    happens(fleet)
    look(fleet)
    receiver.answer(410)
    states = sorted(str(job.state) for job in deliver(fleet))
    found = hooks.get(fleet.deps, str(made.subscription.id))
    assert (states, len(receiver.got)) == (["cancelled", "dead"], 1)
    assert (found.active, found.disabled) == (False, "its receiver answered 410: it wants nothing any more")
    assert [job.payload["subject"] for job in fleet.jobs(kind=NOTIFY)] == ["hook.disabled"]
    happens(fleet)
    look(fleet)
    assert len(delivery_jobs(fleet)) == 2
    hooks.switch(fleet.deps, found.id, on=True, by="test")
    happens(fleet)
    look(fleet)
    deliver(fleet)
    assert len(receiver.got) == 2


def test_a_receiver_that_fails_is_let_rest_and_after_days_switched_off(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver)
    receiver.always = (500, {}, b"")
    for _ in range(4):
        happens(fleet)
    look(fleet)
    jobs = deliver(fleet)
    assert [job.attempts for job in jobs] == [1, 1, 1, 0]
    assert "are paused" in str(jobs[-1].held)
    fleet.sql(
        "UPDATE hook_subscriptions SET failing_since = failing_since - interval '3 days', failures = 30,"
        " last_failure_at = last_failure_at - interval '1 day'"
    )
    fleet.time_passes()
    deliver(fleet)
    found = hooks.get(fleet.deps, str(made.subscription.id))
    assert found.disabled == "its receiver has taken nothing for 3 days"
    with fleet.deps.db.transaction() as tx:
        assert [event.payload["name"] for event in events.latest(tx, subjects=("hook.disabled",))] == [found.name]


def test_tries_that_are_used_up_are_a_dead_letter(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    receiver.always = (500, {}, b"")
    for _ in range(12):
        fleet.time_passes()
        fleet.sql("UPDATE hook_subscriptions SET last_failure_at = NULL")
        (job,) = deliver(fleet)
    assert (job.state, job.dead_reason, len(receiver.got)) == (JobState.DEAD, "exhausted", 12)


def test_a_delivery_repeated_after_a_crash_keeps_its_id(
    fleet: Fleet, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fleet.engine.attempts.perform._record", die)
        with pytest.raises(Killed):
            deliver(fleet)
    fleet.lease_runs_out()
    sweep(fleet.deps)
    (job,) = deliver(fleet)
    assert job.state == JobState.DONE
    assert len({got.headers["fleet-delivery"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_a_pause_of_deliveries_holds_them_and_the_kill_switch_does_not(fleet: Fleet, receiver: Receiver) -> None:
    subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    fleetwide.pause(fleet.deps, "kind", "deliver", by="test", reason="test")
    (job,) = deliver(fleet)
    assert (job.state, job.attempts, receiver.got) == (JobState.READY, 0, [])
    fleetwide.throw_kill_switch(fleet.deps, by="test", reason="test")
    fleetwide.resume(fleet.deps, "kind", "deliver", by="test")
    (job,) = deliver(fleet)
    assert job.state == JobState.DONE


def test_a_dry_run_and_a_removed_webhook_send_nothing(fleet: Fleet, receiver: Receiver, database_url: str) -> None:
    made = subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    (job,) = delivery_jobs(fleet)
    dry = make_fleet(database_url, hooks_allow=receiver.allow, dry_run=True, secret_keys=new_key())
    perform(dry.deps, job.id)
    assert fleet.job(job.id).state == JobState.SKIPPED
    happens(fleet)
    look(fleet)
    hooks.remove(fleet.deps, made.subscription.id, by="test")
    assert {str(job.state) for job in deliver(fleet)} == {"skipped", "cancelled"}
    assert receiver.got == []
    dry.deps.close()


def test_after_a_rotation_both_secrets_sign_for_a_day(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver)
    fresh = hooks.rotate(fleet.deps, made.subscription.id, by="test")
    happens(fleet)
    look(fleet)
    deliver(fleet)
    assert [verified(receiver.got[0], secret) for secret in (made.secret, fresh)] == [True, True]
    with pytest.raises(Conflict):
        hooks.rotate(fleet.deps, made.subscription.id, by="test")
    fleet.sql("UPDATE hook_subscriptions SET previous_until = clock_timestamp()")
    happens(fleet)
    look(fleet)
    deliver(fleet)
    assert [verified(receiver.got[1], secret) for secret in (made.secret, fresh)] == [False, True]


def test_an_unreadable_secret_holds_deliveries_and_key_rotation_reseals_secrets(
    fleet: Fleet, receiver: Receiver, database_url: str
) -> None:
    made = subscribe(fleet, receiver)
    happens(fleet)
    look(fleet)
    (job,) = delivery_jobs(fleet)
    fresh = new_key()
    other = make_fleet(database_url, hooks_allow=receiver.allow, secret_keys=fresh)
    perform(other.deps, job.id)
    assert (fleet.job(job.id).state, receiver.got) == (JobState.READY, [])
    assert "cannot be opened" in str(fleet.job(job.id).held)
    both = fleet.deps.settings.model_copy(
        update={"secret_keys": SecretStr(f"{fresh},{fleet.deps.settings.secret_keys.get_secret_value()}")}
    )
    assert keys.rotate(fleet.deps.db, both, by="test", resealers=registry.current().parts("resealers")) == [
        f"webhook {made.subscription.id}"
    ]
    fleet.time_passes()
    perform(other.deps, job.id)
    assert verified(receiver.got[0], made.secret)
    other.deps.close()


def test_a_sealed_secret_opens_for_no_other_webhook(fleet: Fleet, receiver: Receiver) -> None:
    one, other = subscribe(fleet, receiver), subscribe(fleet, receiver)
    fleet.sql(
        "UPDATE hook_subscriptions h SET secret = o.secret FROM hook_subscriptions o WHERE o.id = :one AND h.id = :two",
        one=one.subscription.id, two=other.subscription.id,
    )  # fmt: skip
    happens(fleet)
    look(fleet)
    deliver(fleet)
    assert len(receiver.got) == 1


def test_a_trial_is_sent_also_to_a_webhook_that_is_off(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver)
    hooks.switch(fleet.deps, made.subscription.id, on=False, by="test")
    job_id = hooks.test(fleet.deps, made.subscription.id, by="ana")
    perform(fleet.deps, job_id)
    said = json.loads(receiver.got[0].body)
    assert (said["subject"], said["payload"]) == ("hook.test", {"by": "ana"})


HOSTILE = yaml.safe_load((TESTS / "data/hostile_urls.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case["id"])
def test_a_hostile_address_is_refused_when_a_webhook_is_made(case: dict[str, Any]) -> None:
    internet = Internet(9)
    url = case["url"].replace("{long}", "a" * 2000)
    if "leads_to" in case:
        internet.names[url.split("/")[2]] = [[a.replace("{public}", PUBLIC) for a in one] for one in case["leads_to"]]
    with pytest.raises(ForbiddenAddress, match=f"{case['because']}|begin with https"):
        sending.check(url, sending.rules(()), internet.network)
    assert internet.dialled == []


def test_plain_http_is_refused_and_no_setting_is_named_that_would_not_help() -> None:
    with pytest.raises(ForbiddenAddress, match="https") as refused:
        sending.check("http://hooks.example/in", sending.rules(()), Internet(9).network)
    assert refused.value.fix is None


def test_a_name_that_leads_elsewhere_by_the_time_of_a_delivery_is_refused_then(
    fleet: Fleet, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet = Internet(receiver.port, {"hooks.example": [[PUBLIC], ["127.0.0.1"]]})
    monkeypatch.setattr(sending, "SYSTEM", internet.network)
    made = hooks.create(fleet.deps, SubscriptionFields("https://hooks.example/in", ["thing.*"]), by="test")
    happens(fleet)
    look(fleet)
    (job,) = deliver(fleet)
    assert (job.state, job.dead_reason) == (JobState.DEAD, "policy")
    assert (internet.dialled, receiver.got) == ([], [])
    (kept,) = hooks.history(fleet.deps, made.subscription.id)
    assert "loopback" in str(kept.answer)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest/", "https://localhost/", "ftp://a.example/", "x", ""])
def test_the_verb_refuses_what_must_not_be_called(fleet: Fleet, url: str) -> None:
    with pytest.raises(InvalidInput):
        hooks.create(fleet.deps, SubscriptionFields(url, ["job.*"]), by="test")


@pytest.mark.parametrize("subjects", [[], [""], ["Job.*"], ["job*"], ["job..done"], ["*.done"], ["a\nb"], ["x" * 81]])
def test_what_is_no_subject_is_refused(fleet: Fleet, receiver: Receiver, subjects: list[str]) -> None:
    with pytest.raises(InvalidInput):
        hooks.create(fleet.deps, SubscriptionFields(receiver.url, subjects), by="test")


def test_a_subject_of_a_feature_that_is_left_out_is_refused(
    fleet: Fleet, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(fleet, receiver, "media.kept")
    kept = [replace(one, needs=()) for one in registry.current() if one.name != "media"]
    monkeypatch.setattr(registry, "_active", Registry(kept))
    with pytest.raises(InvalidInput, match=r"No event has the subject 'media\.kept'"):
        subscribe(fleet, receiver, "media.kept")


def test_no_secret_and_no_address_is_shown_anywhere(
    fleet: Fleet, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{receiver.url}/T0KEN-in-the-path"
    with audit.acting(audit.Actor("ana", "owner", Via.SESSION)):
        made = hooks.create(fleet.deps, SubscriptionFields(url, ["thing.*"]), by="web:ana")
        fresh = hooks.rotate(fleet.deps, made.subscription.id, by="web:ana")
    happens(fleet, words=f"somebody quotes {made.secret}")
    look(fleet)
    receiver.answer(500, f"I know {fresh}".encode())
    deliver(fleet)
    (kept,) = hooks.history(fleet.deps, made.subscription.id)
    dump = str(fleet.sql("SELECT jsonb_agg(e)::text FROM events e").scalar())
    dump += str(fleet.sql("SELECT jsonb_agg(a)::text FROM audit a").scalar())
    dump += str(fleet.sql("SELECT jsonb_agg(j)::text FROM jobs j").scalar())
    dump += str(fleet.sql("SELECT jsonb_agg(s)::text FROM hook_subscriptions s").scalar()).replace(url, "")
    told = "".join(capsys.readouterr())
    for text in (dump, told, str(kept), receiver.got[0].body.decode()):
        assert made.secret not in text
        assert fresh not in text
        assert "T0KEN" not in text
    assert "hook.rotated" in dump


def test_every_change_is_a_line_of_the_audit_log(fleet: Fleet, receiver: Receiver) -> None:
    with audit.acting(audit.Actor("ana", "owner", Via.SESSION)):
        made = subscribe(fleet, receiver).subscription
        hooks.change(fleet.deps, made.id, SubscriptionFields(receiver.url, ["job.*"], "Ledger"), by="web:ana")
        hooks.test(fleet.deps, made.id, by="web:ana")
        hooks.rotate(fleet.deps, made.id, by="web:ana")
        hooks.switch(fleet.deps, made.id, on=False, by="web:ana")
        hooks.switch(fleet.deps, made.id, on=True, by="web:ana")
        hooks.remove(fleet.deps, made.id, by="web:ana")
    with fleet.deps.db.transaction() as tx:
        lines = audit.page(tx, audit.AuditFilter(target=f"hook:{made.id}"))
    assert [line.action for line in reversed(lines)] == [
        "hook.created", "hook.changed", "hook.tested", "hook.rotated", "hook.disabled", "hook.enabled", "hook.removed",
    ]  # fmt: skip
    assert lines[-2].before is not None
    assert (lines[-2].before["subjects"], lines[-2].after) == (
        ["thing.*"], {"host": receiver.allow, "subjects": ["job.*"], "description": "Ledger", "alarm": False}
    )  # fmt: skip


def test_deliveries_are_pages_of_a_list(fleet: Fleet, receiver: Receiver) -> None:
    made = subscribe(fleet, receiver).subscription
    for number in range(5):
        happens(fleet, number=number)
    look(fleet)
    first = hooks.history(fleet.deps, made.id, limit=2)
    second = hooks.history(fleet.deps, made.id, limit=5, before=first[-1].job_id)
    assert len({one.job_id for one in (*first, *second)}) == 5
    assert hooks.counts(fleet.deps, made.id) == {"ready": 5}
    assert hooks.history(fleet.deps, made.id, state="dead") == []
