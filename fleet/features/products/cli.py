"""`fleet products`: products, their stock, and CSV files over the API."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import OutputPathType, PathType, TextType, json_option, list_options
from fleet.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUSES = ("active", "draft", "archived")
_STOCKS = ("available", "none", "oversold")
_RIGHT: dict[str, Any] = {"justify": "right"}
_product = click.argument("product", type=TextType(100))
_MOST_BYTES = 8_000_000


def _filters(command: Any) -> Any:
    for option in (
        click.option("--stock", type=click.Choice(_STOCKS), help="Stock of all variants together."),
        click.option("--store", type=TextType(100), default="", help="Name of the account of a store."),
        click.option("--category", type=TextType(100), default="", help="A category."),
        click.option("--status", type=click.Choice(_STATUSES), help="Whether customers see them."),
        click.option("--words", type=TextType(200), default="", help="Words in title, brand, description or SKU."),
    ):
        command = option(command)
    return command


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def products(ctx: click.Context) -> None:
    """Show, create and change products; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_products)


@products.command("list")
@_filters
@list_options()
@json_option
@pass_door
def list_products(
    door: Door, /, *, words: str, status: str | None, category: str, store: str, stock: str | None, limit: int,
    cursor: str | None, as_json: bool,
) -> None:  # fmt: skip
    """List products, those changed last first."""
    found = door.api.list(
        "/products", limit=limit, cursor=cursor, q=words or None, status=status, category=category or None,
        store=store or None, stock=stock,
    )  # fmt: skip
    if as_json:
        door.json(found.data())
        return
    table = render.table("Product", "SKU", "Status", ("Price", _RIGHT), ("Available", _RIGHT), "Id")
    for one in found.items:
        skus = ", ".join(one["skus"][:3]) + (" ..." if len(one["skus"]) > 3 else "")
        render.row(table, render.clip(one["title"], 40), skus, one["status"], _price(one), one["available"], one["id"])
    door.show(table)
    door.note(render.below(found, "products"))


@products.command()
@_product
@json_option
@pass_door
def show(door: Door, /, *, product: str, as_json: bool) -> None:
    """Show one product by its id or a SKU."""
    one = door.api.get(at("products", _id(door, product)))
    if as_json:
        door.json(one)
        return
    _show(door, one)


@products.command()
@click.argument("title", type=TextType(300))
@click.option("--sku", type=TextType(100), required=True, help="SKU of its first variant.")
@click.option("--currency", type=TextType(3), default="EUR", show_default=True, help="Currency of its amounts.")
@click.option("--price", type=TextType(30), default="", help="Price, such as 27.99.")
@click.option("--cost", type=TextType(30), default="", help="Cost of a unit.")
@click.option("--floor", type=TextType(30), default="", help="The price below which no agent goes.")
@click.option("--on-hand", type=click.IntRange(0), help="Units at the default location.")
@click.option("--description", default="", help="Description.")
@click.option("--status", type=click.Choice(_STATUSES), default="active", show_default=True, help="Its status.")
@click.option("--brand", type=TextType(100), default="", help="Brand.")
@click.option("--category", "categories", type=TextType(100), multiple=True, help="A category; several times.")
@click.option("--image", "images", multiple=True, help="Address of a picture; several times.")
@click.option("--organisation", type=TextType(60), default="", help="Name or id; by default your own.")
@json_option
@pass_door
def create(door: Door, /, *, title: str, as_json: bool, **given: Any) -> None:
    """Create a product with one variant. Import a file for several variants."""
    variant = {name: given[name] for name in ("sku", "currency", "price", "cost", "floor", "on_hand")}
    body = {
        "title": title, "description": given["description"], "status": given["status"], "brand": given["brand"],
        "categories": list(given["categories"]), "images": [{"url": one} for one in given["images"]],
        "organisation": given["organisation"], "variants": [variant],
    }  # fmt: skip
    one = door.api.post("/products", body)
    if as_json:
        door.json(one)
        return
    door.say(f"The product is created: {one['id']}.")


