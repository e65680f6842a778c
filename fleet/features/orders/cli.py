"""`fleet orders`: orders of stores over the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options
from fleet.core.errors import InvalidInput, NotFound

_STATES = ("pending", "confirmed", "processing", "shipped", "delivered", "cancelled", "refunded")
_RIGHT: dict[str, Any] = {"justify": "right"}
_order = click.argument("order", type=TextType(100))


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def orders(ctx: click.Context) -> None:
    """Show orders, release those that are held, erase customers; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_orders)


@orders.command("list")
@click.option("--state", type=click.Choice(_STATES), help="State of the order.")
@click.option("--store", type=TextType(100), default="", help="Name of the account of a store.")
@click.option("--held/--not-held", default=None, help="Only those that wait for a person, or only others.")
@click.option("--number", type=TextType(100), default="", help="How the number begins.")
@list_options()
@json_option
@pass_door
def list_orders(
    door: Door, /, *, state: str | None, store: str, held: bool | None, number: str, limit: int, cursor: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List orders of all stores, the newest first."""
    found = door.api.list(
        "/orders", limit=limit, cursor=cursor, state=state, store=store or None, held=held, number=number or None
    )
    if as_json:
        door.json(found.data())
        return
    table = render.table("Number", "Store", "State", "Held", ("Total", _RIGHT), ("Units", _RIGHT), "Placed", "Id")
    for one in found.items:
        held_why = render.clip(one["held_why"], 30) if one["held_at"] else ""
        total = f"{one['total']} {one['currency']}"
        render.row(
            table, one["number"], one["store"], one["state"], held_why, total, one["units"], one["placed_at"], one["id"]
        )
    door.show(table)
    door.note(render.below(found, "orders"))


@orders.command()
@_order
@json_option
@pass_door
def show(door: Door, /, *, order: str, as_json: bool) -> None:
    """Show one order by its id or number."""
    one = door.api.get(at("orders", _id(door, order)))
    if as_json:
        door.json(one)
        return
    _show(door, one)


@orders.command()
@_order
@json_option
@pass_door
def release(door: Door, /, *, order: str, as_json: bool) -> None:
    """Release an order that is held."""
    one = door.api.post(at("orders", _id(door, order), "release"))
    if as_json:
        door.json(one)
        return
    door.say(f"The order {one['number']} is not held any more.")


@orders.command()
@_order
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_door
def erase(door: Door, /, *, order: str, yes: bool, as_json: bool) -> None:
    """Erase the customer of an order, in all of their orders. It cannot be undone."""
    order_id = _id(door, order)
    if not yes:
        click.confirm("Erase the customer of this order, in all of their orders?", abort=True, err=True)
    one = door.api.post(at("orders", order_id, "erase-customer"))
    if as_json:
        door.json(one)
        return
    door.say(f"The customer of the order {one['number']} is erased.")


@orders.command()
@_order
@click.argument("action", type=TextType(40))
@click.option("--set", "given", type=TextType(1000), multiple=True, help="A field: tracking=AB123. Several times.")
@json_option
@pass_door
def act(door: Door, /, *, order: str, action: str, given: tuple[str, ...], as_json: bool) -> None:
    """Do an ACTION on an order at its store, such as ship. `orders show` lists those that it takes."""
    values = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise InvalidInput(f"{one[:40]!r} names no value.", fix="Write --set tracking=AB123.")
        values[name.strip()] = value
    done = door.api.post(at("orders", _id(door, order), "actions", action), {"values": values})
    if as_json:
        door.json(done)
        return
    door.say(done["message"])


def _id(door: Door, order: str) -> str:
    """Return the id of an order that is named by its id or number."""
    if len(order) == 36 and order.count("-") == 4:
        return order
    found = [one for one in door.api.list("/orders", number=order, limit=50).items if one["number"] == order]
    if not found:
        raise NotFound(f"There is no order {order}.", fix="`fleet orders list` shows them.")
    if len(found) > 1:
        raise InvalidInput(f"Several stores have an order {order}.", fix="Name it by its id.")
    return str(found[0]["id"])


def _show(door: Door, one: Mapping[str, Any]) -> None:
    customer = one["customer"] or {}
    who = (
        "erased" if customer.get("erased_at") else " ".join(filter(None, (customer.get("name"), customer.get("email"))))
    )
    door.show(render.facts([
        ("Id", one["id"]), ("Number", one["number"]), ("Store", one["store"]), ("State", one["state"]),
        ("Fulfilment", one["fulfilment"]), ("Total", f"{one['total']} {one['currency']}"), ("Placed", one["placed_at"]),
        ("Held", one["held_why"] if one["held_at"] else "no"), ("Customer", who or "–"),
        ("Country", customer.get("country") or "–"),
        ("Actions", ", ".join(action["name"] for action in one["actions"]) or "–"),
    ]))  # fmt: skip
    table = render.table("SKU", "Title", ("Quantity", _RIGHT), ("Sent", _RIGHT), ("Price", _RIGHT))
    for part in one["lines"]:
        render.row(table, part["sku"], render.clip(part["title"], 40), part["quantity"], part["fulfilled"],
                   part["unit_price"])  # fmt: skip
    door.show(table)
