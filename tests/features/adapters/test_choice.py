"""Another account for what the job's own cannot do: chosen by capability, health and cost, and said by an event."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters import registry as adapters
from fleet.adapters.manifest import Capability, Operation
from fleet.engine import controls
from fleet.engine.agents.models import AgentAccountRow
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.states import JobState
from fleet.features.adapters import choice
from fleet.features.adapters.choice import AccountCandidate, best
from tests.factories import Fleet, Surface, make_fleet

OPERATIONS = st.builds(
    Operation, name=st.just("post"), capability=st.sampled_from(Capability), needs_consent=st.booleans(),
    usd=st.sampled_from([0.0, 0.015]), unknown=st.none(),
)  # fmt: skip
CANDIDATES = st.builds(
    AccountCandidate, account_id=st.uuids(), name=st.just("a"), surface=st.just("s"), operation=OPERATIONS,
    obstacle=st.sampled_from(["", "", "stopped"]), failures=st.integers(0, 2),
)  # fmt: skip


@given(st.lists(CANDIDATES, max_size=5))
def test_the_best_account_can_do_it_and_no_able_one_is_better_in_every_respect(found: list[AccountCandidate]) -> None:
    able = [one for one in found if not one.obstacle and one.operation.capability is not Capability.UNSUPPORTED]
    taken = best(found)
    assert (taken in able) if able else taken is None
    for one in able:
        assert taken is not None
        if taken.operation.needs_consent:
            assert one.operation.needs_consent
        if (one.operation.needs_consent, one.operation.capability) == (
            taken.operation.needs_consent, taken.operation.capability
        ):  # fmt: skip
            assert (one.failures, one.operation.usd) >= (taken.failures, taken.operation.usd)


@pytest.fixture
def second() -> Surface:
    return Surface()


@pytest.fixture
def two(database_url: str, second: Surface) -> Iterator[Fleet]:
    """A fleet with the gallery of its settings, an account `second`, and an agent that has both."""
    made = make_fleet(database_url, systems={"second": second})
    made.account("second")
    yield made
    made.deps.close()


def decided(fleet: Fleet, kind: str = "post", **more: object) -> uuid.UUID:
    """Add a job that an agent with both accounts has decided."""
    agent = fleet.agent()
    with fleet.deps.db.transaction() as tx:
        tx.session.add(AgentAccountRow(agent_id=agent, account_id=fleet.accounts["second"], remote_id="u2"))
        job = NewJob(uuid.uuid4(), agent, kind, "floimg", **{"tick_no": 1, **more})  # type: ignore[arg-type]
        ledger.add(tx, [job])
    return job.id


def stop(fleet: Fleet, *names: str) -> None:
    with fleet.deps.db.transaction() as tx:
        for one in fleet.deps.accounts.all():
            if one.key.name in names:
                controls.pause(tx, "account", str(one.key.id), by=controls.HEALTH, reason="does not work")


def moves(fleet: Fleet) -> list[dict[str, object]]:
    return [row.payload for row in fleet.sql("SELECT payload FROM events WHERE subject = 'job.moved'")]


def try_twice(fleet: Fleet, job: uuid.UUID) -> str:
    for _ in range(2):
        perform(fleet.deps, job)
    return str(fleet.job(job).state)


def test_a_post_goes_through_another_account_while_its_own_is_stopped(two: Fleet, second: Surface) -> None:
    job = decided(two)
    stop(two, "gallery")
    assert try_twice(two, job) == JobState.DONE
    assert [one.key for one in second.effects] == [str(job)] and not two.surface.effects
    (told,) = moves(two)
    assert (told["account"], told["instead_of"]) == ("second", "gallery") and "does not work" in str(told["why"])
    assert two.job(job).account_id == two.accounts["second"]


def test_jobs_that_wait_read_no_accounts_where_no_other_could_do_them(
    two: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_others", lambda *_: pytest.fail("each job that waits would cost a transaction"))
    jobs = [decided(two, "like", target="p1"), decided(two)]
    stop(two, "gallery", "second")
    for job in jobs:
        perform(two.deps, job)
    assert {str(two.job(job).state) for job in jobs} == {JobState.READY}


def test_an_operation_that_is_off_is_done_where_it_is_on(
    two: Fleet, second: Surface, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = adapters.get("floimg")
    off = [replace(one, is_on=False, rule="No.") if one.name == "post" else one for one in kind.operations]
    monkeypatch.setattr(adapters, "get", lambda _: replace(kind, operations=tuple(off)))
    two.sql("UPDATE accounts SET operations = '{\"post\": {}}' WHERE name = 'second'")
    two.deps.accounts.expire()
    two.deps.accounts.refresh()
    job = decided(two)
    assert try_twice(two, job) == JobState.DONE and len(second.effects) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"requested_by": "ada"},  # a person wants it there
        {"tick_no": None},  # so does a plan
        {"payload": {"follows": "p1"}},  # it continues a post of this account
        {"kind": "like", "target": "p1"},  # the post is on the other server
    ],
)
def test_what_belongs_to_an_account_waits_for_it(two: Fleet, second: Surface, more: dict[str, object]) -> None:
    job = decided(two, **more)  # type: ignore[arg-type]
    stop(two, "gallery")
    assert try_twice(two, job) == JobState.READY
    assert not second.effects and not moves(two)


@pytest.mark.parametrize("outcome", ["lost", "unknown", "absent", None])
def test_what_may_have_been_sent_never_changes_its_account(two: Fleet, second: Surface, outcome: str | None) -> None:
    job = decided(two)
    two.sql(
        "INSERT INTO job_attempts (job_id, lease_token, worker, outcome) VALUES (:id, 0, 'w', :outcome)",
        id=job, outcome=outcome,
    )  # fmt: skip
    stop(two, "gallery")
    assert try_twice(two, job) == JobState.READY
    assert not second.effects and two.job(job).account_id is None


def test_where_no_account_can_do_it_the_job_waits(two: Fleet, second: Surface) -> None:
    job = decided(two)
    stop(two, "gallery", "second")
    assert try_twice(two, job) == JobState.READY and not moves(two)
    assert not second.effects
