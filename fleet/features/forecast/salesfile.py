"""Sales and stock as CSV files: checked line by line. Pure but for reading the file; needs numpy."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from fleet.core.errors import InvalidInput, NotFound
from fleet.features.forecast.methods import Matrix
from fleet.features.forecast.reorder import StockLevel

MOST_LINES = 5_000_000
MOST_DAYS = 3_700
MOST_UNITS = 1_000_000_000
_LONGEST_NAME = 200
_SALES, _STOCK = ("date", "product", "units"), ("product", "on_hand")
_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")

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
    for line, row in _rows(path, _SALES):
        key, day = _key(row, line), _date(row["date"], line)
        sold[key, day] = sold.get((key, day), 0) + _units(row["units"], "units", line)
        if _is_yes(row.get("out_of_stock", ""), line):
            out.add((key, day))
    if not sold:
        raise InvalidInput("The file of sales has no line.", fix="Write a line a day and product: date,product,units.")
    days = [day for _, day in sold]
    first, length = min(days), (max(days) - min(days)).days + 1
    if length > MOST_DAYS:
        raise InvalidInput(f"The sales span {length:,} days.", fix=f"Give at most {MOST_DAYS:,} days.")
    keys = tuple(sorted({key for key, _ in sold}))
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


def read_stock(path: Path) -> dict[Key, StockLevel]:
    """Read a CSV with product and on_hand, and perhaps location, on_order, lead_days and pack.

    Raises InvalidInput that names the line.
    """
    found: dict[Key, StockLevel] = {}
    for line, row in _rows(path, _STOCK):
        key = _key(row, line)
        if key in found:
            raise _refused(line, f"{' at '.join(filter(None, key))} was named before")
        given = {name: _units(row[name], name, line) for name in ("on_order", "lead_days", "pack") if row.get(name)}
        if not 0 <= given.get("lead_days", 7) <= 365 or given.get("pack", 1) < 1:
            raise _refused(line, "lead_days is 0 to 365, and pack at least 1")
        found[key] = StockLevel(_units(row["on_hand"], "on_hand", line), **given)
    return found


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInput(
                    f"{path.name} has no column {', '.join(missing)}.", fix=f"Its first line names {', '.join(needed)}."
                )
            for row in reader:
                if reader.line_num > MOST_LINES:
                    raise InvalidInput(f"{path.name} has more than {MOST_LINES:,} lines.", fix="Split it.")
                if None in row:
                    raise _refused(reader.line_num, "more cells than columns")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", fix="Name a CSV file.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", fix="Name a CSV file of yours.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} is no CSV file in UTF-8: {error}", fix="Save it as CSV, UTF-8.") from error


def _key(row: Mapping[str, str], line: int) -> Key:
    product, location = row["product"], row.get("location", "")
    if not product or max(len(product), len(location)) > _LONGEST_NAME:
        raise _refused(line, f"product and location have at most {_LONGEST_NAME} characters, product at least 1")
    return product, location


def _date(written: str, line: int) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise _refused(line, f"{written[:40]!r} is no date such as 2026-11-24") from None


def _units(written: str, name: str, line: int) -> int:
    if not (written.isascii() and written.isdigit() and len(written) < 11 and int(written) <= MOST_UNITS):
        raise _refused(line, f"{name} is a whole number of 0 to {MOST_UNITS:,}, not {written[:40]!r}")
    return int(written)


def _is_yes(written: str, line: int) -> bool:
    if written.lower() not in (*_YES, *_NO):
        raise _refused(line, f"out_of_stock is yes or no, not {written[:40]!r}")
    return written.lower() in _YES


def _refused(line: int, why: str) -> InvalidInput:
    return InvalidInput(f"Line {line}: {why}.", fix="Correct the line and try again.")
