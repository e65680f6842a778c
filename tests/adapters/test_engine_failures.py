"""Failures of networks through the engine's loop: each ends with one post, or with a dead letter that says why.

The contract servers stand for X, LinkedIn, Instagram, Facebook and TikTok; the AT Protocol has tests of its own
(tests/atproto/test_failures.py, test_fleet.py). docs/platforms.md has the table of these failures.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.adapters import registry
from fleet.adapters.manifest import AccountAccess, MemoryTokens
from fleet.adapters.oauth import TokenPair
from fleet.core import failpoints, ids
from fleet.core.failpoints import Point
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.sweep import sweep
from fleet.features.accounts import commands as accounts
from fleet.features.approvals import service as approvals
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.rules import Person
from fleet.features.publishing.kinds import POST, PROVISION
from fleet.images.video import slideshow
from tests.adapters.networks import Case
from tests.adapters.test_networks import CASES
from tests.contracts import linkedin, meta, tiktok, x
from tests.contracts.server import Contract, Reply
from tests.factories import Fleet, make_fleet

BEN = Person("ben", frozenset({"reviewer"}))
_LINES = [Point.JOB_CLAIMED, Point.JOB_STEP_PAID, Point.JOB_STEP_SAVED, Point.JOB_PREPARED, Point.JOB_ANNOUNCED,
          Point.JOB_CLEARED, Point.JOB_SENT, Point.JOB_RECORDING, Point.JOB_FINISHED]  # fmt: skip


@dataclass
class Faults:
    """What a network answers in each failure."""

    error_in_200: Reply
    token_ended: Reply
    create: tuple[str, str]
    """The call whose answer the faults replace."""
    refuse_media: Callable[[Any], None]
    mend_media: Callable[[Any], None]
    refuse_media_once: Callable[[Any], None] | None = None
    """Where the network names a reason that passes; else as `refuse_media`."""
    payload: dict[str, Any] = field(default_factory=dict)


def _set(**values: Any) -> Callable[[Any], None]:
    def change(server: Any) -> None:
        for name, value in values.items():
            setattr(server, name, value)

    return change


def _refuse_photos(server: Contract) -> None:
    reply = meta.refusal(100, 2207052, "The media could not be fetched")
    server.answer("POST", rf"{meta.V}/{meta.PAGE}/photos", reply, times=100)


def _mend_photos(server: Contract) -> None:
    server.faults.clear()


_ENDED = meta.refusal(190, 463, "Session has expired", 401)
_META_200 = Reply(200, {"error": {"message": "An unknown error occurred", "type": "OAuthException", "code": 1}})
FAULTS = {
    "x": Faults(
        Reply(200, {"errors": [{"title": "Internal Error", "type": "about:blank"}]}),
        x.problem(401, "Unauthorized", "Unauthorized"), x.XContract.create_path,
        _set(fails_processing=True), _set(fails_processing=False),
    ),
    "linkedin": Faults(
        Reply(200, {"status": 500, "code": "INTERNAL_SERVER_ERROR", "message": "Internal error"}),
        Reply(401, {"status": 401, "serviceErrorCode": 65602, "code": "EXPIRED_ACCESS_TOKEN"}),
        linkedin.LinkedInContract.create_path, _set(fails_processing=True), _set(fails_processing=False),
    ),
    "instagram": Faults(
        _META_200, _ENDED, meta.InstagramContract.create_path, _set(state="ERROR"), _set(state="FINISHED"),
    ),
    "facebook": Faults(_META_200, _ENDED, meta.FacebookContract.create_path, _refuse_photos, _mend_photos),
    "tiktok": Faults(
        tiktok.answer(code="internal_error"), tiktok.answer(code="access_token_invalid", status=401),
        ("POST", "/v2/post/publish/status/fetch/"),
        _set(fail_reason="picture_size_check_failed"), _set(fail_reason=""), _set(fail_reason="internal"),
        {"format": "video"},
    ),
}  # fmt: skip


class Publisher:
    """A fleet with one agent at an account of a network."""

    def __init__(self, database_url: str, case: Case, adapter: Any, objects: str) -> None:
        self.case = case
        self.fleet: Fleet = make_fleet(database_url, systems={"net": adapter}, objects=objects)
        self.account = self.fleet.account("net", adapter=case.name)
        self.agent = self.fleet.agent(account=False, account_id=self.account, surface=case.name)
        assert self.run(self.add(PROVISION)) == "done"

    def add(self, kind: str = POST, **payload: Any) -> uuid.UUID:
        payload = {**FAULTS[self.case.name].payload, **payload} if kind == POST else {}
        job = NewJob(ids.new(), self.agent, kind, self.case.name, account_id=self.account, payload=payload)
        with self.fleet.deps.db.transaction() as tx:
            ledger.add(tx, [job])
        return job.id

    def run(self, job_id: uuid.UUID, *, kill_at: Point | None = None, turns: int = 20) -> str:
        """Perform until the job has ended; the first process that reaches the point dies there. People approve it."""
        points = [kill_at] if kill_at is not None else []

        def strike(point: Point) -> None:
            if point in points:
                points.remove(point)
                raise KilledProcess

        failpoints.arm(strike)
        try:
            for _ in range(turns):
                if self.fleet.job(job_id).finished_at is not None:
                    break
                try:
                    perform(self.fleet.deps, job_id)
                except KilledProcess:
                    self.fleet.lease_runs_out()
                    sweep(self.fleet.deps)
                self._approve()
                self.fleet.time_passes()
                self.fleet.sql("DELETE FROM adapter_limits")  # a minute passes: TikTok takes six uploads in one
        finally:
            failpoints.arm(None)
        return str(self.fleet.job(job_id).state)

    def _approve(self) -> None:
        with self.fleet.deps.db.transaction() as tx:
            waiting = list(tx.session.scalars(sa.select(RequestRow.id).where(RequestRow.state == "pending")))
        for result in approvals.approve(self.fleet.deps, waiting, BEN) if waiting else ():
            assert result.error is None, result.error

    def why(self, job_id: uuid.UUID) -> str:
        """Return what the job's newest attempt that failed says."""
        found = self.fleet.sql(
            "SELECT error FROM job_attempts WHERE job_id = :id AND error IS NOT NULL ORDER BY lease_token DESC LIMIT 1",
            id=job_id,
        ).scalar()
        return str(found or self.fleet.job(job_id).held or "")

    def pauses(self) -> list[str]:
        """Return the reasons of the pauses of the account."""
        return [str(one) for one in self.fleet.sql("SELECT reason FROM controls WHERE scope = 'account'").scalars()]


