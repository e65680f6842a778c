"""The extension points of orders: `orders.actions` (what people can do with one at its store), `orders.recorded` (what
follows from a reading) and `orders.sections` (what other features show on its page).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleet.access import Principal
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.orders import service
from fleet.features.orders.models import StoreOrderRow
from fleet.features.orders.service import RecordedOrder

ACTIONS = "orders.actions"
RECORDED = "orders.recorded"
SECTIONS = "orders.sections"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderField:
    """A field of the form of an action: one line of text."""

    name: str
    label: str
    most: int = 200
    is_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAction:
    """An action on an order (`orders.actions`). People need the permission `orders.edit`."""

    name: str
    """In addresses and commands: "ship"."""
    label: str
    is_offered: Callable[[Deps, Tx, StoreOrderRow], bool]
    """`is_offered(deps, tx, order)`: whether the order's state and its store allow it now."""
    run: Callable[[Deps, uuid.UUID, Mapping[str, str], Principal], str]
    """`run(deps, order_id, values, who)` does it in transactions of its own, and returns a message for the person.

    `values` has the fields by name. Raises FleetError."""
    fields: tuple[OrderField, ...] = ()
    confirm: str = ""
    """A question to ask first."""
    is_dangerous: bool = False
    is_allowed_while_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSection:
    """What a feature shows on the page of an order: pairs of a name and words."""

    title: str
    facts: Sequence[tuple[str, str]]


def recorded(deps: Deps, tx: Tx, done: RecordedOrder) -> None:
    """Let features follow a reading that is new or changed something, in its transaction (`orders.recorded`).

    Each is called as `follow(deps, tx, done)`; an error of one undoes the reading.
    """
    if done.is_new or done.is_changed:
        for follow in registry.current().extensions(RECORDED):
            follow(deps, tx, done)


def sections(deps: Deps, tx: Tx, order: StoreOrderRow) -> list[OrderSection]:
    """Return what features show of an order (`orders.sections`): `section(deps, tx, order)`, or None for nothing."""
    found = (section(deps, tx, order) for section in registry.current().extensions(SECTIONS))
    return [one for one in found if one is not None]


def offered(deps: Deps, tx: Tx, order: StoreOrderRow) -> list[OrderAction]:
    """Return the actions that an order takes now; of one that is held, only those that do not send it."""
    return [
        one
        for one in _all()
        if (order.held_at is None or one.is_allowed_while_held) and one.is_offered(deps, tx, order)
    ]


def run(deps: Deps, order_id: uuid.UUID, name: str, given: Mapping[str, str], who: Principal) -> str:
    """Do an action on an order; return the message about it.

    Raises NotFound, Conflict for one that the order does not take now, InvalidInput for a field.
    """
    action = next((one for one in _all() if one.name == name), None)
    if action is None:
        names = ", ".join(one.name for one in _all()) or "none; connect a store first"
        raise NotFound(f"There is no action {name[:40]!r}.", fix=f"Actions: {names}.")
    known = {one.name for one in action.fields}
    if strange := sorted(set(given) - known):
        raise InvalidInput(
            f"{strange[0][:40]}: the action has no such field.", fix=f"Fields: {', '.join(known) or 'none'}."
        )
    values = {one.name: given.get(one.name, "").strip() for one in action.fields}
    for one in action.fields:
        if (one.is_needed and not values[one.name]) or len(values[one.name]) > one.most:
            raise InvalidInput(f"{one.name}: write 1 to {one.most} characters.")
    with deps.db.transaction() as tx:
        order = service.get(tx, order_id)
        if action not in offered(deps, tx, order):
            why = f"it is held: {order.held_why}" if order.held_at else f"it is {order.state}"
            raise Conflict(f"{action.label} is not possible with the order {order.number}: {why}.",
                           fix="Release it first." if order.held_at else None)  # fmt: skip
    return action.run(deps, order_id, values, who)


def _all() -> tuple[OrderAction, ...]:
    return registry.current().extensions(ACTIONS)
