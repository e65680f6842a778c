"""What a command holds: how to speak to the person, and the way to the fleet's verbs.

One `Door` a call, made by the root command. Settings come from the environment, and where that names no database, from
the fleet that `fleet up` runs in the home folder.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from fleet.core.errors import FleetError, InvalidInput
from fleet.engine import registry

if TYPE_CHECKING:
    import httpx
    from rich.console import Console, RenderableType

    from fleet.cli.frame.api import Api
    from fleet.core.settings import Settings
    from fleet.engine.deps import Deps


_LOCAL_APP = "fleet.web.local_app:client"
"""Makes the API of this process; by name, since the web is imported only where no dashboard runs."""


class Door:
    """The global options, the consoles, and the connections, each made when first used."""

    def __init__(self) -> None:
        self.home: Path | None = None
        self.server = ""
        self.verbosity = 0
        self.quiet = False
        self.colour = not os.environ.get("NO_COLOR")
        self.needs_database = True
        """Whether the API of this process is refused where no database is known; not for commands that read files."""
        self._deps: Deps | None = None
        self._api: Api | None = None
        self._acting = ExitStack()

    @property
    def user(self) -> str:
        """The system's user who runs the command."""
        try:
            return getpass.getuser()
        except (OSError, KeyError):  # a container's user without a name
            return f"uid {os.getuid()}"

    @property
    def by(self) -> str:
        """The actor as it is recorded."""
        return f"cli:{self.user}"

    @cached_property
    def token(self) -> str:
        """What opens the server that was named: FLEET_TOKEN. Never an option, since process lists show those."""
        from fleet.core import masking

        token = os.environ.get("FLEET_TOKEN", "").strip()
        masking.conceal(token)
        return token

    @cached_property
    def out(self) -> Console:
        """Where answers go."""
        from fleet.cli.frame import render

        return render.console(sys.stdout, colour=self.colour)

    @cached_property
    def err(self) -> Console:
        """Where remarks go that are no part of the answer."""
        from fleet.cli.frame import render

        return render.console(sys.stderr, colour=self.colour)

    @cached_property
    def settings(self) -> Settings:
        """The settings of a command that works on the fleet's own machine.

        Raises InvalidInput with --server, and when no database is known.
        """
        from fleet.cli.frame import paths

        self.refuse_server()
        self._configure_logs()
        return paths.connected(self.home, needs_database=self.needs_database)

    @property
    def api(self) -> Api:
        """The API of the fleet that is meant: of --server, of the home's running fleet, or in this process."""
        if self._api is None:
            from fleet.cli.frame import api

            client, fallback = self._connect()
            self._api = api.Api(client, fallback=fallback)
        return self._api

    def _connect(self) -> tuple[httpx.Client, Callable[[], httpx.Client] | None]:
        """Return a client of the API, and how to make another one where nothing listens at the first."""
        from fleet.cli.frame import api

        if self.server:
            return api.remote(self.server, self.token), None
        running = api.running_fleet(self.home)
        if running is not None and running.token and running.urls.get("web"):
            return api.local(running, self.user), self._in_process
        return self._in_process(), None

    def _in_process(self) -> httpx.Client:
        client: httpx.Client = registry.load(_LOCAL_APP)(self.deps, self.user)
        return client

    @property
    def deps(self) -> Deps:
        """The connections of a command that works on the fleet's own machine. Raises InvalidInput with --server."""
        if self._deps is None:
            self.refuse_server()
            settings = self.settings
            from fleet.engine import deps

            self.act()
            self._deps = deps.build(settings)
        return self._deps

    def refuse_server(self) -> None:
        """Raise InvalidInput with --server: the command works on the fleet's own machine."""
        if self.server:
            name = click.get_current_context().command_path.partition(" ")[2]
            raise InvalidInput(
                f"`fleet {name}` does not work with --server.",
                fix="Run it on the fleet's machine, or use the dashboard.",
            )

    def act(self) -> None:
        """Let all that this command does from now on stand in the audit log under the person's name."""
        from fleet.access import Actor, Via, audit

        self._acting.close()
        self._acting.enter_context(audit.acting(Actor(self.user, "", Via.TERMINAL)))

    def close(self) -> None:
        """Close the connections, if there are any."""
        self._acting.close()
        if self._api is not None:
            self._api.close()
            self._api = None
        if self._deps is not None:
            self._deps.close()
            self._deps = None

    def show(self, *things: RenderableType) -> None:
        """Print an answer."""
        for thing in things:
            self.out.print(thing)

    def json(self, data: Any) -> None:
        """Print an answer as JSON."""
        from fleet.cli.frame import json_output

        click.echo(json_output.to_json(data))

    def say(self, message: str) -> None:
        """Confirm what was done, unless the person wants quiet."""
        from fleet.cli.frame import render

        if not self.quiet:
            self.out.print(render.words(message), soft_wrap=True)

    def note(self, message: str) -> None:
        """Remark on an answer, beside it."""
        from fleet.cli.frame import render

        if not self.quiet:
            self.err.print(render.words(message, "dim"), soft_wrap=True)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that cannot be taken back. Raises FleetError when the answer is no.

        Where nobody can answer, `--yes` is the only way; raises InvalidInput then.
        """
        if yes:
            return
        if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
            raise InvalidInput(
                f"This asks first: {question} There is no terminal to answer in.", fix="Add --yes to do it."
            )
        from fleet.cli.frame.failures import printable

        if not click.confirm(printable(question), default=False, err=True):
            raise FleetError("Nothing was done.")

    def piped(self, most_bytes: int, *, line: bool = False) -> str:
        """Return what stands on standard input, or its first line. Raises InvalidInput when it is no text."""
        if sys.stdin is None:  # the shell has closed it
            return ""
        read = sys.stdin.buffer.readline if line else sys.stdin.buffer.read
        try:
            return read(most_bytes).decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("What stands on standard input is no text.", fix="Write it as UTF-8.") from error

    def _configure_logs(self) -> None:
        from fleet.cli.frame import log_setup

        log_setup.configure(self.verbosity)


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a person sits at a stream; nobody does where the shell has closed it."""
    return stream is not None and stream.isatty()


pass_door = click.make_pass_decorator(Door, ensure=True)
