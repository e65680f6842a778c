"""`fleet accounts`: credentials come by a hidden prompt or standard input and are never shown."""

from __future__ import annotations

import sys
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import REASON, TextType, json_option, yes_option
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.core.errors import FleetError

_MOST_BYTES = 65_536
_STYLES = {"active": "green", "stopped": "yellow", "lost": "bold red"}
_name = click.argument("name", type=TextType(60))
_agents = click.argument("agents", nargs=-1, required=True, type=TextType(60))
_limit = click.option(
    "--writes-per-minute", type=click.IntRange(0, 1_000_000), help="Most writes per minute of all agents; 0: no limit."
)


@click.group(cls=FleetGroup)
def accounts() -> None:
    """Manage accounts at outside systems: addresses, credentials and limits.

    The account of FLEET_GALLERY_URL and FLEET_SERVICE_TOKEN is there from the beginning. A refused token stops its
    account and no other.
    """


@accounts.command(
    "list", remote=Call("GET", "/accounts", columns=("name", "adapter", "address", "agents", "state", "reason"))
)
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the accounts with their health."""
    from fleet.features.accounts import queries

    found = queries.listed(door.deps)
    if as_json:
        door.json({"items": [_data(one) for one in found]})
        return
    now = clock.now()
    table = render.table("Account", "System", "Address", "Agents", "State", "Last write", "")
    for one in found:
        sent = render.when(one.last_write_at, now) if one.last_write_at else "never"
        render.row(table, one.name, one.adapter, one.address, one.agents,
                   render.words(one.state, _STYLES[one.state]), sent, render.clip(one.reason, 120))  # fmt: skip
    door.show(table)


@accounts.command(remote=Call("GET", "/accounts/{name}"))
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show an account and the agents that act through it."""
    from fleet.features.accounts import queries

    found = queries.get(door.deps, name)
    users = queries.agents_of(door.deps, found.id)
    if as_json:
        door.json(_data(found) | {"usernames": users})
        return
    now = clock.now()
    limits = ", ".join(f"{value} {limit.replace('_', ' ')}" for limit, value in found.limits.items())
    trouble = f"{found.failures} in 10 min: {render.clip(found.last_error, 120)}" if found.failures else "none"
    door.show(render.facts([
        ("Name", found.name), ("System", found.adapter), ("Address", found.address or "not set"),
        ("State", found.state if not found.reason else f"{found.state}: {found.reason}"),
        ("Credentials", ("set" if found.has_credentials else "none") + (", from settings" * found.is_from_settings)),
        ("Limits", limits or "those of the settings"), ("Failed attempts", trouble),
        ("Last write", render.when(found.last_write_at, now) if found.last_write_at else "never"),
        ("Agents", ", ".join(users) or "none"),
    ]))  # fmt: skip


@accounts.command()
@_name
@click.option("--adapter", type=TextType(40), default="floimg", show_default=True, help="Kind of system.")
@click.option("--address", type=TextType(500), required=True, help="Where it is, e.g. https://gallery.example.org.")
@_limit
@pass_door
def add(door: Door, /, *, name: str, adapter: str, address: str, writes_per_minute: int | None) -> None:
    """Create an account. Asks for the credentials, or reads them from standard input."""
    from fleet.accounts.service import NewAccount
    from fleet.adapters import registry as adapters
    from fleet.features.accounts import commands

    what = adapters.get(adapter).credentials
    limits = {} if writes_per_minute is None else {"writes_per_minute": writes_per_minute}
    commands.add(door.deps, NewAccount(name, adapter, address, _credentials(door, what), limits), by=door.by)
    door.say(f"The account {name} is created. `fleet accounts assign {name} AGENT` lets an agent act through it.")
    _note_host(door, name)


@accounts.command("set-token")
@_name
@pass_door
def set_token(door: Door, /, *, name: str) -> None:
    """Replace the credentials of an account; resume it if the old ones were refused."""
    from fleet.features.accounts import commands, queries

    queries.get(door.deps, name)
    resumed = commands.change(door.deps, name, by=door.by, credentials=_credentials(door, "credentials"))
    door.say(f"{name} has new credentials{', and is resumed' if resumed else ''}.")


