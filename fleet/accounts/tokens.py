"""The tokens of accounts, in Postgres: one process at a time renews them, and no transaction spans a call.

Each `AccountAccess` has an `AccountTokens`. A process takes a lease in one transaction, calls the system, and stores
the new tokens in another before anybody uses them. Where a refresh token is good for one use, a renewal without an
answer is not repeated: a used token that comes back makes such systems end all tokens of the account.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.accounts.models import TokensRow
from fleet.accounts.sealing import Keyring, Sealed
from fleet.adapters import base
from fleet.adapters.oauth import TokenPair
from fleet.core import logs
from fleet.core.db import Database, Tx, visibility
from fleet.core.errors import FleetError, Unavailable

log = logs.get(__name__)
_CLOCK = sa.func.clock_timestamp()
_POLL_S = 0.1
_STORE_TRIES = 20
_STORE_AGAIN_S = 0.5
LOST = "the answer to the renewal of its tokens was lost; connect the account again"
_GOOD_FOR_S = 2.0
"""How long a process uses tokens without a look at the row. A newer pair is found by the refusal of the older one."""


@dataclass(frozen=True, slots=True)
class TokenState:
    """What people see of an account's tokens."""

    expires_at: datetime | None
    refresh_expires_at: datetime | None
    is_lost: bool
    connected_by: str | None
    connected_at: datetime
    updated_at: datetime
    ends_at: datetime | None
    """When only a person can renew the access; None if that is not known."""


class AccountTokens:
    """The tokens of one account, for its adapter. Safe to use from many threads and processes; not in transactions."""

    def __init__(
        self, db: Database, ring: Callable[[], Keyring], account_id: uuid.UUID, *, is_single_use: bool = False,
        lease_s: float = 120.0,
    ) -> None:  # fmt: skip
        self._db, self._ring, self._account_id = db, ring, account_id
        self._is_single_use, self._lease_s = is_single_use, lease_s
        self._read: tuple[float, str | None] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccountTokens) and other._account_id == self._account_id

    def __hash__(self) -> int:
        return hash(self._account_id)

    def load(self) -> str | None:
        """Return the stored tokens; None for an account that is not connected. Raises LostKey, Unavailable."""
        now_s = self._db.clock.monotonic_s()
        if self._read is not None and now_s - self._read[0] < _GOOD_FOR_S:
            return self._read[1]
        with visibility.restricted(None), self._db.transaction() as tx:
            row = _row(tx, self._account_id)
        found = None if row is None else self._opened(row)
        self._read = now_s, found
        return found

    def renew(self, known: str | None, make: Callable[[str | None], str]) -> str:
        """Return tokens newer than `known`. Raises what `make` raises, Throttled, TokenRefused if one was lost."""
        self._read = None
        lease = uuid.uuid4()
        stored = self._take(known, lease)
        if stored.is_newer and stored.text is not None:
            return stored.text
        try:
            made = make(stored.text)
        except base.AdapterError as error:
            self._give_up(lease, is_lost=isinstance(error, base.Uncertain))
            raise
        except BaseException:
            self._give_up(lease, is_lost=True)
            raise
        return self._store(lease, made)

    def _take(self, known: str | None, lease: uuid.UUID) -> _Stored:
        """Take the lease, or return what another process has stored. Waits for a renewal that goes on."""
        for _ in range(int(self._lease_s / _POLL_S) + 1):
            found = self._try_to_take(known, lease)
            if found is not None:
                return found
            time.sleep(_POLL_S)
        raise base.Throttled("another process renews the tokens", retry_after_s=5.0)

    def _try_to_take(self, known: str | None, lease: uuid.UUID) -> _Stored | None:
        with visibility.restricted(None), self._db.transaction() as tx:
            tx.execute(insert(TokensRow).values(account_id=self._account_id).on_conflict_do_nothing())
            row = _row(tx, self._account_id, lock=True)
            if row is None:  # removed in this moment
                raise base.TokenRefused("the account is not connected")
            text = self._opened(row)
            if text is not None and text != known:
                return _Stored(text, is_newer=True)
            now = tx.now()
            if row.lease_until is not None and row.lease_until > now:
                return None
            if self._is_single_use and row.lease is not None and row.lost_at is None:
                row.lost_at = now  # its holder died, perhaps after the token was used
            row.lease, row.lease_until = None, None
            if row.lost_at is None:
                row.lease, row.lease_until = lease, now + timedelta(seconds=self._lease_s)
                return _Stored(text, is_newer=False)
        raise base.TokenRefused(LOST)

    def _store(self, lease: uuid.UUID, made: str) -> str:
        """Store new tokens before their first use; as long as the database is away, they are nowhere else."""
        for left in reversed(range(_STORE_TRIES)):
            try:
                with visibility.restricted(None), self._db.transaction() as tx:
                    row = _row(tx, self._account_id, lock=True)
                    if row is None or row.lease != lease:  # removed, connected again, or the lease ran out
                        log.warning("renewed_tokens_came_too_late", account_id=str(self._account_id))
                        raise base.Throttled("the tokens were replaced meanwhile", retry_after_s=1.0)
                    _fill(row, self._ring(), made)
                    row.version += 1
                    row.updated_at = tx.now()
                    row.lease, row.lease_until = None, None
            except Unavailable:
                if not left:
                    raise
                time.sleep(_STORE_AGAIN_S)
            else:
                break
        return made

    def _give_up(self, lease: uuid.UUID, *, is_lost: bool) -> None:
        """End the lease. Where the database is away it runs out by itself, which counts as lost."""
        values: dict[str, object] = {"lease": None, "lease_until": None}
        if is_lost and self._is_single_use:
            values["lost_at"] = _CLOCK
        try:
            with visibility.restricted(None), self._db.transaction() as tx:
                own = sa.and_(TokensRow.account_id == self._account_id, TokensRow.lease == lease)
                tx.execute(sa.update(TokensRow).where(own).values(**values))
        except Unavailable:
            log.warning("lease_not_ended", account_id=str(self._account_id))

    def _opened(self, row: TokensRow) -> str | None:
        return opened(row, self._ring())


