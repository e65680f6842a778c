"""A fleet with an account at a contract server of Mastodon, and how its posts grow older."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.core import ids
from fleet.engine import publish, system_agents, tick
from fleet.engine.attempts import perform
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.ticks import TickKey
from fleet.features.engagement.kinds import MEASURE
from tests.adapters.mastodon.contract_server import Server, served
from tests.factories import Fleet, make_fleet


@dataclass
class World:
    """A fleet, the server of its account, and the agent that posts there."""

    fleet: Fleet
    server: Server
    agent: uuid.UUID

    @property
    def account(self) -> uuid.UUID:
        return self.fleet.accounts["masto"]

    def post(self, text: str = "A lamp.", *, agent: uuid.UUID | None = None) -> uuid.UUID:
        """Publish a post through the ledger; return its job."""
        job = NewJob(ids.new(), agent or self.agent, "post", "mastodon", account_id=self.account,
                     payload={"topic": "lamps", "text": text})  # fmt: skip
        with self.fleet.deps.db.transaction() as tx:
            publish.add_jobs(tx, self.fleet.deps.publisher, [job])
        perform.perform(self.fleet.deps, job.id)
        row = self.fleet.job(job.id)
        assert row.state == "done", row.error
        return job.id

    def older(self, by: timedelta) -> None:
        """Let all posts and readings be older."""
        changed = ", ".join(
            f"{name} = {name} - :by" for name in ("posted_at", "next_at", "measured_at", "gone_seen_at")
        )
        self.fleet.sql(f"UPDATE post_metrics SET {changed}", by=by)
        self.fleet.sql("DELETE FROM engagement_hours")
        self.fleet.sql("""INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts)
            SELECT agent_id, account_id, date_trunc('hour', posted_at, 'UTC'), min(surface), count(*)
            FROM post_metrics GROUP BY 1, 2, 3""")
        self.fleet.sql(
            "UPDATE measured_accounts SET followers_at = followers_at - :by, retry_at = retry_at - :by", by=by
        )

    def measure(self) -> list[Any]:
        """Let the agent that measures tick once, and carry out its jobs; return them as they ended."""
        row = self.fleet.sql(
            "UPDATE agents SET tick_no = tick_no + 1 WHERE username = 'fleet_metrics' RETURNING id, tick_no"
        ).one()
        self.fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
                       id=row.id, no=row.tick_no)  # fmt: skip
        tick.tick(self.fleet.deps, TickKey(row.id, row.tick_no))
        jobs = [job.id for job in self.fleet.jobs(kind=MEASURE, state="ready")]
        for job in jobs:
            perform.perform(self.fleet.deps, job)
        return [self.fleet.job(job) for job in jobs]

    def events(self, *subjects: str) -> list[Any]:
        return self.fleet.sql(
            "SELECT subject, agent_id, payload FROM events WHERE subject = ANY(:subjects) ORDER BY id",
            subjects=list(subjects),
        ).all()


@contextmanager
def world(database_url: str, **settings: Any) -> Iterator[World]:
    """Make a fleet with one agent at one account of a Mastodon server."""
    with served() as server:
        adapter = Mastodon(AccountAccess(server.url, SecretStr("token"), 10.0))
        fleet = make_fleet(database_url, systems={"masto": adapter}, **settings)
        fleet.account("masto", adapter="mastodon")
        system_agents.staff(fleet.deps.db)
        agent = fleet.agent(kind="gallery", surface="mastodon", account_id=fleet.accounts["masto"])
        yield World(fleet, server, agent)
        fleet.deps.close()
        adapter.close()
