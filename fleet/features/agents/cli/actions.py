"""What `fleet agents` does to agents: create, edit, delete, start, pause, resume, stop, one or all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, REASON, SPAN, TextType, yes_option
from fleet.cli.frame.remote_call import Call
from fleet.core.character import TRAITS, Trait
from fleet.engine import registry
from fleet.engine.agents import config as agent_config
from fleet.engine.agents import lookup
from fleet.features.agents import bulk
from fleet.features.agents import commands as agent_commands
from fleet.features.agents.bulk import BulkAction

F = TypeVar("F", bound=Callable[..., Any])
COMMANDS: list[click.Command] = []

_AGENT = click.argument("name", metavar="AGENT", type=AGENT)
_AGENTS = click.argument("names", metavar="AGENT...", type=AGENT, nargs=-1, required=True)
_WHO = {"persona_id": "persona"}
_ONE_PERSONA = click.option("--persona", "persona_id", type=PERSONA, help="Only those of this persona.")


def _each(verb: str, done: str, already: str, body: Mapping[str, str] = MappingProxyType({})) -> Call:
    """Return a call for each named agent."""
    return Call("POST", f"/agents/{{names}}/{verb}", body=body, each="names", done=done, already=already)


def _command(name: str, *, remote: Call | None = None) -> Callable[[Callable[..., None]], click.Command]:
    def made(function: Callable[..., None]) -> click.Command:
        command = click.command(name, cls=FleetCommand, remote=remote)(function)
        COMMANDS.append(command)
        return command

    return made


def _pairs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return KEY=VALUE options as a mapping; fails for one without a key."""
    pairs = [value.partition("=") for value in values]
    if any(not key or not equals for key, equals, _ in pairs):
        raise click.BadParameter("write KEY=VALUE.")
    return {key.strip(): value for key, _, value in pairs}


def _read(kind: str, config: Mapping[str, str]) -> dict[str, Any]:
    """Return settings that a person typed, as the kind of agent takes them. Raises InvalidInput for a wrong value."""
    known = agent_config.fields(kind)
    return {key: known[key].read(text) if key in known else text for key, text in config.items()}


def _trait(one: Trait) -> Callable[[F], F]:
    return click.option(
        f"--{one.option or one.name}", one.name, type=TextType(one.most_chars), multiple=one.is_list, help=one.help
    )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a person named; one that may be repeated is empty where nobody did."""
    return {field: value for field, value in options.items() if value not in (None, ())}


def _character(command: F) -> F:
    """Add the options that say what an agent is like."""
    weight = click.FloatRange(0, 1_000_000)
    seconds = click.IntRange(1, 604_800)
    options = [
        click.option(
            "--config",
            "config",
            metavar="KEY=VALUE",
            multiple=True,
            callback=_pairs,
            help="Setting of its kind; may be repeated.",
        ),
        click.option("--name", "display_name", type=TextType(100), help="Shown name."),
        click.option("--persona", "persona_id", type=PERSONA, help="Persona, and with it the schedule."),
        *(
            click.option(f"--{action}", f"{action}_weight", type=weight, help=f"Relative weight of: {action}.")
            for action in registry.current().default_weights
        ),
        click.option("--min-interval", "min_interval_s", type=seconds, help="Least seconds between two actions."),
        click.option("--max-interval", "max_interval_s", type=seconds, help="Most seconds between two actions."),
        *(_trait(one) for one in TRAITS),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@_command("create")
@click.argument("username", type=TextType(30))
@_character
@click.option(
    "--kind",
    type=click.Choice(agent_commands.creatable_kinds()),
    default=agent_commands.GALLERY,
    show_default=True,
    help="The kind of agent.",
)
@click.option("--surface", type=TextType(40), help="Surface; floimg if left out.")
@click.option("--account", type=TextType(40), help="Its account (`fleet accounts list`).")
@click.option("--start", is_flag=True, help="Start it too.")
@pass_door
def create(door: Door, /, *, username: str, display_name: str | None, persona_id: str | None, kind: str,
           config: Mapping[str, str], start: bool, account: str | None, **given: Any) -> None:  # fmt: skip
    """Create an agent, idle unless --start.

    With a persona it begins with that one's character, weights and pace; the other options change those.
    """
    name = display_name if display_name is not None else username.replace("_", " ").strip().title()
    new = agent_commands.draft(door.deps, username=username, name=name, persona_id=persona_id, by=door.by, kind=kind)
    named = {action: given.pop(f"{action}_weight") for action in registry.current().default_weights}
    weights = {**new.weights, **{action: weight for action, weight in named.items() if weight is not None}}
    chosen = _given(given)
    character = new.character.changed(chosen)
    new = replace(
        new,
        weights=weights,
        config={**new.config, **_read(kind, config)},
        character=character,
        **{field: value for field, value in chosen.items() if field not in character.values()},
    )
    if account is not None:
        new = agent_commands.through(door.deps, new, account)
    agent_commands.create(door.deps, new)
    if start:
        agent_commands.start(door.deps, username)
    door.say(f"{name} ({username}) {'lives now' if start else 'is there, idle'}.")


def _mode_settings(command: F) -> F:
    """Add an option for each setting that is older than --config, if a mode of this fleet has it."""
    options = {
        "scan_interval_s": click.option(
            "--scan-every", "scan_interval_s", type=SPAN, callback=lambda *given: _seconds(given[-1]),
            help="Supervised: how often it scans its feed; 15m, 30m, 1h, 2h, 6h, 12h, 24h.",
        ),
        "scans": click.option("--scan/--no-scan", "scans", default=None, help="Supervised: whether it scans its feed."),
        "audience": click.option(
            "--feed", "audience", type=click.Choice(["public", "friends"]), help="Supervised: whose posts it sees."
        ),
        "heeds_agents": click.option(
            "--heed-agents/--no-heed-agents", "heeds_agents", default=None,
            help="Supervised: whether it sees what agents wrote.",
        ),
        "draft_days": click.option(
            "--draft-days", type=click.IntRange(1, 90), help="Supervised: days until its drafts expire."
        ),
    }  # fmt: skip
    for setting in reversed([*options]):
        if setting in agent_config.mode_fields():
            command = options[setting](command)
    return command


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())


@_command("edit")
@_AGENT
@_character
@click.option("--autonomy", type=click.Choice(agent_config.mode_names()), help="Whether a person approves first.")
@_mode_settings
@pass_door
def edit(door: Door, /, *, name: str, display_name: str | None, config: Mapping[str, str], **given: Any) -> None:
    """Change the named settings of an agent."""
    changes = {field: [*value] if isinstance(value, tuple) else value for field, value in _given(given).items()}
    if display_name is not None:
        changes["name"] = display_name
    if config:
        changes |= _read(lookup.agent(door.deps.db, name).kind, config)
    if not changes:
        raise click.UsageError("Name at least one thing to change.")
    agent_commands.update(door.deps, name, changes)
    door.say(f"{name}: changed {', '.join(sorted(changes))}.")


@_command("delete", remote=Call("DELETE", "/agents/{name}", done="Deleted.", asks="Delete this agent?"))
@_AGENT
@yes_option
@pass_door
def delete(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete an agent and its account at the surface.

    Its history stays; its username cannot be used again.
    """
    agent = lookup.agent(door.deps.db, name)
    door.confirm(f"Delete {agent.name} ({agent.username}) and its account on {agent.surface}?", yes=yes)
    agent_commands.delete(door.deps, str(agent.id), by=door.by)
    door.say(f"{agent.name} is deleted.")


