"""`fleet pictures`: rows over the API."""

from __future__ import annotations

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, list_options
from fleet.spending.budgets import dollars

_STYLES = {"made": "green", "asked": "cyan", "lost": "red", "unfit": "yellow", "failed": "yellow"}
_NAMES = ("openai", "stability", "compatible", "unsplash", "pexels")


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def pictures(ctx: click.Context) -> None:
    """Show pictures with their providers and costs; without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_pictures)


@pictures.command("list")
@click.option("--agent", type=TextType(60), help="Username of the agent.")
@click.option("--provider", type=click.Choice(_NAMES), help="Provider that was asked.")
@list_options()
@json_option
@pass_door
def list_pictures(
    door: Door, /, *, agent: str | None, provider: str | None, limit: int, cursor: str | None, as_json: bool
) -> None:
    """List orders of pictures at providers, newest first."""
    found = door.api.list("/pictures", limit=limit, cursor=cursor, agent=agent, provider=provider)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Agent", "Provider", "Model", "State", "Cost", "Origin", "When")
    for one in found.items:
        origin = one["credit"] or ("made by AI" if one["state"] == "made" and one["is_ai"] else one["why"] or "-")
        render.row(table, one["agent"] or "-", one["provider"], one["model"],
                   render.words(one["state"], _STYLES[one["state"]]), dollars(one["microusd"]),
                   render.clip(origin, 60), render.when(one["asked_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "pictures"))


@pictures.command()
@click.option("--persona", type=TextType(60), help="Persona whose order is shown; the fleet's without it.")
@json_option
@pass_door
def providers(door: Door, /, *, persona: str | None, as_json: bool) -> None:
    """List the providers of pictures in their order."""
    found = door.api.get("/pictures/providers", persona=persona)
    if as_json:
        door.json(found)
        return
    table = render.table("Place", "Provider", "Model", "State", "Pictures", "Cost")
    for one in found["items"]:
        state = "rests after failures" if one["rests"] else "ready" if one["is_ready"] else one["why"]
        style = "yellow" if one["rests"] else "green" if one["is_ready"] else "dim"
        render.row(table, str(one["place"] or "-"), one["name"], one["model"] or "-", render.words(state, style),
                   str(one["made"]), dollars(one["microusd"]))  # fmt: skip
    door.show(table)
