"""Organisations and their members. Each function runs inside its caller's transaction.

Called by the feature organisations and wherever a principal is made. While there is one organisation, nothing shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from fleet.access import audit
from fleet.access.models import DEFAULT_ORGANISATION, MemberRow, OrganisationRow, UserRow
from fleet.access.roles import Role
from fleet.core import ids
from fleet.core.db import Tx, visibility
from fleet.core.errors import Conflict, InvalidInput, NotFound

_CLOCK = sa.func.clock_timestamp()
LONGEST_NAME, LONGEST_VOICE = 60, 2000

OF_USER: sa.Label[list[uuid.UUID] | None] = (
    sa.select(sa.func.array_agg(MemberRow.organisation_id, type_=ARRAY(sa.Uuid)))
    .where(MemberRow.user_id == UserRow.id)
    .correlate(UserRow)
    .scalar_subquery()
    .label("organisations")
)
"""A column for queries of users: the organisations in which the role holds, NULL if it holds everywhere."""


def read(found: Sequence[Any] | None) -> frozenset[uuid.UUID] | None:
    """Return what `OF_USER` selected as principals have it."""
    return None if found is None else frozenset(found)


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation and the names of its members."""

    id: uuid.UUID
    name: str
    voice: str
    created_at: datetime
    members: tuple[str, ...] = ()

    @property
    def is_default(self) -> bool:
        """Whether it is that of everything that names none."""
        return self.id == DEFAULT_ORGANISATION


_PRESENT = OrganisationRow.removed_at.is_(None)
_IS_DEFAULT_LAST = (OrganisationRow.id != DEFAULT_ORGANISATION, sa.func.lower(OrganisationRow.name))


def lock(tx: Tx) -> None:
    """Wait for other changes of organisations to end: what a change depends on stays."""
    tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("fleet.organisations"))))


def listed(tx: Tx) -> list[Organisation]:
    """Return the organisations that this transaction sees, the default one first, then by name."""
    names = (
        sa.select(sa.func.array_agg(aggregate_order_by(UserRow.name, UserRow.name)))
        .join(MemberRow, MemberRow.user_id == UserRow.id)
        .where(MemberRow.organisation_id == OrganisationRow.id, UserRow.removed_at.is_(None))
        .correlate(OrganisationRow)
        .scalar_subquery()
        .label("members")
    )
    query = sa.select(
        OrganisationRow.id, OrganisationRow.name, OrganisationRow.voice, OrganisationRow.created_at, names
    ).where(_PRESENT)
    rows = tx.execute(query.order_by(*_IS_DEFAULT_LAST))
    return [Organisation(row.id, row.name, row.voice, row.created_at, tuple(row.members or ())) for row in rows]


def named(tx: Tx, name: str) -> Organisation:
    """Return an organisation by its name or id. Raises NotFound."""
    wanted = name.strip().lower()
    found = next((one for one in listed(tx) if wanted in (one.name.lower(), str(one.id))), None)
    if found is None:
        raise NotFound(f"There is no organisation {name[:60]!r}.", fix="`fleet organisations list` shows them.")
    return found


def names(tx: Tx) -> dict[str, str]:
    """Return the names of the organisations that this transaction sees, by id as text; of removed ones, too."""
    return {str(row.id): row.name for row in tx.execute(sa.select(OrganisationRow.id, OrganisationRow.name))}


def of_new(tx: Tx, wanted: uuid.UUID | None = None) -> uuid.UUID:
    """Return the organisation of something new: the wanted one, else the member's own or the default one.

    Raises NotFound, InvalidInput for a member of several who names none.
    """
    if wanted is not None:
        return named(tx, str(wanted)).id
    own = tx.organisations
    if own is None or DEFAULT_ORGANISATION in own:
        return DEFAULT_ORGANISATION
    if len(own) != 1:
        raise InvalidInput("You are a member of several organisations.", fix="Name the one that this belongs to.")
    return next(iter(own))


def create(tx: Tx, name: str, *, voice: str = "") -> Organisation:
    """Make an organisation. Raises InvalidInput for a wrong name, or where the database cannot keep members apart;
    Conflict for a taken name.
    """
    lock(tx)
    if not visibility.is_in_force(tx):
        raise InvalidInput(
            "This database cannot keep organisations apart: it lacks the role and the policies for their members.",
            fix="Run `fleet roles`, then `fleet migrate` (docs/organisations.md).",
        )
    values = {"id": ids.new(), "name": _checked_name(tx, name), "voice": _checked_voice(voice)}
    tx.execute(sa.insert(OrganisationRow).values(**values))
    audit.note(tx, "organisation.created", f"organisation:{values['name']}")
    return named(tx, str(values["id"]))


