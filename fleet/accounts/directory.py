"""The accounts of this process with their credentials unsealed, read again after a change.

Held by `fleet.engine.deps`. Credentials that cannot be unsealed make one account unusable and nothing else.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from fleet.accounts import service
from fleet.accounts.keys import LOOK_EVERY_S, Keys, ring
from fleet.accounts.media import PictureTools
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow, key_of
from fleet.accounts.service import AccountKey
from fleet.accounts.tokens import AccountTokens
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import AccountAccess
from fleet.core import clock, logs, masking
from fleet.core.db import Database, visibility
from fleet.core.errors import FleetError, NotFound, Unavailable
from fleet.core.settings import Settings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account as a process uses it. `lost` says why its credentials cannot be unsealed."""

    key: AccountKey
    adapter: str
    access: AccountAccess = field(repr=False)
    limits: Mapping[str, Any]
    lost: FleetError | None = None
    organisation_id: uuid.UUID | None = None
    """None: of the whole fleet."""
    operations: frozenset[str] = frozenset()
    """Operations that are off by the rules of the system and that a person switched on."""


class Accounts:
    """Accounts by id. The one of the settings has its address and token from there, and from the key store."""

    def __init__(
        self, db: Database, settings: Settings, keys: Keys, *, clock_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self._db, self._settings, self._keys, self._clock_s = db, settings, keys, clock_s
        self._open: dict[uuid.UUID, OpenAccount] = {}
        self._ours: tuple[Settings, OpenAccount, FleetError | None, OpenAccount] | None = None
        """The account of the settings as it was made last, after what it was made of."""
        self._next_s = 0.0
        self._is_loaded = False
        self._lock = threading.RLock()

    def get(self, account_id: uuid.UUID | None) -> OpenAccount:
        """Return an account; None is that of the settings. Raises NotFound, Unavailable. Not for transactions."""
        key = key_of(account_id)
        with self._lock:
            if not self._is_loaded or key not in self._open:
                self._look()  # one that was added a moment ago
            if key not in self._open:
                raise NotFound("The account of this job was removed.", fix="Discard the job.")
            return self._of_settings() if key == SETTINGS_ACCOUNT else self._open[key]

    def key(self, account_id: uuid.UUID | None) -> AccountKey | None:
        """Return which account it is, as far as this process knows it."""
        with self._lock:
            found = self._open.get(key_of(account_id))
            return None if found is None else found.key

    def known(self, account_id: uuid.UUID | None) -> OpenAccount | None:
        """Return an account as it was read last, without a look for a new one. Raises Unavailable."""
        with self._lock:
            if not self._is_loaded:
                self._look()
            key = key_of(account_id)
            return self._of_settings() if key == SETTINGS_ACCOUNT and key in self._open else self._open.get(key)

    def all(self) -> list[OpenAccount]:
        """Return the accounts that this context sees: that of the settings, then the others by name.

        Raises Unavailable.
        """
        with self._lock:
            if not self._is_loaded:
                self._look()
            others = sorted(
                (one for key, one in self._open.items() if key != SETTINGS_ACCOUNT), key=lambda o: o.key.name
            )
            shown = [one for one in others if visibility.shows(one.organisation_id)]
            return [*([self._of_settings()] if SETTINGS_ACCOUNT in self._open else []), *shown]

    def refresh(self) -> bool:
        """Read the accounts if the last read is 30 s old; return whether any has changed. Not for transactions."""
        with self._lock:
            if self._is_loaded and self._clock_s() < self._next_s:
                return False
            had_looked, before = self._is_loaded, self._open
            try:
                self._look()
            except Unavailable:
                return False  # the last known accounts are still the best guess
            return had_looked and self._open != before

    def expire(self) -> None:
        """Make the next `refresh` read the accounts, however recent the last read is."""
        with self._lock:
            self._next_s = 0.0

    def _look(self) -> None:
        self._next_s = self._clock_s() + LOOK_EVERY_S
        with visibility.restricted(None), self._db.transaction() as tx:  # all requests share what is read
            rows = service.listed(tx)
        known = {key: one for key, one in self._open.items() if one.lost is None}
        found = {row.id: self._opened(row, known.get(row.id)) for row in rows}
        ours, had = found.get(SETTINGS_ACCOUNT), self._open.get(SETTINGS_ACCOUNT)
        if ours is not None and had is not None and ours.key.version != had.key.version:
            self._keys.expire()  # a newer version with an older token would blame the new token for the old one
        self._open, self._is_loaded = found, True

    def _opened(self, row: AccountRow, known: OpenAccount | None) -> OpenAccount:
        """Unseal what has changed.

        If only the sealing key changed, keep the known credentials, also without that key.
        """
        key = AccountKey(row.id, row.name, row.version)
        if known is not None and known.key == key and known.limits == row.limits:
            return replace(known, organisation_id=row.organisation_id)
        lost, credentials = None, ""
        try:
            credentials = service.open_credentials(row, lambda: ring(self._settings))
            masking.conceal(credentials)
        except FleetError as error:
            lost = error
            log.warning("credentials_cannot_be_opened", account=row.name, reason=str(error))
        media = PictureTools(self._settings)
        access = AccountAccess(
            row.address, SecretStr(credentials), self._settings.http_timeout_s, media=media, tokens=self._tokens(row)
        )
        on = frozenset(row.operations)
        return OpenAccount(key, row.adapter, access, dict(row.limits), lost, row.organisation_id, on)

    def _tokens(self, row: AccountRow) -> AccountTokens:
        oauth = adapters.get(row.adapter).oauth if row.adapter in adapters.names() else None
        rotates = oauth is not None and oauth.rotates
        return AccountTokens(
            self._db, lambda: ring(self._settings), row.id, is_single_use=rotates,
            lease_s=2 * self._settings.http_timeout_s + 60,
        )  # fmt: skip

    def _of_settings(self) -> OpenAccount:
        settings, row, lost = self._keys.settings, self._open[SETTINGS_ACCOUNT], self._keys.lost.get("service_token")
        made = self._ours
        if made is not None and made[0] is settings and made[1] is row and made[2] is lost:
            return made[3]
        access = AccountAccess(settings.gallery_url, settings.service_token, settings.http_timeout_s)
        found = OpenAccount(row.key, row.adapter, access, row.limits, lost, operations=row.operations)
        self._ours = settings, row, lost, found
        return found
