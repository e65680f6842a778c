"""Search what features register at `search.sources`, and the pages of the navigation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fleet.access import Permission, Principal
from fleet.core import text
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.web import pulse
from fleet.web.points.search_source import POINT, SearchHit, SearchSource

SHORTEST = 2
"""With fewer characters only pages are found."""
OF_EACH = 8
"""The most hits of one group."""


@dataclass(frozen=True, slots=True)
class SearchGroup:
    """The hits of one source, the best first."""

    name: str
    hits: Sequence[SearchHit]


def find(deps: Deps, who: Principal, typed: str) -> list[SearchGroup]:
    """Return what this user may see of what matches, without empty groups. Raises Unavailable."""
    words = " ".join(text.clean(typed).split())
    groups = [SearchGroup("Pages", _best(words, _pages(deps, who)))]
    if len(words) >= SHORTEST:
        for source in _sources():
            if who.may(source.permission):
                groups.append(SearchGroup(source.group, list(source.find(deps, words, OF_EACH))))
    return [group for group in groups if group.hits]


def _sources() -> Iterable[SearchSource]:
    return registry.current().extensions(POINT)


def _pages(deps: Deps, who: Principal) -> list[SearchHit]:
    """Return the pages and actions that this user may open."""
    items = [item for item in registry.current().nav if who.may(Permission(item.permission))]
    if any(item.is_shown is not None for item in items):
        with deps.db.transaction() as tx:
            items = [item for item in items if pulse.is_shown(tx, item)]
    return [SearchHit(item.label, item.path, item.group) for item in items]


def _best(words: str, hits: Iterable[SearchHit]) -> list[SearchHit]:
    ranked = ((rank(words, hit.label), hit) for hit in hits)
    found = sorted((one for one in ranked if one[0] is not None), key=lambda one: (one[0], one[1].label))
    return [hit for _, hit in found]


def rank(words: str, label: str) -> int | None:
    """Return how well a label matches: 0 its beginning, 1 the beginning of a word, 2 another part; None: not at all."""
    wanted, name = words.casefold(), label.casefold()
    if name.startswith(wanted):
        return 0
    if any(word.startswith(wanted) for word in name.split()):
        return 1
    return 2 if wanted in name else None
