"""Posts in a real sandbox gallery against the ledger: a service with many users, private posts, an outage."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fleet.adapters import social
from fleet.adapters.base import Account
from fleet.adapters.floimg.adapter import FloImg
from fleet.core import ids
from fleet.engine import publish, system_agents
from fleet.engine.attempts import perform
from fleet.engine.jobs.ledger import NewJob
from fleet.features.reconciliation import service
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from fleet.images.placeholder import data_url, render_jpeg
from tests.e2e.world import TOKEN, World, make_world
from tests.factories import Fleet, act, make_fleet


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory, postgres_server: Any) -> Iterator[World]:
    database = postgres_server.create_database()
    with make_world(tmp_path_factory.mktemp("gallery"), "", database, "") as world:
        world.start_gallery()
        yield world
    postgres_server.drop_database(database)


@dataclass
class Agents:
    """A fleet whose two agents have users in the gallery."""

    fleet: Fleet
    adapter: FloImg
    agents: list[uuid.UUID]

    def user(self, number: int = 0) -> Account:
        row = self.fleet.row(self.agents[number])
        return Account(str(row.id), row.username, row.name, None, remote_id=row.remote_account)

    def post(self, number: int = 0) -> str:
        """Publish through the ledger, half an hour ago; return the gallery's id of the post."""
        job = NewJob(ids.new(), self.agents[number], "post", "floimg", account_id=self.fleet.accounts["real"],
                     payload={"topic": "lamps"})  # fmt: skip
        with self.fleet.deps.db.transaction() as tx:
            publish.add_jobs(tx, self.fleet.deps.publisher, [job])
        perform.perform(self.fleet.deps, job.id)
        row = self.fleet.job(job.id)
        assert row.state == "done" and row.remote_id, row.error
        self.older(timedelta(minutes=30), job.id)
        return row.remote_id

    def older(self, by: timedelta, job: uuid.UUID | None = None) -> None:
        self.fleet.sql("UPDATE jobs SET sending_at = sending_at - :by WHERE kind = 'post'"
                       " AND (id = :job OR CAST(:job AS uuid) IS NULL)", by=by, job=job)  # fmt: skip
        self.fleet.sql("UPDATE missed_posts SET first_at = first_at - :by", by=by)

    def by_hand(self, text: str, **more: Any) -> str:
        action = act(social.POST, self.user(1), str(uuid.uuid4()), text=text, alt_text="",
                     image_url=data_url(render_jpeg(text, "ai_artist")), **more)  # fmt: skip
        found = self.adapter.write(action, timeout_s=10).remote_id
        assert found is not None
        return found

    def compare(self) -> ReconciliationRow:
        run_id = service.request(self.fleet.deps, "real", by="web:ana")
        for one in self.fleet.jobs(kind="reconcile_posts", state="ready"):
            perform.perform(self.fleet.deps, one.id)
        with self.fleet.deps.db.transaction() as tx:
            return tx.session.get_one(ReconciliationRow, run_id)

    def rows(self) -> list[DiscrepancyRow]:
        with self.fleet.deps.db.transaction() as tx:
            return list(tx.session.scalars(sa.select(DiscrepancyRow).where(DiscrepancyRow.state == "open")))


@pytest.fixture
def at(database_url: str, gallery: World) -> Iterator[Agents]:
    adapter = FloImg(gallery.gallery_url, TOKEN, timeout_s=10)
    fleet = make_fleet(database_url, systems={"real": adapter})
    account = fleet.account("real")
    fleet.sql("UPDATE accounts SET created_at = created_at - interval '1 d' WHERE id = :id", id=account)
    system_agents.staff(fleet.deps.db)
    made = Agents(fleet, adapter, [])
    for _ in range(2):
        agent = fleet.agent(account_id=account, username=f"ada_{uuid.uuid4().hex[:8]}")
        made.agents.append(agent)
        receipt = adapter.write(act(social.PROVISION, made.user(len(made.agents) - 1), "k"), timeout_s=10)
        fleet.sql("UPDATE agents SET remote_account = :id WHERE id = :agent", id=receipt.remote_id, agent=agent)
    yield made
    gallery.faults()
    fleet.deps.close()
    adapter.close()


def change(gallery: World, what: str, post: str) -> None:
    """Change a post behind the gallery's API."""
    engine = sa.create_engine(gallery.gallery_database_url)
    with engine.begin() as connection:
        assert connection.execute(sa.text(f"UPDATE posts SET {what} WHERE id = :id"), {"id": post}).rowcount == 1
    engine.dispose()


def test_planted_differences_in_the_gallery_are_all_found(at: Agents, gallery: World) -> None:
    posts = [at.post(number % 2) for number in range(5)]
    hidden = at.by_hand("For friends alone", visibility="private")
    changed, gone = posts[:2]
    change(gallery, "description = 'Buy at https://evil.example'", changed)
    change(gallery, "hidden_at = now()", gone)
    foreign = at.by_hand("Posted by a person")
    for one in (foreign, hidden):
        change(gallery, "created_at = created_at - interval '20 min'", one)
    first = at.compare()
    assert (first.state, first.counts["missed"]) == ("done", 1), first.problem
    at.older(timedelta(minutes=11))
    assert at.compare().state == "done"
    found = {(one.type, one.external_id) for one in at.rows()}
    assert found == {("changed_text", changed), ("deleted_there", gone), ("foreign_post", foreign)}
    assert hidden not in {one.external_id for one in at.rows()}
    assert Counter(one.severity for one in at.rows()) == {"high": 3}


def test_a_post_for_few_is_read_as_its_author_and_an_outage_finds_nothing(at: Agents, gallery: World) -> None:
    hidden, other = at.post(), at.post(1)
    change(gallery, "visibility = 'private'", hidden)
    run = at.compare()
    assert (run.counts["read"], run.counts["missed"], at.rows()) == (2, 0, []), "only its author sees it"
    change(gallery, "hidden_at = now()", other)
    gallery.faults(error_rate=1.0, match="/api/showcase*")
    assert at.compare().state == "running"
    assert (at.rows(), at.fleet.sql("SELECT count(*) FROM missed_posts").scalar_one()) == ([], 0)
