"""The CSV of competitors, and how their days are summed. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fleet.core.errors import InvalidInput
from fleet.core.text.csv_file import whole_number

NEEDED, COUNTS = ("competitor", "network", "date"), ("followers", "posts", "interactions")
MOST_LINES, MOST_COUNT, MOST_POSTS = 20_000, 10_000_000_000, 1_000_000
LONGEST_NAME = 100
LOOKS_BACK = timedelta(days=7)
"""How much older than a period the count may be with which the growth of followers begins."""
_OLDEST = date(2000, 1, 1)
_NETWORK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class CompetitorDay:
    """The figures of one line. None: the line does not say it."""

    competitor: str
    network: str
    day: date
    followers: int | None = None
    posts: int | None = None
    interactions: int | None = None

    @property
    def key(self) -> tuple[str, str, date]:
        """What a later line about the same thing replaces."""
        return self.competitor, self.network, self.day


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with a line; the first line of the file has the number 1."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The lines of a file that are right, and what is wrong with the others."""

    days: tuple[CompetitorDay, ...]
    problems: tuple[LineProblem, ...]


def parse(text: str, *, today: date) -> ParsedFile:
    """Return the lines of a CSV. Its first line names competitor, network, date and at least one of followers, posts
    and interactions, in any order; cells are separated by commas, or by semicolons.
    """
    head, _, _ = text.lstrip("\ufeff").partition("\n")
    delimiter = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True)
    found: dict[tuple[str, str, date], tuple[CompetitorDay, int]] = {}
    problems: list[LineProblem] = []
    try:
        columns = [one.strip().lower() for one in next(reader, [])]
        if wrong := _wrong_columns(columns):
            return ParsedFile((), (LineProblem(1, wrong),))
        for cells in reader:
            line = reader.line_num
            if not any(one.strip() for one in cells):
                continue
            if line > MOST_LINES:
                problems.append(LineProblem(line, f"a file has at most {MOST_LINES:,} lines; split it"))
                break
            try:
                one = _day(columns, cells, today)
                if one.key in found:
                    raise ValueError(f"line {found[one.key][1]} is about the same competitor, network and date")
                found[one.key] = one, line
            except ValueError as error:
                problems.append(LineProblem(line, str(error)))
    except csv.Error as error:
        problems.append(LineProblem(reader.line_num, f"this is no CSV: {error}"))
    if not found and not problems:
        problems.append(LineProblem(1, "the file has no line below its first one"))
    return ParsedFile(tuple(one for one, _ in found.values()), tuple(problems))


def _wrong_columns(columns: Sequence[str]) -> str:
    known = (*NEEDED, *COUNTS)
    if missing := [name for name in NEEDED if name not in columns]:
        return f"the first line names no column {', '.join(missing)}"
    if not set(COUNTS) & set(columns):
        return f"the first line names none of {', '.join(COUNTS)}"
    if unknown := [name for name in columns if name not in known]:
        return f"there is no column {unknown[0][:40]!r}; columns are {', '.join(known)}"
    return "" if len(set(columns)) == len(columns) else "the first line names a column twice"


def _day(columns: Sequence[str], cells: Sequence[str], today: date) -> CompetitorDay:
    """Return the figures of a line. Raises ValueError."""
    if len(cells) != len(columns):
        raise ValueError(f"it has {len(cells)} cells for {len(columns)} columns")
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    name, network = " ".join(row["competitor"].split()), row["network"].lower()
    if not 1 <= len(name) <= LONGEST_NAME or _NOT_SHOWN.search(name):
        raise ValueError(f"competitor is a name of 1 to {LONGEST_NAME} characters")
    if not _NETWORK.fullmatch(network):
        raise ValueError(f"network is a name such as mastodon or x, not {row['network'][:40]!r}")
    counts = {one: _count(row.get(one, ""), one) for one in COUNTS}
    if all(one is None for one in counts.values()):
        raise ValueError(f"none of {', '.join(COUNTS)} is given")
    return CompetitorDay(name, network, _date(row["date"], today), **counts)


def _count(written: str, name: str) -> int | None:
    if not written:
        return None
    try:
        return whole_number(written, name, 0, MOST_POSTS if name == "posts" else MOST_COUNT)
    except InvalidInput:
        most = MOST_POSTS if name == "posts" else MOST_COUNT
        raise ValueError(f"{name} is a whole number of 0 to {most:,}, not {written[:40]!r}") from None


def _date(written: str, today: date) -> date:
    try:
        found = date.fromisoformat(written) if len(written) == 10 else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError(f"date is a day such as 2026-11-24, not {written[:40]!r}")
    if not _OLDEST <= found <= today:
        raise ValueError(f"date is a day from {_OLDEST} to today, not {found}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitorFigures:
    """The figures of a competitor, or of this fleet, on one network in a period. None: unknown."""

    name: str
    network: str
    is_own: bool = False
    followers: int | None = None
    gained: int | None = None
    posts: int | None = None
    interactions: int | None = None
    rated: int | None = None
    """Interactions of posts whose number is known."""
    rated_posts: int | None = None

    @property
    def growth(self) -> float | None:
        """The growth of followers in percent."""
        if self.followers is None or self.gained is None or self.followers == self.gained:
            return None
        return 100 * self.gained / (self.followers - self.gained)

    @property
    def per_post(self) -> float | None:
        """Interactions a post, over posts and interactions that are both known."""
        return self.rated / self.rated_posts if self.rated_posts and self.rated is not None else None


def summed(days: Iterable[CompetitorDay], *, first: date, until: date) -> list[CompetitorFigures]:
    """Return the figures of competitors with any in `first` <= day < `until`, by network and name.

    Followers are those of the last day; the growth begins with the last count before `first`, if it is within
    `LOOKS_BACK` of it, as for own accounts, else with the first count of the period.
    """
    grouped: dict[tuple[str, str], list[CompetitorDay]] = {}
    for one in sorted(days, key=lambda one: one.day):
        grouped.setdefault((one.network, one.competitor), []).append(one)
    found = []
    for (network, name), all_days in sorted(grouped.items()):
        within = [one for one in all_days if first <= one.day < until]
        if not within:
            continue
        before = [one.followers for one in all_days
                  if first - LOOKS_BACK <= one.day < first and one.followers is not None]  # fmt: skip
        counts = [one.followers for one in within if one.followers is not None]
        first_count = (before[-1:] or counts[:-1])[:1]
        both = [one for one in within if one.posts and one.interactions is not None]
        found.append(
            CompetitorFigures(
                name=name, network=network, followers=counts[-1] if counts else None,
                gained=counts[-1] - first_count[0] if counts and first_count else None,
                posts=_sum(one.posts for one in within), interactions=_sum(one.interactions for one in within),
                rated=_sum(one.interactions for one in both), rated_posts=_sum(one.posts for one in both),
            )
        )  # fmt: skip
    return found


def _sum(values: Iterable[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return sum(known) if known else None


def words(problems: Sequence[LineProblem], *, most: int = 5) -> str:
    """Return the first problems as one text."""
    said = "; ".join(f"line {one.line}: {one.why}" for one in problems[:most])
    rest = len(problems) - most
    return f"{said}; and {rest:,} more" if rest > 0 else said
