"""`fleet settings`: values in force, where they come from, and changes that every process reads within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, REASON, TextType, json_option
from fleet.core.errors import InvalidInput
from fleet.features.settings.value_text import shown

_LONGEST_VALUE = 8_000
_name = click.argument("name", type=TextType(100))
_why = click.option("--why", type=REASON, default="", help="Reason; shown with the setting.")
F = TypeVar("F", bound=Callable[..., Any])


def _for_whom(command: F) -> F:
    """Add the options that say for whom a setting is; without one it is the fleet's."""
    for option in (
        click.option("--organisation", type=TextType(60), help="For all agents of one organisation."),
        click.option("--persona", type=PERSONA, help="For all agents of one persona."),
        click.option("--account", type=TextType(60), help="For all agents of one account."),
        click.option("--agent", type=AGENT, help="For one agent."),
    ):
        command = option(command)
    return command


@click.group(cls=FleetGroup)
def settings() -> None:
    """Show settings, and change those that can change while the fleet runs.

    The value of an agent takes precedence over that of its account, then its persona, its organisation, the fleet
    and the environment.
    """


@settings.command("list")
@_for_whom
@click.option("--search", type=TextType(100), default="", help="Only settings whose name or description has this text.")
@click.option("--changed", is_flag=True, help="Only settings that do not have their default.")
@json_option
@pass_door
def list_(door: Door, /, *, search: str, changed: bool, as_json: bool, **whom: str | None) -> None:
    """List settings with the layer of each value."""
    found = door.api.get("/settings", **whom)
    word = search.lower()
    items = [
        one for one in found["items"]
        if (word in one["name"] or word in one["description"].lower() or word in one["variable"].lower())
        and not (changed and one["source"] == "default")
    ]  # fmt: skip
    if as_json:
        door.json({"items": items})
        return
    table = render.table("Setting", "Value", "Layer", "Settable", "Set by")
    for one in items:
        render.row(table, one["name"], _shown(one["name"], one["value"]), one["source"], _settable(one), _set_by(one))
    door.show(table)


@settings.command()
@_name
@_for_whom
@json_option
@pass_door
def get(door: Door, /, *, name: str, as_json: bool, **whom: str | None) -> None:
    """Show a setting with all its layers and its latest changes."""
    found = door.api.get(at("settings", name), **whom)
    if as_json:
        door.json(found)
        return
    door.show(render.facts([
        ("Setting", found["name"]), ("Variable", found["variable"]), ("Value", _shown(found["name"], found["value"])),
        ("Layer", found["source"]), ("Settable", _settable(found)), ("About", found["description"]),
    ]))  # fmt: skip
    table = render.table("", "Layer", "Value", "Set by", "When", "Why")
    for one in found["layers"]:
        layer = f"{one['source']} {one['whose']}".rstrip()
        when = render.when(one["set_at"]) if one["set_at"] else ""
        render.row(table, "●" if one["is_in_force"] else "", layer, _shown(found["name"], one["value"]),
                   one["set_by"] or "", when, one["reason"])  # fmt: skip
    door.show(table)


@settings.command("set")
@_name
@click.argument("value", type=TextType(_LONGEST_VALUE), required=False)
@_for_whom
@_why
@pass_door
def set_(door: Door, /, *, name: str, value: str | None, why: str, **whom: str | None) -> None:
    """Set NAME to VALUE, written as in its variable.

    Without VALUE it is read from standard input, as secrets should be.
    """
    if value is None:
        value = door.piped(_LONGEST_VALUE + 1).strip()
        if not value:
            raise InvalidInput("There is no value.", fix="`fleet settings unset NAME` removes what is set.")
    body = {"value": value, "reason": why, **{scope: one or "" for scope, one in whom.items()}}
    found = door.api.put(at("settings", name), body)
    door.say(f"{found['name']} is {_shown(found['name'], found['value'])}{_whose(whom)}.")


@settings.command()
@_name
@_for_whom
@_why
@pass_door
def unset(door: Door, /, *, name: str, why: str, **whom: str | None) -> None:
    """Remove the value of NAME in one layer; the layer below applies again."""
    wanted: dict[str, Any] = {"reason": why, **whom}
    found = door.api.delete(at("settings", name), **wanted)
    value = _shown(found["name"], found["value"])
    door.say(f"{found['name']} is {value}{_whose(whom)}, from the layer {found['source']}.")


def agent_rows(agent: Answer) -> list[tuple[str, object]]:
    """Return the rows of `fleet agents show` about the settings of the agent alone."""
    own = (agent.get("settings") or {}).get("items", ())
    return [(f"Own {one['name']}", f"{_shown(one['name'], one['value'])} ({_set_by(one)})") for one in own]


def _whose(whom: Mapping[str, str | None]) -> str:
    return "".join(f" for {'' if scope == 'agent' else f'the {scope} '}{name}" for scope, name in whom.items() if name)


def _shown(name: str, value: Any) -> str:
    return shown(name, value) or "not set"


def _settable(one: Answer) -> str:
    return "pinned" if one["is_pinned"] else ", ".join(one["scopes"]) or "at the start"


def _set_by(one: Answer) -> str:
    return f"{one['set_by']}, {render.when(one['set_at'])}" if one["set_at"] else ""
