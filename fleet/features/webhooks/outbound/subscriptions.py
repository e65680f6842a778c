"""Subscriptions: a receiver, its subjects, and its failures. Called by `fleet.engine` in its transactions.

Secrets pass as ciphertext with the id of their key; unsealing is left to `secrets`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa

from fleet.core import prefixes, text
from fleet.core import subjects as patterns
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.features.webhooks.models import SubscriptionRow
from fleet.features.webhooks.outbound import answers

BOTH_VALID_FOR = timedelta(days=1)
"""How long the older of two secrets still signs, so that receivers can change over."""
MOST_SUBJECTS = 50
ALARM_SUBJECTS = ("control.*", "budget.*", "account.*", "alert.*")
"""What a webhook that is marked as an alarm hears of at once, besides its own subjects."""
_CREATING = 0x686F6F6B73  # "hooks": any constant works, as long as all creations of subscriptions use the same
_CLOCK = sa.func.clock_timestamp()
_RESTING = {"failures": 0, "failing_since": None, "last_failure_at": None}


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A sealed secret."""

    ciphertext: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription; `secret` and `previous` are sealed. `disabled` says why it is off."""

    id: uuid.UUID
    url: str
    subjects: Sequence[str]
    description: str
    active: bool
    active_since: datetime
    alarm: bool
    secret: SealedSecret
    previous: SealedSecret | None
    previous_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    failures: int
    failing_since: datetime | None
    last_failure_at: datetime | None
    disabled_at: datetime | None
    disabled: str | None

    @property
    def host(self) -> str:
        """The receiver's host: the rest of its address may contain a token."""
        return urlsplit(self.url).netloc

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.description or self.host


@dataclass(frozen=True, slots=True)
class SubscriptionFields:
    """What a person may choose about a subscription."""

    url: str
    subjects: Sequence[str]
    description: str = ""
    alarm: bool = False


def checked(wanted: SubscriptionFields) -> SubscriptionFields:
    """Return it tidied: each pattern once, one line of description. Raises InvalidInput. The URL is not judged here.

    An alarm without subjects of its own has those of alarms.
    """
    chosen = tuple(dict.fromkeys(one.strip() for one in wanted.subjects if one.strip()))
    chosen = chosen or (ALARM_SUBJECTS if wanted.alarm else ())
    wrong = [one for one in chosen if not patterns.is_pattern(one)]
    if wrong:
        raise InvalidInput(
            f"{text.clean(wrong[0])[:90]!r} is no subject of events.", fix="Write job.done, job.* or * alone."
        )
    if not 1 <= len(chosen) <= MOST_SUBJECTS:
        raise InvalidInput(
            f"A subscription names 1 to {MOST_SUBJECTS} subjects.", fix="A star alone means all subjects."
        )
    return SubscriptionFields(wanted.url.strip(), chosen, text.clean(wanted.description)[:200], wanted.alarm)


