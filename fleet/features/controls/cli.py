"""`fleet pause`, `fleet resume` and `fleet kill-switch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, REASON, SPAN, json_option, yes_option
from fleet.cli.frame.remote_call import Call, Options
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.engine.controls import ALL, SCOPES, Hold
from fleet.features.controls import commands as control_commands

_SCOPE = click.argument("scope", type=click.Choice(SCOPES))
_KEY = click.argument("key", required=False, type=AGENT)


def _remote(options: Options) -> Mapping[str, Any]:
    """Return a pause as the API takes it."""
    key = key_of(options["scope"], options.get("key"))
    body = {"scope": options["scope"], "key": key, "reason": options.get("reason")}
    span: timedelta | None = options.get("for_")
    body["for_s"] = None if span is None else int(span.total_seconds())
    return {name: value for name, value in body.items() if value is not None}


@click.command(
    cls=FleetCommand,
    remote=Call(
        "POST",
        "/controls/pause",
        body=_remote,
        done="It is paused.",
        already="It was paused already, for as long or longer.",
    ),
)
@_SCOPE
@_KEY
@click.option("--for", "for_", type=SPAN, help="Duration, e.g. 30m, 2h; until resumed if left out.")
@click.option("--reason", type=REASON, default="", help="Reason; shown with the pause.")
@pass_door
def pause(door: Door, /, *, scope: str, key: str | None, for_: timedelta | None, reason: str) -> None:
    """Pause SCOPE: the fleet, or the surface, account, persona, agent or kind of action named by KEY.

    Running jobs end; no new job starts. Waiting jobs lose no attempt.
    """
    paused = control_commands.pause(door.deps, scope, key_of(scope, key), by=door.by, reason=reason, for_=for_)
    what = _what(scope, key)
    door.say(f"{what} is paused{f' for {render.span(for_.total_seconds())}' if for_ else ''}."
             if paused else f"{what} was paused already, for as long or longer.")  # fmt: skip


@click.command(
    cls=FleetCommand,
    remote=Call("POST", "/controls/resume", body=_remote, done="It is resumed.", already="It was not paused."),
)
@_SCOPE
@_KEY
@pass_door
def resume(door: Door, /, *, scope: str, key: str | None) -> None:
    """Resume SCOPE and its waiting jobs."""
    resumed = control_commands.resume(door.deps, scope, key_of(scope, key), by=door.by)
    door.say(f"{_what(scope, key)} {'is resumed' if resumed else 'was not paused'}.")


def key_of(scope: str, key: str | None) -> str:
    """Return whom a pause covers. Raises InvalidInput when that is not said, or said of the whole fleet."""
    if scope == "fleet":
        if key not in (None, ALL):
            raise InvalidInput("A pause of the whole fleet takes no KEY.", fix=f"Leave {key!r} out.")
        return ALL
    if key is None:
        raise InvalidInput(f"Which {scope}?", fix=f"Name it: fleet pause {scope} NAME.")
    return key


def _what(scope: str, key: str | None) -> str:
    return "The fleet" if scope == "fleet" else f"{scope.capitalize()} {key}"


@click.group("kill-switch", cls=FleetGroup)
def kill_switch() -> None:
    """Stop all writes of agents to the outside, or allow them again."""


@kill_switch.command(
    remote=Call(
        "POST",
        "/controls/kill",
        body=lambda options: {"reason": options.get("reason") or "by command line"},
        done="The kill switch is on. Writes under way: {in_flight}.",
        already="The kill switch was on already. Writes under way: {in_flight}.",
    )
)
@click.option("--reason", type=REASON, default="", help="Reason; shown until it is turned off.")
@pass_door
def on(door: Door, /, *, reason: str) -> None:
    """Stop all writes of agents at once, without a question. Webhooks and notices still report it."""
    thrown, in_flight = control_commands.throw_kill_switch(door.deps, by=door.by, reason=reason)
    flying = (
        f" {in_flight} write{'' if in_flight == 1 else 's'} had begun before and may still land." if in_flight else ""
    )
    door.say(f"The kill switch {'is on' if thrown else 'was on already'}: no write begins.{flying}")


@kill_switch.command(
    remote=Call(
        "POST",
        "/controls/lift",
        done="The kill switch is off.",
        already="The kill switch was not on.",
        asks="Lift the kill switch?",
    )
)
@yes_option
@pass_door
def off(door: Door, /, *, yes: bool) -> None:
    """Allow writes again and resume waiting jobs."""
    door.confirm("Lift the kill switch, so that agents write again?", yes=yes)
    lifted = control_commands.lift_kill_switch(door.deps, by=door.by)
    door.say("The kill switch is off." if lifted else "The kill switch was not on.")


@kill_switch.command(
    "status",
    remote=Call(
        "GET",
        "/controls",
        columns=("scope", "key", "hold", "reason", "until", "set_by"),
        none="The kill switch is off, and nothing is paused.",
    ),
)
@json_option
@pass_door
def status(door: Door, /, *, as_json: bool) -> None:
    """Show whether it is on, and all pauses."""
    holds = control_commands.holds(door.deps)
    thrown = next((hold for hold in holds if hold.hold == "kill"), None)
    if as_json:
        door.json({"on": thrown is not None, "holds": [hold_data(hold) for hold in holds]})
        return
    door.show(render.words("The kill switch is on.", "bold red") if thrown else render.words("The kill switch is off."))
    tell_holds(door, holds)


def hold_data(what: Hold) -> dict[str, Any]:
    """Return a hold in force."""
    return {name: getattr(what, name) for name in ("scope", "key", "hold", "reason", "until", "set_by", "set_at")}


def tell_holds(door: Door, holds: Sequence[Hold]) -> None:
    """Show what is held back, one line each, agents by their usernames."""
    names = control_commands.names(door.deps, holds)
    for hold in holds:
        door.out.print(held(replace(hold, key=names.get(hold.key, hold.key)), clock.now()), soft_wrap=True)


def held(hold: Hold, now: datetime) -> Text:
    """Return one hold as a line: what, why, since when, until when, by whom."""
    style = "bold red" if hold.hold == "kill" else "yellow"
    ends = f", ends {render.when(hold.until, now)}" if hold.until else ""
    by = f"by {hold.set_by}, " if hold.reason else ""  # without a reason the words say who
    return render.words(f"{hold.words()} ({by}{render.when(hold.set_at, now)}{ends})", style)
