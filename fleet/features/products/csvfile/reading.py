"""Read CSV files as spreadsheets write them: their encoding, their separator, and their columns. Pure."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.core.errors import InvalidInput
from fleet.features.products.csvfile.cells import fused

MOST_BYTES, MOST_LINES, MOST_COLUMNS = 8_000_000, 20_000, 200
STOCK = "stock:"
"""Columns of stock are named "stock: LOCATION"."""
PRODUCT_COLUMNS = ("title", "description", "status", "brand", "categories", "images", "attributes")
VARIANT_COLUMNS = ("sku", "variant_title", "options", "barcode", "currency", "price", "cost", "floor")
COLUMNS = ("product", "variant", *PRODUCT_COLUMNS, *VARIANT_COLUMNS)
_ALSO = {
    "name": "title", "product_title": "title", "body": "description", "category": "categories", "vendor": "brand",
    "variant_sku": "sku", "variant_price": "price", "variant_barcode": "barcode", "ean": "barcode", "upc": "barcode",
    "handle": "product", "product_id": "product", "variant_id": "variant", "cost_per_item": "cost",
}  # fmt: skip
"""Other names of columns, as files of shops have them."""
_SEPARATORS = (",", ";", "\t", "|")
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CsvLine:
    """A line of a file: its number, and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as it was read. `columns` are those that are known; `problems` are of lines that cannot be read."""

    columns: frozenset[str]
    lines: Sequence[CsvLine]
    notes: Sequence[str]
    problems: Sequence[tuple[int, str]]


def read(content: bytes) -> ReadFile:
    """Read a file. Raises InvalidInput for one that is too large, is no text, or has no column that is known."""
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"The file has more than {MOST_BYTES // 1_000_000} MB.", fix="Split it.")
    text, encoding = decoded(content)
    separator, header = _header(text)
    names = [_known(one) for one in header]
    columns = [one for one in names if one]
    if not {"sku", "variant"} & set(columns):
        raise InvalidInput("The file has no column sku.", fix=f"Its first line names columns: {', '.join(COLUMNS)}.")
    if len(set(columns)) < len(columns):
        twice = next(one for one in columns if columns.count(one) > 1)
        raise InvalidInput(f"The column {twice} is there twice.", fix="Leave one of them out.")
    notes = [f"Read as {encoding}, separated by {_SEPARATOR_NAMES[separator]}."]
    if ignored := [one.strip() for one, name in zip(header, names, strict=True) if not name and one.strip()]:
        notes.append(f"Ignored columns: {', '.join(one[:40] for one in ignored[:20])}.")
    lines, problems = _lines(text, separator, names)
    return ReadFile(frozenset(columns), lines, notes, problems)


def decoded(content: bytes) -> tuple[str, str]:
    """Return the text of a file and the name of its encoding: by its mark, else UTF-8, else that of old spreadsheets.

    Raises InvalidInput for what is no text.
    """
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    if marked is None and b"\0" in content[:1000]:
        # UTF-16 without a mark has a NUL beside each ASCII character.
        marked = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text, {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252"}.get(encoding, "UTF-16")
    raise InvalidInput("The file is no text.", fix="Save it as CSV in UTF-8.")


def _header(text: str) -> tuple[str, list[str]]:
    """Return the separator under which most columns are known, and the names of columns."""
    found: tuple[int, str, list[str]] = (-1, ",", [])
    for separator in _SEPARATORS:
        try:
            header: list[str] = next(_reader(text, separator), [])
        except csv.Error:
            continue
        if len(header) <= MOST_COLUMNS and (known := len([one for one in header if _known(one)])) > found[0]:
            found = known, separator, header
    return found[1], found[2]


def _lines(text: str, separator: str, names: Sequence[str]) -> tuple[list[CsvLine], list[tuple[int, str]]]:
    lines: list[CsvLine] = []
    problems: list[tuple[int, str]] = []
    reader = _reader(text, separator)
    next(reader, None)
    while True:
        number = reader.line_num + 1
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return lines, problems
        except csv.Error as error:
            # What follows may be in the middle of a quoted cell.
            return lines, [*problems, (number, f"cannot be read, nor what follows: {error}")]
        if not any(one.strip() for one in cells):
            continue
        if len(lines) >= MOST_LINES:
            raise InvalidInput(f"The file has more than {MOST_LINES:,} lines.", fix="Split it.")
        if len(cells) > len(names) and any(one.strip() for one in cells[len(names) :]):
            problems.append((number, f"has {len(cells)} cells, and the file {len(names)} columns"))
            continue
        given = dict(zip(names, cells, strict=False))
        lines.append(CsvLine(number, {name: fused(given.get(name, "")) for name in names if name}))


def _reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)


def _known(column: str) -> str:
    """Return the name of a column that is known; empty for another."""
    plain = fused(column).strip()
    if plain.casefold().startswith(STOCK):
        return f"{STOCK} {plain[len(STOCK) :].strip()}"
    name = plain.casefold().replace(" ", "_").replace("-", "_")
    name = _ALSO.get(name, name)
    return name if name in COLUMNS else ""
