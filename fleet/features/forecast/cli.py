"""`fleet forecast`: forecasts from files, which need no running fleet, and those from the fleet's own orders."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType, json_option
from fleet.core.errors import InvalidInput

if TYPE_CHECKING:
    from fleet.features.forecast.backtest import Scores
    from fleet.features.forecast.salesfile import Key

_SHOWN = 50
_FIGURES = ("rmsse", "pinball", "inside", "bias")
_sales = click.argument("sales", type=PathType(path_type=Path))
_days = click.option("--days", type=click.IntRange(1, 365), default=28, show_default=True, help="Days to forecast.")


@click.group(cls=FleetGroup)
def forecast() -> None:
    """Forecast demand from orders or from a file of sales, show how good forecasts were, and propose orders."""


def _without_fleet(door: Door) -> None:
    door.needs_database = False
    try:
        import numpy  # noqa: F401 - only whether it is there
    except ImportError:
        raise InvalidInput(
            "Forecasts need the extra `forecast`, which is not installed.", fix="Run `pip install 'fleet[forecast]'`."
        ) from None


@forecast.command()
@_sales
@_days
@json_option
@pass_door
def demand(door: Door, /, *, sales: Path, days: int, as_json: bool) -> None:
    """Show the demand that is expected, each with an interval of 80 %.

    SALES is a CSV with the columns date, product and units, and perhaps location and out_of_stock.
    """
    _without_fleet(door)
    from fleet.features.forecast import methods, salesfile

    read = salesfile.read_sales(sales)
    found = methods.forecast(read.units, days)
    low, high = found.quantile(0.1), found.quantile(0.9)
    items: list[dict[str, Any]] = [
        {**_named(key), "method": method.value, "expected": _rounded(expected), "low": _rounded(least),
         "high": _rounded(most), "daily": [_rounded(one) for one in each]}
        for key, method, expected, least, most, each in zip(
            read.keys, found.methods, found.totals, low, high, found.daily, strict=True)
    ]  # fmt: skip
    items.sort(key=lambda one: -one["expected"])
    if as_json:
        door.json({"days": days, "items": items})
        return
    table = render.table("Product", "Location", "Method", ("Expected", _RIGHT), ("80 % interval", _RIGHT))
    for one in items[:_SHOWN]:
        interval = "unknown" if one["low"] is None else f"{one['low']:,.0f} to {one['high']:,.0f}"
        render.row(table, one["product"], one["location"], one["method"], f"{one['expected']:,.1f}", interval)
    door.show(table)
    _note_rest(door, len(items))


@forecast.command()
@click.argument("sales", type=PathType(path_type=Path), required=False)
@_days
@json_option
@pass_door
def backtest(door: Door, /, *, sales: Path | None, days: int, as_json: bool) -> None:
    """Show how good forecasts would have been, beside the week before and beside zero.

    Holds back the last three periods of --days days. Without SALES it uses made-up series that are always the same.
    """
    _without_fleet(door)
    from fleet.features.forecast import backtest as testing
    from fleet.features.forecast import methods, salesfile, sample

    if sales is None:
        groups = sample.draw()
        named: list[dict[str, str]] = []
    else:
        read = salesfile.read_sales(sales)
        groups, named = {"all": read.units}, [_named(key) for key in read.keys]
    try:
        scores = {group: testing.backtest(units, days) for group, units in groups.items()}
    except ValueError as error:
        raise InvalidInput(f"{error}.", fix="Give more days of sales, or fewer --days.") from error
    items: list[dict[str, Any]] = [
        {"group": group, "forecast": name, "series": len(groups[group]),
         **{figure: _rounded(testing.overall(getattr(one, figure))) for figure in _FIGURES}}
        for group, ones in scores.items()
        for name, one in ones.items()
    ]  # fmt: skip
    if as_json:
        products = [{**key, **_of_product(scores["all"], at)} for at, key in enumerate(named)]
        chosen = Counter(one.value for units in groups.values() for one in methods.choose(units))
        door.json({"days": days, "methods": dict(chosen), "items": items, "products": products})
        return
    table = render.table("Series", "Forecast", *((title, _RIGHT) for title in ("RMSSE", "Pinball", "In 80 %", "Bias")))
    for one in items:
        render.row(table, f"{one['group']} ({one['series']:,})", one["forecast"],
                   *(_shown(one[figure]) for figure in _FIGURES))  # fmt: skip
    door.show(table)


@forecast.command()
@_sales
@click.argument("stock", type=PathType(path_type=Path))
@click.option("--service", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True,
              help="Share of cases in which stock is to last.")  # fmt: skip
@click.option("--every", "review_days", type=click.IntRange(1, 365), default=7, show_default=True,
              help="Days between two orders.")  # fmt: skip
@json_option
@pass_door
def reorder(door: Door, /, *, sales: Path, stock: Path, service: float, review_days: int, as_json: bool) -> None:
    """Propose what to order now, so that stock lasts until the order after the next one arrives.

    STOCK is a CSV with the columns product and on_hand, and perhaps location, on_order, lead_days and pack.
    """
    _without_fleet(door)
    from fleet.features.forecast import methods, salesfile
    from fleet.features.forecast import reorder as orders

    read, levels = salesfile.read_sales(sales), salesfile.read_stock(stock)
    place = {key: at for at, key in enumerate(read.keys)}
    items: list[dict[str, Any]] = []
    for days in sorted({one.lead_days + review_days for one in levels.values()}):
        keys = [key for key, one in levels.items() if one.lead_days + review_days == days and key in place]
        if not keys:
            continue
        found = methods.forecast(read.units[[place[key] for key in keys]], days)
        for key, expected, most in zip(keys, found.totals, found.quantile(service), strict=True):
            quantile = None if math.isnan(most) else float(most)
            one = orders.propose(levels[key], expected=float(expected), quantile=quantile, days=days, service=service)
            items.append({**_named(key), "units": one.units, "expected": _rounded(one.expected),
                          "covers": _rounded(one.covers), "reason": one.reason})  # fmt: skip
    unsold = sorted(key for key in levels if key not in place)
    items.sort(key=lambda one: (-one["units"], one["product"], one["location"]))
    if as_json:
        door.json({"items": items, "without_sales": [_named(key) for key in unsold]})
        return
    table = render.table("Product", "Location", ("Order", _RIGHT), "Reason")
    for item in items[:_SHOWN]:
        render.row(table, item["product"], item["location"], f"{item['units']:,}", item["reason"])
    door.show(table)
    _note_rest(door, len(items))
    if unsold:
        door.note(f"Without sales, so without a proposal: {', '.join(product for product, _ in unsold[:10])}"
                  f"{f' and {len(unsold) - 10:,} more' if len(unsold) > 10 else ''}.")  # fmt: skip


_RIGHT: dict[str, Any] = {"justify": "right"}


def _named(key: Key) -> dict[str, str]:
    return {"product": key[0], "location": key[1]}


def _of_product(scores: dict[str, Scores], at: int) -> dict[str, dict[str, float | None]]:
    return {name: {figure: _rounded(getattr(one, figure)[at]) for figure in _FIGURES} for name, one in scores.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 4)


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _note_rest(door: Door, count: int) -> None:
    if count > _SHOWN:
        door.note(f"The first {_SHOWN} of {count:,}; --json has all.")
