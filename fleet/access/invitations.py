"""Invitations: links that create one user, once. Called by `fleet.features.users.service`.

`fleet up` prints one for the first owner while no user can log in; it becomes invalid when one can. Removing a user, or
revoking a token, also withdraws the open invitations that they made; so does the end of a token.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.access import audit, organisations, secret, users
from fleet.access.models import InvitationRow, TokenRow
from fleet.access.principal import Via
from fleet.access.roles import Role
from fleet.access.users import ChosenPassword, User
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import FleetError, InvalidInput, NotFound

SHORTEST, USUAL, LONGEST = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
FIRST = "fleet:first"
"""`invited_by` of the first owner."""
_CLOCK = sa.func.clock_timestamp()
_ROW = InvitationRow
_REVOKED = sa.exists().where(TokenRow.id == _ROW.made_by, TokenRow.revoked_at.is_not(None))
_OPEN = (_ROW.used_at.is_(None), _ROW.expires_at > _CLOCK, ~_REVOKED)


class NoInvitation(FleetError):
    """An invalid link. The message does not reveal whether it was used, expired or never existed."""

    def __init__(self) -> None:
        super().__init__(
            "This invitation opens nothing.", fix="It works once and for a limited time. Ask for another one."
        )


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that is still open."""

    id: uuid.UUID
    role: Role
    invited_by: str
    created_at: datetime
    expires_at: datetime


_COLUMNS = (_ROW.id, _ROW.role, _ROW.invited_by, _ROW.created_at, _ROW.expires_at)


def make(tx: Tx, role: Role, *, by: str, made_by: uuid.UUID | None = None,
         for_: timedelta = USUAL, organisation: str | None = None) -> tuple[str, Invitation]:  # fmt: skip
    """Return a new key, to be shown once, and its invitation: to an organisation, or to the whole fleet.

    Raises InvalidInput for a time out of range, NotFound.

    `made_by` is the requesting token: once it is revoked or has expired, the key is invalid.
    """
    check(for_)
    key = secret.new_invitation_key()
    values: dict[str, object] = {
        "id": ids.new(),
        "key_hash": secret.digest(key),
        "role": role,
        "invited_by": by,
        "made_by": made_by,
    }
    joined = None if organisation is None else organisations.named(tx, organisation)
    values["organisation_id"] = None if joined is None else joined.id
    # An invitation of a token's token ends with that one, so only the requesting token needs checking. No token's end
    # is NULL, which LEAST would ignore.
    ends = sa.select(TokenRow.expires_at).where(TokenRow.id == made_by).scalar_subquery()
    until = sa.func.least(_CLOCK + for_, ends)
    row = tx.execute(sa.insert(_ROW).values(**values, expires_at=until).returning(*_COLUMNS)).one()
    made = _invitation(row)
    told: dict[str, object] = {
        "role": role,
        "expires_at": made.expires_at,
        **({"made_by": f"token:{made_by}"} if made_by else {}),
    }
    if joined is not None:
        told["organisation"] = joined.name
    audit.note(tx, "user.invited", f"invitation:{made.id}", after=told)
    return key, made


def check(for_: timedelta) -> None:
    """Raise InvalidInput for a time that is out of range."""
    if not SHORTEST <= for_ <= LONGEST:
        raise InvalidInput("An invitation is good for 1 hour to 7 days.")


def first_owner(tx: Tx) -> str | None:
    """Return a key for the first owner, replacing all earlier ones; None if a user can log in already."""
    users.lock(tx)
    if users.any_there(tx):
        return None
    tx.execute(sa.delete(_ROW).where(_ROW.invited_by == FIRST, _ROW.used_at.is_(None)))
    return make(tx, Role.OWNER, by=FIRST)[0]


def look(tx: Tx, key: str) -> Invitation:
    """Return the invitation of a key. Raises NoInvitation."""
    row = tx.execute(sa.select(*_COLUMNS).where(_ROW.key_hash == secret.digest(key), *_OPEN)).one_or_none()
    if row is None or (row.invited_by == FIRST and users.any_there(tx)):
        raise NoInvitation
    return _invitation(row)


def use(tx: Tx, key: str, password: ChosenPassword) -> User:
    """Create the invited user.

    Raises NoInvitation, and the errors of `users.create`, after which the key stays valid.
    """
    users.lock(tx)
    invited = look(tx, key)
    # Of two concurrent uses, the second waits here and finds it used.
    used = sa.update(_ROW).where(_ROW.id == invited.id, *_OPEN).values(used_at=_CLOCK)
    if not tx.execute(used).rowcount:
        raise NoInvitation
    made = users.create(tx, password, invited.role)
    organisations.admit(tx, made.id, sa.select(_ROW.organisation_id).where(_ROW.id == invited.id))
    audit.note(tx, "user.joined", f"user:{made.name}", after={"role": made.role, "invited_by": invited.invited_by})
    return made


def listed(tx: Tx) -> Sequence[Invitation]:
    """Return the open invitations, newest first."""
    query = sa.select(*_COLUMNS).where(*_OPEN, _ROW.invited_by != FIRST).order_by(_ROW.created_at.desc())
    return [_invitation(row) for row in tx.execute(query)]


def get(tx: Tx, invitation_id: uuid.UUID) -> Invitation:
    """Return an open invitation. Raises NotFound."""
    row = tx.execute(sa.select(*_COLUMNS).where(_ROW.id == invitation_id, *_OPEN)).one_or_none()
    if row is None:
        raise NotFound("There is no such invitation that opens anything.")
    return _invitation(row)


def withdraw(tx: Tx, invitation: Invitation) -> None:
    """Let an invitation open nothing any more."""
    tx.execute(sa.delete(_ROW).where(_ROW.id == invitation.id, _ROW.used_at.is_(None)))
    audit.note(tx, "user.uninvited", f"invitation:{invitation.id}", before={"role": invitation.role})


def void_of(tx: Tx, name: str) -> None:
    """Withdraw a user's open invitations: their role, and so whom they may invite, has changed or ended."""
    for invitation in listed(tx):
        if invitation.invited_by == inviter(name):
            withdraw(tx, invitation)


def inviter(name: str) -> str:
    """Return the name of the inviting user."""
    return f"{Via.SESSION}:{name}"


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete some of the invitations that ran out so many days ago; the audit log has them."""
    old = _ROW.expires_at < _CLOCK - sa.literal(timedelta(days=days), sa.Interval)
    gone = sa.select(_ROW.id).where(old).limit(limit)
    return tx.execute(sa.delete(_ROW).where(_ROW.id.in_(gone))).rowcount


def _invitation(row: sa.Row[tuple[uuid.UUID, str, str, datetime, datetime]]) -> Invitation:
    return Invitation(row.id, Role(row.role), row.invited_by, row.created_at, row.expires_at)
