"""`fleet product-content`: texts of products over the API, and how well their checker works."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options

_RIGHT = {"justify": "right"}


@click.group("product-content", cls=FleetGroup)
def product_content() -> None:
    """Have texts of products written from their facts, and check claims."""


@product_content.command("list")
@click.argument("store", type=TextType(100))
@list_options()
@json_option
@pass_door
def list_gaps(door: Door, /, *, store: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List products at a STORE whose texts lack something."""
    found = door.api.list("/product-content", limit=limit, cursor=cursor, store=store)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Title", "Gaps", "Proposal", "Id")
    for one in found.items:
        waits = "waits" if one["request_id"] else ""
        render.row(table, render.clip(one["title"], 40), "; ".join(one["gaps"]), waits, one["product_id"])
    door.show(table)
    door.note(render.below(found, "products"))


@product_content.command()
@click.argument("store", type=TextType(100))
@click.argument("products", type=click.UUID, nargs=-1, required=True)
@json_option
@pass_door
def write(door: Door, /, *, store: str, products: tuple[object, ...], as_json: bool) -> None:
    """Have texts of PRODUCTS (ids) at a STORE written; they wait for approval: `fleet approvals list`."""
    made = door.api.post("/product-content", {"store": store, "products": [str(one) for one in products]})
    if as_json:
        door.json(made)
        return
    door.say(f"{len(made['jobs'])} products are written. The texts wait for approval then: `fleet approvals list`.")


@product_content.command()
@click.argument("product", type=click.UUID)
@click.argument("text", type=TextType(20_000))
@json_option
@pass_door
def check(door: Door, /, *, product: object, text: str, as_json: bool) -> None:
    """Show the claims of a TEXT about a PRODUCT (its id) that no fact supports."""
    found = door.api.post("/product-content/check", {"product": str(product), "text": text})
    if as_json:
        door.json(found)
        return
    table = render.table("Claim", "Kind", "Refused")
    for one in found["claims"]:
        render.row(table, one["words"], one["kind"], "yes" if one["refused"] else "no: people decide")
    door.show(table)
    if not found["claims"]:
        door.note("No claim lacks a fact.")


@product_content.command()
@json_option
@pass_door
def measure(door: Door, /, *, as_json: bool) -> None:
    """Show how well the checker finds claims, on made-up texts that are always the same. Needs no fleet."""
    from fleet.features.product_content import measured

    door.needs_database = False
    made = measured.measure(measured.draw())
    marked = sum(made.found.values()) + made.wrongly_marked
    rows = [("precision", sum(made.found.values()), marked), ("recall", sum(made.found.values()), made.claims.total())]
    rows += [(f"recall of {kind}", made.found[kind], made.claims[kind]) for kind in sorted(made.claims)]
    rows.append(("honest sentences marked", made.wrongly_marked, made.honest))
    if as_json:
        door.json({"held_out": measured.HELD_OUT,
                   "items": [{"figure": name, "hits": hits, "of": of, "share": round(hits / of, 4)}
                             for name, hits, of in rows]})  # fmt: skip
        return
    table = render.table("Figure", ("Sentences", _RIGHT), ("Of", _RIGHT), ("Share", _RIGHT))
    for name, hits, of in rows:
        render.row(table, name, f"{hits:,}", f"{of:,}", f"{hits / of:.0%}")
    door.show(table)
