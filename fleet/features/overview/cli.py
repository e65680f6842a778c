"""`fleet status`: the fleet at a glance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option
from fleet.cli.frame.remote_call import Call
from fleet.core.settings import Settings
from fleet.features.controls.cli import hold_data, tell_holds
from fleet.features.overview import status as fleet_status
from fleet.features.overview.status import FleetStatus

_STATUSES = ("running", "paused", "idle", "error")
_LATE_S = 10.0
"""Beat dispatches every second; an agent that waits longer than this is waiting for beat, not for its turn."""


@click.command(cls=FleetCommand, remote=Call("GET", "/status"))
@json_option
@pass_door
def status(door: Door, /, *, as_json: bool) -> None:
    """Show the state of the fleet: agents, queues, lateness, dead letters, pauses."""
    seen = fleet_status.read(door.deps)
    if as_json:
        door.json(_data(seen, door.settings))
        return
    if seen.holds:
        tell_holds(door, seen.holds)
        door.show("")
    if seen.agents:
        door.show(_agents(seen.agents), "")
    else:
        door.show("No agents yet; `fleet seed` makes some.", "")
    door.show(render.facts(_facts(seen, door.settings)))


def _by_persona(agents: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for (persona, status_), number in sorted(agents.items()):
        found[persona][status_] = number
    return dict(found)


def _by_status(agents: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {s: sum(number for (_, status_), number in agents.items() if status_ == s) for s in _STATUSES}


def _agents(agents: Mapping[tuple[str, str], int]) -> Table:
    right = {"justify": "right"}
    table = render.table("Persona", ("Agents", right), *((name.capitalize(), right) for name in _STATUSES))
    for persona, numbers in _by_persona(agents).items():
        render.row(table, persona, sum(numbers.values()), *(_count(numbers.get(name, 0), name) for name in _STATUSES))
    sums = _by_status(agents)
    render.row(table, Text("All", "bold"), sum(sums.values()), *(_count(sums[name], name) for name in _STATUSES))
    return table


def _count(number: int, status_: str) -> Text:
    return Text(str(number), render.STYLES[status_]) if number else Text("·", "dim")


def _facts(seen: FleetStatus, settings: Settings) -> list[tuple[str, object]]:
    dead = sum(seen.dead.values())
    return [
        ("Done", _numbers(seen.totals) or "nothing yet"),
        ("At work", f"{seen.in_flight} being sent, {_waiting(seen)} waiting"),
        ("Unknown", render.words(f"{seen.unknown} sent without an answer", "magenta") if seen.unknown else None),
        ("Dead letters", render.words(f"{dead}: {_numbers(seen.dead)}", "bold red") if dead else "none"),
        (
            "Queues",
            render.words(seen.broker_problem, "red") if seen.queues is None else _numbers(seen.queues, zeros=True),
        ),
        ("Oldest tick", _late(seen.oldest_tick_s, "no request waits for a decision")),
        ("Latest agent", _late(seen.most_overdue_agent_s, "everybody is on time")),
        ("Tempo", f"{settings.tempo:g} times life" if settings.tempo != 1 else "real time"),
        ("Dry run", render.words("yes: nothing is sent", "yellow") if settings.dry_run else None),
        ("Gallery", settings.gallery_url or "none is set"),
    ]


def _numbers(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number or zeros)


def _waiting(seen: FleetStatus) -> int:
    return sum(number for (_, state), number in seen.jobs.items() if state == "ready")


def _late(seconds: float | None, none: str) -> Text:
    if seconds is None:
        return render.words(none)
    return render.words(f"{render.span(seconds)} late", "yellow" if seconds > _LATE_S else "")


def _data(seen: FleetStatus, settings: Settings) -> dict[str, Any]:
    jobs: dict[str, dict[str, int]] = defaultdict(dict)
    for (kind, state), number in sorted(seen.jobs.items()):
        jobs[kind][state] = number
    return {
        "agents": {
            "total": sum(seen.agents.values()),
            "by_status": _by_status(seen.agents),
            "by_persona": _by_persona(seen.agents),
        },
        "jobs": jobs,
        "dead": seen.dead,
        "holds": [hold_data(hold) for hold in seen.holds],
        "kill_switch": any(hold.hold == "kill" for hold in seen.holds),
        "queues": seen.queues,
        "broker_problem": seen.broker_problem,
        "oldest_tick_s": seen.oldest_tick_s,
        "most_overdue_agent_s": seen.most_overdue_agent_s,
        "in_flight": seen.in_flight,
        "unknown": seen.unknown,
        "totals": seen.totals,
        "tempo": settings.tempo,
        "dry_run": settings.dry_run,
        "gallery_url": settings.gallery_url,
    }
