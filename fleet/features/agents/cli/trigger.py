"""`fleet trigger`: wake one agent now."""

from __future__ import annotations

import click

from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT
from fleet.engine import registry


@click.command(cls=FleetCommand)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option(
    "--action", type=click.Choice(registry.current().all_actions()), help="Action; by default the agent chooses."
)
@pass_door
def trigger(door: Door, /, *, name: str, action: str | None) -> None:
    """Wake one agent now, even an idle one.

    Caps, pauses and the kill switch apply as in every tick; its tick goes before the others.
    """
    tick_no = door.api.post(at("agents", name, "trigger"), {"action": action})["tick_no"]
    door.say(f"{name} wakes now, at its tick {tick_no}; `fleet agents decisions {name}` shows what it decides.")
