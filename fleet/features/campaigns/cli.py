"""`fleet campaigns`: rows over the API."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import REASON, MomentType, TextType, json_option, list_options
from fleet.features.campaigns.states import ItemState

_STYLES = {"waiting": "yellow", "failed": "red", "rejected": "red", "published": "green", "scheduled": "cyan"}
_id = click.argument("item_id", metavar="ID", type=click.UUID)
_campaign = click.argument("campaign_id", metavar="ID", type=click.UUID)
_AT = click.option("--at", "moment", type=MomentType(), help="When, such as 2026-12-01T09:00:00+01:00.")


@click.group(cls=FleetGroup, invoke_without_command=True)
@click.pass_context
def campaigns(ctx: click.Context) -> None:
    """Plan posts for several networks; without a command, list campaigns."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_campaigns)


@campaigns.command("list")
@list_options()
@json_option
@pass_door
def list_campaigns(door: Door, /, *, limit: int, cursor: str | None, as_json: bool) -> None:
    """List campaigns, newest first."""
    found = door.api.list("/campaigns", limit=limit, cursor=cursor)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Name", "Agents", "Items", "Created")
    for one in found.items:
        render.row(table, one["id"], render.clip(one["name"], 40), str(len(one["targets"])), _states(one["states"]),
                   render.when(one["created_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "campaigns"))


@campaigns.command()
@click.argument("name", type=TextType(100))
@click.option("--agent", "agents", multiple=True, required=True, help="Username, or USERNAME@ACCOUNT; repeat it.")
@click.option("--message", type=TextType(20_000), default="", help="What all posts say.")
@click.option("--variant", "variants", multiple=True, type=TextType(20_000), help="A text of an A/B test; repeat it.")
@click.option("--variants-are-topics", is_flag=True, help="Agents write about the variants.")
@click.option("--rounds", type=click.IntRange(1, 8), default=1, show_default=True, help="Variants that each publishes.")
@click.option("--topic", "topics", multiple=True, type=TextType(500), help="A topic to write about; repeat it.")
@click.option("--feed", "feeds", multiple=True, type=TextType(2000), help="The address of an RSS feed; repeat it.")
@click.option("--hashtag", "hashtags", multiple=True, type=TextType(100), help="A hashtag; repeat it.")
@click.option("--link", type=TextType(2000), default="", help="The address that the posts lead to.")
@click.option("--link-title", type=TextType(200), default="", help="The title of the link's card.")
@click.option("--picture", type=TextType(2000), default="", help="What the picture shows.")
@click.option("--brand", type=TextType(60), default="fleet", show_default=True, help="The brand's rules.")
@json_option
@pass_door
def create(door: Door, /, *, name: str, agents: tuple[str, ...], link: str, link_title: str, picture: str,
           as_json: bool, **more: Any) -> None:  # fmt: skip
    """Create a campaign called NAME."""
    body = {
        "name": name, "targets": [_target(one) for one in agents], "link": {"url": link, "title": link_title},
        "picture_prompt": picture, **{key: list(one) if isinstance(one, tuple) else one for key, one in more.items()},
    }  # fmt: skip
    made = door.api.post("/campaigns", body)
    if as_json:
        door.json(made)
        return
    door.say(f"The campaign {made['id']} is being planned.")


@campaigns.command()
@click.argument("name", type=TextType(100))
@click.option("--goal", type=TextType(2000), required=True, help="What the campaign is for.")
@click.option("--audience", type=TextType(500), default="", help="Whom it is for.")
@click.option("--agent", "agents", multiple=True, required=True, help="Username, or USERNAME@ACCOUNT; repeat it.")
@click.option("--posts", type=click.IntRange(1, 14), default=5, show_default=True, help="Posts of each agent.")
@click.option("--from", "starts_at", type=MomentType(), help="Not before then; now by default.")
@click.option("--until", "ends_at", type=MomentType(), help="Not after then; a post a day by default.")
@click.option("--hashtag", "hashtags", multiple=True, type=TextType(100), help="A hashtag; repeat it.")
@click.option("--link", type=TextType(2000), default="", help="The address that the posts lead to.")
@click.option("--brand", type=TextType(60), default="fleet", show_default=True, help="The brand's rules.")
@json_option
@pass_door
def brief(door: Door, /, *, agents: tuple[str, ...], link: str, posts: int, hashtags: tuple[str, ...], as_json: bool,
          **more: Any) -> None:  # fmt: skip
    """Have a model plan the campaign NAME for a goal. People approve each item before it is published."""
    body = {"targets": [_target(one) for one in agents], "link": {"url": link}, "rounds": posts,
            "hashtags": list(hashtags), **more}  # fmt: skip
    made = door.api.post("/campaigns", body)
    if as_json:
        door.json(made)
        return
    door.say(f"The campaign {made['id']} is being planned. Its items wait for an approval each.")


@campaigns.command()
@_campaign
@json_option
@pass_door
def show(door: Door, /, *, campaign_id: object, as_json: bool) -> None:
    """Show one campaign."""
    one = door.api.get(at("campaigns", str(campaign_id)))
    if as_json:
        door.json(one)
        return
    door.show(render.facts([
        ("Name", one["name"]), ("Message", one["message"] or None), ("Goal", one["goal"] or None),
        *(("Brief", brief["brief"]) for brief in one["briefs"] if one["goal"]),
        ("Topics", ", ".join(one["topics"]) or None),
        *((f"Variant {arm['name']}", arm.get("message") or arm.get("topic")) for arm in one["variants"]),
        ("Link", one["link"].get("url")), ("Brand", one["brand"]), ("Items", _states(one["states"])),
        ("Starts", render.when(one["starts_at"])),
        ("Ends", one["ends_at"] and render.when(one["ends_at"])), ("Created", render.when(one["created_at"])),
        ("Created by", one["created_by"]),
        ("Stopped by", one["stopped_by"] or None), ("Why stopped", one["stop_reason"] or None),
    ]))  # fmt: skip


@campaigns.command()
@_campaign
@click.option(
    "--age", type=click.Choice(["1", "24", "72"]), default="24", show_default=True, help="Hours after a post."
)
@json_option
@pass_door
def arms(door: Door, /, *, campaign_id: object, age: str, as_json: bool) -> None:
    """Show the results of the variants of a campaign."""
    found = door.api.get(at("campaigns", str(campaign_id), "arms"), age_h=int(age))
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.say("The campaign has no variants.")
        return
    table = render.table("Variant", "Text", "Items", "Published", "Measured", "Mean", "Difference", "Result")
    for one in found["items"]:
        mean = "–" if one["mean"] is None else f"{one['mean']:.2f}"
        difference = (
            "–" if one["low"] is None else f"{one['difference']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})"
        )
        render.row(table, one["name"], render.clip(one["message"], 30), str(one["items"]), str(one["published"]),
                   str(one["measured"]), mean, difference, one["words"])  # fmt: skip
    door.show(table)
    door.note(f"Likes and comments after {found['age_h']} h. The 95 % intervals hold together.")


@campaigns.command()
@_campaign
@pass_door
def cancel(door: Door, /, *, campaign_id: object) -> None:
    """Cancel a campaign and its items that are not being published."""
    door.api.post(at("campaigns", str(campaign_id), "cancel"), {})
    door.say("The campaign is cancelled.")


@campaigns.command()
@_campaign
@click.option("--reason", type=REASON, default="", help="Reason; shown until the stop ends.")
@pass_door
def stop(door: Door, /, *, campaign_id: object, reason: str) -> None:
    """Have no item of a campaign published; its agents go on with everything else."""
    door.api.post(at("campaigns", str(campaign_id), "stop"), {"reason": reason})
    door.say("The campaign is stopped: none of its items is published until it is resumed.")


@campaigns.command()
@_campaign
@pass_door
def resume(door: Door, /, *, campaign_id: object) -> None:
    """Let a stopped campaign go on."""
    door.api.post(at("campaigns", str(campaign_id), "resume"), {})
    door.say("The campaign goes on.")


@campaigns.command("items")
@click.option("--campaign", type=click.UUID, help="Only those of a campaign.")
@click.option("--agent", type=TextType(60), help="Username of the agent.")
@click.option("--network", type=TextType(40), help="Only those for a network.")
@click.option("--state", type=click.Choice([str(one) for one in ItemState]), help="Only those in a state.")
@list_options()
@json_option
@pass_door
def list_items(door: Door, /, *, campaign: object, limit: int, cursor: str | None, as_json: bool, **which: Any) -> None:
    """List content items, newest first."""
    chosen = {"campaign": None if campaign is None else str(campaign), **which}
    found = door.api.list("/content-items", limit=limit, cursor=cursor, **chosen)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Id", "Agent", "Network", "Text", "Score", "State", "When")
    for one in found.items:
        words = "\n".join(one["parts"]) or one["message"] or one["brief"]
        state = one["state"] + (f": {one['error']}" if one["error"] else "")
        score = "" if one["score"] is None else str(one["score"])
        render.row(table, one["id"], one["agent"], one["network"], render.clip(words, 50), score,
                   render.words(state, _STYLES.get(one["state"], "dim")),
                   render.when(one["published_at"] or one["scheduled_at"]))  # fmt: skip
    door.show(table)
    door.note(render.below(found, "items"))


@campaigns.command("item")
@_id
@json_option
@pass_door
def show_item(door: Door, /, *, item_id: object, as_json: bool) -> None:
    """Show one content item with its history."""
    one = door.api.get(at("content-items", str(item_id)))
    if as_json:
        door.json(one)
        return
    parts = [(f"Part {number}", part) for number, part in enumerate(one["parts"], 1)]
    door.show(render.facts([
        ("Agent", f"{one['agent']} on {one['network']} ({one['account']})"), ("State", one["state"]), *parts,
        ("Link", one["link"].get("url")), ("Score", one["score"]),
        ("Reasons", "; ".join(str(reason["words"]) for reason in one["reasons"]) or None),
        ("Error", one["error"] or None),
        ("When", render.when(one["published_at"] or one["scheduled_at"])), ("Approved by", one["approved_by"]),
    ]))  # fmt: skip
    table = render.table("When", "Event", "By", "Note")
    for change in one["history"]:
        render.row(table, render.when(change["at"]), change["event"], change["by"], render.clip(change["note"], 70))
    door.show(table)


@campaigns.command()
@click.argument("agent", metavar="AGENT", type=TextType(120))
@click.argument("message", type=TextType(20_000))
@_AT
@click.option("--link", type=TextType(2000), default="", help="The address that the post leads to.")
@click.option("--picture", "shown", multiple=True, type=TextType(2000), help="What a picture shows; repeat it.")
@click.option(
    "--alt-text", "alts", multiple=True, type=TextType(1000), help="A picture's alt text, in order; repeat it."
)
@click.option("--brand", type=TextType(60), default="fleet", show_default=True, help="The brand's rules.")
@pass_door
def compose(door: Door, /, *, agent: str, message: str, moment: str | None, link: str, shown: tuple[str, ...],
            alts: tuple[str, ...], brand: str) -> None:  # fmt: skip
    """Compose an item for AGENT, or AGENT@ACCOUNT, by hand."""
    if len(alts) > len(shown):
        raise click.UsageError("There are more alt texts than pictures.")
    pictures = [{"prompt": one, "alt_text": alt} for one, alt in zip_longest(shown, alts, fillvalue="")]
    made = door.api.post("/content-items", {
        "target": _target(agent), "message": message, "at": moment, "link": {"url": link}, "pictures": pictures,
        "brand": brand,
    })  # fmt: skip
    door.say(f"The item {made['id']} is on its way to its review.")


@campaigns.command()
@_id
@click.option("--part", "parts", multiple=True, required=True, type=TextType(20_000), help="A part's text; repeat it.")
@pass_door
def edit(door: Door, /, *, item_id: object, parts: tuple[str, ...]) -> None:
    """Change the words of an item; it is reviewed again."""
    door.api.patch(at("content-items", str(item_id)), {"parts": list(parts)})
    door.say("The item is reviewed again.")


@campaigns.command()
@_id
@click.argument("moment", metavar="WHEN", type=MomentType())
@pass_door
def move(door: Door, /, *, item_id: object, moment: str) -> None:
    """Publish an item at another time."""
    made = door.api.post(at("content-items", str(item_id), "move"), {"at": moment})
    door.say(f"The item is due {made['scheduled_at']}.")


@campaigns.command()
@_id
@_AT
@pass_door
def duplicate(door: Door, /, *, item_id: object, moment: str | None) -> None:
    """Create an item with the content of another one."""
    made = door.api.post(at("content-items", str(item_id), "duplicate"), {"at": moment})
    door.say(f"The item {made['id']} is on its way to its review.")


@campaigns.command("cancel-item")
@_id
@pass_door
def cancel_item(door: Door, /, *, item_id: object) -> None:
    """Cancel an item that is not being published."""
    door.api.post(at("content-items", str(item_id), "cancel"), {})
    door.say("The item is cancelled.")


@campaigns.command()
@_id
@pass_door
def retry(door: Door, /, *, item_id: object) -> None:
    """Go on with a failed item where it stopped."""
    door.api.post(at("content-items", str(item_id), "retry"), {})
    door.say("The item goes on.")


@campaigns.command()
@_id
@json_option
@pass_door
def preview(door: Door, /, *, item_id: object, as_json: bool) -> None:
    """Show an item as its network will."""
    one = door.api.get(at("content-items", str(item_id), "preview"))
    if as_json:
        door.json(one)
        return
    for part in one["parts"]:
        door.say(f"{part['text']}\n({part['length']:,} of {part['most']:,} {part['unit']})")
    for line in (*one["notes"], *one["problems"]):
        door.note(line)


@campaigns.command("brands")
@json_option
@pass_door
def list_brands(door: Door, /, *, as_json: bool) -> None:
    """List the rules of brands."""
    found = door.api.get("/brands")
    if as_json:
        door.json(found)
        return
    table = render.table("Name", "Version", "Bar", "Set by", "Reason")
    for one in found["items"]:
        render.row(table, one["name"], str(one["version"]), str(one["rules"]["bar"]), one["set_by"] or "nobody",
                   render.clip(one["reason"], 50))  # fmt: skip
    door.show(table)


@campaigns.command("set-brand")
@click.argument("name", type=TextType(60))
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--reason", type=REASON, required=True, help="Reason; kept with the version.")
@pass_door
def set_brand(door: Door, /, *, name: str, file: Any, reason: str) -> None:
    """Set the rules of the brand NAME from a JSON FILE."""
    try:
        rules = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"{file.name} is no JSON: {error}", param_hint="FILE") from error
    made = door.api.put(at("brands", name), {"rules": rules, "reason": reason})
    door.say(f"Version {made['version']} of the rules of {name} is in force.")


def _target(words: str) -> dict[str, str | None]:
    agent, _, account = words.partition("@")
    return {"agent": agent, "account": account or None}


def _states(states: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"
