"""`fleet dispatch` and `fleet sweep`: beat's two rounds by hand, for a fleet without beat (cron, systemd timers)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.interrupts import restore_ctrl_c
from fleet.cli.frame.options import SPAN
from fleet.core.errors import Unavailable

_EVERY = click.option("--every", type=SPAN, help="Repeat at this interval, e.g. 1s, until Ctrl-C.")


@click.command(cls=FleetCommand)
@_EVERY
@pass_door
def dispatch(door: Door, /, *, every: timedelta | None) -> None:
    """Wake the agents that are due. Any number may run, also beside beat."""
    from fleet.engine.dispatch import dispatch as wake

    def once() -> str:
        door.deps.live.refresh()
        woken = wake(door.deps)
        return f"Woke {woken} agent{'' if woken == 1 else 's'}." if woken else ""

    _repeat(door, once, every, nothing="No agent is due.")


@click.command(cls=FleetCommand)
@_EVERY
@pass_door
def sweep(door: Door, /, *, every: timedelta | None) -> None:
    """Recover the ticks and jobs of killed workers and lost messages. Any number may run."""
    from fleet.engine.sweep import sweep as pick_up

    def once() -> str:
        door.deps.live.refresh()
        found = [f"{name.replace('_', ' ')} {number}" for name, number in asdict(pick_up(door.deps)).items() if number]
        return f"{', '.join(found).capitalize()}." if found else ""

    _repeat(door, once, every, nothing="Nothing was left lying.")


def _repeat(door: Door, once: Callable[[], str], every: timedelta | None, *, nothing: str) -> None:
    """Do it once, or until the person has had enough; a server that is away for a while ends only the single round."""
    if every is None:
        door.say(once() or nothing)
        return
    restore_ctrl_c()
    while True:
        try:
            if did := once():
                door.say(did)
        except Unavailable as error:
            door.note(error.message)
        time.sleep(every.total_seconds())
