"""What an agent remembers when it writes: for now what the ledger tells of its own posts and comments.

Held by `fleet.engine.deps` as a `fleet.llm.provider.Remember`, used by the handlers of posts and comments, and by
scans. Names in it are strangers' words, and all of it reaches a model as data.
"""

from __future__ import annotations

import uuid

from fleet.core import text
from fleet.core.db import Database
from fleet.engine.jobs import history
from fleet.engine.jobs.history import Deed
from fleet.engine.jobs.policy import JobKind
from fleet.llm.lexicon.subject import author_name

MOST_RECALLED = 6
_LOOKED_THROUGH = 20
_LONGEST_TEXT_CHARS = 100


class LedgerMemory:
    """Remembers an agent's latest posts and comments, and whom it talked to."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def recall(self, agent_id: uuid.UUID, about: tuple[str, ...], *, limit: int) -> tuple[str, ...]:
        """Return what was said to somebody of `about` first, then the newest.

        About nobody: what was said to others alone, since a writer of posts is shown its captions anyway.
        """
        names = {name.casefold() for name in about if name}
        deeds = history.deeds(self._db, agent_id, limit=_LOOKED_THROUGH)
        kept = [one for one in deeds if names or one.kind is JobKind.COMMENT]
        kept.sort(key=lambda one: one.to.casefold() not in names)  # stable: the newest stay first
        return tuple(_sentence(one) for one in kept[:limit])


def _sentence(deed: Deed) -> str:
    said = text.cut(deed.text, _LONGEST_TEXT_CHARS)
    if deed.kind is JobKind.POST:
        return f"Posted: {said}"
    # A stranger chose this name: it reaches the model only if it is one.
    return f"Told {author_name(deed.to) or 'somebody'}: {said}"
