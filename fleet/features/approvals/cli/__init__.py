"""`fleet approvals`: what people are asked to allow; look at it, decide about it, and see who decides what."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, LARGEST_PAGE, REASON, TextType, before_option, json_option, yes_option
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.core.errors import FleetError
from fleet.features.approvals.cli import views as look

if TYPE_CHECKING:
    from fleet.features.approvals.rules import Person, Rule
    from fleet.features.approvals.service import DecisionResult

F = TypeVar("F", bound=Callable[..., Any])
_STATES = click.Choice(["pending", "approved", "rejected", "expired", "withdrawn"])
_PENDING = ("pending",)
_NAME = TextType(100)
_REQUEST = click.argument("prefix", metavar="REQUEST")
_REQUESTS = click.argument("prefixes", metavar="REQUEST...", nargs=-1, required=True)
revision_option = click.option("--revision", type=click.IntRange(1), help="Only if this is still the current revision.")


@click.group(cls=FleetGroup)
def approvals() -> None:
    """List, show and decide approval requests.

    REQUEST is an id or its first characters, four at least. Nobody decides about what they asked for themselves.
    """


def who(command: F) -> F:
    """Add the option that says in whose name a decision is made."""
    words = "Name of the person who decides; yours if left out. FLEET_ROLES_OF gives roles."
    return click.option("--as", "name", metavar="NAME", type=_NAME, help=words)(command)


def person(door: Door, name: str | None) -> Person:
    """Return who decides: whoever is named, or whoever is logged in."""
    from fleet.features.approvals import approver

    login = door.by.removeprefix("cli:")
    return approver.person(door.settings, name or login, is_local=name in (None, login))


@approvals.command(
    "list",
    remote=Call(
        "GET",
        "/approvals",
        {"states": "state", "resource": "resource", "agent": "agent", "limit": "limit"},
        usually={"state": "pending"},
        columns=("id", "resource", "action", "state", "requested_by", "expires_at"),
    ),
)
@click.option(
    "--state", "states", type=_STATES, multiple=True, help="In this state instead of pending; may be repeated."
)
@click.option("--all", "every", is_flag=True, help="In any state.")
@click.option("--resource", metavar="NAME", help="Only about this resource, e.g. draft or job.")
@click.option("--agent", type=AGENT, help="Only requests of this agent (username or id).")
@before_option("REQUEST", str)
@click.option("--limit", type=click.IntRange(1, LARGEST_PAGE), default=20, show_default=True, help="Number of rows.")
@json_option
@pass_door
def list_(door: Door, /, *, states: Sequence[str], every: bool, resource: str | None, agent: str | None,
          before: str | None, limit: int, as_json: bool) -> None:  # fmt: skip
    """List requests, newest first; those that wait for a decision if nothing else is asked for."""
    from fleet.engine.agents import lookup
    from fleet.features.approvals import service as approving
    from fleet.features.approvals.queries import RequestFilter
    from fleet.features.approvals.states import RequestState

    wanted = () if every else tuple(RequestState(state) for state in states or _PENDING)
    which = RequestFilter(wanted, resource, lookup.agent_id(door.deps.db, agent))
    found = approving.page(door.deps, which, limit=limit, before=before)
    names = lookup.names(door.deps.db, [request.agent_id for request in found])
    if as_json:
        door.json({"items": [look.data(request, names) for request in found], "limit": limit})
        return
    if found:
        door.show(look.table(found, clock.now()))
    below = f"; --before {str(found[-1].id)[: look.SURELY_ONE_CHARS]} shows the next" if len(found) == limit else ""
    noun = "request" if len(found) == 1 else "requests"
    door.note(f"{len(found)} {noun}{below}." if found else "No requests.")


@approvals.command(remote=Call("GET", "/approvals/{prefix}"))
@_REQUEST
@json_option
@pass_door
def show(door: Door, /, *, prefix: str, as_json: bool) -> None:
    """Show one request: changes, approvers and decisions."""
    from fleet.engine.agents import lookup
    from fleet.features.approvals import service as approving

    request, record = approving.show(door.deps, prefix)
    names = lookup.names(door.deps.db, [request.agent_id])
    if as_json:
        door.json(look.whole(request, record, names))
    else:
        door.show(*look.page(request, record, names, clock.now()))


@approvals.command(
    remote=Call(
        "POST",
        "/approvals/{prefixes}/approve",
        body={"reason": "reason", "revision": "revision"},
        each="prefixes",
        done="{prefixes}: {state}.",
    )
)
@_REQUESTS
@who
@click.option("--reason", type=REASON, help="Reason; kept with the decision.")
@revision_option
@json_option
@pass_door
def approve(door: Door, /, *, prefixes: Sequence[str], name: str | None, reason: str | None, revision: int | None,
            as_json: bool) -> None:  # fmt: skip
    """Approve requests. The change is applied at once."""
    from fleet.features.approvals import service as approving

    ids = approving.find(door.deps, prefixes)
    tell(door, approving.approve(door.deps, ids, person(door, name), reason, revision=revision), as_json=as_json)


@approvals.command(
    remote=Call(
        "POST",
        "/approvals/{prefixes}/reject",
        body={"reason": "reason", "revision": "revision"},
        each="prefixes",
        done="{prefixes}: {state}.",
    )
)
@_REQUESTS
@who
@click.option("--reason", type=REASON, required=True, help="Reason; its author learns from it.")
@revision_option
@json_option
@pass_door
def reject(door: Door, /, *, prefixes: Sequence[str], name: str | None, reason: str, revision: int | None,
           as_json: bool) -> None:  # fmt: skip
    """Reject requests."""
    from fleet.features.approvals import service as approving

    ids = approving.find(door.deps, prefixes)
    tell(door, approving.reject(door.deps, ids, person(door, name), reason, revision=revision), as_json=as_json)


@approvals.command(
    remote=Call(
        "POST",
        "/approvals/{prefixes}/withdraw",
        body={"reason": "reason"},
        each="prefixes",
        done="{prefixes}: {state}.",
        asks="Withdraw these requests?",
    )
)
@_REQUESTS
@who
@click.option("--reason", type=REASON, required=True, help="Reason.")
@yes_option
@json_option
@pass_door
def withdraw(door: Door, /, *, prefixes: Sequence[str], name: str | None, reason: str, yes: bool,
             as_json: bool) -> None:  # fmt: skip
    """Withdraw requests. For their authors and for those who may decide."""
    from fleet.features.approvals import service as approving

    ids = approving.find(door.deps, prefixes)
    door.confirm(f"Take {len(ids)} request{'' if len(ids) == 1 else 's'} back?", yes=yes)
    tell(door, approving.withdraw(door.deps, ids, person(door, name), reason), as_json=as_json)


@approvals.command()
@_REQUEST
@click.option(
    "--set",
    "changes",
    metavar="NAME=VALUE",
    multiple=True,
    required=True,
    help="Set a field of the payload; may be repeated. VALUE is JSON, or text for a text field.",
)
@click.option("--reason", type=REASON, help="Reason; kept with the edit.")
@revision_option
@who
@pass_door
def edit(door: Door, /, *, prefix: str, changes: Sequence[str], reason: str | None, revision: int | None,
         name: str | None) -> None:  # fmt: skip
    """Edit a request's payload; earlier approvals become void."""
    from fleet.features.approvals import service as approving

    request, _ = approving.show(door.deps, prefix)
    payload = {**request.payload, **dict(_change(one, request.payload) for one in changes)}
    made = approving.edit(door.deps, request.id, payload, person(door, name), reason,
                          revision=revision or request.revision)  # fmt: skip
    if made.revision == request.revision:
        door.note("That is what it says already.")
    else:
        door.say(f"Revision {made.revision} waits for a decision.")


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
@who
@pass_door
def revise(door: Door, /, *, prefix: str, instructions: str, name: str | None) -> None:
    """Return a request to its author, with INSTRUCTIONS."""
    from fleet.features.approvals import service as approving

    (request_id,) = approving.find(door.deps, [prefix])
    request = approving.revise(door.deps, request_id, instructions, person(door, name))
    door.say(f"Sent back: {request.summary}")


