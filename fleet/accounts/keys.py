"""The secrets that the fleet uses: those of the environment, then those of the key store. And commands on the store.

Held by `fleet.engine.deps`; the commands are for people. A secret that cannot be unsealed is left out and reported:
models fall back to the next one, and a surface waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from fleet.access import audit
from fleet.accounts import keyfile, keystore, service, tokens
from fleet.accounts.keystore import StoredSecret
from fleet.accounts.sealing import Keyring, new_key
from fleet.core import clock, logs, masking
from fleet.core.db import Database, Tx, visibility
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.core.settings import Settings, secrets_of
from fleet.llm import registry as models

Reseal = Callable[[Tx, Keyring], Sequence[str]]

log = logs.get(__name__)


LOOK_EVERY_S = 30.0
_MOST_CHARS = 32_768


class Keys:
    """The settings of a process with the store's keys in the places that its environment leaves open."""

    def __init__(self, db: Database, given: Settings, *, clock_s: Callable[[], float] = clock.monotonic_s) -> None:
        self.lost: Mapping[str, FleetError] = {}
        """Secrets that are needed and cannot be opened, and why."""
        self._db, self._given, self._clock_s = db, given, clock_s
        self._open = frozenset(name for name in names(given) if name not in given.model_fields_set)
        self._opened: dict[str, tuple[datetime, str]] = {}
        self._filled: Settings | None = None
        self._next_s = 0.0
        self._lock = threading.Lock()

    @property
    def settings(self) -> Settings:
        """The same object as long as no secret changes. Raises Unavailable if the store could never be read."""
        with self._lock:
            return self._filled or self._look()

    def fill(self, settings: Settings) -> Settings:
        """Return these settings with the store's keys. Raises as `settings`."""
        filled = self.settings
        if settings is self._given:
            return filled
        with self._lock:
            return settings.model_copy(update={name: SecretStr(value) for name, (_, value) in self._opened.items()})

    def refresh(self) -> bool:
        """Read the store if the last read is 30 s old; return whether a secret has changed. Not for transactions."""
        with self._lock:
            before = self._filled
            if before is not None and self._clock_s() < self._next_s:
                return False
            return self._look() is not before and before is not None

    def expire(self) -> None:
        """Make the next `refresh` read the store, however recent the last read is."""
        with self._lock:
            self._next_s = 0.0

    def _look(self) -> Settings:
        self._next_s = self._clock_s() + LOOK_EVERY_S
        try:
            secrets = self._stored()
        except Unavailable:
            if self._filled is None:
                raise
            return self._filled  # the last known secrets are still the best guess
        opened = self._take_out(secrets)
        if self._filled is None or opened != self._opened:
            values = {name: SecretStr(value) for name, (_, value) in opened.items()}
            self._opened, self._filled = opened, self._given.model_copy(update=values)
        return self._filled

    def _stored(self) -> list[StoredSecret]:
        try:
            with visibility.restricted(None), self._db.transaction() as tx:  # all requests share what is read
                found = [secret for secret in keystore.everything(tx) if secret.name in self._open]
                if found:
                    keystore.note_use(tx, [secret.name for secret in found])
        except InvalidInput as error:  # a new version over old tables, while it is rolled out
            log.warning("key_store_not_there", reason=str(error))
            return []
        return found

    def _take_out(self, secrets: Iterable[StoredSecret]) -> dict[str, tuple[datetime, str]]:
        """Unseal what has changed. If only the sealing key changed, keep the known secret, also without that key."""
        known = {one.name: self._opened[one.name] for one in secrets
                 if self._opened.get(one.name, (None,))[0] == one.updated_at}  # fmt: skip
        opened, lost = _opened(self._given, [one for one in secrets if one.name not in known])
        for name, error in lost.items():
            if str(error) != str(self.lost.get(name)):
                log.error("secret_cannot_be_opened", setting=name, reason=str(error))
        self.lost = lost
        return known | opened


def _opened(
    settings: Settings, secrets: list[StoredSecret]
) -> tuple[dict[str, tuple[datetime, str]], dict[str, FleetError]]:
    opened: dict[str, tuple[datetime, str]] = {}
    lost: dict[str, FleetError] = {}
    for secret in secrets:
        try:
            value = ring(settings).open(secret.name, secret.sealed)
        except FleetError as error:
            lost[secret.name] = error
        else:
            masking.conceal(value)
            opened[secret.name] = (secret.updated_at, value)
    return opened, lost


def ring(settings: Settings) -> Keyring:
    """Return the keys that seal and unseal: those of the environment, else of the home's file. Raises InvalidInput."""
    written = settings.secret_keys.get_secret_value()
    if written:
        return Keyring.of(written.split(","), where="FLEET_SECRET_KEYS")
    found = keyfile.ring(settings.home.absolute())
    if found is None:
        raise InvalidInput(
            "There is no key for the key store.", fix="`fleet secrets init` makes one, or set FLEET_SECRET_KEYS."
        )
    return found