def create(
    tx: Tx, subscription_id: uuid.UUID, wanted: SubscriptionFields, secret: SealedSecret, *, by: str, most: int
) -> Subscription:
    """Add a subscription, switched on from now. Raises Conflict where there are as many as there may be."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATING)))  # or two at once take the last place
    there = tx.scalar(sa.select(sa.func.count()).select_from(SubscriptionRow))
    if there >= most:
        raise Conflict(
            f"There are {there} webhooks, and at most {most} are allowed.",
            fix="Remove one (`fleet hooks remove`), or raise FLEET_HOOKS_LIMIT.",
        )
    row = SubscriptionRow(
        id=subscription_id, url=wanted.url, subjects=list(wanted.subjects), description=wanted.description,
        secret=secret.ciphertext, secret_key_id=secret.key_id, created_by=by[:200], alarm=wanted.alarm,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    return get(tx, subscription_id)


def get(tx: Tx, subscription_id: uuid.UUID, *, lock: bool = False) -> Subscription:
    """Return one subscription, locked for this transaction on request. Raises NotFound."""
    query = sa.select(SubscriptionRow).where(SubscriptionRow.id == subscription_id)
    query = query.with_for_update() if lock else query
    row = tx.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound(f"There is no webhook {subscription_id}.", fix="`fleet hooks list` shows them.")
    return _subscription(row)


def find(tx: Tx, prefix: str) -> uuid.UUID:
    """Return the id that begins with a prefix. Raises NotFound, InvalidInput."""
    return prefixes.resolve(tx, SubscriptionRow.id, prefix, what="webhook", listed="`fleet hooks list` shows them.")


def listed(tx: Tx) -> list[Subscription]:
    """Return all subscriptions, oldest first. There are dozens at most."""
    query = sa.select(SubscriptionRow).order_by(SubscriptionRow.created_at, SubscriptionRow.id)
    return [_subscription(row) for row in tx.session.scalars(query.execution_options(populate_existing=True))]


def change(tx: Tx, subscription_id: uuid.UUID, wanted: SubscriptionFields) -> None:
    """Change the fields that people may edit. Raises NotFound."""
    chosen = {"url": wanted.url, "subjects": list(wanted.subjects), "description": wanted.description}
    _update(tx, subscription_id, **chosen, alarm=wanted.alarm)


def switch_on(tx: Tx, subscription_id: uuid.UUID) -> bool:
    """Switch on, for events from now on; False if it was on. Raises NotFound."""
    if get(tx, subscription_id, lock=True).active:
        return False
    _update(tx, subscription_id, active=True, active_since=_CLOCK, disabled_at=None, disabled_reason=None, **_RESTING)
    return True


def switch_off(tx: Tx, subscription_id: uuid.UUID, why: str) -> bool:
    """Tell the receiver nothing more; False if it was off. Raises NotFound."""
    if not get(tx, subscription_id, lock=True).active:
        return False
    _update(tx, subscription_id, active=False, disabled_at=_CLOCK, disabled_reason=why[:300])
    return True


def rotate(tx: Tx, subscription_id: uuid.UUID, fresh: SealedSecret, older: SealedSecret) -> None:
    """Sign with a fresh secret, and for a day with the older one too. Raises NotFound, Conflict."""
    found = get(tx, subscription_id, lock=True)
    if found.previous is not None and found.previous_until is not None and found.previous_until > tx.now():
        raise Conflict(
            "Its secret was changed within the last day, and both are still valid.",
            fix=f"Wait until {found.previous_until:%Y-%m-%d %H:%M} UTC, or make a new webhook and remove this one.",
        )
    _update(
        tx, subscription_id, secret=fresh.ciphertext, secret_key_id=fresh.key_id, previous_secret=older.ciphertext,
        previous_key_id=older.key_id, previous_until=_CLOCK + sa.literal(BOTH_VALID_FOR, sa.Interval),
    )  # fmt: skip


def reseal(tx: Tx, subscription_id: uuid.UUID, secret: SealedSecret, previous: SealedSecret | None) -> None:
    """Store the same secrets under another key."""
    older = {"previous_secret": previous.ciphertext, "previous_key_id": previous.key_id} if previous else {}
    _update(tx, subscription_id, secret=secret.ciphertext, secret_key_id=secret.key_id, **older)


def remove(tx: Tx, subscription_id: uuid.UUID) -> None:
    """Forget a subscription and its deliveries; their jobs find nothing to do. Raises NotFound."""
    gone = sa.delete(SubscriptionRow).where(SubscriptionRow.id == subscription_id)
    if not tx.execute(gone.execution_options(synchronize_session=False)).rowcount:
        raise NotFound(f"There is no webhook {subscription_id}.")


def went_well(tx: Tx, subscription_id: uuid.UUID) -> bool:
    """Record a success; no write if the last try succeeded too. Return whether the receiver had been paused."""

    def has_failed(times: int) -> bool:
        where = (SubscriptionRow.id == subscription_id, SubscriptionRow.failures >= times)
        well = sa.update(SubscriptionRow).where(*where).values(**_RESTING)
        return tx.execute(well.execution_options(synchronize_session=False)).rowcount == 1

    rested = has_failed(answers.PATIENCE)
    if not rested:
        has_failed(1)
    return rested


def went_wrong(tx: Tx, subscription_id: uuid.UUID) -> bool:
    """Note that a receiver did not take something; return whether it has failed so long that it is given up."""
    row = tx.execute(
        sa.update(SubscriptionRow)
        .where(SubscriptionRow.id == subscription_id)
        .values(
            failures=SubscriptionRow.failures + 1,
            failing_since=sa.func.coalesce(SubscriptionRow.failing_since, _CLOCK),
            last_failure_at=_CLOCK,
        )
        .returning(SubscriptionRow.failures, SubscriptionRow.failing_since, SubscriptionRow.active)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return row is not None and row.active and answers.is_given_up(row.failures, row.failing_since, tx.now())


def _update(tx: Tx, subscription_id: uuid.UUID, **values: object) -> None:
    changed = sa.update(SubscriptionRow).where(SubscriptionRow.id == subscription_id)
    changed = changed.values(**values, updated_at=_CLOCK).execution_options(synchronize_session=False)
    if not tx.execute(changed).rowcount:
        raise NotFound(f"There is no webhook {subscription_id}.", fix="`fleet hooks list` shows them.")


def _subscription(row: SubscriptionRow) -> Subscription:
    older = None if row.previous_secret is None else SealedSecret(row.previous_secret, str(row.previous_key_id))
    return Subscription(
        row.id, row.url, tuple(row.subjects), row.description, row.active, row.active_since,
        row.alarm, SealedSecret(row.secret, row.secret_key_id), older, row.previous_until, row.created_by,
        row.created_at, row.updated_at, row.failures, row.failing_since, row.last_failure_at, row.disabled_at,
        row.disabled_reason,
    )  # fmt: skip
