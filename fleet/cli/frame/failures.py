"""Errors of a command for the person at the terminal: message, fix and exit code. Imports no more than click."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from fleet.core.errors import FleetError

INTERRUPTED = 130
READER_LEFT = 141
"""Exit codes that a shell reports for a program that ended with SIGINT, and with SIGPIPE."""


class ApprovalPending(Exception):
    """Nothing was done yet: people have to approve the request in the answer. The command ends with code 0."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.request = request
        context = click.get_current_context(silent=True)
        self.as_json = context is not None and bool(context.params.get("as_json"))
        super().__init__(str(request.get("summary", "")))

    @property
    def words(self) -> str:
        """Return it as sentences, with what to do next."""
        request = str(self.request["id"])[:8]
        people = ", ".join(str(one).partition(":")[2] for one in self.request["approvers"])
        then = " When it is approved, run the same command within a day." if self.request.get("collect_at") else ""
        return (
            f"Nothing is done yet: this needs an approval ({people}). Request {request}: {self.request['summary']}."
            f" `fleet approvals show {request}` shows it.{then}"
        )


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """End as other tools do when whoever reads the output goes: at once and without a word. Raises click's Exit."""
    try:
        yield
    except BrokenPipeError:
        drop_output("stdout", "stderr")
        raise click.exceptions.Exit(READER_LEFT) from None


def drop_output(*streams: str) -> None:
    """Let whatever is still buffered go nowhere, so that the interpreter's last flush does not complain either."""
    for name in streams or ("stdout",):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, name).fileno())
        except (OSError, ValueError, AttributeError):
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123  it lives as long as the process


def report(error: Exception, *, verbose: bool, colour: bool) -> int:
    """Print an error on standard error and return the exit code. Raises BrokenPipeError, which has no reader."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    message, fix, code = _in_words(error)
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    style = None if colour and not os.environ.get("NO_COLOR") else False
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {printable(message)}", err=True, color=style)
    if fix:
        click.echo(f"{click.style('  Fix:', fg='green')} {printable(fix)}", err=True, color=style)
    return code


def _in_words(error: Exception) -> tuple[str, str | None, int]:
    """Return message, fix and exit code of an error."""
    if isinstance(error, FleetError):
        return error.message, error.fix, error.exit_code
    if isinstance(error, click.UsageError) and error.ctx is not None:
        # Click puts each choice on a line of its own.
        # It calls a number between bounds a range, also where it means the number.
        words = " ".join(error.format_message().split()).rstrip(".").removesuffix(" range")
        return f"{words}.{_whence(error)}", f"`{error.ctx.command_path} --help` explains.", error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), None, error.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        drop_output()  # what is left of it would end the process with a complaint of its own
        where = error.filename or "what the output goes to"
        return f"There is no space left on {where}.", "Make room and do it again.", 1
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}.", "Name a path that is there and that you may use.", 2
    from fleet.core import logs

    words = logs.mask(" ".join(str(error).split()))[:500]
    return f"Unexpected {type(error).__name__}: {words}", "Run it again with -v to see where; it is a bug of Fleet.", 1


def _whence(error: click.UsageError) -> str:
    """Say which variable a wrong value was set by: the option, of which alone click speaks, nobody has written."""
    param = error.param if isinstance(error, click.BadParameter) else None
    if param is None or error.ctx is None or param.name is None:
        return ""
    if error.ctx.get_parameter_source(param.name) is not ParameterSource.ENVIRONMENT:
        return ""
    names = [param.envvar] if isinstance(param.envvar, str) else [*(param.envvar or ())]
    return next((f" It was set by {name}." for name in names if os.environ.get(name)), "")


def printable(message: str) -> str:
    """Return text without what a terminal would obey; lines stay lines."""
    from fleet.core import text

    lines = message.strip("\n").split("\n")
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + text.clean(line) for line in lines)
