"""`fleet team`: rows over the API."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, REASON, TextType, json_option, list_options

_TYPES = ("status_request", "content_request", "schedule_update", "emergency_stop")
_PRIORITIES = ("low", "normal", "high", "urgent")
_BANDS = {"excellent": "bold green", "good": "green", "average": "", "poor": "yellow", "very_poor": "bold red"}


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def team(ctx: click.Context) -> None:
    """Compare networks, send messages to agents of platforms; without a command, show the scores."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(scores)


@team.command()
@click.option("--organisation", type=TextType(60), default="", help="Only of this organisation.")
@json_option
@pass_door
def scores(door: Door, /, *, organisation: str = "", as_json: bool = False) -> None:
    """Show the scores of networks, best first, and which data is missing."""
    found = door.api.get("/team", organisation=organisation or None)
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.say("No agent of a platform is there. `fleet agents create` makes one.")
    for one in found["items"]:
        _show(door, one)


def _show(door: Door, one: Answer) -> None:
    door.say(
        f"Team of {one['organisation']}: coordination {one['number']}, {one['answered']} of {one['asked']} answered"
        if one["number"] else f"Team of {one['organisation']}: not coordinated yet"
    )  # fmt: skip
    table = render.table("Network", "Score", "Band", "Parts", "Missing")
    for network in one["networks"]:
        parts = ", ".join(f"{part['part']} {part['points']:g}/{part['most']}" for part in network["parts"]
                          if part["points"] is not None)  # fmt: skip
        band = network["band"] or "unknown"
        points = "–" if network["points"] is None else f"{network['points']:.0f}"
        render.row(table, network["title"], points, render.words(band.replace("_", " "), _BANDS.get(band, "dim")),
                   parts or "–", render.clip("; ".join(network["missing"]) or "–", 100))  # fmt: skip
    door.show(table)
    for finding in one["findings"][:20]:
        door.say(f"{finding['kind'].replace('_', ' ')}: {finding['words']}")


@team.command()
@click.option("--organisation", type=TextType(60), default="", help="Only of this organisation.")
@json_option
@pass_door
def members(door: Door, /, *, organisation: str, as_json: bool) -> None:
    """Show the agents of teams and their newest answers about their status."""
    found = door.api.get("/team", organisation=organisation or None)
    rows = [{"organisation": one["organisation"], **member} for one in found["items"] for member in one["members"]]
    if as_json:
        door.json({"items": rows})
        return
    table = render.table("Agent", "Network", "Status", "Answer", "When")
    for one in rows:
        render.row(table, one["username"], one["network"], render.status(one["status"]),
                   render.clip(one["answer"] or "–", 90), render.when(one["answered_at"]))  # fmt: skip
    door.show(table)


@team.command()
@pass_door
def coordinate(door: Door, /) -> None:
    """Have the leader ask all agents for their status now, and score the networks."""
    door.api.post("/team/coordinate", {})
    door.say("The team leader asks all agents for their status.")


@team.command()
@click.option("--agent", type=AGENT, help="Only of this agent.")
@list_options()
@json_option
@pass_door
def strategies(door: Door, /, *, agent: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """List changes of strategies by the team leader with their reasons, newest first."""
    found = door.api.list("/team/strategies", limit=limit, cursor=cursor, agent=agent)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Agent", "Version", "Change", "Before", "After", "State", "When")
    for one in found.items:
        render.row(table, one["id"], one["agent"], str(one["version"]), render.clip(one["words"], 90),
                   one["before"] or "default", one["after"], one["state"], render.when(one["decided_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "changes"))


@team.command()
@click.argument("change_id", metavar="ID", type=click.UUID)
@pass_door
def undo(door: Door, /, *, change_id: object) -> None:
    """Restore what a change of a strategy replaced; may need an approval."""
    one = door.api.post(at("team", "strategies", str(change_id), "undo"), {})
    door.say(f"{one['agent']} has {one['setting']} {one['before'] or 'of its network'} again.")


@team.command()
@click.option("--agent", type=AGENT, help="Only to this agent.")
@click.option("--network", type=TextType(40), help="Only to agents of this network.")
@click.option("--type", "type_", type=click.Choice(_TYPES), help="Only of this type.")
@list_options()
@json_option
@pass_door
def messages(
    door: Door, /, *, agent: str | None, network: str | None, type_: str | None, limit: int, cursor: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List messages to agents with their answers, newest first."""
    found = door.api.list("/team/messages", limit=limit, cursor=cursor, agent=agent, network=network, type=type_)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Type", "To", "From", "State", "Answer", "When")
    for one in found.items:
        render.row(table, one["id"][:8], one["type"], one["agent"], one["sender"], render.status(one["state"]),
                   render.clip(one["answer"] or one["note"] or "–", 80), render.when(one["sent_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "messages"))


@team.command()
@click.argument("message_id", metavar="ID", type=click.UUID)
@json_option
@pass_door
def message(door: Door, /, *, message_id: object, as_json: bool) -> None:
    """Show one message and its answer."""
    one = door.api.get(at("team", "messages", str(message_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Type", one["type"]), ("Priority", one["priority"]), ("From", one["sender"]),
        ("To", f"{one['agent']} on {one['network']}"), ("Note", one["note"] or "none"), ("State", one["state"]),
        ("Answer", one["answer"] or "none"), ("Sent", render.when(one["sent_at"])),
        ("Answered", render.when(one["answered_at"])),
    ]))  # fmt: skip


@team.command()
@click.argument("to", metavar="AGENT|NETWORK", type=TextType(60))
@click.argument("type_", metavar="TYPE", type=click.Choice(_TYPES[:2]))
@click.option("--note", type=TextType(300), default="", help="A note; kept with the message.")
@click.option("--priority", type=click.Choice(_PRIORITIES), help="How soon it is answered; by default high.")
@pass_door
def ask(door: Door, /, *, to: str, type_: str, note: str, priority: str | None) -> None:
    """Ask an agent, or all agents of a network, for their status or for content."""
    sent = door.api.post("/team/messages", {"type": type_, "to": to, "note": note, "priority": priority})["ids"]
    door.say(f"{len(sent)} sent: {', '.join(one[:8] for one in sent[:5])}")


@team.command()
@click.argument("scope", type=click.Choice(["fleet", "organisation", "network", "account", "agent", "campaign"]))
@click.argument("key", metavar="[NAME]", type=TextType(100), default="")
@click.option("--reason", type=REASON, default="", help="Reason; shown until the stop ends.")
@pass_door
def stop(door: Door, /, *, scope: str, key: str, reason: str) -> None:
    """Stop every write of the fleet, or of a part of it, at once and without a question."""
    done = door.api.post("/team/stop", {"scope": scope, "key": key, "reason": reason})
    left = done["in_flight"]
    begun = f" {render.counted(left, 'write')} had begun before and may still land." if left else ""
    door.say(f"Stopped: no write of {render.counted(done['agents'], 'agent')} begins.{begun}")
    door.note(f"To end it: {'; '.join(done['resume'][:5])}")
