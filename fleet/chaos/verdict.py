"""The seam between nemesis and checker: what is checked after a run, and what a violation is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.chaos.log import Act


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which one, by which job, during which acts."""

    invariant: int
    what: str
    job_id: str | None = None
    acts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found."""

    violations: tuple[Violation, ...]
    duplicates: int
    losses: int


def check(ledger_url: str, gallery_url: str, acts: Sequence[Act]) -> Verdict:
    """Compare the ledger with the gallery's own tables."""
    del acts
    done = _rows(ledger_url, "SELECT j.kind, j.remote_id, j.target, a.username FROM jobs j"
                 " JOIN agents a ON a.id = j.agent_id WHERE j.state = 'done'")  # fmt: skip
    found: list[Violation] = []
    for kind, query in (("post", "SELECT id::text FROM posts"), ("comment", "SELECT id::text FROM comments")):
        ours = Counter(row.remote_id for row in done if row.kind == kind)
        theirs = Counter(row[0] for row in _rows(gallery_url, query))
        found += [Violation(1, f"{kind} {one} stands and no job is done") for one in (theirs - ours)]
        found += [Violation(1, f"{kind} {one} is done and does not stand") for one in (ours - theirs)]
    liked = {(row.username, row.target) for row in done if row.kind == "like"}
    stand = {(row.username, row.target) for row in _rows(gallery_url, "SELECT u.username, l.post_id::text AS target"
             " FROM likes l JOIN users u ON u.id = l.user_id")}  # fmt: skip
    found += [Violation(1, f"like {one}: done {one in liked}, stands {one in stand}") for one in liked ^ stand]
    live = _rows(ledger_url, "SELECT id::text, state, error FROM jobs WHERE state IN"
                 " ('ready', 'running', 'sending', 'unknown')")  # fmt: skip
    found += [Violation(2, f"still {row.state}: {row.error}", row.id) for row in live]
    return Verdict(tuple(found), sum(1 for one in found if "no job" in one.what), len(live))


def _rows(url: str, query: str) -> Sequence[sa.Row]:  # type: ignore[type-arg]
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query)).all()
    finally:
        engine.dispose()
