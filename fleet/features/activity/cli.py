"""`fleet activity`: what happened, oldest first as one reads a diary, and with --follow what happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import click

from fleet.cli.frame import json_output
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.interrupts import restore_ctrl_c
from fleet.cli.frame.options import AGENT, LARGEST_ID, SPAN, before_option, json_option, page_options
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.core.errors import Unavailable
from fleet.core.events import Event
from fleet.core.subjects import matches, refuse_unknown
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.features.activity import queries as activity_queries
from fleet.features.activity.agent_names import AgentNames
from fleet.features.activity.cli_feed import line

_LOOK_EVERY_S = 0.5


@click.command(
    cls=FleetCommand,
    remote=Call(
        "GET",
        "/activity",
        {"name": "agent", "subjects": "subject", "since": "since", "limit": "limit"},
        columns=("occurred_at", "subject", "agent", "job_id"),
    ),
)
@click.option("--agent", "name", type=AGENT, help="Only of this agent (username or id).")
@click.option("--subject", "subjects", multiple=True, help="Only this subject; job.* stands for all of jobs.")
@click.option("-f", "--follow", is_flag=True, help="Follow new events, until Ctrl-C.")
@click.option("--since", type=SPAN, help="Only events since, e.g. 30m, 2h, 7d.")
@before_option("EVENT", click.IntRange(1, LARGEST_ID), words="Only events before this one.")
@page_options(50)
@json_option
@pass_door
def activity(door: Door, /, *, name: str | None, subjects: tuple[str, ...], follow: bool, since: timedelta | None,
             before: int | None, limit: int, offset: int, as_json: bool) -> None:  # fmt: skip
    """Show events, newest last.

    With --json a page of events, newest first; with --json --follow one event a line, as they come. -v tells thoughts.
    """
    if follow and (offset or before):
        raise click.UsageError("--follow goes forward from now; --before and --offset go back. Choose one.")
    if follow:
        restore_ctrl_c()
    position = activity_queries.tail(door.deps) if follow else None
    events = activity_queries.latest(
        door.deps, name=name, subjects=subjects, since=None if since is None else clock.now() - since, before=before,
        limit=limit, offset=offset,
    )  # fmt: skip
    if not (events or offset or before):
        refuse_unknown(subjects, registry.current().subjects)
    names = AgentNames(door.deps)
    if position is None:
        _page(door, events, names, limit=limit, offset=offset, before=before, as_json=as_json)
        return
    agent_id = lookup.agent_id(door.deps.db, name)
    _tell(door, [event for event in reversed(events) if event.position <= position], names, as_json=as_json)
    while True:
        try:
            fresh = activity_queries.read_after(door.deps, position)
        except Unavailable as error:
            door.note(error.message)
            fresh = []
        if fresh:
            position = fresh[-1].position
            _tell(door, [event for event in fresh if _wanted(event, agent_id, subjects)], names, as_json=as_json)
        time.sleep(_LOOK_EVERY_S)


@click.command("activity", cls=FleetCommand)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option("-f", "--follow", is_flag=True, help="Follow new events.")
@click.option("--subject", "subjects", multiple=True, help="Only this subject; job.* stands for all of jobs.")
@before_option("EVENT", click.IntRange(1, LARGEST_ID), words="Only events before this one.")
@page_options(50)
@json_option
@click.pass_context
def activity_of_agent(ctx: click.Context, /, *, name: str, **options: Any) -> None:
    """Show the events of one agent, oldest first."""
    ctx.invoke(activity, name=name, **options)


def _page(door: Door, events: Sequence[Event], names: AgentNames, *, limit: int, offset: int, before: int | None,
          as_json: bool) -> None:  # fmt: skip
    if as_json:
        names.load(events)
        items = [event_data(event, names.names) for event in events]
        door.json(json_output.page(items, total=None, limit=limit, offset=offset))
        return
    _tell(door, list(reversed(events)), names, as_json=False)
    if not events:
        door.note("Nothing more." if offset or before else "Nothing happened.")
    elif len(events) == limit:
        door.note(f"{limit} of very many; --before {events[-1].position.id} shows older ones.")


def event_data(what: Event, names: Names) -> dict[str, Any]:
    """Return one event of the activity feed."""
    who = names.get(what.agent_id) if what.agent_id else None
    return {
        "id": what.position.id, "occurred_at": what.occurred_at, "subject": what.subject, "agent_id": what.agent_id,
        "agent": who.username if who else None, "job_id": what.job_id, "payload": what.payload,
    }  # fmt: skip


def _tell(door: Door, events: Sequence[Event], names: AgentNames, *, as_json: bool) -> None:
    names.load(events)
    for event in events:
        if as_json:
            click.echo(json_output.to_json(event_data(event, names.names), indent=None))
        elif (text := line(event, names, verbose=door.verbosity > 0)) is not None:
            door.out.print(text, soft_wrap=True)


def _wanted(event: Event, agent_id: UUID | None, subjects: Sequence[str]) -> bool:
    if agent_id is not None and event.agent_id != agent_id:
        return False
    return not subjects or any(matches(event.subject, subject) for subject in subjects)
