"""`fleet reconcile`: comparisons and discrepancies over the API, and the calibration of confidences."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options

_TYPES = ("missing_local", "missing_remote", "data_mismatch", "inventory_drift", "price_drift",
          "deleted_there", "changed_text", "foreign_post", "outcome_found")  # fmt: skip
_SEVERITIES = ("low", "medium", "high", "critical")
_COUNTS = ("read", "found", "new", "settled", "fixed", "proposed", "matched", "missed", "unread", "waiting")
_TONES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}
_EVERY_S = 1.0
_store = click.option("--store", type=TextType(60), default="", help="Only of this store.")
_type = click.option("--type", "kind", type=click.Choice(_TYPES), help="Only of this type.")
_severity = click.option("--severity", type=click.Choice(_SEVERITIES), help="Only of this severity.")
_ids = click.argument("ids", metavar="[ID]...", type=click.UUID, nargs=-1)
_all = click.option("--all", "all_", is_flag=True, help="All that --store, --type and --severity name.")
_yes = click.option("--yes", is_flag=True, help="With --all: do not ask.")


@click.group(cls=FleetGroup)
def reconcile() -> None:
    """Compare stores and posts with what Fleet knows, and fix what differs."""


@reconcile.command()
@click.argument("store", type=TextType(60))
@click.option("--wait", is_flag=True, help="Show the progress until it ends.")
@json_option
@pass_door
def run(door: Door, /, *, store: str, wait: bool, as_json: bool) -> None:
    """Compare a store, or the posts of an account, as soon as possible."""
    one = door.api.post("/reconciliations", {"store": store})
    while wait and one["state"] == "running":
        time.sleep(_EVERY_S)
        one = door.api.get(at("reconciliations", one["id"]))
    if as_json:
        door.json(one)
        return
    door.say(f"{one['state']}: {_counted(one)}" if wait else f"The comparison of {store} begins in seconds.")


def _counted(one: Answer) -> str:
    return ", ".join(f"{one['counts'][name]} {name}" for name in _COUNTS if one["counts"].get(name)) or "nothing yet"


@reconcile.command()
@_store
@list_options()
@json_option
@pass_door
def runs(door: Door, /, *, store: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List comparisons, newest first."""
    found = door.api.list("/reconciliations", limit=limit, cursor=cursor, store=store or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Store", "State", "Why", "Did", "Began")
    for one in found.items:
        render.row(table, one["id"], one["store"], render.status(one["state"]),
                   render.clip(one["problem"] or one["reason"], 60), _counted(one),
                   render.when(one["started_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "comparisons"))


@reconcile.command()
@click.argument("run_id", metavar="ID", type=click.UUID)
@pass_door
def cancel(door: Door, /, *, run_id: object) -> None:
    """End a comparison; its findings stay."""
    done = door.api.post(at("reconciliations", str(run_id), "cancel"), {})["changed"]
    door.say("The comparison is cancelled." if done else "It has ended already.")


@reconcile.command("list")
@_store
@_type
@_severity
@click.option("--state", type=TextType(20), default="todo", help="todo, fixed, undone, dismissed ...")
@list_options()
@json_option
@pass_door
def list_discrepancies(
    door: Door, /, *, store: str, kind: str | None, severity: str | None, state: str, limit: int, cursor: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List discrepancies with both values, most severe first."""
    found = door.api.list("/discrepancies", limit=limit, cursor=cursor, store=store or None, type=kind,
                          severity=severity, state=state)  # fmt: skip
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Severity", "Account", "About", "Field", "Here", "There", "Action", "State")
    for one in found.items:
        render.row(
            table, one["id"], render.words(one["severity"], _TONES[one["severity"]]), one["store"],
            render.clip(one["about"], 40), one["field"] or one["type"], render.clip(_words(one["local"]), 30),
            render.clip(_words(one["remote"]), 30), f"{one['action']} {one['confidence']:.0%}", one["state"],
        )  # fmt: skip
    door.show(table)
    door.note(render.below(found, "discrepancies"))


def _words(value: object) -> str:
    if isinstance(value, dict) and {"minor", "currency"} <= set(value):
        return f"{value['minor']} minor {value['currency']}"
    return "none" if value is None else str(value)


@reconcile.command()
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@json_option
@pass_door
def show(door: Door, /, *, discrepancy_id: object, as_json: bool) -> None:
    """Show one discrepancy with both values."""
    one = door.api.get(at("discrepancies", str(discrepancy_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("About", one["about"]), ("Account", one["store"]), ("Type", f"{one['type']}, {one['severity']}"),
        ("Field", one["field"] or "the whole"), ("Here", _words(one["local"])),
        ("There", _words(one["remote"])), ("Agreed before", _words(one["base"])),
        *((name, _words(value)) for name, value in one["peers"].items()),
        ("Changed", f"{one['moved']}, {one['context']}"),
        ("Suggested", f"{one['action']}, {one['confidence']:.0%} sure"),
        ("State", one["state"]), ("Problem", one["problem"] or "none"), ("Found", render.when(one["found_at"])),
    ]))  # fmt: skip


@reconcile.command()
@_ids
@click.option(
    "--take",
    type=click.Choice(("push", "pull", "accept")),
    help="Whose value: push the catalogue's, pull the store's; accept a post as its network shows it.",
)
@_all
@_store
@_type
@_severity
@_yes
@json_option
@pass_door
def fix(
    door: Door, /, *, ids: tuple[object, ...], take: str | None, all_: bool, store: str, kind: str | None,
    severity: str | None, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Fix discrepancies, as suggested or by --take. A value that changed since is left alone."""
    body = _chosen(ids, all_=all_, store=store, kind=kind, severity=severity, state="todo")
    _decide(door, "fix", {**body, "action": take}, yes=yes, as_json=as_json)


@reconcile.command()
@_ids
@_all
@_store
@_type
@_severity
@_yes
@json_option
@pass_door
def undo(
    door: Door, /, *, ids: tuple[object, ...], all_: bool, store: str, kind: str | None, severity: str | None,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Undo fixes: the old value is written back, if the fix's value is still there."""
    body = _chosen(ids, all_=all_, store=store, kind=kind, severity=severity, state="fixed")
    _decide(door, "undo", body, yes=yes, as_json=as_json)


@reconcile.command()
@_ids
@_all
@_store
@_type
@_severity
@_yes
@json_option
@pass_door
def dismiss(
    door: Door, /, *, ids: tuple[object, ...], all_: bool, store: str, kind: str | None, severity: str | None,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Leave discrepancies as they are, until a value changes."""
    body = _chosen(ids, all_=all_, store=store, kind=kind, severity=severity, state="todo")
    _decide(door, "dismiss", body, yes=yes, as_json=as_json)


def _chosen(
    ids: tuple[object, ...], *, all_: bool, store: str, kind: str | None, severity: str | None, state: str
) -> Answer:  # fmt: skip
    return {"ids": [str(one) for one in ids], "all": all_, "store": store, "type": kind or "",
            "severity": severity or "", "state": state}  # fmt: skip


def _decide(door: Door, verb: str, body: Answer, *, yes: bool, as_json: bool) -> None:
    """Ask with the number first, then carry it out."""
    if body["all"] and not body["ids"] and not yes:
        found = door.api.list("/discrepancies", limit=1000, cursor=None, store=body["store"] or None,
                              type=body["type"] or None, severity=body["severity"] or None,
                              state=body["state"])  # fmt: skip
        number = len(found.items)
        click.confirm(f"{verb} {render.counted(number, 'discrepancy', 'discrepancies')}?", abort=True)
        body = {**body, "counted": number}
    done = door.api.post(at("discrepancies", verb), body)
    if as_json:
        door.json(done)
        return
    ended = {"fix": "being fixed", "undo": "being undone", "dismiss": "dismissed"}[verb]
    door.say(f"{done['changed']} {ended}.")
    for problem in done["problems"][:20]:
        door.say(problem)


@reconcile.command()
@_store
@json_option
@pass_door
def history(door: Door, /, *, store: str, as_json: bool) -> None:
    """Show what the newest comparisons found, by severity, and what became of fixes."""
    found = door.api.get("/reconciliations/history", store=store or None)
    if as_json:
        door.json(found)
        return
    right = {"justify": "right"}
    table = render.table("Ended", "Store", *((one.capitalize(), right) for one in _SEVERITIES), ("Fixed", right))
    for one in found["items"]:
        counts = [sum(number for name, number in one["tallies"].items() if name.endswith(f":{severity}"))
                  for severity in _SEVERITIES]  # fmt: skip
        render.row(table, render.when(one["ended_at"]), one["store"], *map(str, counts),
                   str(one["counts"].get("fixed", 0)))  # fmt: skip
    door.show(table)
    fixes = render.table("Type", ("Fixed", right), ("Undone", right), ("Dismissed", right))
    for one in found["outcomes"]:
        render.row(fixes, one["type"], str(one["fixed"]), str(one["undone"]), str(one["dismissed"]))
    door.show(fixes)


@reconcile.command()
@click.option("--seed", type=int, help="Another seed than that of the table in use.")
@click.option("--write", is_flag=True, help="Write the table of this version's source.")
@json_option
@pass_door
def calibrate(door: Door, /, *, seed: int | None, write: bool, as_json: bool) -> None:
    """Measure how often suggestions are right on planted differences. Needs no running fleet."""
    from fleet.features.reconciliation.confidence import calibration

    done = calibration.calibrate(seed=calibration.SEED if seed is None else seed)
    if write:
        Path(calibration.__file__).with_name("table.py").write_text(calibration.table_source(done), "utf-8")
    rows = [{"type": one.key[0], "moved": one.key[1], "context": one.key[2], "cases": one.cases,
             "confidence": one.confidence, "held_out": one.held_out, "right": round(one.right, 3)}
            for one in done.rows]  # fmt: skip
    if as_json:
        door.json({"rows": rows, "brier": round(done.brier, 4), "brier_of_mean": round(done.brier_of_mean, 4)})
        return
    right = {"justify": "right"}
    table = render.table(
        "Type", "Moved", "Context", ("Cases", right), ("Confidence", right), ("Right of others", right)
    )
    for one in rows:
        render.row(table, one["type"], one["moved"], one["context"], str(one["cases"]), f"{one['confidence']:.3f}",
                   f"{one['right']:.3f}")  # fmt: skip
    door.show(table)
    door.say(f"Brier score on other cases: {done.brier:.4f}; with one confidence for all: {done.brier_of_mean:.4f}.")
