"""The fleet as one would write it in an afternoon: Celery, an ORM, no ledger. What the pipeline is compared with.

A tick loads the agent, looks at the feed, chooses, and publishes an action; the action writes to the surface, adds a
row of activity and counts. It is careful as far as Celery goes: late acknowledgement, tasks of lost workers run again,
a lost reply is tried again. Run by `python -m bench.plain_fleet <options of celery worker>`.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from celery import Celery, Task
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench import stub_surface
from bench.stub_surface import StubSurface
from fleet.adapters.base import Account, Action, Uncertain
from fleet.adapters.social import LIKE, LikePayload

FEED_LENGTH = 20
ACTIONS = ("post", "comment", "like", "browse")

app = Celery("plain", broker=os.environ.get("FLEET_BROKER_URL"), set_as_current=False)
app.conf.update(
    task_default_queue="plain",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # As quick as it can be to run the tasks of a killed worker again, so that nobody waits for an hour.
    broker_transport_options={
        "visibility_timeout": int(os.environ.get("BENCH_VISIBILITY_S", "60")),
        "unacked_restore_interval": 1, "unacked_restore_throttle": 1,
    },
)  # fmt: skip


class Base(DeclarativeBase):
    pass


class PlainAgent(Base):
    __tablename__ = "plain_agents"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    username: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="running")
    like_weight: Mapped[float] = mapped_column(default=1.0)
    total_likes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    last_action_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))


class PlainActivity(Base):
    __tablename__ = "plain_activity"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("plain_agents.id"), index=True)
    kind: Mapped[str]
    target: Mapped[str]
    remote_id: Mapped[str | None]
    happened_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), index=True)


@functools.cache
def engine() -> sa.Engine:
    return sa.create_engine(os.environ["FLEET_DATABASE_URL"])


@functools.cache
def surface() -> StubSurface:
    lost = float(os.environ.get(stub_surface.REPLIES_LOST, "0"))
    return StubSurface(Path(os.environ[stub_surface.EFFECTS]), replies_lost=lost)


@app.task(name="plain.tick")
def tick(agent_id: str) -> None:
    with Session(engine()) as session:
        agent = session.get(PlainAgent, uuid.UUID(agent_id))
        if agent is None or agent.status != "running":
            return
        feed = surface().feed(_account(agent), limit=FEED_LENGTH)
        kind = random.choices(ACTIONS, weights=[0, 0, agent.like_weight, 0])[0]
        act.delay(agent_id, kind, random.choice(feed).id)


@app.task(name="plain.act", bind=True, max_retries=5)
def act(self: Task, agent_id: str, kind: str, target: str) -> None:
    with Session(engine()) as session:
        agent = session.get_one(PlainAgent, uuid.UUID(agent_id))
        try:
            like = Action(LIKE, _account(agent), str(self.request.id), LikePayload(target))
            receipt = surface().write(like, timeout_s=30)
        except Uncertain as error:
            raise self.retry(exc=error, countdown=1) from error
        now = datetime.now(UTC)
        session.add(PlainActivity(agent_id=agent.id, kind=kind, target=target, remote_id=receipt.remote_id,
                                  happened_at=now))  # fmt: skip
        agent.total_likes += 1
        agent.last_action_at = now
        session.commit()


@app.task(name="plain.nothing")
def nothing() -> None:
    stub_surface.mark()


def _account(agent: PlainAgent) -> Account:
    return Account(str(agent.id), agent.username, agent.name, None, "", agent.username)


if __name__ == "__main__":
    # Under its own name, so that the tasks above are registered once, in the module that others import.
    from bench.plain_fleet import app as its_app

    its_app.worker_main(["worker", *sys.argv[1:]])
