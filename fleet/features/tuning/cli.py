"""`fleet tuning`: rows over the API, and the arithmetic of workers without a fleet."""

from __future__ import annotations

import math
import uuid
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options
from fleet.features.tuning.decisions import queueing
from fleet.features.tuning.decisions.queueing import QueueLoad

_RIGHT: dict[str, Any] = {"justify": "right"}
_STATES = ("open", "accepted", "applied", "dismissed", "expired", "overtaken", "undone")
_proposal = click.argument("proposal", type=click.UUID)


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def tuning(ctx: click.Context) -> None:
    """Propose settings from measured load, accept, dismiss and undo them; without a command, list open proposals."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_tuning)


@tuning.command()
@json_option
@pass_door
def run(door: Door, /, *, as_json: bool) -> None:
    """Look at the load now, evaluate earlier changes, and propose new ones."""
    made = door.api.post("/tuning/runs")
    if as_json:
        door.json(made)
        return
    door.say("The tuning agent looks at the load; `fleet tuning list` shows its proposals.")


@tuning.command("list")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True, help="State of the proposal.")
@list_options()
@json_option
@pass_door
def list_tuning(
    door: Door, /, *, state: str = "open", limit: int = 20, cursor: str | None = None, as_json: bool = False
) -> None:
    """List proposals of settings, newest first."""
    found = door.api.list("/tuning/proposals", limit=limit, cursor=cursor, state=state)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Setting", ("Now", _RIGHT), ("Proposed", _RIGHT), "Evidence", "Effect", "Id")
    for one in found.items:
        render.row(table, _named(one), str(one["before"]), str(one["after"]), render.clip(one["words"], 90),
                   (one["verdict"] or one["state"]).replace("_", " "), one["id"])  # fmt: skip
    door.show(table)
    door.note(render.below(found, "proposals"))


@tuning.command()
@_proposal
@json_option
@pass_door
def show(door: Door, /, *, proposal: uuid.UUID, as_json: bool) -> None:
    """Show a proposal with its evidence, the expected effect, and what came of it."""
    one = door.api.get(at("tuning", "proposals", str(proposal)))
    if as_json:
        door.json(one)
        return
    expected, result = one["expected"], one["result"]
    door.say(f"{_named(one)}: {one['before']} to {one['after']}, {one['state']}")
    door.say(one["words"])
    if one["command"]:
        door.say(f"For people to run: {one['command']}")
    door.say(f"Expected: {one['metric_words']} {expected['before']:.4g} to {expected['after']:.4g} "
             f"(95 %: {expected['low']:.4g} to {expected['high']:.4g})")  # fmt: skip
    for name, value in one["evidence"].items():
        door.say(f"  {name}: {value}")
    if result:
        door.say(f"Measured: {result['before']:.4g} to {result['after']:.4g} ({result['units_before']} and "
                 f"{result['units_after']} in {result['hours']:.3g} h each)")  # fmt: skip
    if one["verdict"]:
        door.say(f"The expected effect: {one['verdict'].replace('_', ' ')}")


@tuning.command()
@_proposal
@json_option
@pass_door
def accept(door: Door, /, *, proposal: uuid.UUID, as_json: bool) -> None:
    """Approve a proposal: its setting changes, or its command is for people to run."""
    _shown(door, door.api.post(at("tuning", "proposals", str(proposal), "accept")), as_json)


@tuning.command()
@_proposal
@click.option("--reason", type=TextType(300), default="not now", show_default=True, help="Why.")
@json_option
@pass_door
def dismiss(door: Door, /, *, proposal: uuid.UUID, reason: str, as_json: bool) -> None:
    """Reject a proposal. Its setting is left alone for a week."""
    _shown(door, door.api.post(at("tuning", "proposals", str(proposal), "dismiss"), {"reason": reason}), as_json)


@tuning.command()
@_proposal
@json_option
@pass_door
def undo(door: Door, /, *, proposal: uuid.UUID, as_json: bool) -> None:
    """Restore the value before an applied proposal."""
    _shown(door, door.api.post(at("tuning", "proposals", str(proposal), "undo")), as_json)


@tuning.command()
@json_option
@pass_door
def last(door: Door, /, *, as_json: bool) -> None:
    """Show the newest look at the load, and why what it looked at has no proposal."""
    found = door.api.get("/tuning/runs/newest")
    if as_json:
        door.json(found)
        return
    door.say(f"Settings that were looked at: {found['looked']}, new proposals: {found['proposals']}")
    for why, number in found["reasons"].items():
        door.say(f"  {why}" + (f" ({number} times)" if number > 1 else ""))


@tuning.command()
@click.option("--per-hour", type=click.FloatRange(0, 1e9), required=True, help="Jobs and ticks of the busiest hour.")
@click.option("--seconds", type=click.FloatRange(0, 86_400, min_open=True), required=True, help="Mean time of one.")
@click.option("--threads", type=click.IntRange(1, 500), default=16, show_default=True, help="Threads of a worker.")
@click.option("--goal", type=click.FloatRange(0, 86_400), default=30.0, show_default=True, help="Goal of the wait, s.")
@click.option("--variation", type=click.FloatRange(0, 1000), default=1.0, show_default=True,
              help="Squared coefficient of variation of times; 1 for exponential ones.")  # fmt: skip
@click.option("--most", type=click.IntRange(1, 1000), default=8, show_default=True, help="Most workers to show.")
@json_option
@pass_door
def workers(
    door: Door, /, *, per_hour: float, seconds: float, threads: int, goal: float, variation: float, most: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Estimate utilisation and waits by the number of workers, from figures of your own. Needs no fleet."""
    load = QueueLoad(rate=per_hour / 3600, service_s=seconds, service_scv=variation)
    rows = [_estimate(load, number, threads, goal) for number in range(1, most + 1)]
    if as_json:
        door.json({"items": rows})
        return
    table = render.table(("Workers", _RIGHT), ("Utilisation", _RIGHT), ("p95 wait", _RIGHT), ("Late", _RIGHT))
    for one in rows:
        wait = "without end" if one["wait_p95_s"] is None else f"{one['wait_p95_s']:.3g} s"
        render.row(table, str(one["workers"]), f"{one['utilisation']:.0%}", wait, f"{one['late']:.1%}")
    door.show(table)


def _estimate(load: QueueLoad, number: int, threads: int, goal: float) -> dict[str, Any]:
    servers = number * threads
    wait = queueing.wait_s(load, servers)
    return {"workers": number, "utilisation": round(queueing.utilisation(load, servers), 4),
            "wait_p95_s": round(wait, 3) if math.isfinite(wait) else None,
            "late": round(queueing.late_share(load, servers, goal), 6)}  # fmt: skip


def _named(one: Answer) -> str:
    return f"{one['setting']} of {one['scope_name']}" if one["scope_name"] else str(one["setting"])


def _shown(door: Door, one: Answer, as_json: bool) -> None:
    if as_json:
        door.json(one)
        return
    door.say(f"The proposal for {_named(one)} ({one['before']} to {one['after']}) is {one['state']}.")
    if one["state"] == "accepted":
        door.say(f"Run: {one['command']}")
