"""Kinds of arguments, and options that several commands share. Imports no more than click."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from fleet.cli.frame.context import Door
from fleet.engine import registry

F = TypeVar("F", bound=Callable[..., Any])

LARGEST_PAGE = 1000
LARGEST_ID = 2**63 - 1
"""Ids of events and lessons are bigints."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=3660)


class DurationType(click.ParamType[timedelta]):
    """A length of time as people write it: 90s, 15m, 2h, 7d, 1h30m."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length of time; fails for anything else, and for none."""
        if isinstance(value, timedelta):
            return value
        written = str(value).strip().lower()
        if not re.fullmatch(r"(?:[0-9]{1,9}[smhdw])+", written):
            self.fail(f"{value!r} is no length of time; write 90s, 15m, 2h, 7d or 1h30m.", param, ctx)
        seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", written))
        if not 0 < seconds <= _LONGEST.total_seconds():
            self.fail(f"{value!r} is not between 1 second and 10 years.", param, ctx)
        return timedelta(seconds=seconds)


class MomentType(click.ParamType[str]):
    """A moment as RFC 3339 writes it. Without an offset it is UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the moment with its offset; fails for what is none."""
        try:
            found = datetime.fromisoformat(str(value).strip().upper())
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).isoformat()
        except ValueError:
            self.fail(f"{value!r} is no moment like 2026-01-31T12:00:00Z.", param, ctx)


class TextType(click.ParamType[str]):
    """One line of text, cleaned of what no reader sees."""

    name = "text"

    def __init__(self, longest_chars: int) -> None:
        self.longest_chars = longest_chars

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; fails when it is too long."""
        from fleet.core import text

        line = text.clean(str(value))
        if len(line) > self.longest_chars:
            self.fail(f"has {len(line)} characters; {self.longest_chars} is the most.", param, ctx)
        return line


class PathType(click.Path):
    """A path. An empty one is refused: it comes of a variable that nobody set, and would be the folder one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fails for none."""
        if not str(value):
            self.fail("It is empty; name a path, or leave it out.", param, ctx)
        return super().convert(value, param, ctx)


class OutputPathType(PathType):
    """A file that is written at the end: that it cannot be is said at the start, and not when the work is done."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fails for one that cannot be written."""
        path = Path(super().convert(value, param, ctx))
        place = path if path.exists() else path.parent
        if not os.access(place, os.W_OK) or (place != path and not place.is_dir()):
            self.fail(f"{path} cannot be written: is its folder there, and yours?", param, ctx)
        return path


class NameType(click.ParamType[str]):
    """A name of something in the fleet. The shell completes it with what a feature registered for `what`."""

    def __init__(self, what: str) -> None:
        self.name = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fails for an empty one, which would mean everybody where it narrows a choice."""
        if not str(value).strip():
            self.fail("It is empty; write a name, or leave it out.", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Offer what the fleet of this command line knows; nothing when it cannot be asked, or is elsewhere."""
        door = ctx.find_object(Door) or Door()
        try:
            if door.server:
                return []
            complete = registry.load(registry.current().completions[self.name])
            return [CompletionItem(name, help=line) for name, line in complete(door, incomplete)]
        except Exception:  # noqa: BLE001 - a shell's line editor is no place for errors
            return []
        finally:
            door.close()


SPAN, AGENT, PERSONA, REASON = DurationType(), NameType("agent"), NameType("persona"), TextType(300)
MOMENT = MomentType()

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON with stable keys and ISO times.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do it without asking.")


def list_options(default: int = 20) -> Callable[[F], F]:
    """Add --limit and --cursor, which every list of the API takes."""

    def add(command: F) -> F:
        command = click.option("--cursor", metavar="CURSOR", help="Continue after the cursor that a page printed.")(
            command
        )
        limit = click.IntRange(1, LARGEST_PAGE)
        return click.option("--limit", type=limit, default=default, show_default=True, help="Number of rows.")(command)

    return add