def make_ring(settings: Settings) -> Path | None:
    """Create the home's key file, unless there is one or the environment holds the keys. Raises FleetError."""
    return None if settings.secret_keys.get_secret_value() else keyfile.make(settings.home.absolute())


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new first key for sealing: added to `file`, or `written` for a person to put into the environment."""

    file: Path | None
    written: str = ""


def add_key(settings: Settings, *, for_environment: bool = False) -> NewKey:
    """Make a key and put it first, or leave that to a person for the environment. Raises FleetError."""
    if for_environment or settings.secret_keys.get_secret_value():
        return NewKey(None, new_key())
    return NewKey(keyfile.add(settings.home.absolute()))


@dataclass(frozen=True, slots=True)
class ListedSecret:
    """A secret in a list, without its value.

    `state` is ok, old key (to be sealed again) or lost; the environment's value wins.
    """

    name: str
    state: str
    why: str
    key_id: str
    in_environment: bool
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


def listed(db: Database, settings: Settings) -> list[ListedSecret]:
    """Return the secrets in the store, and whether each can be unsealed; never a value."""
    with db.transaction() as tx:
        secrets = keystore.everything(tx)
    return [_listed(settings, secret) for secret in secrets]


def _listed(settings: Settings, secret: StoredSecret) -> ListedSecret:
    state, why = "ok", ""
    try:
        keys = ring(settings)
        keys.open(secret.name, secret.sealed)
        state = "ok" if secret.sealed.key_id == keys.key_ids[0] else "old key"
    except FleetError as error:
        state, why = "lost", str(error)
    return ListedSecret(
        secret.name, state, why, secret.sealed.key_id, secret.name in settings.model_fields_set, secret.created_at,
        secret.updated_at, secret.last_used_at,
    )  # fmt: skip


def put(db: Database, settings: Settings, name: str, value: str, *, by: str) -> str:
    """Store a secret; return its name. Raises InvalidInput for an unknown name or an invalid value."""
    name, value = name_of(settings, name), _fit(value)
    masking.conceal(value)
    models.check(settings.model_copy(update={name: SecretStr(value)}))
    keys = ring(settings)
    with db.transaction() as tx:
        keystore.put(tx, keys, name, value, by=by)
        if name == "service_token":
            service.renew(tx)
        audit.note(tx, "secret.set", f"secret:{name}")
    return name


def remove(db: Database, name: str, *, by: str) -> str:
    """Forget a secret; return its name. Raises NotFound. Also names that this version does not know."""
    name = _plain(name)
    with db.transaction() as tx:
        keystore.remove(tx, name, by=by)
        if name == "service_token":
            service.renew(tx)
        audit.note(tx, "secret.removed", f"secret:{name}")
    return name


def rotate(db: Database, settings: Settings, *, by: str, resealers: Iterable[Reseal] = ()) -> list[str]:
    """Seal everything with the first key; return the names that were not yet. Raises LostKey, and changes nothing.

    `resealers` do the same with secrets in other tables.
    """
    keys = ring(settings)
    with db.transaction() as tx:
        names = [*keystore.reseal(tx, keys, by=by), *service.reseal(tx, keys), *tokens.reseal(tx, keys)]
        names += [name for reseal in resealers for name in reseal(tx, keys)]
        audit.noted(tx, len(names), "secret.resealed", names=names)
        return names


def names(settings: Settings) -> tuple[str, ...]:
    """Return the names that the store can hold: every setting that is a secret."""
    return tuple(name for name in secrets_of(type(settings)) if name != "secret_keys")


def name_of(settings: Settings, written: str) -> str:
    """Return a secret's name, however it is written: `OPENAI_API_KEY`, `fleet_openai_api_key`. Raises InvalidInput."""
    name = _plain(written)
    if name not in (known := names(settings)):
        raise InvalidInput(f"No setting {written[:60]!r} is a secret.", fix=f"Known: {', '.join(known)}.")
    return name


def _plain(written: str) -> str:
    return written.strip().lower().removeprefix("fleet_").replace("-", "_")


def _fit(value: str) -> str:
    """Strip whitespace that an editor or a shell adds around a secret."""
    value = value.strip()
    if not value:
        raise InvalidInput("The value is empty.", fix="`fleet secrets remove` forgets a secret.")
    many_lines = len(value.splitlines()) > 1 and not value.startswith("-----BEGIN ")
    if many_lines or len(value) > _MOST_CHARS or "\0" in value:
        raise InvalidInput("The value is no secret: it has several lines and is no PEM file, or it is far too long.")
    return value
