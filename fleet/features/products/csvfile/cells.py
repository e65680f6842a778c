"""Cells of CSV files: values that spreadsheets must not run, and lists in one cell. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Spreadsheets run a cell that begins with one of these, some of them after blanks or quotes (OWASP: CSV injection).
_RUN = re.compile(r"[\s']*[=+\-@＝＋－＠]|[\t\r\n]")
_SEPARATOR = "|"


def defused(value: str) -> str:
    """Return a cell that no spreadsheet runs: with a quote before it if it needs one."""
    return f"'{value}" if _RUN.match(value) else value


def fused(cell: str) -> str:
    """Return the value of a cell: without the quote that `defused` puts before it."""
    return cell[1:] if cell.startswith("'") and _RUN.match(cell[1:]) else cell


def joined(values: Sequence[str]) -> str:
    """Return values in one cell, separated by |; a | of a value is written with a backslash."""
    return _SEPARATOR.join(_edged(_escaped(one, _SEPARATOR)) for one in values)


def parted(cell: str) -> list[str]:
    """Return the values of a cell; blanks around them and empty ones are left out."""
    return [found for one in _split(cell, _SEPARATOR) if (found := _plain(_stripped(one)))]


def joined_pairs(pairs: Iterable[tuple[str, str]], sign: str) -> str:
    """Return pairs in one cell: Colour=black|Size=M with the sign =. A pair without a second value has no sign."""
    return _SEPARATOR.join(
        _edged(_escaped(name, _SEPARATOR, sign)) + (f"{sign}{_escaped(value, _SEPARATOR)}" if value else "")
        for name, value in pairs
    )


def parted_pairs(cell: str, sign: str) -> list[tuple[str, str]]:
    """Return the pairs of a cell. Blanks before and after the first values are left out."""
    found = []
    for part in _split(cell, _SEPARATOR):
        name, *rest = _split(part.lstrip(), sign)
        if name := _plain(_stripped(name)):
            found.append((name, _plain(sign.join(rest))))
    return found


def parted_facts(cell: str) -> dict[str, str]:
    """Return names and values of a cell: Colour=black|Size=M. Raises ValueError for a name that is there twice."""
    pairs = parted_pairs(cell, "=")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("has a name twice: write Colour=black|Size=M")
    return found


def _escaped(value: str, *signs: str) -> str:
    for one in ("\\", *signs):
        value = value.replace(one, f"\\{one}")
    return value


def _edged(value: str) -> str:
    """Write blanks at the edges with a backslash: others are no part of a value."""
    if value[-1:].isspace():
        value = f"{value[:-1]}\\{value[-1]}"
    return f"\\{value}" if value[:1].isspace() else value


def _stripped(value: str) -> str:
    """Remove blanks at the edges, but for one with a backslash."""
    value = value.lstrip()
    left = value.rstrip()
    slashes = len(left) - len(left.rstrip("\\"))
    return left + value[len(left) : len(left) + 1] if slashes % 2 else left


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)


def _split(cell: str, sign: str) -> list[str]:
    """Split at signs that no backslash stands before; the backslashes stay."""
    parts, part, is_escaped = [], "", False
    for char in cell:
        if char == sign and not is_escaped:
            parts.append(part)
            part = ""
            continue
        is_escaped = char == "\\" and not is_escaped
        part += char
    return [*parts, part]
