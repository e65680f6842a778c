"""SQLAlchemy's compiled statements, shared by all engines of a test process. Called by `conftest`.

Each test has a database of its own, and so an engine: alone, each engine would ask the server what it can do, and
compile every statement anew. Private parts of SQLAlchemy: an engine's cache and the start of its dialect.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.util import LRUCache

from fleet.core.db import Database

_MOST_STATEMENTS = 5_000


def share(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let every `Database` made from now on use the dialect and the cache of one that has connected to `url`."""
    first = Database(url, pool_size=1)
    with first.transaction() as tx:
        tx.now()
    first.close()
    dialect, cache = first.engine.dialect, LRUCache(_MOST_STATEMENTS)  # type: ignore[var-annotated]
    build = Database.__init__

    def build_sharing(self: Database, *arguments: Any, **more: Any) -> None:
        build(self, *arguments, **more)
        if self.engine.dialect.name == dialect.name:
            self.engine.dialect.initialize = lambda _: None  # type: ignore[method-assign]
            self.engine.dialect = self.engine.pool._dialect = dialect
            self.engine._compiled_cache = cache

    monkeypatch.setattr(Database, "__init__", build_sharing)
