"""`fleet adapters`: what each system can do, limits as they are used now, health, and switches of operations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, is_terminal, pass_door
from fleet.cli.frame.options import TextType, json_option

if TYPE_CHECKING:
    from rich.table import Table

_name = click.argument("name", type=TextType(60))
_account = click.argument("account", type=TextType(60))
_operation = click.argument("operation", type=TextType(60))
_adapter = click.option("--adapter", type=TextType(60), default="", help="Only of this adapter.")


@click.group(cls=FleetGroup)
def adapters() -> None:
    """Show the adapters to outside systems: capabilities, limits and health."""


@adapters.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List the adapters and what their systems can do."""
    found = door.api.get("/adapters")
    if as_json:
        door.json(found)
        return
    shops = [one for one in found["items"] if any(each["name"] == "products" for each in one["operations"])]
    networks = [one for one in found["items"] if one not in shops]
    door.show(_matrix("Network", networks), "", _matrix("Shop", shops))
    door.note("* by a workaround: fleet adapters show NAME says how")


def _matrix(title: str, found: list[Answer]) -> Table:
    """Return what some systems can do: a row an operation, a column a system."""
    table = render.table(title, *(one["name"] for one in found))
    known = [{operation["name"]: operation for operation in one["operations"]} for one in found]
    for name in dict.fromkeys(name for one in known for name in one):
        render.row(table, name, *(_mark(one.get(name)) for one in known))
    return table


def _mark(one: Answer | None) -> str:
    capability = _capability(one)
    return "yes*" if capability == "workaround" else capability


def _capability(one: Answer | None) -> str:
    if one is None or one["capability"] == "unsupported":
        return "–"
    if not one["is_on"]:
        return "off"
    if one["needs_consent"]:
        return "consent"
    return "workaround" if one["capability"] == "workaround" else "yes"


@adapters.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show an adapter: operations with their rules, limits and accounts."""
    found = door.api.get(at("adapters", name))
    if as_json:
        door.json(found)
        return
    accounts = ", ".join(f"{one['name']} ({_state(one)})" for one in found["accounts"])
    limits = "; ".join(f"{one['name']}: {one['most']:,} in {one['window_s']:,.0f} s" for one in found["limits"])
    door.show(render.facts([
        ("Name", found["name"]), ("System", found["help"]), ("Credentials", found["credentials"]),
        ("Label of accounts", found["account_label"] or "none"), ("Label of posts", found["post_label"] or "none"),
        ("Limits", limits or "none"), ("Accounts", accounts or "none"),
    ]))  # fmt: skip
    table = render.table("Operation", "Possible", "Note and rule")
    for one in found["operations"]:
        render.row(table, one["name"], _capability(one), " ".join(filter(None, (one["note"], one["rule"]))))
    door.show(table)


def _state(one: Answer) -> str:
    if one["stopped"]:
        return "stopped"
    return "not checked" if one["is_ok"] is None else "works" if one["is_ok"] else "failed"


@adapters.command()
@_adapter
@json_option
@pass_door
def limits(door: Door, /, *, adapter: str, as_json: bool) -> None:
    """Show what is used of limits now, the fullest first."""
    found = door.api.get("/adapters/limits", adapter=adapter)
    if as_json:
        door.json(found)
        return
    table = render.table("System", "Limit", "Account", ("Used", {"justify": "right"}), "Window", "Room", "Waiting")
    for one in found["items"]:
        used: Any = f"{one['used']:,} of {one['most']:,}"
        render.row(table, one["adapter"], one["name"], one["account"] or "shared",
                   render.words(used, "yellow" if one["is_near"] else ""), f"{one['window_s']:,.0f} s",
                   render.when(one["room_at"]) if one["room_at"] else "now", one["waiting"])  # fmt: skip
    door.show(table)


@adapters.command()
@_adapter
@click.option("--account", type=TextType(60), default="", help="Only of this account.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many checks.")
@json_option
@pass_door
def health(door: Door, /, *, adapter: str, account: str, limit: int, as_json: bool) -> None:
    """Show the newest checks of accounts."""
    found = door.api.get("/adapters/checks", adapter=adapter, account=account, limit=limit)
    if as_json:
        door.json(found)
        return
    table = render.table("Time", "Account", "Result", ("Took", {"justify": "right"}), "Known there as", "")
    for one in found["items"]:
        result = render.words("works", "green") if one["is_ok"] else render.words("failed", "bold red")
        label = "not marked as automated" if one["is_labelled"] is False else ""
        render.row(table, render.when(one["at"]), one["account"], result, f"{one['took_ms']} ms", one["username"],
                   one["why"] or label)  # fmt: skip
    door.show(table)


@adapters.command()
@_account
@_operation
@click.option("--reason", type=TextType(300), required=True, help="Why the rule of the system allows it.")
@pass_door
def allow(door: Door, /, *, account: str, operation: str, reason: str) -> None:
    """Switch an operation that is off by the system's rules on for ACCOUNT."""
    path = at("adapters", "accounts", account, "operations", operation)
    changed = door.api.put(path, {"reason": reason})["changed"]
    door.say(f"{operation} is on for {account}." if changed else f"{operation} was on for {account} already.")


