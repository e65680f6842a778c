"""`fleet links`: short links and conversions over the API."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options

_code = click.argument("code", type=TextType(20))


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def links(ctx: click.Context) -> None:
    """Show, create and remove short links, and count conversions; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_links)


@links.command("list")
@click.option("--campaign", type=TextType(100), default="", help="What they are for.")
@list_options()
@json_option
@pass_door
def list_links(door: Door, /, *, campaign: str, limit: int, cursor: str | None, as_json: bool) -> None:
    """List links, newest first."""
    found = door.api.list("/links", limit=limit, cursor=cursor, campaign=campaign or None)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Code", "Target", "Campaign", ("Clicks", _RIGHT), ("24 h", _RIGHT), ("Conversions", _RIGHT),
                         ("Value", _RIGHT))  # fmt: skip
    for one in found.items:
        shown = (one[name] for name in ("clicks", "clicks_day", "conversions", "value"))
        render.row(table, one["code"], render.clip(one["target"], 50), one["campaign"], *shown)
    door.show(table)
    door.note(render.below(found, "links"))


@links.command()
@_code
@json_option
@pass_door
def show(door: Door, /, *, code: str, as_json: bool) -> None:
    """Show one link with its counts by day."""
    one = door.api.get(at("links", code))
    if as_json:
        door.json(one)
        return
    moments = [(title, one[name] and render.when(one[name])) for name, title in _MOMENTS]
    door.show(render.facts([*((title, one[name]) for name, title in _FACTS), *moments]))
    if one["days"]:
        table = render.table("Day (UTC)", ("Clicks", _RIGHT), ("Conversions", _RIGHT))
        for day in one["days"]:
            render.row(table, day["day"][:10], day["clicks"], day["conversions"])
        door.show(table)


@links.command()
@click.argument("target", type=TextType(2000))
@click.option("--campaign", type=TextType(100), default="", help="What it is for, such as the name of a campaign.")
@click.option("--agent", type=TextType(60), default="", help="Username of the agent that publishes it.")
@click.option("--organisation", type=TextType(60), default="", help="Name or id; by default that of the agent, or own.")
@click.option("--tagged", is_flag=True, help="Add utm_source, utm_medium and utm_campaign to the target.")
@json_option
@pass_door
def create(
    door: Door, /, *, target: str, campaign: str, agent: str, organisation: str, tagged: bool, as_json: bool
) -> None:
    """Create a short link to TARGET."""
    body = {"target": target, "campaign": campaign, "agent": agent, "organisation": organisation, "tagged": tagged}
    one = door.api.post("/links", body)
    if as_json:
        door.json(one)
        return
    door.say(one["address"])


@links.command()
@_code
@pass_door
def remove(door: Door, /, *, code: str) -> None:
    """Remove a link: it leads nowhere from now on; its counts stay."""
    door.api.delete(at("links", code))
    door.say(f"The link {code} is removed.")


@links.command()
@_code
@click.argument("event", type=TextType(200))
@click.option("--value", type=TextType(30), default="0", help="Its worth, such as 9.90.")
@json_option
@pass_door
def convert(door: Door, /, *, code: str, event: str, value: str, as_json: bool) -> None:
    """Count a conversion of the link CODE, once for the id EVENT."""
    one = door.api.post("/conversions", {"code": code, "event": event, "value": value})
    if as_json:
        door.json(one)
        return
    door.say("Counted." if one["is_new"] else "This event was counted before.")


_FACTS = (
    ("address", "Address"), ("target", "Target"), ("campaign", "Campaign"), ("agent", "Agent"), ("clicks", "Clicks"),
    ("clicks_day", "Clicks of 24 h"), ("conversions", "Conversions"), ("value", "Value"), ("created_by", "Created by"),
)  # fmt: skip
_MOMENTS = (("created_at", "Created"), ("removed_at", "Removed"))
_RIGHT = {"justify": "right"}
