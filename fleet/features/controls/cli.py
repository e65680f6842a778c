"""`fleet pause`, `fleet resume` and `fleet kill-switch`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, REASON, SPAN, json_option, yes_option
from fleet.core.errors import InvalidInput
from fleet.engine.scopes import ALL, SCOPES

_SCOPE = click.argument("scope", type=click.Choice(SCOPES))
_KEY = click.argument("key", required=False, type=AGENT)
_NO_REASON = "no reason given"


@click.command(cls=FleetCommand)
@_SCOPE
@_KEY
@click.option("--for", "for_", type=SPAN, help="Duration, e.g. 30m, 2h; by default until resumed.")
@click.option("--reason", type=REASON, default="", help="Reason; shown with the pause.")
@yes_option
@pass_door
def pause(door: Door, /, *, scope: str, key: str | None, for_: timedelta | None, reason: str, yes: bool) -> None:
    """Pause SCOPE: the fleet, or the surface, account, organisation, persona, agent or kind of action named by KEY.

    Counts the agents and waiting jobs that it concerns, and asks. Running jobs end; no new job starts. Waiting jobs
    lose no attempt.
    """
    body = {"scope": scope, "key": key_of(scope, key), "reason": reason}
    for_s = None if for_ is None else int(for_.total_seconds())
    if not yes:
        found = door.api.get("/controls/affected", scope=scope, key=body["key"])
        door.confirm(f"Pause {_object(scope, key)}? {_counted(scope, found)}", yes=False)
    paused = door.api.post("/controls/pause", {**body, "for_s": for_s})["changed"]
    door.say(f"{_what(scope, key)} is paused{f' for {render.span(for_s)}' if for_s else ''}."
             if paused else f"{_what(scope, key)} was paused already, for as long or longer.")  # fmt: skip


@click.command(cls=FleetCommand)
@_SCOPE
@_KEY
@pass_door
def resume(door: Door, /, *, scope: str, key: str | None) -> None:
    """Resume SCOPE and its waiting jobs."""
    resumed = door.api.post("/controls/resume", {"scope": scope, "key": key_of(scope, key)})["changed"]
    door.say(f"{_what(scope, key)} {'is resumed' if resumed else 'was not paused'}.")


def key_of(scope: str, key: str | None) -> str:
    """Return the key of a scope. Raises InvalidInput when it is missing, or given for the whole fleet."""
    if scope == "fleet":
        if key not in (None, ALL):
            raise InvalidInput("A pause of the whole fleet takes no KEY.", fix=f"Leave {key!r} out.")
        return ALL
    if key is None:
        raise InvalidInput(f"Which {scope}?", fix=f"Name it: fleet pause {scope} NAME.")
    return key


def _counted(scope: str, found: Answer) -> str:
    """Return what a pause affects as a sentence."""
    jobs = f"{render.counted(found['waiting'], 'waiting job')}"
    if scope == "kind":
        return f"It concerns {jobs} and every new one."
    return f"It concerns {render.counted(found['agents'], 'agent')} ({found['running']:,} running) and {jobs}."


def _object(scope: str, key: str | None) -> str:
    return "the whole fleet" if scope == "fleet" else f"{scope} {key}"


def _what(scope: str, key: str | None) -> str:
    return "The fleet" if scope == "fleet" else f"{scope.capitalize()} {key}"


@click.group("kill-switch", cls=FleetGroup)
def kill_switch() -> None:
    """Stop all writes of agents to the outside, or allow them again."""


@kill_switch.command()
@click.option("--reason", type=REASON, default="", help="Reason; shown until it is turned off.")
@pass_door
def on(door: Door, /, *, reason: str) -> None:
    """Stop all writes of agents at once, without a question. Webhooks and notices still report it."""
    found = door.api.post("/controls/kill", {"reason": reason or _NO_REASON})
    begun = found["in_flight"]
    flying = f" {render.counted(begun, 'write')} had begun before and may still land." if begun else ""
    door.say(f"The kill switch {'is on' if found['changed'] else 'was on already'}: no write begins.{flying}")


@kill_switch.command()
@yes_option
@pass_door
def off(door: Door, /, *, yes: bool) -> None:
    """Allow writes again and resume waiting jobs."""
    door.confirm("Lift the kill switch, so that agents write again?", yes=yes)
    lifted = door.api.post("/controls/lift")["changed"]
    door.say("The kill switch is off." if lifted else "The kill switch was not on.")


@kill_switch.command("status")
@json_option
@pass_door
def status(door: Door, /, *, as_json: bool) -> None:
    """Show whether it is on, and all pauses."""
    found = door.api.get("/controls")
    if as_json:
        door.json(found)
        return
    is_on = found["kill_switch"]
    door.show(render.words(f"The kill switch is {'on' if is_on else 'off'}.", "bold red" if is_on else ""))
    tell_holds(door, found["items"])


def tell_holds(door: Door, holds: Iterable[Answer]) -> None:
    """Show the kill switch and pauses in force, one line each."""
    for hold in holds:
        door.out.print(held(hold), soft_wrap=True)


def held(hold: Answer) -> Text:
    """Return one hold as a line: what, why, since when, until when, by whom."""
    style = "bold red" if hold["hold"] == "kill" else "yellow"
    ends = f", ends {render.when(hold['until'])}" if hold["until"] else ""
    by = f"by {hold['set_by']}, " if hold["reason"] else ""  # without a reason the words say who
    return render.words(f"{hold['words']} ({by}{render.when(hold['set_at'])}{ends})", style)
