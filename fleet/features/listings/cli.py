"""`fleet listings`: listings and budgets of stores over the API."""

from __future__ import annotations

from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import MOMENT, TextType, json_option, list_options

_STATES = ("draft", "staged", "publishing", "published", "failed", "delisted")
_KINDS = ("api_calls", "spend", "actions")
_PERIODS = ("day", "week", "month")
_COLOURS = {"published": "green", "failed": "bold red", "draft": "yellow", "publishing": "blue", "staged": "blue"}
_listing = click.argument("listing", type=click.UUID)
_several = click.argument("listing", nargs=-1, required=True, type=click.UUID)
_RIGHT: Any = {"justify": "right"}


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def listings(ctx: click.Context) -> None:
    """Publish products to stores; without a command, list listings."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_listings)


@listings.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--store", type=TextType(60), default="", help="Only those at this store.")
@click.option("--product", type=click.UUID, help="Only those of this product.")
@list_options()
@json_option
@pass_door
def list_listings(
    door: Door, /, *, state: str | None = None, store: str = "", product: object = None, limit: int = 20,
    cursor: str | None = None, as_json: bool = False,
) -> None:  # fmt: skip
    """List products at stores, those changed last first."""
    found = door.api.get("/listings", state=state, store=store or None, product=product and str(product), limit=limit,
                         cursor=cursor)  # fmt: skip
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.say("There are no listings. `fleet listings stage --product ID --store NAME` makes one.")
        return
    table = render.table("Product", "Store", "State", "Verified", "Problem", "Id")
    for one in found["items"]:
        render.row(
            table, render.clip(one["title"], 40), one["store"],
            render.words(one["state"], _COLOURS.get(one["state"], "")),
            render.when(one["verified_at"]), render.clip(one["problem"] or "–", 60), one["id"],
        )  # fmt: skip
    door.show(table)
    if found["next"]:
        door.note(f"More: --cursor {found['next']}")


@listings.command()
@_listing
@json_option
@pass_door
def show(door: Door, /, *, listing: object, as_json: bool) -> None:
    """Show one listing with what happened to it."""
    one = door.api.get(at("listings", str(listing)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Product", one["title"]), ("Store", one["store"]), ("State", one["state"]),
        ("Problem", one["problem"] or "none"), ("Publishes at", render.when(one["publish_at"])),
        ("Written", render.when(one["published_at"])), ("Verified", render.when(one["verified_at"])),
    ]))  # fmt: skip
    for each in one["differences"]:
        door.say(f"{each['words']}: sent {each['sent']!r}, found {each['found']!r}")
    for each in one["history"]:
        door.say(f"{render.when(each['at'])} {each['event']} by {each['by']} {render.clip(each['words'], 120)}")


@listings.command()
@_listing
@json_option
@pass_door
def preview(door: Door, /, *, listing: object, as_json: bool) -> None:
    """Show exactly what publishing would send, and what the store cannot express."""
    one = door.api.get(at("listings", str(listing)))["preview"]
    if as_json:
        door.json(one)
        return
    if one is None:
        door.say("There is no preview: its store is removed.")
        return
    table = render.table("Field", "Sent", "The store has", "")
    for each in one["fields"]:
        render.row(table, each["label"], render.clip(_said(each["value"]), 60),
                   "unknown" if each["now"] is None else render.clip(_said(each["now"]), 40),
                   "changes" if each["is_change"] else "")  # fmt: skip
    door.say(f"It would {one['mode']} the product at the store.")
    door.show(table)
    for each in one["left_out"]:
        door.say(f"Left out: {each}")
    for each in one["problems"]:
        door.say(f"Problem: {each}")


def _said(value: Any) -> str:
    return f"{value['minor']} {value['currency']}" if isinstance(value, dict) and "minor" in value else str(value)


@listings.command()
@click.option("--product", "products", type=click.UUID, multiple=True, required=True, help="Id; may be repeated.")
@click.option("--store", "stores", type=TextType(60), multiple=True, required=True, help="Name; may be repeated.")
@click.option("--title", type=TextType(300), help="A title of this store alone; empty: the catalogue's again.")
@click.option("--description", type=TextType(100_000), help="A description of this store alone.")
@click.option("--price", "prices", metavar="VARIANT=PRICE", multiple=True, help="A price of this store alone.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@json_option
@pass_door
def stage(
    door: Door, /, *, products: tuple[object, ...], stores: tuple[str, ...], title: str | None,
    description: str | None, prices: tuple[str, ...], dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Stage products for stores, so that they can be published."""
    own = [dict(zip(("variant_id", "price"), one.split("=", 1), strict=False)) for one in prices]
    overrides = None
    if title is not None or description is not None or own:
        overrides = {"title": title, "description": description, "prices": own}
    done = door.api.post("/listings/stage", {
        "products": [str(one) for one in products], "stores": list(stores), "overrides": overrides, "dry_run": dry_run,
    })  # fmt: skip
    if as_json:
        door.json(done)
        return
    _count(door, done, "would be staged" if dry_run else "staged")


