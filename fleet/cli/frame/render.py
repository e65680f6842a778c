"""How things look on a terminal: consoles, tables, times as people say them, colours by what they mean.

Whatever came from outside (names, captions, errors of servers) is cleaned here before it reaches the screen: no markup
is interpreted and no control character gets through.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from fleet.core import clock, text
from fleet.core.net import web_address

if TYPE_CHECKING:
    from fleet.cli.frame.api import Listed

STYLES = {
    "running": "green", "idle": "bright_black", "paused": "yellow", "error": "bold red",
    "ready": "cyan", "sending": "blue", "unknown": "magenta", "done": "green", "dead": "bold red",
    "skipped": "bright_black", "cancelled": "bright_black",
    "due": "cyan", "deciding": "blue", "decided": "green",
    "ok": "green", "warn": "yellow", "fail": "bold red",
}  # fmt: skip
"""Colour by status of agents, jobs, ticks and checks."""

DRAWING: tuple[str, dict[str, Any]] = ("", {"overflow": "crop"})
"""A column of drawings of what stands beside it in numbers: cut they would lie, so they go where there is no room."""
ABOUT: dict[str, Any] = {"min_width": 20}
"""Options of the column that says what a row is about."""

_PIPE_COLUMNS = 160
_GAP, _NAME_CHARS, _CELL_CHARS, _FOLD_CHARS = 2, 20, 10, 16

span = text.span


class _PlainConsole(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(file: IO[str], *, colour: bool) -> Console:
    """Return a console that interprets nothing in what it prints; a pipe gets wide lines instead of cut ones."""
    is_pipe = not (hasattr(file, "isatty") and file.isatty())
    width = _PIPE_COLUMNS if is_pipe and "COLUMNS" not in os.environ else None
    made = _PlainConsole(
        file=file, color_system="auto" if colour else None, markup=False, emoji=False, highlight=False, width=width
    )  # fmt: skip
    if not colour:
        made.no_color = True
    return made


def safe(value: object) -> str:
    """Return any value as one line that a terminal may show; nothing for None."""
    return "" if value is None else text.clean(str(value))


def words(value: object, style: str = "") -> Text:
    """Return a value as cleaned text in a style."""
    return Text(safe(value), style=style)


def linked(value: object, url: str | None, style: str = "") -> Text:
    """Return a value as cleaned text that terminals open by a click (OSC 8).

    Consoles without colours, and so all that is no terminal, show the text alone. FORCE_HYPERLINK=0 turns links off.
    """
    text = words(value, style)
    if url and web_address.split(url) and os.environ.get("FORCE_HYPERLINK") != "0":
        text.stylize(Style(link=url))
    return text


def status(value: object) -> Text:
    """Return a status in its colour."""
    return words(value, STYLES.get(str(value), ""))


def clip(value: object, longest_chars: int) -> str:
    """Return a value as one line of at most so many characters."""
    return text.cut(safe(value), longest_chars)


def when(moment: datetime | str | None, now: datetime | None = None) -> str:
    """Return a moment (as the API writes it, too) as seen from now: 12 s ago, in 4 min; a dash for none."""
    if moment is None:
        return "–"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if now is None:
        now = clock.now()
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


class _Lines(Table):
    """Rows as lines while each column has room enough to be understood; where it has not, every row is a block."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - _GAP * (len(self.columns) - 1)
        wanted = [_wanted(column, options.max_width) for column in self.columns]
        if sum(wanted) > room:
            wanted = [0 if self.columns[place].overflow == "crop" else wish for place, wish in enumerate(wanted)]
        least = [min(wish, _least(self.columns[place], place)) for place, wish in enumerate(wanted)]
        widths = share_out(wanted, least, [not column.no_wrap for column in self.columns], room)
        if widths is None:
            yield from self._blocks()
            return
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)

    def _blocks(self) -> RenderResult:
        for number, cells in enumerate(zip(*(column.cells for column in self.columns), strict=True)):
            if number:
                yield Text()
            headings = (str(column.header) for column in self.columns)
            yield facts((heading, cell) for heading, cell in zip(headings, cells, strict=True) if str(cell))


def _wanted(column: Column, room: int) -> int:
    longest = max(cell_len(str(one)) for one in (column.header, *column.cells))
    return min(longest, column.max_width or longest, room)


def _least(column: Column, place: int) -> int:
    """Return with how many characters a column still tells what it is there for."""
    if column.min_width is not None:
        return column.min_width
    if column.justify == "right":
        return sys.maxsize  # a number of which a part is missing is another number
    if place == 0:
        return _NAME_CHARS
    return _CELL_CHARS if column.no_wrap else _FOLD_CHARS


def share_out(wanted: Sequence[int], least: Sequence[int], folds: Sequence[bool], room: int) -> list[int] | None:
    """Return how wide each column becomes; None where the least is too much.

    The widest gives way first, and before all others those that fold: they lose nothing by it.
    """
    if sum(least) > room:
        return None
    widths = list(wanted)
    while sum(widths) > room:
        able = [place for place, width in enumerate(widths) if width > least[place]]
        widths[max(able, key=lambda place: (folds[place], widths[place]))] -= 1
    return widths


def table(*columns: str | tuple[str, dict[str, Any]]) -> Table:
    """Return an empty table; a column is its heading, or that with rich's column options.

    The first column names the row. `min_width` is what a column must have for the table to be one.
    """
    made = _Lines(box=None, header_style="bold", padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in columns:
        heading, options = column if isinstance(column, tuple) else (column, {})
        made.add_column(Text(heading), **{"overflow": "ellipsis", "no_wrap": True, **options})
    return made


def row(into: Table, *cells: object) -> None:
    """Add a row; what is no Text yet is cleaned and made one."""
    into.add_row(*(cell if isinstance(cell, Text) else words(cell) for cell in cells))


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Return names and values below one another; pairs without a value are left out."""
    made = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", [], {}):
            made.add_row(Text(name), value if isinstance(value, Text) else words(value))
    return made


def below(listed: Listed, noun: str) -> str:
    """Return what a list says below itself: how many rows it shows, and the cursor of those that follow."""
    if not listed.items:
        return f"No {noun}."
    number = len(listed.items)
    return f"{number} {noun.removesuffix('s') if number == 1 else noun}." + (
        f" More: --cursor {listed.next}" if listed.next else ""
    )


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number of things: "1 job", "2 jobs"; `plural` where it is not the noun and an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
