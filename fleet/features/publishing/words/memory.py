"""An agent's memory for its writer: its own posts and comments in the ledger.

A `fleet.llm.provider.Remember` for the handlers of posts and comments, and for scans. It reads results and never
checkpoints: unpublished texts do not count. Names are untrusted text, and all of it reaches a model as data.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from fleet.core import text
from fleet.core.db import Database
from fleet.core.db.sql import Statement
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.publishing.kinds import COMMENT, POST
from fleet.llm.lexicon.subject import author_name
from fleet.llm.provider import Remember

MOST_RECALLED = 6
_LOOKED_THROUGH = 20
_LONGEST_TEXT_CHARS = 100


@dataclass(frozen=True, slots=True)
class Deed:
    """A published post or comment. `to` is the name of the user whom a comment answers, from the surface."""

    kind: str
    text: str
    to: str


def deeds(db: Database, agent_id: uuid.UUID, *, limit: int) -> list[Deed]:
    """Return an agent's newest posts and comments, at most `limit` of each, newest first."""
    rows = db.run(_DEEDS, agent_id=agent_id, most=limit)
    return [Deed(row.kind, row.text, row.to or "") for row in rows]


class LedgerMemory:
    """Remembers an agent's latest posts and comments, and the users it answered."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def recall(self, agent_id: uuid.UUID, about: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
        """Return earlier texts to users in `about` first, then the newest.

        With no user in `about`: comments alone, since a writer of posts is shown its captions anyway.
        """
        names = {name.casefold() for name in about if name}
        found = deeds(self._db, agent_id, limit=_LOOKED_THROUGH)
        kept = [one for one in found if names or one.kind == COMMENT]
        kept.sort(key=lambda one: one.to.casefold() not in names)  # stable: the newest stay first
        return tuple(_sentence(one) for one in kept[:limit])


def memory_of(deps: Deps) -> Remember:
    """Return the memory of this process's agents."""
    return deps.part("memory", lambda deps: LedgerMemory(deps.db))


def _sentence(deed: Deed) -> str:
    said = text.cut(deed.text, _LONGEST_TEXT_CHARS)
    if deed.kind == POST:
        return f"Posted: {said}"
    # an untrusted name: it reaches the model only if it is a valid username
    return f"Told {author_name(deed.to) or 'somebody'}: {said}"


def _newest(kind: str) -> sa.Select[str, str, str, object]:
    """Return the newest of one kind: each kind has its own stretch of ix_jobs_agent."""
    said = JobRow.result["text"].astext
    to = sa.func.coalesce(JobRow.result["to"].astext, JobRow.payload["author_name"].astext)
    return (
        sa.select(JobRow.kind.label("kind"), said.label("text"), to.label("to"), JobRow.created_at.label("at"))
        .where(
            JobRow.agent_id == sa.bindparam("agent_id", type_=sa.Uuid),
            JobRow.kind == kind,
            JobRow.state == JobState.DONE,
            said.is_not(None),
        )
        .order_by(JobRow.created_at.desc())
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


def _both() -> Statement:
    both = sa.union_all(_newest(POST).subquery().select(), _newest(COMMENT).subquery().select())
    told = both.subquery()
    return Statement(sa.select(told.c.kind, told.c.text, told.c.to).order_by(told.c.at.desc()))


_DEEDS = _both()