@listings.command()
@_several
@json_option
@pass_door
def publish(door: Door, /, *, listing: tuple[object, ...], as_json: bool) -> None:
    """Publish staged listings now; may need an approval."""
    _perform(door, "publish", {"listings": [str(one) for one in listing]}, "are being published", as_json=as_json)


@listings.command()
@_several
@click.option("--at", "moment", type=MOMENT, required=True, help="When, as 2026-11-24T18:00:00Z.")
@json_option
@pass_door
def schedule(door: Door, /, *, listing: tuple[object, ...], moment: str, as_json: bool) -> None:
    """Publish staged listings at a time; may need an approval."""
    body = {"listings": [str(one) for one in listing], "at": moment}
    _perform(door, "publish", body, f"will be published at {moment}", as_json=as_json)


@listings.command()
@_several
@json_option
@pass_door
def delist(door: Door, /, *, listing: tuple[object, ...], as_json: bool) -> None:
    """Take products from their stores; may need an approval."""
    _perform(door, "delist", {"listings": [str(one) for one in listing]}, "are being delisted", as_json=as_json)


@listings.command()
@_several
@json_option
@pass_door
def rollback(door: Door, /, *, listing: tuple[object, ...], as_json: bool) -> None:
    """Give stores the values back that the newest publication replaced; may need an approval."""
    _perform(door, "rollback", {"listings": [str(one) for one in listing]}, "are being taken back", as_json=as_json)


@listings.command()
@_listing
@pass_door
def unstage(door: Door, /, *, listing: object) -> None:
    """Withdraw a staged listing, and its time if it has one."""
    one = door.api.post(at("listings", str(listing), "unstage"), {})
    door.say(f"{one['title']} at {one['store']} is a draft again.")


@listings.command()
@_listing
@pass_door
def accept(door: Door, /, *, listing: object) -> None:
    """Take a failed listing as published: what the store has is wanted."""
    one = door.api.post(at("listings", str(listing), "accept"), {})
    door.say(f"{one['title']} at {one['store']} counts as published.")


@listings.command()
@click.option("--store", type=TextType(60), default="", help="Only those of this store.")
@json_option
@pass_door
def budgets(door: Door, /, *, store: str, as_json: bool) -> None:
    """List the budgets of stores with what is used of them."""
    found = door.api.get("/store-budgets", store=store or None)
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.say("No store has a budget. `fleet listings budget STORE actions day 100` sets one.")
        return
    table = render.table("Store", "Kind", "Period", ("Used", _RIGHT), ("Limit", _RIGHT), ("Added", _RIGHT), "State")
    for one in found["items"]:
        render.row(table, one["store"], one["kind"], one["period"], f"{one['used']:,}", f"{one['most']:,}",
                   f"{one['extension']:,}", "frozen" if one["is_frozen"] else "open")  # fmt: skip
    door.show(table)


@listings.command()
@click.argument("store", type=TextType(60))
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("period", type=click.Choice(_PERIODS))
@click.argument("most", type=click.IntRange(0))
@json_option
@pass_door
def budget(door: Door, /, *, store: str, kind: str, period: str, most: int, as_json: bool) -> None:
    """Set a budget of a STORE; of spend in millionths of a dollar."""
    one = door.api.put(at("store-budgets", store, kind, period), {"most": most})
    if as_json:
        door.json(one)
        return
    door.say(f"{one['store']} may use {one['most']:,} {one['kind']} by {one['period']}; {one['used']:,} are used.")


@listings.command("remove-budget")
@click.argument("store", type=TextType(60))
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("period", type=click.Choice(_PERIODS))
@pass_door
def remove_budget(door: Door, /, *, store: str, kind: str, period: str) -> None:
    """Remove a budget of a STORE."""
    door.api.delete(at("store-budgets", store, kind, period))
    door.say(f"{store} has no budget of {kind} by {period} any more.")


def _perform(door: Door, verb: str, body: dict[str, Any], words: str, *, as_json: bool) -> None:
    done = door.api.post(f"/listings/{verb}", body)
    if as_json:
        door.json(done)
        return
    _count(door, done, words)


def _count(door: Door, done: Answer, words: str) -> None:
    door.say(f"{done['done']:,} of {done['matched']:,} listings {words}.")
    for one in done["problems"]:
        door.say(one)
    for one in done["listing_ids"]:
        door.say(f"  {one}")
