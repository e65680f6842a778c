"""Rows of a CSV file with named columns, checked as they are read. Errors name the line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fleet.core.errors import InvalidInput, NotFound

MOST_LINES = 5_000_000


def rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the number of a line and its cells by column; a missing cell is empty.

    Raises NotFound, and InvalidInput for a file that is no CSV in UTF-8, lacks a needed column or is too long.
    """
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
                    raise refused(reader.line_num, "more cells than columns")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", fix="Name a CSV file.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", fix="Name a CSV file of yours.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path.name} is no CSV file in UTF-8: {error}", fix="Save it as CSV, UTF-8.") from error


def whole_number(written: str, name: str, line: int, most: int) -> int:
    """Return a number of 0 to `most`. Raises InvalidInput."""
    if not (written.isascii() and written.isdigit() and len(written) <= len(str(most)) and int(written) <= most):
        raise refused(line, f"{name} is a whole number of 0 to {most:,}, not {written[:40]!r}")
    return int(written)


def is_yes(written: str, name: str, line: int) -> bool:
    """Return whether a cell says yes; an empty one says no. Raises InvalidInput."""
    if written.lower() not in ("yes", "true", "1", "", "no", "false", "0"):
        raise refused(line, f"{name} is yes or no, not {written[:40]!r}")
    return written.lower() in ("yes", "true", "1")


def refused(line: int, why: str) -> InvalidInput:
    """Return the error about a line."""
    return InvalidInput(f"Line {line}: {why}.", fix="Correct the line and try again.")
