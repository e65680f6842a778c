"""Notices to users at their addresses: who is told of what, once and grouped, by mail and web, and nowhere inside."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.access import Role, organisations, users
from fleet.core import events, ids, masking
from fleet.core.errors import FleetError
from fleet.engine import registry
from fleet.engine.attempts.perform import perform
from fleet.engine.events import restore_check
from fleet.engine.system_agents import staff
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals.agent import deciders
from fleet.features.approvals.request import Proposal
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Rule, Step
from fleet.features.leader import stopping
from fleet.features.leader.checks import findings
from fleet.features.leader.rules import TeamFinding
from fleet.features.leader.stopping import StopScope
from fleet.features.notices import addresses, collecting, rules
from fleet.features.notices.kinds import NOTIFY_USER
from fleet.features.notices.rules import Choices
from fleet.features.notices.topics import Topic
from fleet.features.organisations.service import add_member
from fleet.features.reports import service as reports
from fleet.features.reports.rules import Cadence
from tests.factories import Fleet, make_fleet
from tests.features.notices.test_notices import Hook, Letters, hook, inbox
from tests.web_client import PASSWORD

__all__ = ["hook", "inbox"]
RULES = (Rule("own", "draft", "publish", ("owner", "role:operator")),)
SECRET = "hunter2tokenvalue"


@pytest.fixture
def crew(database_url: str, hook: Hook, inbox: tuple[Letters, int]) -> Any:
    from fleet.accounts.sealing import new_key

    fleet = make_fleet(
        database_url, secret_keys=new_key(), web_url="https://fleet.example.org",
        notify_allow=(f"127.0.0.1:{hook.port}",),
        notify_mail=f"mailto://127.0.0.1:{inbox[1]}?from=fleet@example.org&mode=insecure",
    )  # fmt: skip
    staff(fleet.deps.db)
    with fleet.deps.db.transaction() as tx:
        for name, role in {"ann": Role.REVIEWER, "ben": Role.REVIEWER, "olga": Role.OPERATOR}.items():
            users.create(tx, users.choose_password(name, PASSWORD), role)
    collecting.sweep(fleet.deps)  # begins to read events
    return fleet


def ask(fleet: Fleet, agent_id: uuid.UUID, number: int) -> list[str]:
    """Open requests about an agent, and announce them."""
    with fleet.deps.db.transaction() as tx:
        made = [
            moves.open(tx, Proposal("draft", str(uuid.uuid4()), "publish", {}, "agent:x", f"Post {n}",
                                    agent_id=agent_id), RULES)
            for n in range(number)
        ]  # fmt: skip
        deciders.tell(tx, [(one, Step.ANNOUNCE) for one in made])
    return [str(one.id) for one in made]


def send(fleet: Fleet) -> int:
    """Collect and carry out what is to be sent; return how many messages were."""
    collecting.sweep(fleet.deps)
    jobs = fleet.jobs(kind=NOTIFY_USER, state="ready")
    for job in jobs:
        perform(fleet.deps, job.id)
    return len(jobs)


def test_the_owner_gets_one_mail_about_many_requests_with_a_link_to_each_and_others_none(
    crew: Fleet, inbox: tuple[Letters, int], hook: Hook
) -> None:
    agent_id = crew.agent()
    agent_commands.update(crew.deps, str(agent_id), {"owner": "ann"})
    addresses.add(crew.deps, "ann", "ann@example.org")
    addresses.add(crew.deps, "ben", f"json://127.0.0.1:{hook.port}/x?+X-Key={SECRET}")
    asked = ask(crew, agent_id, 30)
    assert send(crew) == 1
    ((to, letter),) = inbox[0].kept
    words = letter.get_body(("plain", "html")).get_content()
    assert to == ["ann@example.org"]
    assert letter["subject"] == "30 requests for approval"
    assert f"https://fleet.example.org/review/{asked[0]}" in words
    assert "If nobody decides, it expires" in words
    assert "and 10 more" in words
    ask(crew, agent_id, 3)
    assert send(crew) == 0, "what comes up within five minutes waits"
    crew.sql("UPDATE user_notices SET sent_at = sent_at - interval '6 minutes'")
    assert send(crew) == 1
    assert inbox[0].kept[1][1]["subject"] == "3 requests for approval"
    assert hook.bodies == []


def test_a_failure_reaches_the_owner_and_an_alarm_the_operator_once_each(crew: Fleet, hook: Hook) -> None:
    agent_id = crew.agent(name="Ada")
    agent_commands.update(crew.deps, str(agent_id), {"owner": "ben"})
    for name in ("ann", "ben", "olga"):
        addresses.add(crew.deps, name, f"json://127.0.0.1:{hook.port}/{name}")
    with crew.deps.db.transaction() as tx:
        events.emit(tx, "job.dead", agent_id=agent_id, job_id=ids.new(), kind="post", error="<b>refused</b>")
        events.emit(tx, "control.kill_switch.thrown", by="web:olga", reason="fire")
    assert send(crew) == 2
    assert send(crew) == 0
    told = sorted(body["message"] for body in hook.bodies)
    assert "Ada: " in told[0] and "/jobs/" in told[0] and "stays a dead letter" in told[0]
    assert "fire" in told[1] and "https://fleet.example.org/controls" in told[1]


def test_findings_and_stops_of_a_team_reach_those_who_see_its_organisation_alone(crew: Fleet, hook: Hook) -> None:
    with crew.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other").id
    agent_id = crew.agent(organisation_id=other, kind="x", surface="x", persona_id="ai_artist")
    for name in ("ann", "ben", "olga"):
        addresses.add(crew.deps, name, f"json://127.0.0.1:{hook.port}/{name}")
        addresses.choose(crew.deps, name, Choices((Topic.ALARMS,)))
    add_member(crew.deps, "default", "ann")
    add_member(crew.deps, "Other", "ben")  # olga is a member of none and sees all
    finding = TeamFinding("lowest_band", "x", "X is in the lowest band of engagement again")
    with crew.deps.db.transaction() as tx:
        assert findings.record(crew.deps, tx, other, [finding]) == 1
        assert findings.record(crew.deps, tx, other, [finding]) == 0, "an open finding is told once"
    stopping.stop(crew.deps, StopScope.AGENT, str(crew.row(agent_id).username), by="web:olga", reason="a wrong link")
    assert send(crew) == 2
    told = crew.sql("SELECT name FROM users WHERE id IN (SELECT user_id FROM user_notices WHERE sent_at IS NOT NULL)")
    assert sorted(told.scalars()) == ["ben", "olga"]
    assert all("lowest band" in body["message"] and "a wrong link" in body["message"] for body in hook.bodies)


def test_alarms_from_before_a_restore_arrive_each_with_its_page(crew: Fleet, hook: Hook) -> None:
    addresses.add(crew.deps, "olga", f"json://127.0.0.1:{hook.port}/")
    with crew.deps.db.transaction() as tx:
        events.emit(tx, "account.refused", account="main", why="401")
        events.emit(tx, "alert.down", thing="a receiver", key="hook:1", why="500", effect="", page="/hooks/1")
    for table in ("events", "event_readers"):  # another server's transactions
        crew.sql(f"UPDATE {table} SET txid = txid + 1000000000000")
    assert restore_check.settle(crew.deps.db)
    assert send(crew) == 1
    lines = hook.bodies[0]["message"].splitlines()
    assert [one for one in lines if one.startswith("https:")] == [
        "https://fleet.example.org/accounts", "https://fleet.example.org/hooks/1"
    ]  # fmt: skip


def test_lines_wait_while_a_user_has_no_address(crew: Fleet, hook: Hook) -> None:
    first = addresses.add(crew.deps, "olga", f"json://127.0.0.1:{hook.port}/")
    for reason in ("fire", "flood"):
        with crew.deps.db.transaction() as tx:
            events.emit(tx, "control.kill_switch.thrown", by="web:olga", reason=reason)
        send(crew)
    addresses.remove(crew.deps, "olga", first.id)
    crew.sql("UPDATE user_notices SET sent_at = sent_at - interval '6 minutes'")
    assert send(crew) == 0
    addresses.add(crew.deps, "olga", f"json://127.0.0.1:{hook.port}/")
    assert send(crew) == 1
    assert ["flood" in body["message"] for body in hook.bodies] == [False, True]


def test_a_removed_user_gets_no_message_and_their_address_is_deleted(crew: Fleet, hook: Hook) -> None:
    made = addresses.add(crew.deps, "ann", f"json://127.0.0.1:{hook.port}/")
    job_id = addresses.test(crew.deps, "ann", made.id)
    with crew.deps.db.transaction() as tx:
        users.remove(tx, "ann")
    perform(crew.deps, job_id)
    assert (crew.job(job_id).state, hook.bodies) == ("skipped", [])
    collecting.sweep(crew.deps)
    assert crew.sql("SELECT count(*) FROM user_addresses").scalar() == 0


def test_an_address_is_sealed_and_masked_and_reaches_no_closed_network(crew: Fleet, hook: Hook) -> None:
    made = addresses.add(crew.deps, "ann", f"json://127.0.0.1:{hook.port}/x?+X-Key={SECRET}")
    assert SECRET not in repr(addresses.listed(crew.deps, "ann")) + str(crew.sql("SELECT * FROM user_addresses"))
    word = f"budget_of_{uuid.uuid4().hex}"  # a user's word is no secret of this process: events may have it
    for wrong in ("json://example.org/x", "nonsense", "ann@example.org\r\nBcc: x@example.org",
                  f"jsons://u:{word}@example.org/{'x' * 1000}"):  # fmt: skip
        with pytest.raises(FleetError):
            addresses.add(crew.deps, "ann", wrong)
    addresses.add(crew.deps, "ben", f"jsons://u:{word}@127.0.0.1:1/{word}")
    perform(crew.deps, addresses.test(crew.deps, "ben", addresses.listed(crew.deps, "ben")[0].id))
    assert masking.mask_all({"subject": f"control.{word}.set"}) == {"subject": f"control.{word}.set"}
    job_id = addresses.test(crew.deps, "ann", made.id)
    perform(crew.deps, job_id)
    assert crew.job(job_id).state == "done"
    assert addresses.listed(crew.deps, "ann")[0].last_sent_at is not None
    inside = addresses.add(crew.deps, "ann", f"jsons://127.0.0.1:{hook.port + 1}/x")
    job_id = addresses.test(crew.deps, "ann", inside.id)
    perform(crew.deps, job_id)
    row = crew.job(job_id)
    assert row.state == "dead"
    assert "only public addresses" in str(row.error)
    assert len(hook.bodies) == 1


@pytest.mark.parametrize(
    ("hour", "quiet"), [(21, False), (22, True), (3, True), (7, False)], ids=("before", "first", "night", "after")
)
def test_quiet_hours_pass_midnight_in_the_users_zone(hour: int, quiet: bool) -> None:
    choices = Choices((Topic.REQUESTS,), "Asia/Tokyo", quiet_from=22, quiet_until=7)
    now = datetime(2026, 3, 1, (hour - 9) % 24, 30, tzinfo=UTC)
    assert rules.is_quiet(choices, now) is quiet


def test_a_digest_comes_once_a_day_after_its_hour(crew: Fleet, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: Counter[Any] = Counter()
    load = registry.load

    def counted(ref: Any) -> Any:
        loaded[ref] += 1
        return load(ref)

    monkeypatch.setattr(registry, "load", counted)
    for name in ("ann", "ben"):
        addresses.add(crew.deps, name, f"json://127.0.0.1:{hook.port}/")
        addresses.choose(crew.deps, name, Choices((Topic.DIGEST,), digest_hour=0))
    ask(crew, crew.agent(), 2)
    assert send(crew) == 2
    tallies = [item.tally for item in registry.current().nav if item.tally in loaded]
    assert tallies
    assert {loaded[tally] for tally in tallies} == {1}
    crew.sql("UPDATE user_notices SET sent_at = NULL")
    assert send(crew) == 0
    assert "Review: 2." in hook.bodies[0]["message"]


def test_a_report_is_sent_once_to_users_who_chose_reports_and_see_its_organisation(crew: Fleet, hook: Hook) -> None:
    with crew.deps.db.transaction() as tx:
        other = organisations.create(tx, "Other")
    for name in ("ann", "ben", "olga"):
        addresses.add(crew.deps, name, f"json://127.0.0.1:{hook.port}/{name}")
    for name in ("ann", "ben"):
        addresses.choose(crew.deps, name, Choices((Topic.REPORTS,)))
    add_member(crew.deps, "Other", "ben")
    made = reports.build(crew.deps, Cadence.WEEKLY, organisation="default", by="web:ann", reason="")
    assert send(crew) == 1
    assert send(crew) == 0
    (body,) = hook.bodies
    assert "Weekly report, " in body["message"] and "Jobs done 0" in body["message"]
    assert f"https://fleet.example.org/reports/{made}" in body["message"]
    assert "USD" not in body["message"], "costs are not for everybody"
    reports.build(crew.deps, Cadence.WEEKLY, organisation=str(other.id), by="web:ann", reason="")
    crew.sql("UPDATE user_notices SET sent_at = NULL")
    assert send(crew) == 2