def change(tx: Tx, organisation: Organisation, *, name: str | None = None, voice: str | None = None) -> Organisation:
    """Change an organisation's name or voice. Raises InvalidInput, Conflict for a taken name."""
    lock(tx)
    values: dict[str, str] = {}
    if name is not None and name.strip() != organisation.name:
        values["name"] = _checked_name(tx, name, exclude=organisation.id)
    if voice is not None and voice.strip() != organisation.voice:
        values["voice"] = _checked_voice(voice)
    if values:
        tx.execute(sa.update(OrganisationRow).where(OrganisationRow.id == organisation.id).values(**values))
        before = {name: getattr(organisation, name) for name in values}
        audit.note_change(tx, "organisation.changed", f"organisation:{organisation.name}", before, values)
    return named(tx, str(organisation.id))


def remove(tx: Tx, organisation: Organisation) -> None:
    """Remove an organisation that has no members; the caller checks its agents and accounts. Raises Conflict."""
    lock(tx)
    if organisation.is_default:
        raise Conflict("The default organisation cannot be removed.", fix="Rename it.")
    if organisation.members:
        raise Conflict(
            f"{organisation.name} has members: {', '.join(organisation.members[:10])}.",
            fix="Remove them from it first: a user without a membership has their role everywhere.",
        )
    tx.execute(sa.update(OrganisationRow).where(OrganisationRow.id == organisation.id).values(removed_at=_CLOCK))
    audit.note(tx, "organisation.removed", f"organisation:{organisation.name}")


def set_member(tx: Tx, user: str, of: Collection[Organisation]) -> bool:
    """Let a user's role hold in these organisations alone, everywhere if there are none; return whether that changed.

    Raises NotFound, Conflict for the last owner whose role holds everywhere.
    """
    lock(tx)
    row = tx.execute(sa.select(UserRow.id, UserRow.role).where(UserRow.name == user, UserRow.removed_at.is_(None)))
    found = row.one_or_none()
    if found is None:
        raise NotFound(f"There is no user {user[:60]!r}.", fix="`fleet users list` shows them.")
    mine = MemberRow.user_id == found.id
    before, after = set(tx.session.scalars(sa.select(MemberRow.organisation_id).where(mine))), {one.id for one in of}
    if before == after:
        return False
    if after and found.role == Role.OWNER and _owners_everywhere(tx) == {found.id}:
        raise Conflict(f"{user} is the only owner whose role holds everywhere.", fix="Make another owner first.")
    tx.execute(sa.delete(MemberRow).where(mine))
    if after:
        tx.execute(sa.insert(MemberRow), [{"user_id": found.id, "organisation_id": one} for one in sorted(after)])
    names = sorted(one.name for one in of)
    audit.note(tx, "user.organisations_changed", f"user:{user}", after={"organisations": names or "everywhere"})
    return True


def admit(tx: Tx, user_id: uuid.UUID, which: sa.Select[uuid.UUID | None]) -> None:
    """Let a new user's role hold in the selected organisation alone, everywhere if that is NULL."""
    organisation_id = tx.scalar(which)
    if organisation_id is not None:
        tx.execute(sa.insert(MemberRow).values(user_id=user_id, organisation_id=organisation_id))


def are_several(tx: Tx) -> bool:
    """Return whether there is more than one organisation, so that pages show the word."""
    return len(tx.execute(sa.select(OrganisationRow.id).where(_PRESENT).limit(2)).all()) > 1


def are_named(tx: Tx) -> bool:
    """Return whether pages name organisations to this caller: there are several, or the caller is a member."""
    return tx.organisations is not None or are_several(tx)


def choices(tx: Tx) -> list[str]:
    """Return the names of the organisations to which something new can belong; empty while there is one to choose."""
    found = [one.name for one in listed(tx)]
    return found if len(found) > 1 else []


def possible(tx: Tx) -> list[str]:
    """Return the names of the organisations that pages offer to this caller; empty while there is one alone."""
    return [one.name for one in listed(tx)] if are_named(tx) else []


def _owners_everywhere(tx: Tx) -> set[uuid.UUID]:
    query = sa.select(UserRow.id).where(UserRow.role == Role.OWNER, UserRow.removed_at.is_(None))
    return set(tx.session.scalars(query.where(UserRow.id.not_in(sa.select(MemberRow.user_id)))))


def _checked_name(tx: Tx, name: str, *, exclude: uuid.UUID | None = None) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(f"The name of an organisation has 1 to {LONGEST_NAME} characters, on one line.")
    if any(one.name.lower() == name.lower() and one.id != exclude for one in listed(tx)):
        raise Conflict(f"There is an organisation {name} already.", fix="Choose another name.")
    return name


def _checked_voice(voice: str) -> str:
    voice = voice.strip()
    if len(voice) > LONGEST_VOICE or "\0" in voice:
        raise InvalidInput(f"The voice of an organisation has at most {LONGEST_VOICE:,} characters.")
    return voice
