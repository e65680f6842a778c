"""Prices of competitors from a CSV file: sku, competitor, price, and perhaps seen_at. All lines are taken, or none."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from fleet.access import audit
from fleet.adapters.shops import Money
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import InvalidInput
from fleet.features.pricing.models import CompetitorPriceRow
from fleet.features.products.models import VariantRow

MOST_LINES, MOST_BYTES = 20_000, 4_000_000
_NEEDED = ("sku", "competitor", "price")
_LONGEST = 100
_MOST_NAMED = 5


def import_file(tx: Tx, organisation_id: uuid.UUID, content: str, *, by: str) -> int:
    """Store the prices of a file; return how many. An older price than the known one changes nothing.

    Prices are in the currency of the variant. Raises InvalidInput that names the lines that are wrong.
    """
    lines = _lines(content)
    skus = sorted({row["sku"] for _, row in lines})
    query = sa.select(VariantRow.sku, VariantRow.id, VariantRow.currency).where(
        VariantRow.organisation_id == organisation_id, VariantRow.removed_at.is_(None),
        VariantRow.sku == sa.any_(sa.literal(skus, ARRAY(sa.String))),
    )  # fmt: skip
    known = {one.sku: (one.id, one.currency) for one in tx.execute(query)}
    rows: dict[tuple[uuid.UUID, str], dict[str, object]] = {}
    wrong: list[str] = []
    for number, row in lines:
        try:
            found = _price(row, known, tx.now())
        except InvalidInput as error:
            wrong.append(f"line {number}: {error.message}")
            continue
        key = (found[0], row["competitor"])
        if key not in rows or rows[key]["seen_at"] <= found[2]:  # type: ignore[operator]
            rows[key] = {"variant_id": found[0], "competitor": row["competitor"], "organisation_id": organisation_id,
                         "price_minor": found[1], "seen_at": found[2], "imported_by": by[:100]}  # fmt: skip
    if wrong:
        more = f"; and {len(wrong) - _MOST_NAMED:,} more" if len(wrong) > _MOST_NAMED else ""
        raise InvalidInput("; ".join(wrong[:_MOST_NAMED]) + more, fix="Correct these lines: nothing was imported.")
    row_type = CompetitorPriceRow
    new = insert(row_type)
    latest = {name: getattr(new.excluded, name) for name in ("price_minor", "seen_at", "imported_by")}
    tx.execute(
        new.on_conflict_do_update(
            index_elements=["variant_id", "competitor"], set_=latest, where=row_type.seen_at <= new.excluded.seen_at
        ),
        list(rows.values()),
    )
    events.emit(tx, "pricing.imported", organisation=str(organisation_id), number=len(rows), by=by, page="/pricing")
    audit.note(tx, "pricing.competitors_imported", f"organisation:{organisation_id}", after={"prices": len(rows)})
    return len(rows)


def _lines(content: str) -> list[tuple[int, dict[str, str]]]:
    content = content.removeprefix("\ufeff")
    if len(content.encode()) > MOST_BYTES or "\x00" in content:
        raise InvalidInput(f"The file is no text of at most {MOST_BYTES // 1_000_000} MB.", fix="Split it.")
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(content.partition("\n")[0], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(content, newline=""), dialect=dialect, restval="")
    found: list[tuple[int, dict[str, str]]] = []
    try:
        missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInput(
                f"The file has no column {', '.join(missing)}.", fix=f"Its first line names {', '.join(_NEEDED)}."
            )
        for row in reader:
            if None in row:
                raise InvalidInput(f"line {reader.line_num}: more cells than columns")
            found.append((reader.line_num, {name: value.strip() for name, value in row.items()}))
            if len(found) > MOST_LINES:
                raise InvalidInput(f"The file has more than {MOST_LINES:,} lines.", fix="Split it.")
    except csv.Error as error:
        raise InvalidInput(f"The file is no CSV: {error}", fix="Save it as CSV, UTF-8.") from error
    if not found:
        raise InvalidInput("The file has no line.", fix="Write a line a price: sku,competitor,price.")
    return found


def _price(
    row: dict[str, str], known: dict[str, tuple[uuid.UUID, str]], now: datetime
) -> tuple[uuid.UUID, int, datetime]:
    if row["sku"] not in known:
        raise InvalidInput(f"no variant has the SKU {row['sku'][:40]!r}")
    if not 1 <= len(row["competitor"]) <= _LONGEST or not row["competitor"].isprintable():
        raise InvalidInput("competitor is a name of 1 to 100 characters")
    variant_id, currency = known[row["sku"]]
    price = Money.parse(row["price"].replace(",", "."), currency)
    if price.minor <= 0:
        raise InvalidInput("price is more than 0")
    return variant_id, price.minor, _seen(row.get("seen_at", ""), now)


def _seen(written: str, now: datetime) -> datetime:
    if not written:
        return now
    try:
        found = datetime.combine(date.fromisoformat(written), time(), UTC)
    except ValueError:
        raise InvalidInput(f"seen_at is a date such as 2026-11-24, not {written[:40]!r}") from None
    if found > now + timedelta(days=1):
        raise InvalidInput("seen_at is in the future")
    return min(found, now)
