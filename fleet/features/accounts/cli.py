"""`fleet accounts`: credentials come by a hidden prompt or standard input and are never shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import REASON, TextType, json_option, yes_option

_MOST_BYTES = 65_536
_STYLES = {"active": "green", "stopped": "yellow", "lost": "bold red"}
_name = click.argument("name", type=TextType(60))
_agents = click.argument("agents", nargs=-1, required=True, type=TextType(60))
_limit = click.option(
    "--writes-per-minute",
    type=click.IntRange(0, 1_000_000),
    help="Maximum writes per minute of all agents; 0: no limit.",
)


@click.group(cls=FleetGroup)
def accounts() -> None:
    """Manage accounts at outside systems: addresses, credentials and limits.

    The account of FLEET_GALLERY_URL and FLEET_SERVICE_TOKEN always exists. A refused token stops only its own
    account.
    """


@accounts.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the accounts with their health."""
    found = door.api.get("/accounts")
    if as_json:
        door.json(found)
        return
    table = render.table("Account", "System", "Address", "Agents", "State", "Last write", "")
    for one in found["items"]:
        render.row(table, one["name"], one["adapter"], one["address"], one["agents"],
                   render.words(one["state"], _STYLES[one["state"]]), _last_write(one),
                   render.clip(one["reason"] or one["attention"], 120))  # fmt: skip
    door.show(table)


@accounts.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show an account and the agents that act through it."""
    found = door.api.get(at("accounts", name))
    if as_json:
        door.json(found)
        return
    limits = ", ".join(f"{value} {limit.replace('_', ' ')}" for limit, value in found["limits"].items())
    failures, reason = found["failures"], found["reason"]
    trouble = f"{failures} in 10 min: {render.clip(found['last_error'], 120)}" if failures else "none"
    from_settings = ", from settings" if found["is_from_settings"] else ""
    door.show(render.facts([
        ("Name", found["name"]), ("System", found["adapter"]), ("Address", found["address"] or "not set"),
        ("State", f"{found['state']}: {reason}" if reason else found["state"]),
        ("Credentials", ("set" if found["has_credentials"] else "none") + from_settings + _age(found)),
        ("To do", found["attention"] or "nothing"),
        ("Limits", limits or "those of the settings"), ("Failed attempts", trouble),
        ("Last write", _last_write(found)), ("Agents", ", ".join(found["usernames"]) or "none"), *_hook(found["hook"]),
    ]))  # fmt: skip


def _hook(hook: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the rows about the webhook of an account's network."""
    if hook is None:
        return []
    last = f"{hook['deliveries']}, the last {render.when(hook['delivered_at'])}" if hook["delivered_at"] else "none yet"
    rows = [("Webhook", hook["url"]), ("Verify token", hook["verify_token"]), ("Deliveries", last)]
    return [one for one in [*rows, ("Webhook to do", hook["attention"])] if one[1]]


def _age(account: Mapping[str, Any]) -> str:
    told = f", {render.when(account['credentials_at'])}" if account["credentials_at"] else ""
    return told + (f", connected {render.when(account['connected_at'])}" if account["connected_at"] else "")


def _last_write(account: Mapping[str, Any]) -> str:
    return render.when(account["last_write_at"]) if account["last_write_at"] else "never"


@accounts.command()
@_name
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How many days.")
@json_option
@pass_door
def usage(door: Door, /, *, name: str, days: int, as_json: bool) -> None:
    """Show the calls through an account by day, credential and operation, with what they cost."""
    found = door.api.get(at("accounts", name, "usage"), days=days)
    if as_json:
        door.json(found)
        return
    table = render.table("Day", "Credential", "Operation", "Calls", "Refused", "Units", "Cost")
    for one in found["items"]:
        cost = f"${one['microusd'] / 1_000_000:.3f}" if one["microusd"] else ""
        render.row(table, one["day"], f"version {one['version']}", one["operation"], one["calls"], one["refused"],
                   one["units"], cost)  # fmt: skip
    door.show(table)


@accounts.command()
@_name
@click.option(
    "--adapter",
    type=TextType(40),
    default="floimg",
    show_default=True,
    help="Adapter of the system (`fleet adapters list`).",
)
@click.option(
    "--address", type=TextType(500), required=True, help="Base URL of the system, e.g. https://gallery.example.org."
)
@_limit
@click.option("--organisation", type=TextType(60), help="Its organisation (`fleet organisations list`).")
@click.option("--connect-later", is_flag=True, help="Ask for no credentials: `fleet accounts connect` follows.")
@pass_door
def add(
    door: Door,
    /,
    *,
    name: str,
    adapter: str,
    address: str,
    writes_per_minute: int | None,
    organisation: str | None,
    connect_later: bool,
) -> None:
    """Create an account. Asks for the credentials, or reads them from standard input."""
    credentials = "" if connect_later else _credentials(door)
    body: dict[str, Any] = {"name": name, "adapter": adapter, "address": address, "credentials": credentials}
    if writes_per_minute is not None:
        body["limits"] = {"writes_per_minute": writes_per_minute}
    if organisation is not None:
        body["organisation"] = organisation
    made = door.api.post("/accounts", body)
    door.say(f"The account {name} is created. `fleet accounts assign {name} AGENT` lets an agent act through it.")
    _note_host(door, made)


