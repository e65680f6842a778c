"""What every command shares: the global options, wherever on the line they stand, and how failures are told.

Used by all modules of this room. Imports no more than click, so that `fleet --help` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from fleet.cli.context import Door
from fleet.cli.options import Place
from fleet.core.errors import FleetError

INTERRUPTED = 130
READER_LEFT = 141
"""What a shell reports for a program that ended with SIGINT, and with SIGPIPE."""


def _store(apply: Callable[[Door, Any], None]) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            apply(ctx.ensure_object(Door), value)

    return callback


def _set_home(door: Door, home: Path) -> None:
    door.home = home


def _set_quiet(door: Door, _: bool) -> None:
    door.quiet = True


def _set_server(door: Door, server: str) -> None:
    door.server = server


def _add_verbosity(door: Door, count: int) -> None:
    door.verbosity += count


def _set_colourless(door: Door, _: bool) -> None:
    door.colour = False


def _global_options(*, on_root: bool) -> list[click.Option]:
    """Return the options that may stand before or after the command; only those on the root read the environment."""
    shared: dict[str, Any] = {"expose_value": False, "is_eager": True, "hidden": not on_root}
    env = (lambda name: {"envvar": name}) if on_root else (lambda _: {"allow_from_autoenv": False})
    folder = Place(file_okay=False, path_type=Path)
    return [
        click.Option(["--home"], type=folder, metavar="FOLDER", callback=_store(_set_home), **env("FLEET_HOME"),
                     help="Folder of the fleet that `fleet up` runs (FLEET_HOME; .fleet by default).", **shared),
        click.Option(["--server"], metavar="URL", callback=_store(_set_server), **env("FLEET_SERVER"),
                     help="Address of a dashboard whose fleet is meant (FLEET_SERVER); the token is FLEET_TOKEN.",
                     **shared),
        click.Option(["-q", "--quiet"], is_flag=True, callback=_store(_set_quiet), **env("FLEET_QUIET"),
                     help="Say nothing but what was asked for, and errors.", **shared),
        click.Option(["-v", "--verbose"], count=True, callback=_store(_add_verbosity), **env("FLEET_VERBOSE"),
                     help="Say more: logs, thoughts, the traceback of an error. Twice for debugging.", **shared),
        click.Option(["--no-color", "--no-colour"], is_flag=True, callback=_store(_set_colourless),
                     **env("FLEET_NO_COLOR"), help="No colours (NO_COLOR does the same).", **shared),
    ]  # fmt: skip


_ON_ROOT = _global_options(on_root=True)
_BELOW = _global_options(on_root=False)


class Command(click.Command):
    """A command that also takes the global options."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_BELOW]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the line. Raises BadParameter for bytes that are no text: no server takes them."""
        _name_variables(self.params, ctx.auto_envvar_prefix)
        rest = super().parse_args(ctx, args)
        for param in self.params:
            value = ctx.params.get(param.name or "")
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, str) and one != one.encode(errors="replace").decode():
                    raise click.BadParameter("It is not valid text.", ctx, param)
        return rest

    def invoke(self, ctx: click.Context) -> Any:
        """Do it here, or on the server that was named."""
        door = ctx.find_object(Door)
        if door is not None and door.server:
            from fleet.cli import remote

            return remote.carry_out(door, ctx)
        return super().invoke(ctx)


def _name_variables(params: Sequence[click.Parameter], prefix: str | None) -> None:
    """Let the environment set every option under the name that people read; click knows the code's name alone."""
    for param in params:
        if prefix and isinstance(param, click.Option) and param.allow_from_autoenv:
            known = [param.envvar] if isinstance(param.envvar, str) else [*(param.envvar or ())]
            read = [f"{prefix}_{name[2:].replace('-', '_').upper()}" for name in param.opts if name.startswith("--")]
            param.envvar = list(dict.fromkeys([*known, *read]))


class Group(click.Group):
    """A group of commands of one noun."""

    command_class = Command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_BELOW]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which ones come close."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise click.UsageError(f"There is no command {name!r}.{_guess(name, self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


Group.group_class = Group


def _guess(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class Root(Group):
    """The `fleet` command: imports the module of a command when it is asked for, and tells every failure in words."""

    def __init__(
        self, *args: Any, sections: dict[str, dict[str, tuple[str, str]]] | None = None, **kwargs: Any
    ) -> None:
        """Take the commands by section: name to (module:attribute, one line of help)."""
        super().__init__(*args, **kwargs)
        self.sections = sections or {}
        self._lines = {name: line for section in self.sections.values() for name, line in section.items()}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*click.Group.get_params(self, ctx), *_ON_ROOT]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self._lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._lines:
            return None
        module, _, attribute = self._lines[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, lines in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, help_) for name, (_, help_) in lines.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer commands without importing any."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(n, help=line[1]) for n, line in self._lines.items() if n.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_may_leave():
            result = super().invoke(ctx)
            if sys.stdout is not None:  # it is None where the shell has closed it
                sys.stdout.flush()
        return result

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line; `--help` and `--version` answer here."""
        with _reader_may_leave():
            return super().make_context(*args, **extra)

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run; in standalone mode end the process with the exit codes of docs/cli.md."""
        run = partial(super().main, args, *rest, standalone_mode=False)
        if not standalone_mode:
            return run(**extra)
        door = extra.setdefault("obj", Door())
        try:
            with _reader_may_leave():
                try:
                    code: Any = run(**extra)
                except click.Abort:
                    code = INTERRUPTED
                except Exception as error:  # noqa: BLE001 - whatever it is, a person gets words and no traceback
                    code = _fail(error, door)
        except click.exceptions.Exit as end:
            code = end.exit_code
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
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


def _fail(error: Exception, door: Door) -> int:
    """Say what is wrong, and return the exit code."""
    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    message, fix, code = _in_words(error)
    if door.verbosity:
        traceback.print_exception(error, file=sys.stderr)
    colour = None if door.colour and not os.environ.get("NO_COLOR") else False
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {printable(message)}", err=True, color=colour)
    if fix:
        click.echo(f"{click.style('  Fix:', fg='green')} {printable(fix)}", err=True, color=colour)
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
