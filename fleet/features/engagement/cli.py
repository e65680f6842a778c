"""`fleet engagement`: what came of posts and how accounts grow, over the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option

_LONGEST_DAYS = 730
_RIGHT = {"justify": "right"}
_COUNTS = ("posts", "interactions", "likes", "comments", "reposts", "quotes", "saves", "clicks", "views")


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which posts."""
    for option in (
        click.option("--agent", type=TextType(60), default="", help="Only posts of this agent."),
        click.option("--network", type=TextType(40), default="", help="Only of this network (name of its adapter)."),
        click.option("--account", type=TextType(60), default="", help="Only of this account."),
        click.option("--days", type=click.IntRange(1, _LONGEST_DAYS), default=28, show_default=True,
                     help="Length of the period, today included."),
    ):  # fmt: skip
        command = option(command)
    return command


def _given(**filters: Any) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value != ""}


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def engagement(ctx: click.Context) -> None:
    """Show what came of posts and how accounts grow; without a command, the sums by account."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@engagement.command()
@_filters
@click.option("--by", type=click.Choice(["account", "network", "agent"]), default="account", show_default=True)
@json_option
@pass_door
def show(door: Door, /, *, days: int, account: str, network: str, agent: str, by: str, as_json: bool) -> None:
    """Show the sums of the posts of a period, by account, network or agent."""
    found = door.api.get("/engagement", by=by, **_given(days=days, account=account, network=network, agent=agent))
    if as_json:
        door.json(found)
        return
    table = render.table(by.capitalize(), "Network", *((name.capitalize(), _RIGHT) for name in _COUNTS),
                         ("Rate %", _RIGHT))  # fmt: skip
    for one in found["groups"]:
        sums = one["sums"]
        render.row(table, one["name"], one["network"], *(sums[name] for name in _COUNTS), _number(sums["rate"], 2))
    door.show(table)
    sums, before = found["sums"], found["before"]
    door.note(f"{sums['interactions']} interactions on {sums['posts']} posts; "
              f"{before['interactions']} on {before['posts']} in the period before.")  # fmt: skip


@engagement.command()
@_filters
@click.option("--limit", type=click.IntRange(1, 100), default=10, show_default=True, help="How many.")
@json_option
@pass_door
def posts(door: Door, /, *, days: int, account: str, network: str, agent: str, limit: int, as_json: bool) -> None:
    """List the posts with most interactions."""
    given = _given(days=days, account=account, network=network, agent=agent)
    found = door.api.get("/engagement/posts", limit=limit, **given)
    if as_json:
        door.json(found)
        return
    table = render.table("Job", "Account", "Agent", ("Interactions", _RIGHT), ("Rate %", _RIGHT), "Text", "Link")
    for one in found["items"]:
        render.row(table, one["job_id"], one["account"], one["agent"], one["interactions"], _number(one["rate"], 2),
                   render.clip(one["text"] or "", 50), one["url"])  # fmt: skip
    door.show(table)


@engagement.command()
@click.argument("job_id", type=click.UUID)
@json_option
@pass_door
def post(door: Door, /, *, job_id: uuid.UUID, as_json: bool) -> None:
    """Show one post, by its job, with all its readings."""
    one = door.api.get(at("engagement", "posts", str(job_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([(title, one[name]) for name, title in _FACTS]))
    table = render.table("Read", "Counts")
    for reading in one["readings"]:
        render.row(table, reading["at"], ", ".join(f"{count} {name}" for name, count in reading["counts"].items()))
    door.show(table)


@engagement.command()
@click.option("--account", type=TextType(60), default="", help="Only of this account.")
@click.option("--network", type=TextType(40), default="", help="Only of this network (name of its adapter).")
@click.option("--zone", type=TextType(60), default="UTC", show_default=True, help="Time zone of the hours.")
@json_option
@pass_door
def hours(door: Door, /, *, account: str, network: str, zone: str, as_json: bool) -> None:
    """Show what posts at each hour can be expected to reach, with the range of one standard error."""
    found = door.api.get("/engagement/hours", zone=zone, **_given(account=account, network=network))
    if as_json:
        door.json(found)
        return
    table = render.table("Account", "Network", ("Posts", _RIGHT), "Best", ("Expected", _RIGHT), "Range")
    for one in found["items"]:
        for best in one["best"]:
            hour = one["hours"][best]
            render.row(table, one["account"], one["network"], one["posts"], f"{best:02}:00",
                       _number(hour["interactions"]), f"{hour['low']:.1f} to {hour['high']:.1f}")  # fmt: skip
    door.show(table)
    door.note(f"Hours of {found['zone']}, of accounts with at least {found['least_posts']} measured posts in 90 days.")


@engagement.command()
@_filters
@json_option
@pass_door
def growth(door: Door, /, *, days: int, account: str, network: str, agent: str, as_json: bool) -> None:
    """Show how the followers of accounts grew."""
    found = door.api.get("/engagement/growth", **_given(days=days, account=account, network=network, agent=agent))
    if as_json:
        door.json(found)
        return
    table = render.table("Account", "Network", ("Followers", _RIGHT), ("Gained", _RIGHT), ("Growth %", _RIGHT))
    for one in found["items"]:
        render.row(table, one["account"], one["network"], one["last"], one["gained"], _number(one["percent"]))
    door.show(table)


@engagement.command()
@json_option
@pass_door
def accounts(door: Door, /, *, as_json: bool) -> None:
    """List the accounts that are measured, and why one is not."""
    found = door.api.get("/engagement/accounts")
    if as_json:
        door.json(found)
        return
    table = render.table("Account", "Network", ("Followers", _RIGHT), "Measured", "Problem")
    for one in found["items"]:
        render.row(table, one["account"], one["network"], one["followers"], one["measured_at"], one["problem"])
    door.show(table)


_FACTS = (
    ("account", "Account"), ("agent", "Agent"), ("text", "Text"), ("url", "Link"), ("posted_at", "Posted"),
    ("interactions", "Interactions"), ("rate", "Rate %"), ("gone_at", "Gone"), ("gone_reason", "Why"),
)  # fmt: skip


def _number(value: float | None, digits: int = 1) -> str | None:
    return None if value is None else f"{value:.{digits}f}"
