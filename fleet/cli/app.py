"""The `fleet` command: the commands of all features and those of the fleet as a whole. Imports none of them."""

from __future__ import annotations

import sys

import click

import fleet.app
from fleet import __version__
from fleet.cli.frame.command import Root
from fleet.cli.frame.context import Door
from fleet.engine.registry import Command

SECTIONS = ("Run", "Look", "Act", "Shell")
"""In the order of `fleet --help`; sections that only features of other packages have come after them."""


def _own(name: str, run: str, order: int, help_: str, *, section: str = "Run") -> Command:
    return Command(name=name, run=f"fleet.cli.commands.{run}", section=section, order=order, help=help_)


OWN = (
    _own("up", "up.command:up", 10, "Run a whole fleet in this terminal."),
    _own("check", "check.command:check", 20, "Find problems of the installation and their fixes."),
    _own("migrate", "migrate:migrate", 30, "Migrate the database to this version."),
    _own("roles", "roles:roles", 40, "Create the database roles of owner, app and gallery."),
    _own("seed", "migrate:seed", 60, "Create agents from the personas."),
    _own("worker", "processes:worker", 70, "Run a worker in the foreground."),
    _own("beat", "processes:beat", 80, "Run Celery beat, the scheduler, in the foreground."),
    _own("flower", "processes:flower", 90, "Run Flower, the monitor of Celery tasks, in the foreground."),
    _own("web", "processes:web", 100, "Serve the dashboard and the API, in the foreground."),
    _own("gallery", "processes:gallery", 140, "Run the sandbox gallery in the foreground."),
    _own("dispatch", "rounds:dispatch", 150, "Wake the agents that are due, once or periodically."),
    _own("sweep", "rounds:sweep", 160, "Recover lost ticks and jobs, once or periodically."),
    _own("chaos", "chaos.command:chaos", 170, "Test a fleet with injected faults."),
    _own("completion", "completion:completion", 10, "Print the script that completes `fleet` in a shell.",
         section="Shell"),
)  # fmt: skip
"""The commands of the fleet as a whole; features register the others."""


def commands() -> list[Command]:
    """Load the features that FLEET_FEATURES chooses; return all commands, by section and order.

    Raises InvalidInput for a name that no feature has.
    """
    found = [*OWN, *fleet.app.load(fleet.app.chosen()).commands.values()]
    sections = [*SECTIONS, *(command.section for command in found)]
    return sorted(found, key=lambda command: (sections.index(command.section), command.order))


@click.group(
    cls=Root,
    load=commands,
    context_settings={"auto_envvar_prefix": "FLEET", "help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fleet", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run and control a fleet of agents.

    Start everything with `fleet up`. Other commands find that fleet through its folder, or servers of your own through
    FLEET_DATABASE_URL and FLEET_BROKER_URL. Every option of a command can be set as FLEET_<COMMAND>_<OPTION>.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows no emoji is no reason to fail
    ctx.call_on_close(ctx.ensure_object(Door).close)
