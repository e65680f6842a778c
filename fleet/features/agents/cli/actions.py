"""What `fleet agents` does to agents: create, edit, delete, start, pause, resume, stop, one or all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import click

from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, REASON, SPAN, TextType, yes_option
from fleet.core.character import TRAITS, Trait
from fleet.engine import registry
from fleet.features.agents.kinds import GALLERY, creatable_kinds
from fleet.features.agents.limits import (
    LEAST_INTERVAL_S,
    LONGEST_NAME,
    LONGEST_REFERENCE,
    MOST_INTERVAL_S,
    MOST_WEIGHT,
)

F = TypeVar("F", bound=Callable[..., Any])
COMMANDS: list[click.Command] = []

_AGENT = click.argument("name", metavar="AGENT", type=AGENT)
_AGENTS = click.argument("names", metavar="AGENT...", type=AGENT, nargs=-1, required=True)
_ONE_PERSONA = click.option("--persona", type=PERSONA, help="Only those of this persona.")
_REASON = click.option("--reason", type=REASON, default="", help="Reason; shown with the pause.")
_SUPERVISED = "supervised"


class _WeightType(click.FloatRange):
    """A relative weight; `nan` is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; fails for one that is none."""
        weight = float(super().convert(value, param, ctx))
        if weight != weight:  # noqa: PLR0124 - only nan differs from itself
            self.fail(f"{value!r} is no number.", param, ctx)
        return weight


def _command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    def made(function: Callable[..., None]) -> click.Command:
        command = click.command(name, cls=FleetCommand)(function)
        COMMANDS.append(command)
        return command

    return made


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return KEY=VALUE options as a mapping; fails for one without a key."""
    pairs = [value.partition("=") for value in values]
    if any(not key or not equals for key, equals, _ in pairs):
        raise click.BadParameter("write KEY=VALUE.")
    return {key.strip(): value for key, _, value in pairs}


def _trait(one: Trait) -> Callable[[F], F]:
    return click.option(
        f"--{one.option or one.name}", one.name, type=TextType(one.most_chars), multiple=one.is_list, help=one.help
    )


