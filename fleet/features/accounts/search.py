"""Accounts in the search of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fleet.access import Permission
from fleet.engine.deps import Deps
from fleet.features.accounts import queries
from fleet.web.points.search_source import SearchHit, SearchSource


def _find(deps: Deps, words: str, limit: int) -> Iterator[SearchHit]:
    wanted = words.casefold()
    rows = (one for one in queries.listed(deps) if wanted in one.name.casefold() or wanted in one.address.casefold())
    for row in islice(rows, limit):
        yield SearchHit(row.name, f"/accounts/{row.name}", f"{row.adapter}, {row.state}")


SOURCE = SearchSource("Accounts", Permission.SETTINGS_VIEW, _find)