@accounts.command()
@_name
@click.option("--paste", is_flag=True, help="Paste the code; for a terminal on another machine than the browser.")
@pass_door
def connect(door: Door, /, *, name: str, paste: bool) -> None:
    """Connect an account by the login of its system (OAuth 2), in a browser."""
    from fleet.features.accounts import callback

    with callback.listening() as listener:
        redirect = callback.OUT_OF_BAND if paste else listener.url
        begun = door.api.post(at("accounts", name, "login"), {"redirect_uri": redirect})
        door.say(f"Open this address, log in, and allow Fleet to use the account:\n{begun['url']}")
        if paste:
            code = str(click.prompt("Code", hide_input=True, err=True)).strip()
        else:
            if is_terminal(sys.stdin):
                click.launch(begun["url"])
            code = listener.code(begun["state"])
    door.api.post(at("accounts", name, "code"), {"state": begun["state"], "code": code})
    door.say(f"{name} is connected.")


@accounts.command("set-token")
@_name
@pass_door
def set_token(door: Door, /, *, name: str) -> None:
    """Replace the credentials of an account; resume it if the old ones were refused."""
    door.api.get(at("accounts", name))
    resumed = door.api.put(at("accounts", name, "credentials"), {"credentials": _credentials(door)})["resumed"]
    door.say(f"{name} has new credentials{', and is resumed' if resumed else ''}.")


@accounts.command()
@_name
@click.option("--address", type=TextType(500), help="Base URL of the system.")
@click.option(
    "--credentials", is_flag=True, help="Also ask for new credentials; an address at another host needs them."
)
@_limit
@click.option("--no-limits", is_flag=True, help="Use the limits of the settings.")
@pass_door
def change(
    door: Door, /, *, name: str, address: str | None, credentials: bool, writes_per_minute: int | None, no_limits: bool
) -> None:
    """Change the address or the limits of an account."""
    if no_limits and writes_per_minute is not None:
        raise click.UsageError("--no-limits and --writes-per-minute exclude each other.")
    body: dict[str, Any] = {} if address is None else {"address": address}
    if no_limits or writes_per_minute is not None:
        body["limits"] = {"writes_per_minute": writes_per_minute}
    if credentials:
        body["credentials"] = _credentials(door)
    changed = door.api.patch(at("accounts", name), body)
    door.say(f"{name} is changed.")
    if address is not None:
        _note_host(door, changed)


@accounts.command()
@_name
@click.option("--reason", type=REASON, default="", help="Reason; shown with the account.")
@pass_door
def stop(door: Door, /, *, name: str, reason: str) -> None:
    """Stop an account: its jobs wait; other accounts continue."""
    stopped = door.api.post(at("accounts", name, "stop"), {"reason": reason})["changed"]
    door.say(f"{name} is stopped." if stopped else f"{name} was stopped already.")


@accounts.command()
@_name
@pass_door
def resume(door: Door, /, *, name: str) -> None:
    """Resume an account and its waiting jobs."""
    resumed = door.api.post(at("accounts", name, "resume"))["changed"]
    door.say(f"{name} is resumed." if resumed else f"{name} was not stopped.")


@accounts.command()
@_name
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete an account that no agent uses, and its credentials (asks)."""
    door.api.get(at("accounts", name))
    door.confirm(f"Remove the account {name} and its credentials?", yes=yes)
    door.api.delete(at("accounts", name))
    door.say(f"{name} is removed.")


@accounts.command()
@_name
@_agents
@pass_door
def assign(door: Door, /, *, name: str, agents: tuple[str, ...]) -> None:
    """Assign AGENTS to an account; an agent's accounts take turns."""
    for agent in agents:
        assigned = door.api.put(at("accounts", name, "agents", agent))["changed"]
        door.say(f"{agent} acts through {name}." if assigned else f"{agent} acted through {name} already.")


@accounts.command()
@_name
@_agents
@pass_door
def unassign(door: Door, /, *, name: str, agents: tuple[str, ...]) -> None:
    """Remove AGENTS from an account, and from its system."""
    for agent in agents:
        left = door.api.delete(at("accounts", name, "agents", agent))["changed"]
        door.say(f"{agent} acts no more through {name}." if left else f"{agent} did not act through {name}.")


def _credentials(door: Door) -> str:
    """Return what a person types unseen, or all of standard input."""
    if is_terminal(sys.stdin):
        return str(click.prompt("Credentials", hide_input=True, err=True))
    return door.piped(_MOST_BYTES + 1)


def _note_host(door: Door, account: Mapping[str, Any]) -> None:
    if account["is_allowed_host"] is False:
        door.note("Its host is not among FLEET_ALLOWED_HOSTS: add it there if its owner agrees to automated accounts.")
