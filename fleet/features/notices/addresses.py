"""Addresses and choices of users: add, remove, test, choose; and the rule for what an address may reach.

Called by pages and the API. An address is sealed with the account's key and shown only in part, also to its user.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import insert

from fleet import notify
from fleet.access import audit, users
from fleet.access.models import UserRow
from fleet.access.roles import Role
from fleet.accounts.keys import ring
from fleet.accounts.sealing import Keyring, Sealed
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.notices import messages
from fleet.features.notices.models import NoticeLineRow, UserAddressRow, UserNoticesRow
from fleet.features.notices.rules import Choices, defaults
from fleet.features.notices.settings import NoticesSettings
from fleet.features.notices.topics import Topic
from fleet.images import addresses as places
from fleet.images.addresses import Endpoint, Rules
from fleet.images.errors import ForbiddenAddress

MOST = 10
"""The most addresses of one user."""
LONGEST = 1000
_SCHEME = "://"
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")


@dataclass(frozen=True, slots=True)
class UserAddress:
    """An address of a user, as people may see it."""

    id: uuid.UUID
    shown: str
    created_at: datetime
    last_sent_at: datetime | None


def listed(deps: Deps, user: str) -> list[UserAddress]:
    """Return a user's addresses, the oldest first. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _of(tx, users.get(tx, user).id)


def numbers(deps: Deps) -> list[tuple[str, int]]:
    """Return how many addresses each user has."""
    number = sa.func.count(UserAddressRow.id)
    query = sa.select(UserRow.name, number).outerjoin(UserAddressRow, UserAddressRow.user_id == UserRow.id)
    with deps.db.transaction() as tx:
        rows = tx.execute(query.where(UserRow.removed_at.is_(None)).group_by(UserRow.name).order_by(UserRow.name))
        return [(row[0], row[1]) for row in rows]


def add(deps: Deps, user: str, typed: str) -> UserAddress:
    """Add an address: an e-mail address, or one as apprise writes it. Raises NotFound, InvalidInput."""
    typed = typed.strip()
    shown = _check(deps, typed)
    address_id = ids.new()
    sealed = ring(deps.settings).seal(_seal_name(address_id), typed)
    with deps.db.transaction() as tx:
        person = users.locked(tx, user)
        if len(_of(tx, person.id)) >= MOST:
            raise InvalidInput(f"A user has at most {MOST} addresses.", fix="Remove one first.")
        tx.execute(
            sa.insert(UserAddressRow).values(
                id=address_id, user_id=person.id, ciphertext=sealed.ciphertext, key_id=sealed.key_id, shown=shown
            )
        )
        audit.note(tx, "address.added", f"user:{user}", after={"kind": shown.partition(":")[0]})
        return next(one for one in _of(tx, person.id) if one.id == address_id)


def remove(deps: Deps, user: str, address_id: uuid.UUID) -> None:
    """Forget an address of a user. Raises NotFound."""
    with deps.db.transaction() as tx:
        _get(tx, user, address_id)
        tx.execute(sa.delete(UserAddressRow).where(UserAddressRow.id == address_id))
        audit.note(tx, "address.removed", f"user:{user}")


def forget_removed(tx: Tx) -> None:
    """Delete addresses and lines of users who were removed."""
    gone = sa.select(UserRow.id).where(UserRow.removed_at.is_not(None))
    for table in (UserAddressRow, NoticeLineRow):
        tx.execute(sa.delete(table).where(table.user_id.in_(gone)).execution_options(synchronize_session=False))


def test(deps: Deps, user: str, address_id: uuid.UUID) -> uuid.UUID:
    """Send a test message to an address of a user, as a job; return the job's id. Raises NotFound, Conflict."""
    with deps.db.transaction() as tx:
        _get(tx, user, address_id)
        return messages.send_test(deps, tx, address_id)


def choices(deps: Deps, user: str) -> Choices:
    """Return what a user is told, and when. Raises NotFound."""
    with deps.db.transaction() as tx:
        person = users.get(tx, user)
        return choices_of(tx, person.id, person.role)


def choose(deps: Deps, user: str, wanted: Choices) -> None:
    """Store what a user is told, and when. Raises NotFound, InvalidInput for a zone or hours that do not exist."""
    try:
        ZoneInfo(wanted.zone)
    except (ValueError, OSError, KeyError):
        raise InvalidInput(f"There is no time zone {wanted.zone[:60]!r}.", fix="Write one as Europe/Zurich.") from None
    hours = [one for one in (wanted.quiet_from, wanted.quiet_until, wanted.digest_hour) if one is not None]
    if any(not 0 <= hour <= 23 for hour in hours):
        raise InvalidInput("An hour is 0 to 23.")
    if (wanted.quiet_from is None) != (wanted.quiet_until is None):
        raise InvalidInput("Quiet hours need a beginning and an end.")
    values = {**asdict(wanted), "topics": [str(one) for one in wanted.topics]}
    with deps.db.transaction() as tx:
        person = users.get(tx, user)
        before = asdict(choices_of(tx, person.id, person.role))
        statement = insert(UserNoticesRow).values(user_id=person.id, **values)
        tx.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
        audit.note_change(tx, "notices.chosen", f"user:{user}", before, values)


