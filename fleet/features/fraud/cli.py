"""`fleet fraud`: scores of orders of stores over the API, and of files, which need no running fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType, TextType, json_option
from fleet.core.errors import NotFound

if TYPE_CHECKING:
    from fleet.features.fraud.evaluation import Share

_SHOWN = 50
_HOLD = 50
_bar = click.option("--hold", "bar", type=click.IntRange(1, 100), default=_HOLD, show_default=True,
                    help="From this score on, a person decides about an order.")  # fmt: skip


@click.group(cls=FleetGroup)
@pass_door
def fraud(door: Door) -> None:
    """Score orders of stores or of a file, and show how well scores tell fraud from honest orders."""
    door.needs_database = False


@fraud.command("stores")
@json_option
@pass_door
def list_stores(door: Door, /, *, as_json: bool) -> None:
    """Show how orders are scored at each store, and how many are held."""
    found = door.api.get("/fraud")
    if as_json:
        door.json(found)
        return
    right = {"justify": "right"}
    table = render.table("Store", "Mode", *((name, right) for name in ("Bar", "Scored", "From the bar up", "Held")))
    for one in found["items"]:
        render.row(table, one["store"], one["mode"], one["bar"], one["scored"], one["above_bar"], one["held"])
    door.show(table)
    if not found["items"]:
        door.note("No store has orders yet. Connect one: `fleet stores add ACCOUNT`.")
    door.note(f"Shops do not give: {', '.join(found['left_out'])}. Held orders: `fleet orders list --held`.")


@fraud.command()
@click.argument("order", type=TextType(100))
@json_option
@pass_door
def check(door: Door, /, *, order: str, as_json: bool) -> None:
    """Score an ORDER of a store again, by its id or number."""
    found = [order] if len(order) == 36 and order.count("-") == 4 else [
        one["id"] for one in door.api.list("/orders", number=order, limit=50).items if one["number"] == order
    ]  # fmt: skip
    if len(found) != 1:
        raise NotFound(f"There is no one order {order}.", fix="`fleet orders list` shows ids and numbers.")
    done = door.api.post(at("fraud", "orders", found[0]))
    if as_json:
        door.json(done)
        return
    said = "It is not scored: it is not open, or the mode is off." if done["points"] is None else ""
    door.say(said or f"The order {done['number']} has {done['points']} points: {'; '.join(done['reasons']) or 'none'}.")
    if done["held_why"]:
        door.say(f"It is held: {done['held_why']}. Release it with `fleet orders release {done['number']}`.")


@fraud.command()
@click.argument("orders", type=PathType(path_type=Path))
@_bar
@json_option
@pass_door
def score(door: Door, /, *, orders: Path, bar: int, as_json: bool) -> None:
    """Show the orders that a person should look at, with the reasons. Nothing is cancelled.

    ORDERS is a CSV with the columns id, at, customer and value (minor units), and perhaps device, card, address,
    billing_country, shipping_country, network_country and refunded_at.
    """
    from fleet.features.fraud import orderfile, scoring

    scored = list(scoring.score_all(order for order, _ in orderfile.read(orders)))
    held = sorted((one for one in scored if one[1].holds(bar)), key=lambda one: (-one[1].value, one[0].at, one[0].id))
    if as_json:
        reasons = [[{"name": why.name, "points": why.points, "words": why.words} for why in one.reasons]
                   for _, one in held]  # fmt: skip
        items = [{"id": order.id, "customer": order.customer, "at": order.at.isoformat(), "value": order.value,
                  "score": found.value, "reasons": why}
                 for (order, found), why in zip(held, reasons, strict=True)]  # fmt: skip
        door.json({"orders": len(scored), "hold": bar, "items": items})
        return
    table = render.table("Order", "Customer", ("Score", {"justify": "right"}), "Reasons")
    for order, found in held[:_SHOWN]:
        render.row(table, order.id, order.customer, found.value, "; ".join(why.words for why in found.reasons))
    door.show(table)
    rest = f" The first {_SHOWN} are shown; --json has all." if len(held) > _SHOWN else ""
    door.note(f"{len(held):,} of {len(scored):,} orders have a score of {bar} or more.{rest}")


@fraud.command()
@click.argument("orders", type=PathType(path_type=Path), required=False)
@_bar
@json_option
@pass_door
def backtest(door: Door, /, *, orders: Path | None, bar: int, as_json: bool) -> None:
    """Show precision and recall on orders whose truth is known.

    ORDERS has a column `fraud` (yes, no). Without it, made-up orders are used that are always the same.
    """
    from fleet.features.fraud import evaluation, orderfile, sample, scoring

    truth: dict[str, tuple[str, bool, bool]] = {}
    if orders is None:
        drawn = sample.draw()
        truth = {one.order.id: (one.attack, bool(one.attack), one.is_called_fraud) for one in drawn}
        read = [one.order for one in drawn]
    else:
        labelled = orderfile.read(orders, is_labelled=True)
        truth = {order.id: ("fraud" if is_fraud else "", is_fraud, is_fraud) for order, is_fraud in labelled}
        read = [order for order, _ in labelled]
    scored = [(found.value, *truth[order.id]) for order, found in scoring.score_all(read)]
    whole = evaluation.evaluate([(value, is_fraud) for value, _, is_fraud, _ in scored], bar)
    by_labels = evaluation.evaluate([(value, is_called) for value, _, _, is_called in scored], bar)
    kinds = sorted({attack for _, attack, _, _ in scored if attack})
    of_kinds = {kind: [(value, True) for value, attack, _, _ in scored if attack == kind] for kind in kinds}
    recalls = {kind: evaluation.evaluate(ones, bar).recall for kind, ones in of_kinds.items()}
    figures = {"precision": whole.precision, "recall": whole.recall, "held": whole.held,
               "precision by labels": by_labels.precision, "recall by labels": by_labels.recall,
               **{f"recall of {kind}": one for kind, one in recalls.items()}}  # fmt: skip
    if as_json:
        door.json({"hold": bar, "held_out": sample.HELD_OUT if orders is None else None,
                   "items": [{"figure": name, **_share(one)} for name, one in figures.items()]})  # fmt: skip
        return
    right = {"justify": "right"}
    table = render.table("Figure", ("Orders", right), ("Of", right), ("Share", right), "95 % interval")
    for name, one in figures.items():
        words = "unknown" if one.interval is None else "{:.0%} to {:.0%}".format(*one.interval)
        share = "unknown" if one.value is None else f"{one.value:.0%}"
        render.row(table, name, f"{one.hits:,}", f"{one.of:,}", share, words)
    door.show(table)


def _share(one: Share) -> dict[str, Any]:
    low, high = one.interval or (None, None)
    rounded = [None if value is None else round(value, 4) for value in (one.value, low, high)]
    return {"hits": one.hits, "of": one.of, "share": rounded[0], "low": rounded[1], "high": rounded[2]}
