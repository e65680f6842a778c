"""Orders as a CSV file, checked line by line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from fleet.core.text import csv_file
from fleet.core.text.csv_file import is_yes, refused, whole_number
from fleet.features.fraud.scoring import FileOrder

MOST_VALUE = 10**12
_NEEDED = ("id", "at", "customer", "value")
_TEXTS = ("device", "card", "address", "billing_country", "shipping_country", "network_country")
_LONGEST = 200
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # a month before and after them are times as well


def read(path: Path, *, is_labelled: bool = False) -> list[tuple[FileOrder, bool]]:
    """Return orders, each with whether it was fraud (column `fraud`; False without `is_labelled`).

    Raises NotFound, and InvalidInput that names the line.
    """
    found: dict[str, tuple[FileOrder, bool]] = {}
    for line, row in csv_file.rows(path, (*_NEEDED, "fraud") if is_labelled else _NEEDED):
        order = _order(row, line)
        if order.id in found:
            raise refused(line, f"the order {order.id[:40]!r} was named before")
        found[order.id] = order, is_labelled and is_yes(row["fraud"], "fraud", line)
    return list(found.values())


def _order(row: Mapping[str, str], line: int) -> FileOrder:
    texts = {name: row.get(name, "") for name in _TEXTS}
    if any(len(one) > _LONGEST for one in (*texts.values(), row["id"], row["customer"])):
        raise refused(line, f"a cell has at most {_LONGEST} characters")
    if not row["id"] or not row["customer"]:
        raise refused(line, "id and customer are needed")
    value, refunded = whole_number(row["value"], "value", line, MOST_VALUE), row.get("refunded_at", "")
    return FileOrder(row["id"], _moment(row["at"], "at", line), row["customer"], value, **texts,
                 refunded_at=_moment(refunded, "refunded_at", line) if refunded else None)  # fmt: skip


def _moment(written: str, name: str, line: int) -> datetime:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise refused(line, f"{name} is a time with its zone, such as 2026-11-24T09:00:00Z, not {written[:40]!r}")
    return found
