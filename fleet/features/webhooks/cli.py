"""`fleet hooks`: whom the fleet tells of what happens. A secret goes to standard output once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import TextType, json_option, yes_option
from fleet.core import clock
from fleet.features.webhooks import commands as verbs
from fleet.features.webhooks.inbound.cli import sources

if TYPE_CHECKING:
    from fleet.features.webhooks.outbound.deliveries import Delivery
    from fleet.features.webhooks.outbound.subscriptions import Subscription

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
    found = verbs.listed(door.deps)
    if as_json:
        door.json({"items": [_data(one) for one in found]})
        return
    if not found:
        door.show("There are no webhooks; `fleet hooks create URL job.*` creates one.")
        return
    table: Table = render.table("Webhook", "Where", "Subjects", "State")
    for one in found:
        render.row(table, str(one.id)[:8], one.name, ", ".join(one.subjects), _state(one))
    door.show(table)


@hooks.command()
@click.argument("url")
@click.argument("subjects", nargs=-1, required=True)
@click.option("--description", type=TextType(200), default="", help="Description in lists.")
@pass_door
def create(door: Door, /, *, url: str, subjects: tuple[str, ...], description: str) -> None:
    """Create a webhook: an https address and subjects, e.g. job.done 'agent.*'."""
    from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields

    made = verbs.create(door.deps, SubscriptionFields(url, subjects, description), by=door.by)
    door.note(f"Webhook {str(made.subscription.id)[:8]} is made. This is its secret. {_NOT_AGAIN}")
    click.echo(made.secret)


@hooks.command()
@_hook
@json_option
@pass_door
def show(door: Door, /, *, hook: str, as_json: bool) -> None:
    """Show a webhook with its newest deliveries."""
    found = verbs.get(door.deps, hook)
    told = verbs.history(door.deps, found.id, limit=_SHOWN)
    if as_json:
        door.json({**_data(found), "deliveries": [_delivery(one) for one in told]})
        return
    now = clock.now()
    door.show(render.facts([
        ("Id", found.id), ("Where", found.host), ("Subjects", ", ".join(found.subjects)), ("State", _state(found)),
        ("Made", f"{render.when(found.created_at, now)}, by {found.created_by}"),
    ]))  # fmt: skip
    table: Table = render.table("Job", "Subject", "When", "State", "Answer")
    for one in told:
        answer = " ".join(str(part) for part in (one.status, one.answer or one.why) if part)
        render.row(table, str(one.job_id)[:8], one.subject, render.when(one.created_at, now), render.status(one.state),
                   render.clip(answer, 80))  # fmt: skip
    door.show(table if told else "There are no deliveries yet.")


@hooks.command()
@_hook
@pass_door
def test(door: Door, /, *, hook: str) -> None:
    """Send a test event, also while the webhook is disabled."""
    found = verbs.get(door.deps, hook)
    job_id = verbs.test(door.deps, found.id, by=door.by)
    door.say(f"Job {str(job_id)[:8]} tells {found.name}; `fleet hooks show {str(found.id)[:8]}` has its answer.")


@hooks.command()
@_hook
@yes_option
@pass_door
def rotate(door: Door, /, *, hook: str, yes: bool) -> None:
    """Rotate the secret. The old one signs for one more day, too."""
    found = verbs.get(door.deps, hook)
    door.confirm(f"Make a new secret for {found.name}?", yes=yes)
    secret = verbs.rotate(door.deps, found.id, by=door.by)
    door.note(f"This is the new secret of {found.name}; the one before is valid for another day. {_NOT_AGAIN}")
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
@pass_door
def replay(door: Door, /, *, hook: str) -> None:
    """Send failed deliveries again."""
    found = verbs.get(door.deps, hook)
    number = verbs.replay_failed(door.deps, found.id, by=door.by)
    tried = "1 delivery is tried again." if number == 1 else f"{number} deliveries are tried again."
    door.say(tried if number else "Nothing has failed.")


@hooks.command()
@_hook
@yes_option
@pass_door
def remove(door: Door, /, *, hook: str, yes: bool) -> None:
    """Delete a webhook and its list of deliveries."""
    found = verbs.get(door.deps, hook)
    door.confirm(f"Remove the webhook {found.name}?", yes=yes)
    verbs.remove(door.deps, found.id, by=door.by)
    door.say(f"{found.name} is removed.")


def _switch(door: Door, hook: str, *, on: bool) -> None:
    found = verbs.get(door.deps, hook)
    changed = verbs.switch(door.deps, found.id, on=on, by=door.by)
    word = "on" if on else "off"
    door.say(f"{found.name} is {word}." if changed else f"{found.name} was {word} already.")


def _state(one: Subscription) -> Text:
    if not one.active:
        return Text(f"off: {render.clip(one.disabled, 80)}", style="yellow")
    if one.failures:
        return Text(f"failing, {one.failures} in a row", style="red")
    return Text("on", style="green")


def _data(one: Subscription) -> dict[str, Any]:
    """Return a webhook for programs; the host stands for its address, which may hold a token."""
    return {
        "id": one.id, "host": one.host, "subjects": one.subjects, "description": one.description,
        "active": one.active, "disabled_reason": one.disabled, "failures": one.failures,
        "failing_since": one.failing_since, "created_by": one.created_by, "created_at": one.created_at,
    }  # fmt: skip


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "job": one.job_id, "subject": one.subject, "position": one.position, "state": one.state,
        "attempts": one.attempts, "status": one.status, "answer": one.answer, "created_at": one.created_at,
    }  # fmt: skip
