"""The limits of a real server: its first 429 teaches all agents of the account; what it says before prevents one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.adapters.atproto import keys
from fleet.engine.attempts.perform import perform
from fleet.engine.deps import Outside
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.accounts import commands
from fleet.features.accounts.commands import NewAccount
from fleet.features.publishing.kinds import POST, PROVISION
from tests.atproto import network as networks
from tests.atproto.lossy import LossyProxy
from tests.atproto.network import Network
from tests.factories import Fleet, make_fleet

pytestmark = pytest.mark.network
_POINTS, _CREATE, _PUT = 5000, 3, 2


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A server of accounts with its rate limits on."""
    if lacking := networks.lacking():
        pytest.skip(f"{lacking}. {networks.CALL}")
    with Network(tmp_path_factory.mktemp("strict"), rate_limits=True) as started:
        yield started


class Team:
    """Two agents at one account of the strict server, through a proxy that counts."""

    def __init__(self, database_url: str, strict: Network, proxy: LossyProxy) -> None:
        self.network, self.proxy = strict, proxy
        self.session = strict.account(f"ada-{uuid.uuid4().hex[:6]}")
        made = make_fleet(database_url, systems={"unused": object()})
        self.fleet: Fleet = replace(made, deps=replace(made.deps, outside=Outside()))
        credentials = f"{self.session['handle']}:password-of-tests"
        new = NewAccount("net", "atproto", proxy.url, credentials)
        account = commands.add(self.fleet.deps, new, by="tests")
        self.agents = [self.fleet.agent(account=False, account_id=account, surface="atproto") for _ in range(2)]
        self.account = account
        self.perform([self.add(self.agents[0], PROVISION)])
        self.fleet.sql("UPDATE agents SET remote_account = :did", did=self.session["did"])

    def add(self, agent: uuid.UUID, kind: str = POST) -> uuid.UUID:
        job = NewJob(uuid.uuid4(), agent, kind, "atproto", account_id=self.account)
        with self.fleet.deps.db.transaction() as tx:
            ledger.add(tx, [job])
        return job.id

    def perform(self, jobs: list[uuid.UUID]) -> list[str]:
        for job in jobs:
            perform(self.fleet.deps, job)
        return [str(self.fleet.job(job).state) for job in jobs]

    def spend(self, points: int) -> None:
        """Use points of the account up, as another program of its owner does: 200 records in a call."""
        while points >= _CREATE:
            number = min(200, points // _CREATE)
            create = {"$type": "com.atproto.repo.applyWrites#create", "collection": keys.LIKE}
            like = {"$type": keys.LIKE, "createdAt": "2026-11-23T10:00:00Z",
                    "subject": {"uri": f"at://{self.session['did']}/{keys.POST}/3k2y", "cid": _CID}}  # fmt: skip
            body: dict[str, Any] = {"repo": self.session["did"], "writes": [{**create, "value": like}] * number}
            self.network.call("com.atproto.repo.applyWrites", body, token=self.session["accessJwt"])
            points -= number * _CREATE


_CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"


@pytest.fixture
def team(database_url: str, strict: Network, tmp_path: Path) -> Iterator[Team]:
    with LossyProxy(strict.pds) as proxy:
        made = Team(database_url, strict, proxy)
        yield made
        made.fleet.deps.close()


def test_the_first_429_teaches_and_none_follows(team: Team) -> None:
    team.spend(_POINTS)
    jobs = [team.add(agent) for _ in range(4) for agent in team.agents]
    attempts = team.perform(jobs)
    assert team.proxy.statuses["putRecord", 429] == 1
    assert team.proxy.statuses["putRecord", 200] == 1, "that of the label, before"
    assert set(attempts) == {"ready"}, "they wait, and nothing is given up"
    assert {team.fleet.job(job).dead_reason for job in jobs} == {None}
    assert all("limit" in str(team.fleet.job(job).held or team.fleet.job(job).last_error) for job in jobs[1:])


def test_what_other_programs_use_is_learnt_before_the_first_429(team: Team) -> None:
    left = 20
    team.spend(_POINTS - _PUT - left)
    states = team.perform([team.add(team.agents[number % 2]) for number in range(left)])
    assert states.count("done") in range(left // _PUT - 3, left // _PUT + 1)
    assert set(states) == {"done", "ready"}
    assert not any(status == 429 for _, status in team.proxy.statuses)