@dataclass(frozen=True, slots=True)
class _Stored:
    text: str | None
    is_newer: bool


def put(tx: Tx, keys: Keyring, account_id: uuid.UUID, text: str, *, by: str) -> None:
    """Store the tokens of an account that a person has connected. A renewal that goes on comes too late."""
    row = TokensRow(account_id=account_id)
    _fill(row, keys, text)
    values = {
        "ciphertext": row.ciphertext, "key_id": row.key_id, "expires_at": row.expires_at,
        "refresh_expires_at": row.refresh_expires_at, "connected_by": by[:100], "lease": None, "lease_until": None,
        "lost_at": None,
    }  # fmt: skip
    again = values | {"version": TokensRow.version + 1, "connected_at": _CLOCK, "updated_at": _CLOCK}
    statement = insert(TokensRow).values(account_id=account_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=[TokensRow.account_id], set_=again))


def take(tx: Tx, keys: Callable[[], Keyring], account_id: uuid.UUID) -> str | None:
    """Delete the tokens of an account and return them, to be revoked; None if there are none, or no key opens them."""
    row = _row(tx, account_id, lock=True)
    if row is None:
        return None
    try:
        text = opened(row, keys())
    except FleetError as error:
        log.warning("tokens_not_revoked", account_id=str(account_id), reason=str(error))
        text = None
    tx.session.delete(row)
    tx.session.flush()
    return text


def states(tx: Tx) -> dict[uuid.UUID, TokenState]:
    """Return what people see of the tokens of connected accounts."""
    rows = tx.session.scalars(sa.select(TokensRow))
    return {
        row.account_id: TokenState(
            row.expires_at, row.refresh_expires_at, row.lost_at is not None, row.connected_by, row.connected_at,
            row.updated_at, row.refresh_expires_at,
        )
        for row in rows
    }  # fmt: skip


def reseal(tx: Tx, keys: Keyring) -> Sequence[str]:
    """Seal with the first key all tokens that another key sealed; return their accounts. Raises LostKey."""
    query = sa.select(TokensRow).where(TokensRow.key_id != keys.key_ids[0]).with_for_update()
    rows = tx.session.scalars(query).all()
    for row in rows:
        _fill(row, keys, opened(row, keys) or "")
    return [f"tokens {row.account_id}" for row in rows]


def opened(row: TokensRow, keys: Keyring) -> str | None:
    """Return the tokens in a row, if it has any yet. Raises LostKey."""
    if row.ciphertext is None or row.key_id is None:
        return None
    return keys.open(_seal_name(row.account_id), Sealed(row.ciphertext, row.key_id))


def _row(tx: Tx, account_id: uuid.UUID, *, lock: bool = False) -> TokensRow | None:
    query = sa.select(TokensRow).where(TokensRow.account_id == account_id).execution_options(populate_existing=True)
    return tx.session.scalars(query.with_for_update() if lock else query).one_or_none()


def _fill(row: TokensRow, keys: Keyring, text: str) -> None:
    sealed = keys.seal(_seal_name(row.account_id), text)
    row.ciphertext, row.key_id, row.expires_at, row.refresh_expires_at = sealed.ciphertext, sealed.key_id, None, None
    try:
        pair = TokenPair.read(text)
    except base.TokenRefused:  # tokens in a form of the adapter's own
        return
    row.expires_at = pair.expires_at
    row.refresh_expires_at = pair.refresh_expires_at if pair.refresh_token else pair.expires_at


def _seal_name(account_id: uuid.UUID) -> str:
    return f"accounts/{account_id}/tokens"
