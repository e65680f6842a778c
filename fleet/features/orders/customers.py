"""Customers of orders: sealed, found again by a hash of their address, and erased on request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.accounts.sealing import Keyring, Sealed
from fleet.adapters.shops import OrderCustomer
from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.text import storable
from fleet.features.orders.models import CustomerRow

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class OpenCustomer:
    """The name and e-mail address of a customer, opened."""

    name: str
    email: str


def store(
    tx: Tx, keys: Keyring, account_id: uuid.UUID, organisation_id: uuid.UUID, customer: OrderCustomer, *,
    known: uuid.UUID | None = None,
) -> uuid.UUID | None:  # fmt: skip
    """Store the customer of an order, and return the id of the row; None for an order that names nobody.

    `known` is the customer that the order has. One that was erased stays erased, whatever the store still says.
    """
    row = CustomerRow
    name, email = storable(customer.name)[:_LONGEST], storable(customer.email).strip()[:_LONGEST]
    external_id = storable(customer.id)[:200] or None
    found = None
    if known is not None:
        found = _locked(tx, row.id == known)
        if found is None or found.erased_at is not None:
            return known
    elif external_id is not None:
        found = _locked(tx, row.account_id == account_id, row.external_id == external_id)
    country = customer.country.upper() if len(customer.country) == 2 and customer.country.isalpha() else ""
    if found is None:
        if not (name or email or external_id or country):
            return None
        new = insert(row).values(
            id=ids.new(), organisation_id=organisation_id, account_id=account_id, external_id=external_id
        )
        made = tx.scalar(new.on_conflict_do_nothing().returning(row.id))
        of_it = (
            (row.id == made,) if made is not None else (row.account_id == account_id, row.external_id == external_id)
        )
        found = _locked(tx, *of_it)
        if found is None:
            return None
    if opened(keys, found) != OpenCustomer(name, email) or found.country != country:
        _seal(keys, found, name, email)
        found.country = country
        tx.session.flush()
    return found.id


def opened(keys: Keyring, row: CustomerRow) -> OpenCustomer | None:
    """Return the name and address of a customer; None if nothing is stored. Raises LostKey."""
    if row.ciphertext is None or row.key_id is None:
        return None
    data = json.loads(keys.open(_seal_name(row.id), Sealed(row.ciphertext, row.key_id)))
    return OpenCustomer(data["name"], data["email"])


def erase(tx: Tx, customer_id: uuid.UUID, *, by: str) -> bool:
    """Erase a customer: name, address, country and the store's id of them, of all rows with the same address.

    False if it was done before. Orders stay, without a customer's data. Raises NotFound.
    """
    row = _locked(tx, CustomerRow.id == customer_id)
    if row is None:
        raise NotFound("There is no such customer.", fix="`fleet orders show` names the customer of an order.")
    if row.erased_at is not None:
        return False
    one, now = CustomerRow, tx.now()
    # Guests have a row for each order: those with the same address are the same person.
    same = one.id == customer_id
    if row.email_hash is not None:
        same |= (one.email_hash == row.email_hash) & (one.organisation_id == row.organisation_id)
    nothing = dict.fromkeys(("ciphertext", "key_id", "email_hash", "external_id"))
    gone = sa.update(one).where(same).values(**nothing, country="", erased_at=now)
    rows = tx.execute(gone.execution_options(synchronize_session=False)).rowcount
    audit.note(tx, "customer.erased", f"customer:{customer_id}", after={"number": rows})
    events.emit(tx, "customer.erased", organisation=str(row.organisation_id), customer=str(customer_id), by=by)
    return True


def email_hash(keys: Keyring, email: str) -> str | None:
    """Return the hash of an address, in which case does not matter; None for none."""
    plain = email.strip().casefold()
    return keys.fingerprint("customers/email", plain) if plain else None


def reseal(tx: Tx, keys: Keyring) -> Sequence[str]:
    """Seal with the first key what another key sealed; return what that was. Raises LostKey."""
    query = sa.select(CustomerRow).where(CustomerRow.key_id != keys.key_ids[0]).order_by(CustomerRow.id)
    done = []
    for row in tx.session.scalars(query.with_for_update()).all():
        if (found := opened(keys, row)) is not None:
            _seal(keys, row, found.name, found.email)
            done.append(f"customer {row.id}")
    tx.session.flush()
    return done


def _seal(keys: Keyring, row: CustomerRow, name: str, email: str) -> None:
    sealed = keys.seal(_seal_name(row.id), json.dumps({"name": name, "email": email}))
    row.ciphertext, row.key_id = sealed.ciphertext, sealed.key_id
    row.email_hash = email_hash(keys, email)


def _locked(tx: Tx, *which: sa.ColumnElement[bool]) -> CustomerRow | None:
    query = sa.select(CustomerRow).where(*which).with_for_update(key_share=True)
    return tx.session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def _seal_name(customer_id: uuid.UUID) -> str:
    return f"customers/{customer_id}/data"
