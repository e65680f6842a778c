"""`fleet stores`: stores, syncs and conflicts over the API."""

from __future__ import annotations

import time

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import REASON, TextType, json_option, list_options

_name = click.argument("name", type=TextType(60))
_STRATEGIES = ("full", "incremental", "selective", "stock")
_DIRECTIONS = ("pull", "push", "both")
_HEALTH = {"good": "green", "late": "yellow", "failing": "bold red", "paused": "yellow", "new": "dim"}
_COUNTS = ("read", "created", "updated", "unchanged", "failed", "conflicts", "gone", "orders", "stock", "sent")
_EVERY_S = 1.0


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def stores(ctx: click.Context) -> None:
    """Keep shops in step with the catalogue; without a command, list the stores."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_stores)


@stores.command("list")
@json_option
@pass_door
def list_stores(door: Door, /, *, as_json: bool = False) -> None:
    """List stores with their health."""
    found = door.api.get("/stores")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.say("There are no stores yet. `fleet stores add ACCOUNT` makes one of an account at a shop.")
        return
    right = {"justify": "right"}
    table = render.table("Store", "Shop", "Health", "Synced", "Direction", ("Products", right), ("Conflicts", right),
                         ("Waiting", right), "Problem")  # fmt: skip
    for one in found["items"]:
        render.row(
            table, one["name"], one["adapter"], render.words(one["health"], _HEALTH.get(one["health"], "")),
            render.when(one["synced_at"]), one["direction"], str(one["products"]), str(one["conflicts"]),
            str(one["waiting"]), render.clip(one["why"] or one["problem"] or "–", 60),
        )  # fmt: skip
    door.show(table)


@stores.command()
@_name
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show one store with its newest sync and its last errors."""
    one = door.api.get(at("stores", name))
    if as_json:
        door.json(one)
        return
    run = one["run"]
    door.show(render.facts([
        ("Store", f"{one['name']}: {one['title']}"), ("Shop", f"{one['adapter']}, {one['currency']}"),
        ("Health", one["health"]), ("Problem", one["why"] or one["problem"] or "none"),
        ("Agent", f"{one['agent']} ({one['status']})"), ("Every", one["interval"]), ("Direction", one["direction"]),
        ("Synced", render.when(one["synced_at"])), ("Products", str(one["products"])),
        ("Conflicts", str(one["conflicts"])), ("Waiting writes", str(one["waiting"])),
        ("Newest sync", "none" if run is None else f"{run['strategy']}, {run['state']}: {_counted(run)}"),
    ]))  # fmt: skip
    for error in one["errors"]:
        door.say(f"{error['kind']} {error['state']}: {render.clip(error['why'], 160)}")


@stores.command()
@click.argument("account", type=TextType(60))
@json_option
@pass_door
def add(door: Door, /, *, account: str, as_json: bool) -> None:
    """Make a store of the ACCOUNT at a shop. Its first sync reads everything."""
    one = door.api.post("/stores", {"account": account})
    if as_json:
        door.json(one)
        return
    door.say(f"{one['name']} is the store {one['title']} ({one['currency']}) now. Its first sync begins in seconds.")
    door.note(
        f"It is only read until its direction is set: fleet settings set store_direction both --account {account}"
    )


@stores.command()
@_name
@click.option("--strategy", type=click.Choice(_STRATEGIES), help="What is read; by default what is due.")
@click.option("--direction", type=click.Choice(_DIRECTIONS), help="By default that of the store.")
@click.option("--wait", is_flag=True, help="Show the progress until the sync ends.")
@json_option
@pass_door
def sync(door: Door, /, *, name: str, strategy: str | None, direction: str | None, wait: bool, as_json: bool) -> None:
    """Sync a store as soon as possible."""
    before = door.api.get(at("stores", name))["run"]
    one = door.api.post(at("stores", name, "sync"), {"strategy": strategy, "direction": direction})
    if wait:
        one = _wait(door, name, before, quiet=as_json)
    if as_json:
        door.json(one)
    elif not wait:
        door.say(f"A sync of {name} begins in seconds. `fleet stores sync {name} --wait` shows the progress.")


def _wait(door: Door, name: str, before: Answer | None, *, quiet: bool) -> Answer:
    """Show the progress of the sync that follows one, until it ends; return it."""
    shown = ""
    while True:
        run: Answer | None = door.api.get(at("stores", name))["run"]
        if run is not None and (before is None or run["id"] != before["id"] or before["state"] == "running"):
            share = "" if run["progress"] is None else f" {run['progress']:.0%}"
            line = f"{run['step'] or 'begins'}{share}: {_counted(run)}"
            if line != shown and not quiet:
                door.say(line)
            shown = line
            if run["state"] != "running" and (before is None or run["id"] != before["id"]):
                if not quiet:
                    door.say(f"{run['state']}{': ' + run['problem'] if run['problem'] else ''}")
                return run
        time.sleep(_EVERY_S)


def _counted(run: Answer) -> str:
    return ", ".join(f"{run['counts'][name]} {name}" for name in _COUNTS if run["counts"][name]) or "nothing yet"