@accounts.command()
@_name
@click.option("--address", type=TextType(500), help="Where it is.")
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
    from fleet.features.accounts import commands

    if no_limits and writes_per_minute is not None:
        raise click.UsageError("--no-limits and --writes-per-minute exclude each other.")
    limits = {"writes_per_minute": writes_per_minute} if writes_per_minute is not None else {} if no_limits else None
    given = _credentials(door, "credentials") if credentials else None
    commands.change(door.deps, name, by=door.by, address=address, credentials=given, limits=limits)
    door.say(f"{name} is changed.")
    if address is not None:
        _note_host(door, name)


@accounts.command(
    remote=Call(
        "POST", "/accounts/{name}/stop", body=lambda options: {"reason": options.get("reason") or ""},
        done="{name} is stopped.", already="{name} was stopped already.",
    )
)  # fmt: skip
@_name
@click.option("--reason", type=REASON, default="", help="Reason; shown with the account.")
@pass_door
def stop(door: Door, /, *, name: str, reason: str) -> None:
    """Stop an account: its jobs wait; other accounts continue."""
    from fleet.features.accounts import commands

    stopped = commands.stop(door.deps, name, by=door.by, reason=reason)
    door.say(f"{name} is stopped." if stopped else f"{name} was stopped already.")


@accounts.command(
    remote=Call("POST", "/accounts/{name}/resume", done="{name} is resumed.", already="{name} was not stopped.")
)
@_name
@pass_door
def resume(door: Door, /, *, name: str) -> None:
    """Resume an account and its waiting jobs."""
    from fleet.features.accounts import commands

    resumed = commands.resume(door.deps, name, by=door.by)
    door.say(f"{name} is resumed." if resumed else f"{name} was not stopped.")


@accounts.command()
@_name
@yes_option
@pass_door
def remove(door: Door, /, *, name: str, yes: bool) -> None:
    """Delete an account that no agent uses, and its credentials (asks)."""
    from fleet.features.accounts import commands, queries

    queries.get(door.deps, name)
    door.confirm(f"Forget the account {name} and its credentials?", yes=yes)
    commands.remove(door.deps, name, by=door.by)
    door.say(f"{name} is removed.")


@accounts.command()
@_name
@_agents
@pass_door
def assign(door: Door, /, *, name: str, agents: tuple[str, ...]) -> None:
    """Assign AGENTS to an account; an agent's accounts take turns."""
    from fleet.features.accounts import commands

    for agent in agents:
        assigned = commands.assign(door.deps, name, agent, by=door.by)
        door.say(f"{agent} acts through {name}." if assigned else f"{agent} acted through {name} already.")


@accounts.command()
@_name
@_agents
@pass_door
def unassign(door: Door, /, *, name: str, agents: tuple[str, ...]) -> None:
    """Remove AGENTS from an account, and from its system."""
    from fleet.features.accounts import commands

    for agent in agents:
        left = commands.unassign(door.deps, name, agent, by=door.by)
        door.say(f"{agent} acts no more through {name}." if left else f"{agent} did not act through {name}.")


def _credentials(door: Door, what: str) -> str:
    """Return what a person types unseen, or all of standard input."""
    if is_terminal(sys.stdin):
        return str(click.prompt(what[:1].upper() + what[1:], hide_input=True, err=True))
    return door.piped(_MOST_BYTES + 1)


def _note_host(door: Door, name: str) -> None:
    from fleet.features.accounts import commands

    try:
        is_allowed = commands.is_allowed(door.deps, name)
    except FleetError:
        return  # the list says what is wrong with it
    if not is_allowed:
        door.note("Its host is not among FLEET_ALLOWED_HOSTS: add it there if its owner agrees to automated accounts.")


def _data(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in type(one).__slots__}