@products.command()
@_product
@click.option("--title", type=TextType(300), help="New title.")
@click.option("--description", help="New description.")
@click.option("--status", type=click.Choice(_STATUSES), help="New status.")
@click.option("--brand", type=TextType(100), help="New brand.")
@click.option("--category", "categories", type=TextType(100), multiple=True, help="All of its categories.")
@click.option("--sku", type=TextType(100), help="The variant that --price, --cost and --floor are for.")
@click.option("--price", type=TextType(30), help="New price of the variant.")
@click.option("--cost", type=TextType(30), help="New cost of the variant.")
@click.option("--floor", type=TextType(30), help="New floor of the variant.")
@json_option
@pass_door
def edit(door: Door, /, *, product: str, sku: str | None, as_json: bool, **given: Any) -> None:
    """Change a product, or a variant of it."""
    product_id = _id(door, product)
    amounts = {name: given[name] for name in ("price", "cost", "floor") if given[name] is not None}
    values = {name: given[name] for name in ("title", "description", "status", "brand") if given[name] is not None}
    if given["categories"]:
        values["categories"] = list(given["categories"])
    if not amounts and not values:
        raise InvalidInput("There is nothing to change.", fix="Name a new value, such as --title.")
    one: Mapping[str, Any] = {}
    if amounts:
        one = door.api.get(at("products", product_id))
        variant_id = _variant(one, sku)["id"]
        one = door.api.patch(at("products", product_id, "variants", variant_id), amounts)
    if values:
        one = door.api.patch(at("products", product_id), values)
    if as_json:
        door.json(one)
        return
    _show(door, one)


@products.command()
@click.argument("sku", type=TextType(100))
@click.option("--set", "on_hand", type=click.IntRange(0), help="Units that were counted.")
@click.option("--by", "delta", type=int, help="Units to add; with a minus, to take.")
@click.option("--location", type=TextType(100), default="", help="Name or id; by default the default location.")
@click.option("--reason", type=TextType(40), default="", help="Why, such as delivery.")
@json_option
@pass_door
def stock(
    door: Door, /, *, sku: str, on_hand: int | None, delta: int | None, location: str, reason: str, as_json: bool
) -> None:
    """Show the stock of a variant by its SKU, or count or move it."""
    product_id = _id(door, sku)
    if on_hand is None and delta is None:
        one = door.api.get(at("products", product_id))
        variant = _variant(one, sku)
    else:
        variant = _variant(door.api.get(at("products", product_id)), sku)
        body = {"on_hand": on_hand, "delta": delta, "location": location, "reason": reason}
        one = door.api.post(at("products", product_id, "variants", variant["id"], "stock"), body)
        variant = next(found for found in one["variants"] if found["id"] == variant["id"])
    if as_json:
        door.json(variant)
        return
    table = render.table("Location", ("On hand", _RIGHT), ("Reserved", _RIGHT), ("Available", _RIGHT))
    for level in variant["stock"]:
        render.row(table, level["location"], level["on_hand"], level["reserved"], level["available"])
    door.show(table)


@products.command()
@click.option("--add", "name", type=TextType(100), help="Name of a location to create.")
@json_option
@pass_door
def locations(door: Door, /, *, name: str | None, as_json: bool) -> None:
    """List the locations with stock of their own, or create one."""
    if name is not None:
        made = door.api.post("/stock-locations", {"name": name})
        if as_json:
            door.json(made)
            return
        door.say(f"The location {made['name']} is created.")
        return
    found = door.api.get("/stock-locations")
    if as_json:
        door.json(found)
        return
    table = render.table("Location", "Default", "Id")
    for one in found["items"]:
        render.row(table, one["name"], "yes" if one["is_default"] else "", one["id"])
    door.show(table)


