"""The extension point `search.sources`: a feature registers how the search of the dashboard finds its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleet.access import Permission
from fleet.engine.deps import Deps

POINT = "search.sources"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One thing that was found. `href` is a page of the dashboard; `note` is what tells it from others of its name."""

    label: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SearchSource:
    """`find(deps, words, limit)` returns at most `limit` hits for what a person typed, at least two characters."""

    group: str
    permission: Permission
    find: Callable[[Deps, str, int], Iterable[SearchHit]]
