"""Messages for ticks and jobs: which task, on which queue. They are sent after COMMIT only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleet.core.db import Tx
from fleet.core.queue import Message, Publisher
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob, Ring
from fleet.engine.jobs.ticks import TickKey


def ring_ticks(publisher: Publisher, keys: Iterable[TickKey], *, queue: str = "ticks") -> None:
    """Tell the workers that ticks are due."""
    publisher.publish([Message("fleet.tick", (str(key.agent_id), key.tick_no), queue) for key in keys])


def ring_jobs(publisher: Publisher, rings: Iterable[Ring]) -> None:
    """Publish messages of jobs that are ready, each to the queue of its priority."""
    due = [ring for ring in rings if ring.is_published]
    publisher.publish([Message(f"fleet.{ring.kind}", (str(ring.job_id),), ring.priority) for ring in due])


def add_jobs(tx: Tx, publisher: Publisher, jobs: Sequence[NewJob]) -> list[Ring]:
    """Add jobs in a transaction, and publish the due ones after COMMIT. Return the new ones."""
    rings = ledger.add(tx, jobs)
    if rings:
        tx.afterwards(lambda: ring_jobs(publisher, rings))
    return rings