def _character(command: F) -> F:
    """Add the options that say what an agent is like."""
    seconds = click.IntRange(LEAST_INTERVAL_S, MOST_INTERVAL_S)
    options = [
        click.option(
            "--config",
            metavar="KEY=VALUE",
            multiple=True,
            callback=_pairs,
            help="Setting of its kind; may be repeated.",
        ),
        click.option("--name", "display_name", type=TextType(LONGEST_NAME), help="Shown name."),
        click.option("--persona", type=PERSONA, help="Persona, and with it the schedule."),
        click.option("--owner", type=TextType(60), help="Owner: the user who gets its notices; '' for none."),
        *(
            click.option(
                f"--{action}", f"{action}_weight", type=_WeightType(0, MOST_WEIGHT),
                help=f"Relative weight of: {action}.",
            )
            for action in registry.current().default_weights
        ),
        click.option("--min-interval", type=seconds, help="Minimum seconds between two actions."),
        click.option("--max-interval", type=seconds, help="Maximum seconds between two actions."),
        *(_trait(one) for one in TRAITS),
        click.option(
            "--autonomy", type=click.Choice(registry.current().mode_names), help="Whether a person approves first."
        ),
        *(_mode_settings() if _SUPERVISED in registry.current().mode_names else ()),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def _mode_settings() -> list[Callable[[F], F]]:
    """Return the options for settings of supervised agents that are older than --config."""
    return [
        click.option(
            "--scan-every", "scan_interval_s", type=SPAN, callback=lambda *given: _seconds(given[-1]),
            help="Supervised: how often it scans its feed; 15m, 30m, 1h, 2h, 6h, 12h, 24h.",
        ),
        click.option("--scan/--no-scan", "scans", default=None, help="Supervised: whether it scans its feed."),
        click.option(
            "--feed", "audience", type=click.Choice(["public", "friends"]), help="Supervised: whose posts it sees."
        ),
        click.option(
            "--heed-agents/--no-heed-agents", "heeds_agents", default=None,
            help="Supervised: whether its feed includes posts of agents.",
        ),
        click.option("--draft-days", type=click.IntRange(1, 90), help="Supervised: days until its drafts expire."),
    ]  # fmt: skip


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


def _changes(display_name: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a person named, as the API takes them.

    An option that may be repeated is empty where nobody named it.
    """
    named = {name: value for name, value in given.items() if value not in (None, (), {})}
    weights = {
        action: named.pop(f"{action}_weight")
        for action in registry.current().default_weights
        if f"{action}_weight" in named
    }
    ends = {end: named.pop(f"{end}_interval") for end in ("min", "max") if f"{end}_interval" in named}
    groups = {"name": display_name, "weights": weights, "interval_s": ends}
    return {**named, **{name: value for name, value in groups.items() if value not in (None, {})}}


def _rhythm(command: F) -> F:
    """Add the options of an agent's own hours."""
    zone = click.option(
        "--timezone", type=TextType(60), help="Time zone of its hours, e.g. Europe/Berlin; empty: its persona's."
    )
    hours = click.option(
        "--hours", type=TextType(200), help="Local hours in which it is awake, e.g. 9-17,20-22; empty: its persona's."
    )
    return hours(zone(command))


@_command("create")
@click.argument("username", type=TextType(30))
@_character
@click.option(
    "--kind",
    type=click.Choice(creatable_kinds()),
    default=GALLERY,
    show_default=True,
    help="The kind of agent.",
)
@click.option("--surface", type=TextType(LONGEST_REFERENCE), help="Surface; floimg if left out.")
@click.option("--account", type=TextType(LONGEST_REFERENCE), help="Its account (`fleet accounts list`).")
@click.option("--organisation", type=TextType(60), help="Its organisation (`fleet organisations list`).")
@_rhythm
@click.option("--start", is_flag=True, help="Start it too.")
@pass_door
def create(
    door: Door, /, *, username: str, display_name: str | None, hours: str | None, timezone: str | None, start: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Create an agent, idle unless --start.

    With a persona it begins with that one's character, weights and pace; the other options change those.
    """
    name = display_name if display_name is not None else username.replace("_", " ").strip().title()
    body = _changes(name, given)
    for field, first in _first(door, body).items():
        body[field] = {**first, **body[field]}
    rhythm = {name: value for name, value in (("hours", hours), ("timezone", timezone)) if value}
    door.api.post("/agents", {"username": username, **body, **rhythm, "start": start})
    door.say(f"{name} ({username}) {'lives now' if start else 'is there, idle'}.")


def _rhythm_of(hours: str | None, timezone: str | None) -> dict[str, str]:
    """Return the settings of an agent's own hours that were given."""
    own = {"agent_hours": hours, "agent_timezone": timezone}
    return {setting: value for setting, value in own.items() if value is not None}


def _set_rhythm(door: Door, name: str, rhythm: Mapping[str, str]) -> None:
    for setting, value in rhythm.items():
        if value:
            door.api.put(at("settings", setting), {"value": value, "agent": name})
        else:
            door.api.delete(at("settings", setting), agent=name)


def _first(door: Door, body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the weights and the pace from which a new agent begins, of those that are changed in part.

    The API takes both as a whole.
    """
    own = registry.current().weights(body["kind"], {})
    persona = door.api.get(at("personas", body["persona"])) if "persona" in body else {"weights": own}
    first = {
        "weights": {action: weight for action, weight in persona["weights"].items() if action in own},
        "interval_s": persona.get("interval_s", {}),
    }
    return {field: value for field, value in first.items() if field in body}


@_command("edit")
@_AGENT
@_character
@_rhythm
@pass_door
def edit(
    door: Door, /, *, name: str, display_name: str | None, hours: str | None, timezone: str | None, **given: Any
) -> None:
    """Change the named settings of an agent."""
    changes = _changes(display_name, given)
    rhythm = _rhythm_of(hours, timezone)
    if not changes and not rhythm:
        raise click.UsageError("Name at least one thing to change.")
    if changes:
        door.api.patch(at("agents", name), changes)
    _set_rhythm(door, name, rhythm)
    parts = [changes[one] if one in ("weights", "interval_s", "config") else (one,) for one in changes]
    changed = [*(part for one in parts for part in one), *(one.removeprefix("agent_") for one in rhythm)]
    door.say(f"{name}: changed {', '.join(sorted(changed))}.")


@_command("assign")
@click.argument("owner", type=TextType(60))
@click.argument("names", metavar="[AGENT...]", type=AGENT, nargs=-1)
@_ONE_PERSONA
@click.option("--from", "previous", type=TextType(60), help="Only those of this owner; '' for those of nobody.")
@pass_door
def assign(door: Door, /, *, owner: str, names: tuple[str, ...], persona: str | None, previous: str | None) -> None:
    """Set the owner of agents: the user who gets their notices. OWNER '' removes the owner."""
    filters = {"agents": list(names) or None, "persona": persona, "previous_owner": previous}
    body = {name: value for name, value in filters.items() if value is not None}
    if not body:
        raise click.UsageError("Name agents, --persona or --from.")
    number = door.api.post(at("agents", "assign"), {"owner": owner, **body})["count"]
    door.say(f"{owner or 'Nobody'} owns {number} more agent{'' if number == 1 else 's'}.")


@_command("delete")
@_AGENT
@yes_option
@pass_door
def delete(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete an agent and its account at the surface.

    Its history stays; its username cannot be used again.
    """
    agent = door.api.get(at("agents", name))
    door.confirm(f"Delete {agent['name']} ({agent['username']}) and its account on {agent['surface']}?", yes=yes)
    door.api.delete(at("agents", agent["id"]))
    door.say(f"{agent['name']} is deleted.")


def _each(door: Door, names: tuple[str, ...], verb: str, done: str, already: str, **body: str) -> None:
    for name in names:
        changed = door.api.post(at("agents", name, verb), body)["changed"]
        door.say(f"{name} {done if changed else already}.")


@_command("start")
@_AGENTS
@pass_door
def start(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Start idle or failed agents."""
    _each(door, names, "start", "lives now", "was running already")


@_command("pause")
@_AGENTS
@_REASON
@pass_door
def pause(door: Door, /, *, names: tuple[str, ...], reason: str) -> None:
    """Pause running agents until somebody resumes them."""
    _each(door, names, "pause", "is paused", "was not running", reason=reason)


@_command("resume")
@_AGENTS
@pass_door
def resume(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Resume paused agents and their waiting jobs."""
    _each(door, names, "resume", "is resumed", "was not paused")


@_command("stop")
@_AGENTS
@pass_door
def stop(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Stop agents and cancel their jobs that have not started."""
    _each(door, names, "stop", "is idle now", "was idle already")


@_command("start-all")
@_ONE_PERSONA
@pass_door
def start_all(door: Door, /, *, persona: str | None) -> None:
    """Start every idle agent."""
    _all(door, "start", "Started", persona=persona)


@_command("pause-all")
@_ONE_PERSONA
@_REASON
@pass_door
def pause_all(door: Door, /, *, persona: str | None, reason: str) -> None:
    """Pause every running agent."""
    _all(door, "pause", "Paused", persona=persona, reason=reason)


@_command("resume-all")
@_ONE_PERSONA
@pass_door
def resume_all(door: Door, /, *, persona: str | None) -> None:
    """Resume every paused agent."""
    _all(door, "resume", "Resumed", persona=persona)


@_command("stop-all")
@_ONE_PERSONA
@yes_option
@pass_door
def stop_all(door: Door, /, *, persona: str | None, yes: bool) -> None:
    """Stop every agent that is not idle and cancel their jobs that have not started."""
    door.confirm(f"Stop every agent of {f'persona {persona}' if persona else 'the fleet'}?", yes=yes)
    _all(door, "stop", "Stopped", persona=persona)


def _all(door: Door, verb: str, done: str, **body: str | None) -> None:
    number = door.api.post(at("agents", verb), body)["count"]
    door.say(f"{done} {number} agent{'' if number == 1 else 's'}.")