@stores.command()
@_name
@pass_door
def cancel(door: Door, /, *, name: str) -> None:
    """End the running sync of a store; what it stored stays."""
    done = door.api.post(at("stores", name, "cancel"), {})["changed"]
    door.say("The sync is cancelled." if done else "No sync is running.")


@stores.command()
@_name
@click.option("--reason", type=REASON, default="", help="Reason; shown until it ends.")
@pass_door
def pause(door: Door, /, *, name: str, reason: str) -> None:
    """Pause a store: nothing is read or written."""
    done = door.api.post(at("stores", name, "pause"), {"reason": reason})["changed"]
    door.say(f"{name} is paused." if done else f"{name} does not run.")


@stores.command()
@_name
@pass_door
def resume(door: Door, /, *, name: str) -> None:
    """Let a store go on."""
    done = door.api.post(at("stores", name, "resume"), {})["changed"]
    door.say(f"{name} goes on." if done else f"{name} runs already.")


@stores.command()
@_name
@pass_door
def remove(door: Door, /, *, name: str) -> None:
    """Forget a store; its account and the catalogue stay."""
    door.api.delete(at("stores", name))
    door.say(f"The store {name} is removed; its account and the catalogue stay.")


@stores.command()
@click.option("--store", type=TextType(60), default="", help="Only of this store.")
@click.option("--state", type=TextType(20), default="", help="running, done, failed or cancelled.")
@list_options()
@json_option
@pass_door
def runs(door: Door, /, *, store: str, state: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List syncs, newest first."""
    found = door.api.list("/sync-runs", limit=limit, cursor=cursor, store=store or None, state=state or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Store", "Strategy", "State", "Why", "Did", "Began")
    for one in found.items:
        render.row(
            table,
            one["id"],
            one["store"],
            one["strategy"],
            render.status(one["state"]),
            render.clip(one["problem"] or one["reason"], 60),
            _counted(one),
            render.when(one["started_at"]),
        )
    door.show(table)
    door.note(render.below(found, "syncs"))


@stores.command()
@click.argument("run_id", metavar="ID", type=click.UUID)
@json_option
@pass_door
def run(door: Door, /, *, run_id: object, as_json: bool) -> None:
    """Show one sync."""
    one = door.api.get(at("sync-runs", str(run_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Store", one["store"]), ("Strategy", f"{one['strategy']}, {one['direction']}"), ("State", one["state"]),
        ("Reason", one["reason"]), ("Problem", one["problem"] or "none"), ("Did", _counted(one)),
        ("Began", render.when(one["started_at"])), ("Ended", render.when(one["ended_at"])),
    ]))  # fmt: skip


@stores.command()
@click.option("--store", type=TextType(60), default="", help="Only of this store.")
@click.option("--field", type=TextType(40), default="", help="Only of this field, such as variant.price.")
@click.option("--state", type=TextType(20), default="open", help="open or settled.")
@list_options()
@json_option
@pass_door
def conflicts(
    door: Door, /, *, store: str, field: str, state: str, limit: int, cursor: str | None, as_json: bool
) -> None:  # fmt: skip
    """List what both sides changed, with both values."""
    found = door.api.list("/sync-conflicts", limit=limit, cursor=cursor, store=store or None, field=field or None,
                          state=state)  # fmt: skip
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Store", "About", "Field", "Catalogue", "Store's value", "State")
    for one in found.items:
        local, remote = (render.clip(_words(one[side]), 30) for side in ("local", "remote"))
        if one["candidates"]:
            local = render.clip(", ".join(f"{each['title']} ({each['id']})" for each in one["candidates"]), 90)
        render.row(table, one["id"], one["store"], render.clip(one["about"], 40), one["field"] or one["kind"], local,
                   remote, one["state"])  # fmt: skip
    door.show(table)
    door.note(render.below(found, "conflicts"))


def _words(value: object) -> str:
    if isinstance(value, dict) and {"minor", "currency"} <= set(value):
        return f"{value['minor']} minor {value['currency']}"
    return "none" if value is None else str(value)


@stores.command()
@click.argument("decision", type=TextType(40))
@click.argument("ids", metavar="[ID]...", type=click.UUID, nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All open conflicts of fields, or those of --store and --field.")
@click.option("--store", type=TextType(60), default="", help="With --all: only of this store.")
@click.option("--field", type=TextType(40), default="", help="With --all: only of this field.")
@json_option
@pass_door
def decide(
    door: Door, /, *, decision: str, ids: tuple[object, ...], all_: bool, store: str, field: str, as_json: bool
) -> None:  # fmt: skip
    """Decide conflicts: push (the catalogue wins), pull (the store wins), ignore, or the id of a candidate."""
    body = {"decision": decision, "ids": [str(one) for one in ids], "all": all_, "store": store, "field": field}
    done = door.api.post("/sync-conflicts/decide", body)
    if as_json:
        door.json(done)
        return
    door.say(f"{render.counted(done['decided'], 'conflict')} decided.")
    for problem in done["problems"][:20]:
        door.say(problem)