def choices_of(tx: Tx, user_id: uuid.UUID, role: Role) -> Choices:
    """Return the stored choices of a user, else the defaults of their role."""
    row = tx.session.get(UserNoticesRow, user_id, populate_existing=True)
    if row is None:
        return defaults(role)
    named = defaults(role).topics if row.topics is None else row.topics
    topics = tuple(Topic(one) for one in named if one in set(Topic))
    return Choices(topics, row.zone, row.quiet_from, row.quiet_until, row.digest_hour)


def opened(deps: Deps, row: UserAddressRow) -> tuple[SecretStr, bool]:
    """Return the address to call, and whether its user chose the server. Raises LostKey, InvalidInput."""
    typed = ring(deps.settings).open(_seal_name(row.id), Sealed(row.ciphertext, row.key_id))
    if _MAIL.fullmatch(typed):
        return notify.mail_through(_mail_server(deps), typed), False
    return SecretStr(typed), True


def reach(settings: Settings) -> notify.NoticeReach:
    """Return what an address that a user added may call: the public internet, and FLEET_NOTIFY_ALLOW."""
    allowed = Rules.of(settings.of(NoticesSettings).notify_allow).allowed

    def admit(host: str, port: int, found: Sequence[str]) -> None:
        try:
            places.admit(Endpoint("https", host, port, "/", (host, port) in allowed), found)
        except ForbiddenAddress as error:
            raise InvalidInput(str(error), fix="Remove the address, and add one on the public internet.") from error

    return notify.NoticeReach(lambda host, port: (host, port) in allowed, admit)


def reach_of_channel(settings: Settings, given: Settings, address: SecretStr) -> notify.NoticeReach | None:
    """Return what a channel to operators may call; None for one of the environment (`given`), which is trusted.

    A person who sets FLEET_NOTIFY at run time gets no further than a user: the environment is the machine operator's.
    """
    return None if address in given.of(NoticesSettings).notify else reach(settings)


def reseal(tx: Tx, keys: Keyring) -> Sequence[str]:
    """Seal with the first key what another key sealed; return what that was. Raises LostKey."""
    query = sa.select(UserAddressRow).where(UserAddressRow.key_id != keys.key_ids[0]).with_for_update()
    done = []
    for row in tx.session.scalars(query).all():
        name = _seal_name(row.id)
        sealed = keys.seal(name, keys.open(name, Sealed(row.ciphertext, row.key_id)))
        row.ciphertext, row.key_id = sealed.ciphertext, sealed.key_id
        done.append(f"address {row.id}")
    return done


def has_mail(deps: Deps) -> bool:
    """Return whether plain e-mail addresses can be told."""
    return bool(deps.settings.of(NoticesSettings).notify_mail.get_secret_value())


def _check(deps: Deps, typed: str) -> str:
    """Return what people may see of an address. Raises InvalidInput."""
    if not 0 < len(typed) <= LONGEST or not typed.isprintable():
        raise InvalidInput("The address is empty, too long or has control characters.")
    if _MAIL.fullmatch(typed):
        _mail_server(deps)
        return f"mail: {typed[0]}…@{typed.rpartition('@')[2]}"[:100]
    notify.check_of_user(SecretStr(typed), reach(deps.settings))
    return f"{typed.partition(_SCHEME)[0].lower()}: …"


def _mail_server(deps: Deps) -> SecretStr:
    if not has_mail(deps):
        raise InvalidInput(
            "This fleet sends no e-mail to users: FLEET_NOTIFY_MAIL is not set.",
            fix="The operator sets it; or add an address as apprise writes it, such as slack://...",
        )
    return deps.settings.of(NoticesSettings).notify_mail


def _of(tx: Tx, user_id: uuid.UUID) -> list[UserAddress]:
    query = sa.select(UserAddressRow).where(UserAddressRow.user_id == user_id)
    rows = tx.session.scalars(query.order_by(UserAddressRow.created_at, UserAddressRow.id))
    return [UserAddress(row.id, row.shown, row.created_at, row.last_sent_at) for row in rows]


def _get(tx: Tx, user: str, address_id: uuid.UUID) -> UserAddressRow:
    row = tx.session.get(UserAddressRow, address_id)
    if row is None or row.user_id != users.get(tx, user).id:
        raise NotFound("There is no such address.", fix="`fleet notify list` shows them.")
    return row


def _seal_name(address_id: uuid.UUID) -> str:
    return f"user_addresses/{address_id}/address"
