"""`fleet trigger`: wake one agent now."""

from __future__ import annotations

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT
from fleet.cli.frame.remote_call import Call
from fleet.engine import registry
from fleet.features.agents import commands as agent_commands

_ACTIONS = tuple(dict.fromkeys(name for kind in registry.current().agents.values() for name in kind.actions))


@click.command(
    cls=FleetCommand,
    remote=Call("POST", "/agents/{name}/trigger", body={"action": "action"}, done="It wakes, at tick {tick_no}."),
)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option("--action", type=click.Choice(_ACTIONS), help="Action; by default the agent chooses.")
@pass_door
def trigger(door: Door, /, *, name: str, action: str | None) -> None:
    """Wake one agent now, even an idle one.

    Caps, pauses and the kill switch apply as in every tick; its tick goes before the others.
    """
    key = agent_commands.trigger(door.deps, name, action=action, by=door.by)
    door.say(f"{name} wakes now, at its tick {key.tick_no}; `fleet agents decisions {name}` shows what it decides.")