@_command("start", remote=_each("start", "{names} lives now.", "{names} was running already."))
@_AGENTS
@pass_door
def start(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Start idle or failed agents."""
    for name in names:
        door.say(f"{name} {'lives now' if agent_commands.start(door.deps, name) else 'was running already'}.")


@_command("pause", remote=_each("pause", "{names} is paused.", "{names} was not running.", {"reason": "reason"}))
@_AGENTS
@click.option("--reason", type=REASON, default="", help="Reason; shown with the pause.")
@pass_door
def pause(door: Door, /, *, names: tuple[str, ...], reason: str) -> None:
    """Pause running agents until somebody resumes them."""
    for name in names:
        paused = agent_commands.pause(door.deps, name, by=door.by, reason=reason)
        door.say(f"{name} {'is paused' if paused else 'was not running'}.")


@_command("resume", remote=_each("resume", "{names} is resumed.", "{names} was not paused."))
@_AGENTS
@pass_door
def resume(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Resume paused agents and their waiting jobs."""
    for name in names:
        door.say(f"{name} {'is resumed' if agent_commands.resume(door.deps, name) else 'was not paused'}.")


@_command("stop", remote=_each("stop", "{names} is idle now.", "{names} was idle already."))
@_AGENTS
@pass_door
def stop(door: Door, /, *, names: tuple[str, ...]) -> None:
    """Stop agents and cancel their jobs that have not started."""
    for name in names:
        door.say(f"{name} {'is idle now' if agent_commands.stop(door.deps, name) else 'was idle already'}.")


@_command("start-all", remote=Call("POST", "/agents/start", body=_WHO, done="Started {count}."))
@_ONE_PERSONA
@pass_door
def start_all(door: Door, /, *, persona_id: str | None) -> None:
    """Start every idle agent."""
    door.say(f"Started {_everyone(door, BulkAction.START, persona_id)}.")


@_command("pause-all", remote=Call("POST", "/agents/pause", body={**_WHO, "reason": "reason"}, done="Paused {count}."))
@_ONE_PERSONA
@click.option("--reason", type=REASON, default="", help="Reason; shown with the pause.")
@pass_door
def pause_all(door: Door, /, *, persona_id: str | None, reason: str) -> None:
    """Pause every running agent."""
    door.say(f"Paused {_everyone(door, BulkAction.PAUSE, persona_id, reason)}.")


@_command("resume-all", remote=Call("POST", "/agents/resume", body=_WHO, done="Resumed {count}."))
@_ONE_PERSONA
@pass_door
def resume_all(door: Door, /, *, persona_id: str | None) -> None:
    """Resume every paused agent."""
    door.say(f"Resumed {_everyone(door, BulkAction.RESUME, persona_id)}.")


@_command(
    "stop-all", remote=Call("POST", "/agents/stop", body=_WHO, done="Stopped {count}.", asks="Stop all these agents?")
)
@_ONE_PERSONA
@yes_option
@pass_door
def stop_all(door: Door, /, *, persona_id: str | None, yes: bool) -> None:
    """Stop every agent that is not idle and cancel their jobs that have not started."""
    whom = f"every agent of persona {persona_id}" if persona_id else "every agent of the fleet"
    door.confirm(f"Stop {whom}?", yes=yes)
    door.say(f"Stopped {_everyone(door, BulkAction.STOP, persona_id)}.")


def _everyone(door: Door, action: BulkAction, persona_id: str | None, reason: str = "") -> str:
    number = bulk.act_on_all(door.deps, action, persona_id=persona_id, by=door.by, reason=reason)
    return f"{number} agent{'' if number == 1 else 's'}"
