"""Logs of a command that a person runs: one readable line for each warning, everything with -v.

Configured by the door. Processes that run for hours (`worker`, `beat`) configure their own, for machines.
"""

from __future__ import annotations

import logging
import sys

import click

from fleet.core import logs

_KNOWN = {
    "after_commit_failed": "It is stored, but the workers could not be notified; the sweep will do that.",
}


def configure(verbosity: int) -> None:
    """Send logs to standard error: warnings in words, with -v all that is of interest, with -vv everything."""
    logs.configure({0: "WARNING", 1: "INFO"}.get(verbosity, "DEBUG"))
    if verbosity == 0:
        logging.getLogger().handlers[:] = [_InWords(logging.WARNING)]


class _InWords(logging.Handler):
    """Prints a record as one line without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        name, values = record.getMessage(), {}
        if isinstance(record.msg, dict):
            values = {k: v for k, v in record.msg.items() if k not in _NOISE}
            name = str(record.msg.get("event", ""))
        error = sys.exc_info()[1]
        about = str(error) if error else ", ".join(f"{key} {value}" for key, value in values.items())
        from fleet.cli.frame.failures import printable

        line = _KNOWN.get(name, name.replace("_", " "))
        click.echo(
            printable(logs.mask(f"Warning: {line}{' ' if name in _KNOWN else ': '}{about}".rstrip(": "))), err=True
        )


_NOISE = frozenset({"event", "level", "logger", "timestamp", "exc_info", "exception"})