class KilledProcess(BaseException):
    """The process is gone."""


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def faults(case: Case) -> Faults:
    return FAULTS[case.name]


@pytest.fixture
def server(case: Case) -> Iterator[Any]:
    with case.contract().serve() as contract:
        yield contract


@pytest.fixture
def publisher(
    database_url: str, case: Case, server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    monkeypatch.setattr(slideshow, "make", lambda *_, **__: b"a film")  # encoding has tests of its own
    adapter = case.connect(server.url)
    made = Publisher(database_url, case, adapter, str(tmp_path))
    yield made
    made.fleet.deps.close()
    adapter.close()


def test_a_kill_at_every_line_doubles_nothing_and_loses_nothing(server: Any, publisher: Publisher) -> None:
    for number, line in enumerate(_LINES, start=1):
        job = publisher.add()
        assert publisher.run(job, kill_at=line) == "done", (line, publisher.why(job))
        assert len(server.published()) == number, line


def test_a_post_whose_answer_is_lost_is_published_once(case: Case, server: Any, publisher: Publisher) -> None:
    server.lose_reply(*server.create_path)
    job = publisher.add()
    assert publisher.run(job) == "done", publisher.why(job)
    (found,) = server.published()
    assert found["id"] in str(publisher.fleet.job(job).remote_id)


def test_an_error_inside_a_200_before_the_write_ends_with_one_post_or_a_reason(
    server: Any, faults: Faults, publisher: Publisher
) -> None:
    server.answer(*faults.create, faults.error_in_200)
    job = publisher.add()
    state = publisher.run(job)
    assert (state, len(server.published())) in (("done", 1), ("dead", 0)), publisher.why(job)
    assert publisher.why(job)


def test_an_error_inside_a_200_after_the_write_doubles_nothing(
    server: Any, faults: Faults, publisher: Publisher
) -> None:
    server.answer(*faults.create, faults.error_in_200, is_done=True)
    job = publisher.add()
    assert publisher.run(job) == "done", publisher.why(job)
    assert len(server.published()) == 1


def test_media_that_is_refused_after_processing_becomes_a_dead_letter(
    server: Any, faults: Faults, publisher: Publisher
) -> None:
    faults.refuse_media(server)
    job = publisher.add()
    assert publisher.run(job, turns=60) == "dead", publisher.why(job)
    assert server.published() == [] and publisher.why(job)


def test_media_that_is_refused_once_is_uploaded_again(server: Any, faults: Faults, publisher: Publisher) -> None:
    (faults.refuse_media_once or faults.refuse_media)(server)
    job = publisher.add()
    publisher.run(job, turns=3)
    assert server.published() == []
    faults.mend_media(server)
    assert publisher.run(job) == "done", publisher.why(job)
    assert len(server.published()) == 1


def test_a_token_that_ends_in_flight_stops_the_account_until_a_person_renews_it(
    server: Any, faults: Faults, publisher: Publisher
) -> None:
    server.answer(*faults.create, faults.token_ended)
    job = publisher.add()
    assert publisher.run(job, turns=6) != "done"
    assert server.published() == []
    (reason,) = publisher.pauses()
    assert "refuses our token" in reason
    assert accounts.resume(publisher.fleet.deps, "net", by="ann")
    assert publisher.run(job) == "done", publisher.why(job)
    assert len(server.published()) == 1


def test_the_posts_of_a_suspended_account_wait_with_the_reason(server: Any, publisher: Publisher) -> None:
    server.is_suspended = True
    job = publisher.add()
    assert publisher.run(job, turns=6) != "done"
    assert server.published() == []
    (reason,) = publisher.pauses()
    assert reason
    server.is_suspended = False
    assert accounts.resume(publisher.fleet.deps, "net", by="ann")
    assert publisher.run(job) == "done", publisher.why(job)
    assert len(server.published()) == 1


def by_name(name: str) -> Any:
    """Run a test on one network alone."""
    return pytest.mark.parametrize("case", [one for one in CASES if one.name == name], ids=[name], indirect=True)


@pytest.mark.parametrize(
    "case", [one for one in CASES if one.name in ("x", "linkedin", "facebook")], ids=lambda one: one.name, indirect=True
)
def test_a_duplicate_answer_to_a_post_that_was_sent_again_is_the_first_post(
    case: Case, server: Any, faults: Faults, publisher: Publisher
) -> None:
    server.lose_reply(*faults.create)
    job = publisher.add()
    assert publisher.run(job, turns=1) == "unknown" or publisher.run(job, turns=1) == "unknown"
    lists = {
        "x": (rf"/2/users/{x.ME}/tweets", Reply(200, {"meta": {"result_count": 0}})),
        "linkedin": ("/rest/posts", Reply(200, {"elements": [], "paging": {}})),
        "facebook": (rf"{meta.V}/{meta.PAGE}/feed", Reply(200, {"data": []})),
    }
    server.answer("GET", *lists[case.name])  # the list of the account's posts is late
    assert publisher.run(job) == "done", publisher.why(job)
    assert server.count(*faults.create) == 2, "it was not sent again"
    (found,) = server.published()
    assert found["id"] in str(publisher.fleet.job(job).remote_id)


@by_name("tiktok")
def test_pictures_on_tiktok_whose_answer_is_lost_become_a_dead_letter_for_a_person(
    server: Any, publisher: Publisher
) -> None:
    server.lose_reply("POST", "/v2/post/publish/content/init/")
    job = publisher.add(format="")
    assert publisher.run(job) == "dead"
    assert publisher.fleet.job(job).dead_reason == "unknown_outcome"
    assert "their id was in the answer that is lost" in publisher.why(job)
    assert len(server.published()) == 1 and server.count("POST", "/v2/post/publish/content/init/") == 1


def test_a_token_that_ends_in_flight_is_renewed_once_and_the_post_published_once(
    database_url: str, tmp_path: Any
) -> None:
    case = next(one for one in CASES if one.name == "x")
    with x.XContract().serve() as server:
        tokens = MemoryTokens(TokenPair(x.TOKEN, "refresh-1").write())
        access = AccountAccess(server.url, SecretStr('{"client_id": "app-1"}'), 10, tokens)
        publisher = Publisher(database_url, case, registry.get("x").connect(access), str(tmp_path))
        server.answer(*server.create_path, FAULTS["x"].token_ended)
        job = publisher.add()
        assert publisher.run(job) == "done", publisher.why(job)
        assert len(server.published()) == 1 and not publisher.pauses()
        assert server.count("POST", "/2/oauth2/token") == 1 and server.count(*server.create_path) == 2
        publisher.fleet.deps.close()
