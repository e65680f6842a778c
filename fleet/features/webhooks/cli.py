"""`fleet hooks`: whom the fleet tells of what happens. A secret goes to standard output once, when it is made."""

from __future__ import annotations

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option
from fleet.features.webhooks.inbound.cli import sources

_SHOWN = 20
_NOT_AGAIN = "It is stored sealed and is not shown again."
_hook = click.argument("hook", metavar="HOOK")


@click.group(cls=FleetGroup)
def hooks() -> None:
    """Manage webhooks: signed events, sent to an address.

    HOOK is the id of a webhook, or the first four or more characters of it.
    """


hooks.add_command(sources)


@hooks.command("list")
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool) -> None:
    """List webhooks with their state."""
    found = door.api.get("/hooks")
    if as_json:
        door.json(found)
        return
    if not found["items"]:
        door.show("There are no webhooks; `fleet hooks create URL job.*` creates one.")
        return
    table = render.table("Webhook", "Where", "Subjects", "Alarm", "State")
    for one in found["items"]:
        is_alarm = "yes" if one["alarm"] else ""
        render.row(table, one["id"][:8], one["name"], ", ".join(one["subjects"]), is_alarm, _state(one))
    door.show(table)


@hooks.command()
@click.argument("url")
@click.argument("subjects", nargs=-1)
@click.option("--description", type=TextType(200), default="", help="Description in lists.")
@click.option("--alarm", is_flag=True, help="Receive control.*, budget.*, account.* and alert.* at once.")
@pass_door
def create(door: Door, /, *, url: str, subjects: tuple[str, ...], description: str, alarm: bool) -> None:
    """Create a webhook: an https address and subjects, e.g. job.done 'agent.*'.

    An alarm needs no subjects.
    """
    made = door.api.post("/hooks", {"url": url, "subjects": subjects, "description": description, "alarm": alarm})
    door.note(f"Webhook {made['id'][:8]} is created. This is its secret. {_NOT_AGAIN}")
    click.echo(made["secret"])


@hooks.command()
@_hook
@click.argument("state", type=click.Choice(["on", "off"]))
@pass_door
def alarm(door: Door, /, *, hook: str, state: str) -> None:
    """Mark a webhook as an alarm, or no more: on or off.

    An alarm receives control.*, budget.*, account.* and alert.* at once.
    """
    found = door.api.get(at("hooks", hook))
    wanted = {name: found[name] for name in ("url", "subjects", "description")}
    door.api.put(at("hooks", found["id"]), {**wanted, "alarm": state == "on"})
    door.say(f"{found['name']} {'is an alarm.' if state == 'on' else 'is no alarm any more.'}")


@hooks.command()
@_hook
@json_option
@pass_door
def show(door: Door, /, *, hook: str, as_json: bool) -> None:
    """Show a webhook with its newest deliveries."""
    found = door.api.get(at("hooks", hook))
    deliveries = door.api.list(at("hooks", found["id"], "deliveries"), limit=_SHOWN).items
    if as_json:
        door.json({**found, "deliveries": deliveries})
        return
    door.show(render.facts([
        ("Id", found["id"]), ("Where", found["host"]), ("Subjects", ", ".join(found["subjects"])),
        ("Alarm", "yes: outages, pauses, budgets and accounts at once" if found["alarm"] else None),
        ("State", _state(found)), ("Created", f"{render.when(found['created_at'])}, by {found['created_by']}"),
    ]))  # fmt: skip
    table = render.table("Job", "Subject", "When", "State", "Answer")
    for one in deliveries:
        answer = " ".join(str(part) for part in (one["status"], one["answer"] or one["why"]) if part)
        render.row(table, one["job"][:8], one["subject"], render.when(one["created_at"]), render.status(one["state"]),
                   render.clip(answer, 80))  # fmt: skip
    door.show(table if deliveries else "There are no deliveries yet.")


@hooks.command()
@_hook
@pass_door
def test(door: Door, /, *, hook: str) -> None:
    """Send a test event, also while the webhook is disabled."""
    found = door.api.get(at("hooks", hook))
    job = door.api.post(at("hooks", found["id"], "test"))["job"]
    door.say(f"Job {job[:8]} tells {found['name']}; `fleet hooks show {found['id'][:8]}` has its answer.")


@hooks.command()
@_hook
@yes_option
@pass_door
def rotate(door: Door, /, *, hook: str, yes: bool) -> None:
    """Rotate the secret. The old one signs for one more day, too."""
    found = door.api.get(at("hooks", hook))
    door.confirm(f"Make a new secret for {found['name']}?", yes=yes)
    secret = door.api.post(at("hooks", found["id"], "rotate"))["secret"]
    door.note(f"This is the new secret of {found['name']}; the one before is valid for another day. {_NOT_AGAIN}")
    click.echo(secret)


@hooks.command()
@_hook
@pass_door
def on(door: Door, /, *, hook: str) -> None:
    """Enable a webhook for events from now on."""
    _switch(door, hook, on=True)


@hooks.command()
@_hook
@pass_door
def off(door: Door, /, *, hook: str) -> None:
    """Disable a webhook; waiting deliveries are skipped."""
    _switch(door, hook, on=False)


@hooks.command()
@_hook
@click.argument("deliveries", metavar="[DELIVERY...]", nargs=-1)
@pass_door
def replay(door: Door, /, *, hook: str, deliveries: tuple[str, ...]) -> None:
    """Send failed deliveries again: those that are named, or all of the webhook.

    DELIVERY is the id of its job, as `fleet hooks show` prints it, or its first characters.
    """
    body = {"deliveries": list(deliveries)} if deliveries else {}
    number = door.api.post(at("hooks", hook, "replay"), body)["number"]
    tried = "1 delivery is tried again." if number == 1 else f"{number} deliveries are tried again."
    door.say(tried if number else "None of these has failed." if deliveries else "Nothing has failed.")


@hooks.command()
@_hook
@yes_option
@pass_door
def remove(door: Door, /, *, hook: str, yes: bool) -> None:
    """Delete a webhook and its list of deliveries."""
    found = door.api.get(at("hooks", hook))
    door.confirm(f"Remove the webhook {found['name']}?", yes=yes)
    door.api.delete(at("hooks", found["id"]))
    door.say(f"{found['name']} is removed.")


def _switch(door: Door, hook: str, *, on: bool) -> None:
    found = door.api.get(at("hooks", hook))
    changed = door.api.put(at("hooks", found["id"], "active"), {"active": on})["changed"]
    word = "on" if on else "off"
    door.say(f"{found['name']} is {word}." if changed else f"{found['name']} was {word} already.")


def _state(one: Answer) -> Text:
    if not one["active"]:
        return Text(f"off: {render.clip(one['disabled_reason'], 80)}", style="yellow")
    if one["failures"]:
        return Text(f"failing, {one['failures']} in a row", style="red")
    return Text("on", style="green")
