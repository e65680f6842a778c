"""What `fleet up` shows: steps with their time, the box of addresses, one line for each thing that happens.

Called by `up` and `board`. A terminal that has gone away is noted, never an error: the fleet must still stop in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.context import Door, is_terminal
from fleet.cli.frame.failures import drop_output, printable
from fleet.core import clock
from fleet.sandbox.processes.supervisor import Died, Event, GaveUp, ProcessStopped, Restarted, Stopping


class TerminalScreen:
    """One terminal. `gone` tells that nobody reads any more."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._began_s = clock.monotonic_s()
        self.gone = False

    @property
    def is_private(self) -> bool:
        """Whether only the person at this terminal reads what is shown. FORCE_COLOR and its like do not count."""
        return is_terminal(self._door.out.file)

    def step(self, words: str) -> None:
        """Say what is being done now, with the seconds since the beginning."""
        if self._door.quiet:
            return
        line = Text(f"{clock.monotonic_s() - self._began_s:6.1f} s  ", style="bright_black")
        self._print(line.append(render.safe(words)))

    def restart_clock(self) -> None:
        """Count the seconds of steps from now."""
        self._began_s = clock.monotonic_s()

    def box(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Show names and values in a box, where one looks first."""
        table = render.facts(rows)
        self._print(Panel(table, title=Text(title, style="bold"), title_align="left", box=box.ROUNDED, expand=False))

    def line(self, line: Text) -> None:
        """Show one line of the live feed."""
        self._print(line)

    def notice(self, words: str, style: str = "yellow") -> None:
        """Say something that a person should not miss; lines stay lines."""
        self._print(Text(f"{clock.now().astimezone():%H:%M:%S} ", style="bright_black").append(printable(words), style))

    def process(self, event: Event) -> None:
        """Say what became of a process."""
        match event:
            case Died(name, how, restart_in_s, last_lines):
                again = f"it starts again in {restart_in_s:.1f} s" if restart_in_s else "it starts again"
                self.notice(f"{name} ended ({how}); {again}.{_last_words(how, last_lines)}")
            case Restarted(name):
                self.notice(f"{name} runs again.", "green")
            case GaveUp(_, message):
                self.notice(message, "bold red")
            case Stopping(name):
                self.step(f"Stopping {name}")
            case ProcessStopped(name, forced) if forced:
                self.step(f"{name} did not end in time and was killed; its work is recovered at the next start")
            case ProcessStopped():
                pass

    def _print(self, what: RenderableType) -> None:
        if self.gone:
            return
        try:
            self._door.out.print(what, soft_wrap=isinstance(what, Text))
        except OSError:
            self.gone = True
            drop_output()


def _last_words(how: str, last_lines: str) -> str:
    """Return what a process said last; one that was killed had no time for words."""
    last = last_lines.rstrip().rpartition("\n")[2]
    return f" It said: {last[:200]}" if last and not how.startswith("killed") else ""
