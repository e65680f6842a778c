"""`fleet approvals`: list, show and decide approval requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, TextType, json_option, list_options, yes_option
from fleet.features.approvals.cli import views
from fleet.features.approvals.cli.decisions import SHORT, as_option, decide, given, reason_option, revision_option, seen
from fleet.features.approvals.cli.rules import rules
from fleet.features.approvals.states import RequestState

_REQUEST = click.argument("request", metavar="REQUEST")
_REQUESTS = click.argument("requests", metavar="REQUEST...", nargs=-1, required=True)
_STATES = click.Choice([str(state) for state in RequestState])


@click.group(cls=FleetGroup)
def approvals() -> None:
    """List, show and decide approval requests.

    REQUEST is an id or its first characters, four at least. Authors cannot decide about their own requests.
    """


@approvals.command("list")
@click.option(
    "--state", "states", type=_STATES, multiple=True, help="In this state instead of pending; may be repeated."
)
@click.option("--all", "every", is_flag=True, help="In any state.")
@click.option("--resource", metavar="NAME", help="Only about this resource, e.g. draft or job.")
@click.option("--agent", type=AGENT, help="Only requests of this agent (username or id).")
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, states: Sequence[str], every: bool, as_json: bool, **query: Any) -> None:
    """List requests, newest first; pending ones unless --state or --all is given."""
    found = door.api.list("/approvals", state=() if every else states or (RequestState.PENDING,), **query)
    if as_json:
        door.json(found.data())
        return
    if found.items:
        door.show(views.table(found.items))
    door.note(render.below(found, "requests"))
    total = door.api.get("/approvals/waiting")["total"]
    door.note(f"{render.counted(total, 'request')} in all {'waits' if total == 1 else 'wait'} for a decision.")


@approvals.command()
@_REQUEST
@json_option
@pass_door
def show(door: Door, /, *, request: str, as_json: bool) -> None:
    """Show one request: changes, approvers and decisions."""
    found = door.api.get(at("approvals", request))
    if as_json:
        door.json(found)
    else:
        door.show(*views.page(found))


@approvals.command()
@_REQUESTS
@as_option
@reason_option("Reason; kept with the decision.")
@revision_option
@json_option
@pass_door
def approve(door: Door, /, *, requests: Sequence[str], revision: int | None, as_json: bool, **body: Any) -> None:
    """Approve requests. The change is applied at once."""
    decide(door, "/approvals/approve", requests, given(**body), revisions=seen(requests, revision), as_json=as_json)


@approvals.command()
@_REQUESTS
@as_option
@reason_option("Reason; its author learns from it.", required=True)
@revision_option
@json_option
@pass_door
def reject(door: Door, /, *, requests: Sequence[str], revision: int | None, as_json: bool, **body: Any) -> None:
    """Reject requests."""
    decide(door, "/approvals/reject", requests, given(**body), revisions=seen(requests, revision), as_json=as_json)


@approvals.command()
@_REQUESTS
@as_option
@reason_option("Reason.", required=True)
@yes_option
@json_option
@pass_door
def withdraw(door: Door, /, *, requests: Sequence[str], yes: bool, as_json: bool, **body: Any) -> None:
    """Withdraw requests. For their authors and for those who may decide."""
    door.confirm(f"Withdraw {len(requests)} request{'' if len(requests) == 1 else 's'}?", yes=yes)
    decide(door, "/approvals/withdraw", requests, given(**body), as_json=as_json)


@approvals.command()
@_REQUEST
@click.option(
    "--set",
    "written",
    metavar="NAME=VALUE",
    multiple=True,
    required=True,
    help="Set a field of the payload; may be repeated. VALUE is JSON, or text for a text field.",
)
@reason_option("Reason; kept with the edit.")
@revision_option
@as_option
@pass_door
def edit(door: Door, /, *, request: str, written: Sequence[str], revision: int | None, **body: Any) -> None:
    """Edit a request's payload; earlier approvals become void."""
    found = door.api.get(at("approvals", request))
    changes = dict(_change(one, found["payload"]) for one in written)
    body = given(changes=changes, revision=revision or found["revision"], **body)
    edited = door.api.patch(at("approvals", found["id"]), body)
    if edited["revision"] == found["revision"]:
        door.note("The payload says that already.")
    else:
        door.say(f"Revision {edited['revision']} waits for a decision.")


def _change(written: str, present: Mapping[str, Any]) -> tuple[str, Any]:
    """Return a name and its new value: text where the payload holds text, else what the value says as JSON."""
    name, sign, value = written.partition("=")
    if not sign or not name:
        raise click.UsageError(f"{written!r} is no change; write --set NAME=VALUE.")
    if isinstance(present.get(name), str):
        return name, value
    try:
        return name, json.loads(value)
    except (json.JSONDecodeError, RecursionError):
        if present.get(name) is None:
            return name, value
    raise click.UsageError(f"{name} holds {json.dumps(present[name])[:60]}: give its new value as JSON.")


@approvals.command()
@_REQUEST
@click.argument("instructions", type=TextType(1000))
@as_option
@pass_door
def revise(door: Door, /, *, request: str, **body: Any) -> None:
    """Return a request to its author, with INSTRUCTIONS."""
    found = door.api.post(at("approvals", request, "revise"), given(**body))
    door.say(f"Sent back: {found['summary']}")


@approvals.command()
@click.argument("resource")
@click.argument("action")
@click.option(
    "--set",
    "written",
    metavar="NAME=VALUE",
    multiple=True,
    help="An argument of the verb; may be repeated. VALUE is JSON, or text.",
)
@json_option
@pass_door
def ask(door: Door, /, *, resource: str, action: str, written: Sequence[str], as_json: bool) -> None:
    """Ask for approval to run a verb, also where no rule asks.

    `fleet approvals verbs` lists the verbs. When the request is approved, the verb runs.
    """
    arguments = dict(_change(one, {}) for one in written)
    found = door.api.post("/approvals", {"resource": resource, "action": action, "arguments": arguments})
    if as_json:
        door.json(found)
    else:
        door.say(f"Request {found['id'][:SHORT]} is {found['state']}: {found['summary']}.")


@approvals.command()
@json_option
@pass_door
def verbs(door: Door, /, *, as_json: bool) -> None:
    """List the verbs that can require approval, with examples."""
    found = door.api.get("/approvals/verbs")
    if as_json:
        door.json(found)
    else:
        door.show(views.verbs_table(found["items"]))


@approvals.command("try")
@click.argument("resource")
@click.argument("action")
@click.option("--asker", type=TextType(100), help="Name of a user who asks; you by default.")
@click.option(
    "--fact",
    "facts",
    metavar="NAME=VALUE",
    multiple=True,
    help="A fact for conditions; may be repeated. VALUE is JSON, or text.",
)
@json_option
@pass_door
def try_(door: Door, /, *, resource: str, action: str, asker: str | None, facts: Sequence[str], as_json: bool) -> None:
    """Show the rule that applies to a verb, or why the verb needs no approval."""
    known = json.dumps(dict(_change(one, {}) for one in facts))
    found = door.api.get("/approvals/try", resource=resource, action=action, asker=asker, facts=known)
    if as_json:
        door.json(found)
    else:
        door.show(*views.ruling(found))


approvals.add_command(rules)
