"""Sales and stock as CSV files: checked line by line. Pure but for reading the file; needs numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from fleet.core.errors import InvalidInput
from fleet.core.text import csv_file
from fleet.core.text.csv_file import is_yes, refused, whole_number
from fleet.features.forecast.methods import Matrix
from fleet.features.forecast.reorder import StockOfVariant

MOST_DAYS = 3_700
MOST_CELLS = 50_000_000
"""Products times days: a forecast needs about ten times eight bytes for each."""
MOST_UNITS = 1_000_000_000
_LONGEST_NAME = 200
_SALES, _STOCK = ("date", "product", "units"), ("product", "on_hand")

Key = tuple[str, str]
"""Product and location; the location is empty where the file names none."""


@dataclass(frozen=True, slots=True)
class Sales:
    """Units sold a day: a row of `units` a key, a column a day from `first` on. NaN: out of stock, or not sold yet."""

    keys: tuple[Key, ...]
    first: date
    units: Matrix


def read_sales(path: Path) -> Sales:
    """Read a CSV with date, product and units, and perhaps location and out_of_stock (yes or no).

    Days without a line have sold nothing, but days before the first line of a product are unknown: it may not have been
    offered. Several lines of a day are added. Raises InvalidInput that names the line.
    """
    sold, out = dict[tuple[Key, date], int](), set[tuple[Key, date]]()
    for line, row in csv_file.rows(path, _SALES):
        key, day = _key(row, line), _date(row["date"], line)
        sold[key, day] = sold.get((key, day), 0) + whole_number(row["units"], "units", line, MOST_UNITS)
        if is_yes(row.get("out_of_stock", ""), "out_of_stock", line):
            out.add((key, day))
    if not sold:
        raise InvalidInput("The file of sales has no line.", fix="Write a line a day and product: date,product,units.")
    days = [day for _, day in sold]
    first, length = min(days), (max(days) - min(days)).days + 1
    if length > MOST_DAYS:
        raise InvalidInput(f"The sales span {length:,} days.", fix=f"Give at most {MOST_DAYS:,} days.")
    keys = tuple(sorted({key for key, _ in sold}))
    if len(keys) * length > MOST_CELLS:
        raise InvalidInput(
            f"{len(keys):,} products over {length:,} days are too many.",
            fix=f"Give fewer products or days at once: at most {MOST_CELLS:,} products times days.",
        )
    place = {key: at for at, key in enumerate(keys)}
    units = np.zeros((len(keys), length))
    begins = dict[Key, date]()
    for key, day in sold:
        begins[key] = min(day, begins.get(key, day))
    for key, day in begins.items():
        units[place[key], : (day - first).days] = np.nan
    for (key, day), count in sold.items():
        units[place[key], (day - first).days] = count
    for key, day in out:
        units[place[key], (day - first).days] = np.nan
    return Sales(keys, first, units)


def read_stock(path: Path) -> dict[Key, StockOfVariant]:
    """Read a CSV with product and on_hand, and perhaps location, on_order, lead_days and pack.

    Raises InvalidInput that names the line.
    """
    found: dict[Key, StockOfVariant] = {}
    for line, row in csv_file.rows(path, _STOCK):
        key = _key(row, line)
        if key in found:
            raise refused(line, f"{' at '.join(filter(None, key))} was named before")
        given = {
            name: whole_number(row[name], name, line, MOST_UNITS)
            for name in ("on_order", "lead_days", "pack")
            if row.get(name)
        }
        if not 0 <= given.get("lead_days", 7) <= 365 or given.get("pack", 1) < 1:
            raise refused(line, "lead_days is 0 to 365, and pack at least 1")
        found[key] = StockOfVariant(whole_number(row["on_hand"], "on_hand", line, MOST_UNITS), **given)
    return found


def _key(row: Mapping[str, str], line: int) -> Key:
    product, location = row["product"], row.get("location", "")
    if not product or max(len(product), len(location)) > _LONGEST_NAME:
        raise refused(line, f"product and location have at most {_LONGEST_NAME} characters, product at least 1")
    return product, location


def _date(written: str, line: int) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise refused(line, f"{written[:40]!r} is no date such as 2026-11-24") from None
