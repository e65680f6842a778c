"""Personas in the search of the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from fleet.access import Permission
from fleet.engine.deps import Deps
from fleet.features.personas.service import personas_of
from fleet.web.points.search_source import SearchHit, SearchSource


def _find(deps: Deps, words: str, limit: int) -> Iterator[SearchHit]:
    wanted = words.casefold()
    every = personas_of(deps).personas.values()
    for one in islice((one for one in every if wanted in one.id.casefold()), limit):
        yield SearchHit(f"{one.emoji} {one.id}", f"/personas/{one.id}")


SOURCE = SearchSource("Personas", Permission.FLEET_VIEW, _find)