@products.command("import")
@click.argument("file", type=PathType(path_type=Path))
@click.option("--apply", "is_applied", is_flag=True, help="Make the changes, if no line has an error.")
@click.option("--organisation", type=TextType(60), default="", help="Name or id; by default your own.")
@json_option
@pass_door
def import_file(door: Door, /, *, file: Path, is_applied: bool, organisation: str, as_json: bool) -> None:
    """Show what the CSV FILE would change, with errors by line; with --apply, change it."""
    body = {"name": file.name[:200], "content": base64.b64encode(_read(file)).decode(), "organisation": organisation}
    found = door.api.post("/product-imports", body)
    if is_applied and found["state"] == "ready":
        found = door.api.post(at("product-imports", found["id"], "apply"))
    if as_json:
        door.json(found)
    else:
        _show_import(door, found)
    if is_applied and found["state"] == "refused":
        raise InvalidInput("Nothing is imported: lines have errors.", fix="Correct the file.")


@products.command("export")
@_filters
@click.option("--output", type=OutputPathType(path_type=Path), help="File to write; by default the terminal.")
@json_option
@pass_door
def export_file(
    door: Door, /, *, words: str, status: str | None, category: str, store: str, stock: str | None,
    output: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Write products as a CSV file with a line for each variant."""
    found = door.api.get(
        "/products/export", q=words or None, status=status, category=category or None, store=store or None, stock=stock
    )
    if as_json:
        door.json(found)
    elif output is None:
        click.echo(found["content"].removeprefix("\ufeff"), nl=False)
    else:
        output.write_text(found["content"], encoding="utf-8", newline="")
        door.say(f"{found['products']:,} products are written to {output}.")


def _id(door: Door, product: str) -> str:
    """Return the id of a product that is named by its id or a SKU."""
    if len(product) == 36 and product.count("-") == 4:
        return product
    found = door.api.get("/products", sku=product, limit=1)["items"]
    if not found:
        raise NotFound(f"There is no product with the SKU {product}.", fix="`fleet products list` shows them.")
    return str(found[0]["id"])


def _variant(product: Mapping[str, Any], sku: str | None) -> Mapping[str, Any]:
    found = [one for one in product["variants"] if sku in (None, one["sku"], one["id"])]
    if len(found) != 1:
        raise InvalidInput("The product has several variants, or none of this SKU.", fix="Name one with --sku.")
    first: Mapping[str, Any] = found[0]
    return first


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{file.name} has more than 8 MB.", fix="Split it.")
        return file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {file}.", fix="Name a CSV file.") from None
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.", fix="Name a CSV file of yours.") from None


def _price(one: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{found['low']}{'' if found['low'] == found['high'] else ' to ' + found['high']} {found['currency']}"
        for found in one["prices"]
    )


def _show(door: Door, one: Mapping[str, Any]) -> None:
    door.show(render.facts([
        ("Id", one["id"]), ("Title", one["title"]), ("Status", one["status"]), ("Brand", one["brand"]),
        ("Categories", ", ".join(one["categories"])), ("Price", _price(one)), ("Available", one["available"]),
        ("Version", one["version"]), ("Changed", one["updated_at"]),
    ]))  # fmt: skip
    table = render.table("SKU", "Title", "Options", ("Price", _RIGHT), ("Available", _RIGHT), "Id")
    for variant in one["variants"]:
        options = ", ".join(f"{name}: {value}" for name, value in variant["options"].items())
        price = "" if variant["price"] is None else f"{variant['price']} {variant['currency']}"
        render.row(table, variant["sku"], variant["title"], options, price, variant["available"], variant["id"])
    door.show(table)


def _show_import(door: Door, found: Mapping[str, Any]) -> None:
    for note in found["notes"]:
        door.note(note)
    counts = [(name.replace("_", " ").capitalize(), number) for name, number in found["counts"].items()]
    door.show(render.facts([("State", found["state"]), *counts]))
    if found["errors"]:
        table = render.table(("Line", _RIGHT), "Column", "Problem")
        for one in found["errors"]:
            render.row(table, one["line"], one["column"], one["message"])
        door.show(table)
    if found["changes"]:
        table = render.table(("Line", _RIGHT), "Change", "About", "Values")
        for one in found["changes"]:
            values = "; ".join(f"{name}: {new}" for name, (_, new) in one["fields"].items())
            render.row(table, one["line"], one["action"], render.clip(one["about"], 30), render.clip(values, 80))
        door.show(table)
    if found["state"] == "ready":
        door.note("Nothing is changed yet: repeat the command with --apply.")
