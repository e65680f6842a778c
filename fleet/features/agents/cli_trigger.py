"""`fleet trigger`: wake one agent now."""

from __future__ import annotations

import click

from fleet.cli.command import Command
from fleet.cli.context import Door, pass_door
from fleet.cli.options import AGENT
from fleet.engine import registry
from fleet.features.agents import commands as agent_commands

_ACTIONS = tuple(dict.fromkeys(name for kind in registry.current().agents.values() for name in kind.actions))


@click.command(cls=Command)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option("--action", type=click.Choice(_ACTIONS), help="What it shall do; its own choice if left out.")
@pass_door
def trigger(door: Door, /, *, name: str, action: str | None) -> None:
    """Wake one agent now, even an idle one.

    It decides through the same ledger, caps and switches as ever, only ahead of the others.
    """
    key = agent_commands.trigger(door.deps, name, action=action, by=door.by)
    door.say(f"{name} wakes now, at its tick {key.tick_no}; `fleet agents decisions {name}` shows what it decides.")