def tell(
    door: Door,
    answers: Sequence[DecisionResult],
    *,
    as_json: bool,
    data: Callable[[DecisionResult], Any] = look.answer,
    told: Callable[[DecisionResult], str] = look.told,
) -> None:
    """Say what came of each. One that was refused is an error; of several the others are said first."""
    refused = [answer.error for answer in answers if answer.error is not None]
    if as_json:
        door.json({"items": [data(answer) for answer in answers]})
    elif len(answers) == 1 and refused:
        raise refused[0]
    else:
        for answer in answers:
            if answer.error is None:
                door.say(told(answer))
            else:
                door.err.print(render.words(told(answer), "red"), soft_wrap=True)
    if refused:
        codes = {error.exit_code for error in refused}
        click.get_current_context().exit(codes.pop() if len(codes) == 1 else FleetError.exit_code)


@approvals.command()
@click.option("--file", "path", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Of this file.")
@json_option
@pass_door
def rules(door: Door, /, *, path: Path | None, as_json: bool) -> None:
    """Show and check the approval rules, in their order.

    Needs no servers; where a fleet is there, also checks that the users whom the rules name may decide.
    """
    from fleet.cli.frame import paths
    from fleet.features.approvals import rule_file
    from fleet.features.approvals.settings import ApprovalsSettings

    named = path or paths.given(door.home).of(ApprovalsSettings).approval_rules
    found = rule_file.shipped() if named is None else rule_file.load(named)
    _check_users(door, found)
    if as_json:
        door.json({"file": str(named or "shipped"), "items": [look.rule_data(rule) for rule in found]})
        return
    door.show(look.rules_table(found))
    door.note(f"From {named or 'the shipped file'}. What none of them covers, an owner decides within a day.")


def _check_users(door: Door, found: Sequence[Rule]) -> None:
    """Check the users whom rules name, where a database is known.

    Raises InvalidInput for one who never could decide.
    """
    from fleet.core.db import Database
    from fleet.core.errors import InvalidInput
    from fleet.features.approvals import rule_users
    from fleet.features.approvals.rules import users_of

    if not any(users_of(rule) for rule in found):
        return
    try:
        settings = door.settings
    except InvalidInput:
        door.note("Users in the rules were not checked: no fleet runs here.")
        return
    database = Database(settings.database_url, pool_size=1)
    try:
        problems = rule_users.problems(database, settings, found)
    finally:
        database.close()
    for one in problems:
        if not one.is_lost:
            raise InvalidInput(one.words, fix=one.fix)
        door.note(f"{one.words} {one.fix}")
