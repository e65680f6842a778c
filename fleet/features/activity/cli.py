"""`fleet activity`: what happened, oldest first as one reads a diary, and with --follow what happens."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import click

from fleet.cli.frame import json_output, render
from fleet.cli.frame.api import Answer, Listed
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.interrupts import restore_ctrl_c
from fleet.cli.frame.options import AGENT, SPAN, json_option, list_options
from fleet.core.errors import Unavailable
from fleet.features.activity.cli_feed import line

_LOOK_EVERY_S = 0.5
_LARGEST_PAGE = 200


@click.command(cls=FleetCommand)
@click.option("--agent", type=AGENT, help="Only events of this agent (username or id).")
@click.option("--subject", multiple=True, help="Only this subject; job.* means all subjects of jobs.")
@click.option("-f", "--follow", is_flag=True, help="Follow new events, until Ctrl-C.")
@click.option("--since", type=SPAN, help="Only events since, e.g. 30m, 2h, 7d.")
@list_options(50)
@json_option
@pass_door
def activity(door: Door, /, *, agent: str | None, subject: tuple[str, ...], follow: bool, since: timedelta | None,
             limit: int, cursor: str | None, as_json: bool) -> None:  # fmt: skip
    """Show events, newest last.

    --json prints a page of events, newest first; --json --follow prints one event per line. -v adds thoughts.
    """
    if follow and cursor:
        raise click.UsageError("--follow goes forward from now; --cursor goes back. Choose one.")
    if follow:
        restore_ctrl_c()
    which = {"agent": agent, "subject": subject}
    position = door.api.get("/activity/position")["position"] if follow else None
    found = door.api.list("/activity", **which, since=since, limit=limit, cursor=cursor)
    if position is None:
        _page(door, found, is_first=cursor is None, as_json=as_json)
        return
    past = [event for event in reversed(found.items) if _place(event["position"]) <= _place(position)]
    _tell(door, past, as_json=as_json)
    _follow(door, position, which, as_json=as_json)


@click.command("activity", cls=FleetCommand)
@click.argument("agent", metavar="AGENT", type=AGENT)
@click.option("-f", "--follow", is_flag=True, help="Follow new events.")
@click.option("--subject", multiple=True, help="Only this subject; job.* means all subjects of jobs.")
@list_options(50)
@json_option
@click.pass_context
def activity_of_agent(ctx: click.Context, /, **options: Any) -> None:
    """Show the events of one agent, oldest first."""
    ctx.invoke(activity, **options)


def _follow(door: Door, position: str, which: Answer, *, as_json: bool) -> None:
    """Print events as they come; the database may be away for a while. Ends by Ctrl-C alone."""
    while True:
        try:
            fresh = door.api.get("/activity/after", after=position, limit=_LARGEST_PAGE, **which)
        except Unavailable as error:
            door.note(error.message)
            fresh = {"items": [], "next": position}
        _tell(door, fresh["items"], as_json=as_json)
        if fresh["next"] == position:
            time.sleep(_LOOK_EVERY_S)
        position = fresh["next"]


def _place(position: str) -> tuple[int, ...]:
    return tuple(int(part) for part in position.split("-"))


def _page(door: Door, found: Listed, *, is_first: bool, as_json: bool) -> None:
    if as_json:
        door.json(found.data())
        return
    _tell(door, reversed(found.items), as_json=False)
    if found.items:
        door.note(render.below(found, "events"))
    else:
        door.note("Nothing happened." if is_first else "Nothing more.")


def _tell(door: Door, events: Iterable[Answer], *, as_json: bool) -> None:
    for event in events:
        if as_json:
            click.echo(json_output.to_json(event, indent=None))
        elif (text := line(event, verbose=door.verbosity > 0)) is not None:
            door.out.print(text, soft_wrap=True)
