"""`fleet status`: the fleet at a glance."""

from __future__ import annotations

from collections.abc import Mapping

import click
from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import json_option
from fleet.features.controls.cli import tell_holds

_STATUSES = ("running", "paused", "idle", "error")
_LATE_S = 10.0
"""Beat dispatches every second; an agent that waits longer than this is waiting for beat, not for its turn."""
_LEVELS = {"ok": "ok", "warn": "trouble", "bad": "down", "unknown": "unknown"}
_TONES = {"ok": "green", "warn": "yellow", "bad": "bold red", "unknown": "dim"}
_MANY = 0.05
"""From this share of failures on, something is wrong."""


@click.command(cls=FleetCommand)
@json_option
@pass_door
def status(door: Door, /, *, as_json: bool) -> None:
    """Show the state of the fleet: agents, queues, lateness, dead letters, pauses."""
    seen = door.api.get("/status")
    if as_json:
        door.json(seen)
        return
    if seen["holds"]:
        tell_holds(door, seen["holds"])
        door.show("")
    down = [one for one in seen["health"] if one["level"] == "bad"]
    for one in down:
        door.out.print(_outage(one), soft_wrap=True)
    if down:
        door.show("")
    if seen["agents_by_persona"]:
        door.show(_agents(seen), "")
    else:
        door.show("No agents yet; `fleet seed` makes some.", "")
    door.show(render.facts(_facts(seen)), "")
    door.show(_components(seen["health"]))


def _outage(one: Answer) -> Text:
    since = f" since {render.when(one['since'])}" if one["since"] else ""
    return render.words(f"{one['name']} down{since}: {one['cause']}. {one['effect']}", "bold red")


def _components(health: list[Answer]) -> Table:
    table = render.table("Component", "State", "")
    for one in health:
        render.row(
            table, one["name"], Text(_LEVELS[one["level"]], _TONES[one["level"]]), render.clip(one["words"], 120)
        )
    return table


def _failures(rates: Answer) -> Text:
    """Return the shares of attempts and ticks that failed: within five minutes, and within an hour."""
    told = [
        f"{_rate(rates[what])} of {what}, {_rate(rates[f'{what}_hour'])} in an hour" for what in ("attempts", "ticks")
    ]
    shares = [one["failed"] / one["number"] for one in (rates["attempts"], rates["ticks"]) if one["number"]]
    return render.words("; ".join(told), "bold red" if max(shares, default=0.0) > _MANY else "")


def _rate(rate: Answer) -> str:
    return f"{rate['failed']} of {rate['number']}" if rate["number"] else "none"


def _agents(seen: Answer) -> Table:
    right = {"justify": "right"}
    table = render.table("Persona", ("Agents", right), *((name.capitalize(), right) for name in _STATUSES))
    for persona, numbers in seen["agents_by_persona"].items():
        render.row(table, persona, sum(numbers.values()), *(_count(numbers.get(name, 0), name) for name in _STATUSES))
    sums = seen["agents"]
    render.row(table, Text("All", "bold"), sum(sums.values()), *(_count(sums[name], name) for name in _STATUSES))
    return table


def _count(number: int, status_: str) -> Text:
    return Text(str(number), render.STYLES[status_]) if number else Text("·", "dim")


def _facts(seen: Answer) -> list[tuple[str, object]]:
    dead = sum(seen["dead"].values())
    waiting = sum(states.get("ready", 0) for states in seen["jobs"].values())
    unknown = f"{render.counted(seen['unknown'], 'write')} sent without an answer"
    return [
        ("Done", _numbers(seen["totals"]) or "nothing yet"),
        ("At work", f"{seen['in_flight']} being sent, {waiting} waiting"),
        ("Failures, 5 min", _failures(seen["rates"])),
        ("Unknown", render.words(unknown, "magenta") if seen["unknown"] else None),
        ("Dead letters", render.words(f"{dead}: {_numbers(seen['dead'])}", "bold red") if dead else "none"),
        ("Queues", render.words(seen["broker_problem"], "red") if seen["queues"] is None
         else _numbers(seen["queues"], zeros=True)),
        ("Oldest tick", _late(seen["oldest_tick_s"], "no tick waits for a decision")),
        ("Latest agent", _late(seen["most_overdue_agent_s"], "no agent is late")),
        ("Tempo", "real time" if seen["tempo"] == 1 else f"{seen['tempo']:g} times real time"),
        ("Dry run", render.words("yes: nothing is sent", "yellow") if seen["dry_run"] else None),
        ("Gallery", seen["gallery_url"] or "none is set"),
    ]  # fmt: skip


def _numbers(counts: Mapping[str, int], *, zeros: bool = False) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number or zeros)


def _late(seconds: float | None, none: str) -> Text:
    if seconds is None:
        return render.words(none)
    return render.words(f"{render.span(seconds)} late", "yellow" if seconds > _LATE_S else "")