@adapters.command()
@_account
@_operation
@pass_door
def forbid(door: Door, /, *, account: str, operation: str) -> None:
    """Switch an operation off again for ACCOUNT."""
    changed = door.api.delete(at("adapters", "accounts", account, "operations", operation))["changed"]
    door.say(f"{operation} is off for {account}." if changed else f"{operation} was off for {account} already.")


@adapters.command()
@click.argument("name", type=TextType(60))
@json_option
@pass_door
def configuration(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show the sizes of limits, time limits and intervals of checks in force, and where each comes from."""
    found = door.api.get(at("adapters", name, "configuration"))
    if as_json:
        door.json(found)
        return
    table = render.table(
        "Account", "Value", ("In force", {"justify": "right"}), ("System", {"justify": "right"}), "Set for"
    )
    for one in found["items"]:
        account = one["account"] or "all without own values"
        for limit in one["limits"]:
            render.row(table, account, limit["name"], f"{limit['most']:,}", f"{limit['system']:,}", limit["source"])
        render.row(table, account, "time limit of calls", f"{one['timeout_s']:g} s", "", one["timeout_source"])
        render.row(table, account, "checked every", f"{one['check_s']:g} s", "", one["check_source"])
    door.show(table)


@adapters.command()
@click.argument("name", type=TextType(60))
@click.option("--account", type=TextType(60), default="", help="Only for this account.")
@click.option("--organisation", type=TextType(60), default="", help="For the accounts of this organisation.")
@click.option(
    "--limit", "sizes", multiple=True, metavar="NAME=UNITS", help="Size of a limit; NAME=default takes it back."
)
@click.option("--timeout", metavar="SECONDS", help="Time limit of calls; `default` takes it back.")
@click.option("--check-every", metavar="SECONDS", help="Seconds between checks; `default` takes it back.")
@click.option("--reason", type=TextType(300), required=True, help="Why; it is kept with the change.")
@pass_door
def configure(
    door: Door, /, *, name: str, account: str, organisation: str, sizes: tuple[str, ...], timeout: str | None,
    check_every: str | None, reason: str,
) -> None:  # fmt: skip
    """Set own sizes of limits, a time limit or an interval of checks of the adapter NAME, for all accounts or some."""
    body: dict[str, Any] = {"account": account, "organisation": organisation, "reason": reason}
    body["limits"] = {
        limit.strip(): _typed_value(size, "--limit") for limit, _, size in (one.rpartition("=") for one in sizes)
    }
    for option, key, written in (("--timeout", "timeout_s", timeout), ("--check-every", "check_s", check_every)):
        if written is not None:
            body[key] = _typed_value(written, option)
    changed = door.api.put(at("adapters", name, "configuration"), body)["changed"]
    door.say("It counts within seconds." if changed else "That is in force already.")


def _typed_value(written: str, option: str) -> float | int | None:
    written = written.strip()
    if written == "default":
        return None
    try:
        return int(written) if option == "--limit" else float(written)
    except ValueError:
        raise click.BadParameter(f"{written[:40]!r} is neither a number nor `default`.", param_hint=option) from None


@adapters.command("test")
@click.argument("package", type=TextType(200))
@click.option("--address", type=TextType(500), required=True, help="A real server of the system, for tests.")
@json_option
@pass_door
def test_(door: Door, /, *, package: str, address: str, as_json: bool) -> None:
    """Run the conformance suite on an adapter: its name, or PACKAGE with an ADAPTER in it.

    It writes on the server: use a test account. Asks for the credentials, or reads them from standard input. The exit
    code is 1 if a promise is broken.
    """
    from fleet.features.adapters.conformance import find, suite

    kind = find.adapter(package)
    typed = is_terminal(sys.stdin)
    credentials = str(click.prompt("Credentials", hide_input=True, err=True)) if typed else door.piped(65_537)
    results = []
    table = render.table("Promise", "Result", "")
    for one in suite.run(kind, address, credentials.strip()):
        results.append(one)
        style = {"passed": "green", "failed": "bold red"}.get(one.verdict, "dim")
        render.row(table, one.promise, render.words(str(one.verdict), style), one.why)
    failed = sum(one.verdict is suite.PromiseVerdict.FAILED for one in results)
    if as_json:
        door.json({"adapter": kind.name, "failed": failed, "items": [
            {"promise": one.promise, "result": str(one.verdict), "why": one.why} for one in results
        ]})  # fmt: skip
    else:
        door.show(table)
        door.say(f"{kind.name}: {render.counted(failed, 'promise')} broken." if failed else f"{kind.name} conforms.")
    if failed:
        raise SystemExit(1)
