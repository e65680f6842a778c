"""Classes of all commands: global options before or after the command, `--server`, and errors as words.

Imports no more than click, so that `fleet --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from fleet.cli.frame.context import Door
from fleet.cli.frame.failures import INTERRUPTED, ApprovalPending, reader_may_leave, report
from fleet.cli.frame.options import PathType
from fleet.engine import registry
from fleet.engine.registry import Command

_TABLE = "fleet.commands"


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
    folder = PathType(file_okay=False, path_type=Path)
    return [
        click.Option(["--home"], type=folder, metavar="FOLDER", callback=_store(_set_home), **env("FLEET_HOME"),
                     help="Folder of the fleet that `fleet up` runs (FLEET_HOME; .fleet by default).", **shared),
        click.Option(["--server"], metavar="URL", callback=_store(_set_server), **env("FLEET_SERVER"),
                     help="Address of the dashboard of another fleet (FLEET_SERVER); its token is FLEET_TOKEN.",
                     **shared),
        click.Option(["-q", "--quiet"], is_flag=True, callback=_store(_set_quiet), **env("FLEET_QUIET"),
                     help="Print only results and errors.", **shared),
        click.Option(["-v", "--verbose"], count=True, callback=_store(_add_verbosity), **env("FLEET_VERBOSE"),
                     help="Print more: logs, thoughts, tracebacks. Twice for debugging.", **shared),
        click.Option(["--no-color", "--no-colour"], is_flag=True, callback=_store(_set_colourless),
                     **env("FLEET_NO_COLOR"), help="No colours (NO_COLOR does the same).", **shared),
    ]  # fmt: skip


_ON_ROOT = _global_options(on_root=True)
_BELOW = _global_options(on_root=False)


class FleetCommand(click.Command):
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
        """Run the command. Raises Unavailable for a server of --server whose answers are not Fleet's."""
        door = ctx.find_object(Door)
        if door is None or not door.server:
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            from fleet.cli.frame import api

            raise api.stranger(200) from error


def _name_variables(params: Sequence[click.Parameter], prefix: str | None) -> None:
    """Let the environment set every option under the name that people read; click knows the code's name alone."""
    for param in params:
        if prefix and isinstance(param, click.Option) and param.allow_from_autoenv:
            known = [param.envvar] if isinstance(param.envvar, str) else [*(param.envvar or ())]
            read = [f"{prefix}_{name[2:].replace('-', '_').upper()}" for name in param.opts if name.startswith("--")]
            param.envvar = list(dict.fromkeys([*known, *read]))


class FleetGroup(click.Group):
    """A group of commands of one noun."""

    command_class = FleetCommand

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


FleetGroup.group_class = FleetGroup


def _show_request(door: Door, asked: ApprovalPending) -> None:
    """Say that people have to approve it first; also with --quiet, since nothing was done."""
    if asked.as_json:
        door.json(asked.request)
        return
    from fleet.cli.frame import render

    door.out.print(render.words(asked.words, "yellow"), soft_wrap=True)


def _guess(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class Root(FleetGroup):
    """The `fleet` command: imports the module of a command when it is asked for, and tells every failure in words."""

    def __init__(self, *args: Any, load: Callable[[], Sequence[Command]], **kwargs: Any) -> None:
        """Take how to load the table of commands, in the order of `--help`; it is loaded once an invocation."""
        super().__init__(*args, **kwargs)
        self._load = load

    def table(self, ctx: click.Context) -> Mapping[str, Command]:
        """Return the commands by name. Raises InvalidInput for features that do not go together."""
        meta = ctx.find_root().meta
        if _TABLE not in meta:
            meta[_TABLE] = {entry.name: entry for entry in self._load()}
        table: Mapping[str, Command] = meta[_TABLE]
        return table

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*click.Group.get_params(self, ctx), *_ON_ROOT]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.table(ctx).get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = registry.load(entry.run)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in groupby(self.table(ctx).values(), key=lambda entry: entry.section):
            with formatter.section(title):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer commands without importing any."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        table = self.table(ctx)
        return [CompletionItem(name, help=table[name].help) for name in table if name.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        with reader_may_leave():
            try:
                result = super().invoke(ctx)
            except ApprovalPending as asked:
                result = None
                _show_request(ctx.ensure_object(Door), asked)
            if sys.stdout is not None:  # it is None where the shell has closed it
                sys.stdout.flush()
        return result

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line; `--help` and `--version` answer here."""
        with reader_may_leave():
            return super().make_context(*args, **extra)

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run; in standalone mode end the process with the exit codes of docs/cli.md."""
        run = partial(super().main, args, *rest, standalone_mode=False)
        if not standalone_mode:
            return run(**extra)
        door = extra.setdefault("obj", Door())
        try:
            with reader_may_leave():
                try:
                    code: Any = run(**extra)
                except click.Abort:
                    code = INTERRUPTED
                except Exception as error:  # noqa: BLE001 - whatever it is, a person gets words and no traceback
                    code = report(error, verbose=bool(door.verbosity), colour=door.colour)
        except click.exceptions.Exit as end:
            code = end.exit_code
        sys.exit(code if isinstance(code, int) else 0)
