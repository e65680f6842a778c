"""The settings and documents in force in this process: read again within seconds of a change, without a query a use.

Held by `fleet.engine.deps`. A snapshot is immutable: whoever holds one sees no change. While the database is away, the
last known settings hold.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from fleet.accounts import keys
from fleet.accounts.models import key_of
from fleet.core import clock, logs
from fleet.core.db import Database, Tx, visibility
from fleet.core.db.sql import Statement
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.core.settings import Settings, SettingScope
from fleet.engine.settings import documents, layers, sealing
from fleet.engine.settings.documents import Contents
from fleet.engine.settings.layers import Values
from fleet.engine.settings.models import DocumentRow, SettingRow

LOOK_EVERY_S = 2.0
"""How often a process asks whether a setting has changed."""
_MOST_REMEMBERED = 1_000
_Revisions = tuple[int, int]  # of settings, and of documents
_REVISIONS = Statement(
    sa.select(
        sa.func.coalesce(sa.func.max(SettingRow.revision), 0),
        sa.select(sa.func.coalesce(sa.func.max(DocumentRow.revision), 0)).scalar_subquery(),
    )
)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """All rows at a revision. `scoped` remembers settings by the values that made them: agents share them.

    `lost` are the sealed values that no key of this process opens.
    """

    revisions: _Revisions
    rows: Mapping[tuple[str, str], Values]
    fleet: Settings
    lost: Values = field(default_factory=dict)
    documents: Mapping[str, Contents] = field(default_factory=dict)
    scoped: dict[str, Settings] = field(default_factory=dict)
    is_scoped: bool = False
    """Whether any row is of a scope below the fleet: without one, all agents have the fleet's settings."""


class LiveSettings:
    """The settings of a process's environment with the rows of the table above them."""

    def __init__(self, db: Database, given: Settings, *, clock_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._db, self._given, self._clock_s = db, given, clock_s
        self._known = _Snapshot((-1, -1), {}, given)
        self._next_s = 0.0
        self._lock = threading.Lock()

    @property
    def fleet(self) -> Settings:
        """The settings of the whole fleet: the same object until one changes. Asks no database."""
        return self._known.fleet

    def of(
        self, agent_id: uuid.UUID | None = None, account_id: uuid.UUID | None = None, persona_id: str | None = None,
        organisation_id: uuid.UUID | None = None,
    ) -> Settings:  # fmt: skip
        """Return the settings of an agent, with its persona and organisation, as it acts through an account; None: that
        of the settings.
        """
        known = self._known
        if not known.is_scoped:
            return known.fleet
        organisation = known.rows.get((SettingScope.ORGANISATION, str(organisation_id)), {})
        persona = known.rows.get((SettingScope.PERSONA, str(persona_id)), {})
        account = known.rows.get((SettingScope.ACCOUNT, str(key_of(account_id))), {})
        agent = known.rows.get((SettingScope.AGENT, str(agent_id)), {})
        if not organisation and not persona and not account and not agent:
            return known.fleet
        values = {**organisation, **persona, **account, **agent}
        key = repr(sorted(values.items()))
        found = known.scoped.get(key)
        if found is None:
            found = layers.apply_valid(known.fleet, values)
            if len(known.scoped) < _MOST_REMEMBERED:
                found = known.scoped.setdefault(key, found)
        return found

    def set_in(self, scope: SettingScope, key: str) -> Values:
        """Return what is set in one scope alone, as JSON holds it: of an organisation, a persona, an account or an
        agent, by its id. Asks no database; pinned settings are among them.
        """
        return self._known.rows.get((scope, key), {})

    def documents(self, kind: str) -> Contents:
        """Return the documents of a kind that people have set: the same object until one changes. Asks no database."""
        return self._known.documents.get(kind, documents.NONE)

    def scope_of(
        self, name: str, agent_id: uuid.UUID | None, persona_id: str | None, organisation_id: uuid.UUID | None
    ) -> SettingScope | None:
        """Return the scope that sets a setting of an agent or a persona; None if the environment or nobody does."""
        if self._given.is_pinned(name):
            return None
        places = (
            (SettingScope.AGENT, str(agent_id)),
            (SettingScope.PERSONA, str(persona_id)),
            (SettingScope.ORGANISATION, str(organisation_id)),
            (SettingScope.FLEET, ""),
        )
        return next((place[0] for place in places if name in self._known.rows.get(place, {})), None)

    @property
    def is_due(self) -> bool:
        """Whether `refresh` would look."""
        return self._clock_s() >= self._next_s

    def refresh(self, *, wait: bool = False) -> bool:
        """Read the rows if any has changed, at most every two seconds; return whether. Not for transactions.

        While another thread reads them, the last known settings hold; with `wait` this call returns after that thread,
        which may have begun before a change of the caller's.
        """
        if not wait and not self.is_due:
            return False
        if not self._lock.acquire(blocking=wait or self._known.revisions[0] < 0):
            return False
        try:
            return self.is_due and self._look()
        finally:
            self._lock.release()

    def expire(self) -> None:
        """Make the next `refresh` look, however recent the last look is."""
        self._next_s = 0.0

    def _look(self) -> bool:
        self._next_s = self._clock_s() + LOOK_EVERY_S
        try:
            with visibility.restricted(None):  # all requests share what is read
                is_same = tuple(self._db.run(_REVISIONS)[0]) == self._known.revisions
                if is_same and not any(self._opens(*one) for one in self._known.lost.items()):
                    return False
                with self._db.transaction() as tx:
                    self._known = self._read(tx)
        except Unavailable:
            return False
        except InvalidInput as error:  # a new version over old tables, while it is rolled out
            log.warning("settings_not_there", reason=str(error))
            return False
        return True

    def _read(self, tx: Tx) -> _Snapshot:
        """Read each table in one statement: two could see half a change."""
        columns = (SettingRow.scope, SettingRow.scope_id, SettingRow.name, SettingRow.value, SettingRow.revision)
        found = tx.execute(sa.select(*columns)).all()
        newest, current = documents.all_current(tx)
        rows: dict[tuple[str, str], dict[str, Any]] = {}
        for scope, scope_id, name, value, _ in found:
            if value is not None:
                rows.setdefault((scope, scope_id), {})[name] = value
        values, lost = self._opened(rows.get((SettingScope.FLEET, ""), {}))
        revisions = max((one.revision for one in found), default=0), newest
        if newest == self._known.revisions[1]:
            current = self._known.documents  # features keep what they made of these objects
        is_scoped = any(scope != SettingScope.FLEET for scope, _ in rows)
        fleet = layers.apply_valid(self._given, values)
        return _Snapshot(revisions, rows, fleet, lost, current, is_scoped=is_scoped)

    def _opened(self, values: Values) -> tuple[Values, Values]:
        """Return values with sealed ones opened, and apart from them those that cannot be opened."""
        found, lost = {}, {}
        for name, value in values.items():
            try:
                found[name] = sealing.opened(lambda: keys.ring(self._given), name, value)
            except FleetError as error:
                lost[name] = value
                log.warning("setting_cannot_be_opened", setting=name, reason=str(error))
        return found, lost

    def _opens(self, name: str, value: Any) -> bool:
        """Say whether a value that could not be opened can be by now: its key may be back in the home's file."""
        try:
            sealing.opened(lambda: keys.ring(self._given), name, value)
        except FleetError:
            return False
        return True
