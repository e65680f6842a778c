"""The results of a run, counted in the ledger once every job has ended. Called by `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.chaos.world import World
from fleet.core.db import Tx

_EFFECTS = (
    "SELECT kind, count(*) FROM jobs WHERE state = 'done'"
    " AND kind IN ('post', 'comment', 'like', 'repost', 'follow') GROUP BY kind"
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts of one run. `effects` are posts, comments, likes, reposts and follows that jobs have brought about."""

    ticks: int
    jobs: Mapping[str, int]
    effects: Mapping[str, int]
    dead: Mapping[str, int]
    attempts: int
    workers_lost: int
    outcomes_unknown: int
    adopted: int
    server_versions: Mapping[str, str]


def numbers(world: World) -> Numbers:
    """Return the counts of a run."""
    with world.deps.db.transaction() as tx:
        return Numbers(
            ticks=_one(tx, "SELECT count(*) FROM ticks WHERE state = 'decided'"),
            jobs=_by(tx, "SELECT state, count(*) FROM jobs GROUP BY state"),
            effects=_by(tx, _EFFECTS),
            dead=_by(tx, "SELECT dead_reason, count(*) FROM jobs WHERE state = 'dead' GROUP BY dead_reason"),
            attempts=_one(tx, "SELECT count(*) FROM job_attempts"),
            workers_lost=_one(tx, "SELECT count(*) FROM job_attempts WHERE outcome = 'lost'"),
            outcomes_unknown=_one(tx, "SELECT count(*) FROM job_attempts WHERE outcome = 'unknown'"),
            adopted=_one(tx, "SELECT count(*) FROM jobs WHERE state = 'done' AND result ->> 'adopted' = 'true'"),
            server_versions={"PostgreSQL": str(tx.scalar(sa.text("SHOW server_version"))),
                             "Valkey": world.broker.version()},
        )  # fmt: skip


def _one(tx: Tx, query: str) -> int:
    return int(tx.scalar(sa.text(query)))


def _by(tx: Tx, query: str) -> dict[str, int]:
    return {str(name): int(number) for name, number in tx.execute(sa.text(query + " ORDER BY 1"))}
