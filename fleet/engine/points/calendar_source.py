"""The extension point `calendar.sources`: a feature registers rows of its own that the calendar shows and changes.

The calendar asks all sources in one SQL statement for keys (`keys`), and then each for the entries that are shown
(`load`). A source carries out its own verbs: its rows and their events stay its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine import registry

if TYPE_CHECKING:
    from fleet.engine.deps import Deps

POINT = "calendar.sources"
EntryKeys = sa.Select[uuid.UUID, datetime, str]
"""A query of the columns `id`, `at` and `layer`."""


class CalendarLayer(StrEnum):
    """How certain an entry is."""

    PAST = "past"
    """It happened, or it failed."""
    PLANNED = "planned"
    """It happens at its time, if nobody changes it."""
    PROPOSED = "proposed"
    """It waits for a decision."""


class EntryVerb(StrEnum):
    """What people can do with an entry."""

    MOVE = "move"
    CANCEL = "cancel"
    DUPLICATE = "duplicate"
    CHANGE = "change"
    """On the page `CalendarEntry.change`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFilter:
    """The entries with `start` <= time < `end`; empty fields match all. Without `all_kinds` posts alone."""

    start: datetime
    end: datetime
    layers: frozenset[CalendarLayer] = frozenset(CalendarLayer)
    surface: str = ""
    account_id: uuid.UUID | None = None
    agent_id: uuid.UUID | None = None
    all_kinds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """One entry. `id` is unique within its source; texts are data of agents, surfaces and people."""

    id: uuid.UUID
    at: datetime
    layer: CalendarLayer
    kind: str
    """In words: "post", "comment"."""
    state: str
    """The state of its row, in the words of its source."""
    title: str
    """Its text, or what it is about; cut where it is shown."""
    surface: str
    account_id: uuid.UUID | None = None
    """None is the account of the settings."""
    agent_id: uuid.UUID | None = None
    page: str = ""
    """The path of its own page."""
    change: str = ""
    """The path of the page that changes it."""
    note: str = ""
    """Why it waits or failed."""
    verbs: frozenset[EntryVerb] = frozenset()
    """What can be done with it now."""


class CalendarSource(Protocol):
    """Rows of one feature as entries. All ids are UUIDs; times are aware and UTC."""

    name: str
    """In addresses: "jobs"."""
    label: str
    """For people: "Jobs"."""
    permission: Permission
    """Only users who have it see the entries."""
    verbs: Mapping[EntryVerb, Permission]
    """The verbs that the source carries out, and the permission that each takes."""
    compose: str
    """The path of the page that makes a new entry; empty for none. It takes `at`, a wall time, and `zone`.

    Users who may duplicate entries may make new ones.
    """
    live: str
    """The subjects of events that change its entries, such as "job.*": the page is refreshed then."""

    def keys(self, which: CalendarFilter) -> EntryKeys:
        """Return the entries that match, in any order."""
        ...

    def load(self, deps: Deps, tx: Tx, ids: Sequence[uuid.UUID]) -> Sequence[CalendarEntry]:
        """Return the entries with these ids, in any order; those that are gone are left out."""
        ...

    def move(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> None:
        """Have it happen at another time. Raises NotFound, Conflict, InvalidInput."""
        ...

    def cancel(self, deps: Deps, entry_id: uuid.UUID, *, by: Principal) -> None:
        """Have it not happen. Raises NotFound, Conflict."""
        ...

    def duplicate(self, deps: Deps, entry_id: uuid.UUID, at: datetime, *, by: Principal) -> uuid.UUID:
        """Make another entry of this source with the same content and return its id. Raises NotFound, Conflict."""
        ...


def sources() -> Sequence[CalendarSource]:
    """Return the registered sources, in order."""
    return registry.current().extensions(POINT)


def source(name: str) -> CalendarSource:
    """Return a source by its name. Raises NotFound."""
    for one in sources():
        if one.name == name:
            return one
    names = ", ".join(one.name for one in sources())
    raise NotFound(f"The calendar has no source {name!r}.", fix=f"Sources: {names}.")
