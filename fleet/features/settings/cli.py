"""`fleet settings`: values in force, where they come from, and changes that every process reads within seconds."""

from __future__ import annotations

from typing import Any

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
_agent = click.option("--agent", type=AGENT, help="For one agent.")
_account = click.option("--account", type=TextType(60), help="For all agents of one account.")
_persona = click.option("--persona", type=PERSONA, help="For all agents of one persona.")
_why = click.option("--why", type=REASON, default="", help="Reason; shown with the setting.")


@click.group(cls=FleetGroup)
def settings() -> None:
    """Show settings, and change those that can change while the fleet runs.

    A setting of an agent wins over one of its account, then of its persona, of the fleet, and of the environment.
    """


@settings.command("list")
@_agent
@_account
@_persona
@click.option("--search", type=TextType(100), default="", help="Only settings whose name or description has this text.")
@click.option("--changed", is_flag=True, help="Only settings that do not have their default.")
@json_option
@pass_door
def list_(
    door: Door,
    /,
    *,
    agent: str | None,
    account: str | None,
    persona: str | None,
    search: str,
    changed: bool,
    as_json: bool,
) -> None:
    """List settings with the layer of each value."""
    found = door.api.get("/settings", agent=agent, account=account, persona=persona)
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
@_agent
@_account
@_persona
@json_option
@pass_door
def get(
    door: Door, /, *, name: str, agent: str | None, account: str | None, persona: str | None, as_json: bool
) -> None:
    """Show a setting with all its layers and its latest changes."""
    found = door.api.get(at("settings", name), agent=agent, account=account, persona=persona)
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
@_agent
@_account
@_persona
@_why
@pass_door
def set_(
    door: Door,
    /,
    *,
    name: str,
    value: str | None,
    agent: str | None,
    account: str | None,
    persona: str | None,
    why: str,
) -> None:
    """Set NAME to VALUE, written as in its variable.

    Without VALUE it is read from standard input, as secrets should be.
    """
    if value is None:
        value = door.piped(_LONGEST_VALUE + 1).strip()
        if not value:
            raise InvalidInput("There is no value.", fix="`fleet settings unset NAME` removes what is set.")
    body: dict[str, Any] = {"value": value, "reason": why, "agent": agent or "", "account": account or "",
                            "persona": persona or ""}  # fmt: skip
    found = door.api.put(at("settings", name), body)
    door.say(f"{found['name']} is {_shown(found['name'], found['value'])}{_whose(agent, account, persona)}.")


@settings.command()
@_name
@_agent
@_account
@_persona
@_why
@pass_door
def unset(door: Door, /, *, name: str, agent: str | None, account: str | None, persona: str | None, why: str) -> None:
    """Remove what is set for NAME, so that the layer below counts."""
    found = door.api.delete(at("settings", name), agent=agent, account=account, persona=persona, reason=why)
    value = _shown(found["name"], found["value"])
    door.say(f"{found['name']} is {value}{_whose(agent, account, persona)}, from the layer {found['source']}.")


def agent_rows(agent: Answer) -> list[tuple[str, object]]:
    """Return the rows of `fleet agents show` about the settings of the agent alone."""
    own = (agent.get("settings") or {}).get("items", ())
    return [(f"Own {one['name']}", f"{_shown(one['name'], one['value'])} ({_set_by(one)})") for one in own]


def _whose(agent: str | None, account: str | None, persona: str | None) -> str:
    if agent:
        return f" for {agent}"
    return f" for the account {account}" if account else f" for the persona {persona}" if persona else ""


def _shown(name: str, value: Any) -> str:
    return shown(name, value) or "not set"


def _settable(one: Answer) -> str:
    return "pinned" if one["is_pinned"] else ", ".join(one["scopes"]) or "at the start"


def _set_by(one: Answer) -> str:
    return f"{one['set_by']}, {render.when(one['set_at'])}" if one["set_at"] else ""
