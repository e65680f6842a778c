"""`fleet drafts` and `fleet scan`: the drafts of supervised agents, decisions about them, lessons and scans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import at
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import (
    AGENT,
    LARGEST_ID,
    LARGEST_PAGE,
    SPAN,
    TextType,
    json_option,
    list_options,
    yes_option,
)
from fleet.core.errors import InvalidInput
from fleet.features.approvals.cli.decisions import as_option, decide, given, reason_option, revision_option, seen
from fleet.features.drafts.cli import views
from fleet.features.drafts.states import DraftKind, DraftsBy, DraftStatus
from fleet.llm.scan_request import REACTIONS, VISIBILITIES

_DRAFT = click.argument("draft", metavar="DRAFT")
_DRAFTS = click.argument("names", metavar="DRAFT...", nargs=-1, required=True)
_KIND = click.option("--kind", type=click.Choice([str(kind) for kind in DraftKind]), help="Only of this kind.")
_AGENT = click.option("--agent", type=AGENT, help="Only of this agent (username or id).")
_WORDS = TextType(2000)
_MOST_GROUPS = 200


@click.group(cls=FleetGroup)
def drafts() -> None:
    """List, show and decide the drafts of supervised agents.

    DRAFT is an id or its first characters, four at least. An approved draft becomes a job of the ledger.
    """


@drafts.command("list")
@click.option("--status", type=click.Choice([str(status) for status in DraftStatus]),
              help="In this status instead of pending.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="In any status.")
@_KIND
@_AGENT
@click.option("--topic", type=TextType(60), help="Only those whose topic holds this.")
@click.option("--confidence", type=click.FloatRange(0, 1), help="Only those of which the agent is at least this sure.")
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, status: str | None, every: bool, agent: str | None, as_json: bool, **query: Any) -> None:
    """List drafts, newest first; pending ones unless --status or --all is given."""
    wanted = None if every else status or DraftStatus.PENDING
    found = door.api.list("/drafts", status=wanted, agent=agent, **query)
    if as_json:
        door.json(found.data())
        return
    if found.items:
        door.show(views.table(found.items))
    door.note(render.below(found, "drafts"))
    for username in door.api.get("/drafts/limits", agent=agent)["full"]:
        door.note(f"{username} has too many undecided drafts, so its feed is not scanned. Decide about some"
                  f" (`fleet drafts list --agent {username}`), or raise FLEET_UNDECIDED_DRAFTS.")  # fmt: skip


@drafts.command()
@_DRAFT
@json_option
@pass_door
def show(door: Door, /, *, draft: str, as_json: bool) -> None:
    """Show one draft beside its target."""
    found = door.api.get(at("drafts", draft))
    if as_json:
        door.json(found)
        return
    door.show(*views.page(found, columns=door.out.width))
    if found["status"] == DraftStatus.PENDING and found["request_id"] is not None:
        named = f"{found['id'][: views.SURELY_ONE_CHARS]} --revision {found['revision']}"
        door.note(f"`fleet drafts approve {named}` approves these words and no others.")


@drafts.command()
@_DRAFTS
@as_option
@reason_option("Reason; the agent learns from it.")
@revision_option
@json_option
@pass_door
def approve(door: Door, /, *, names: Sequence[str], revision: int | None, as_json: bool, **body: Any) -> None:
    """Approve drafts; each is published as soon as caps and pauses allow."""
    decide(door, "/drafts/approve", names, given(**body), revisions=seen(names, revision), as_json=as_json)


@drafts.command()
@_DRAFTS
@as_option
@reason_option("Reason; the agent learns from it.", required=True)
@revision_option
@json_option
@pass_door
def reject(door: Door, /, *, names: Sequence[str], revision: int | None, as_json: bool, **body: Any) -> None:
    """Reject drafts."""
    decide(door, "/drafts/reject", names, given(**body), revisions=seen(names, revision), as_json=as_json)


@drafts.command()
@_DRAFTS
@as_option
@reason_option("Reason.", required=True)
@yes_option
@json_option
@pass_door
def withdraw(door: Door, /, *, names: Sequence[str], yes: bool, as_json: bool, **body: Any) -> None:
    """Withdraw drafts: nothing is published, and the agent learns nothing."""
    door.confirm(f"Withdraw {_number(len(names))}?", yes=yes)
    decide(door, "/drafts/withdraw", names, given(**body), as_json=as_json)


@drafts.command()
@_DRAFT
@click.argument("instructions", type=TextType(1000))
@as_option
@pass_door
def revise(door: Door, /, *, draft: str, **body: Any) -> None:
    """Ask the model for a new revision of a draft, with INSTRUCTIONS."""
    found = door.api.post(at("drafts", draft, "revise"), given(**body))
    door.say(f"Sent back: {found['request']['summary']}")


@drafts.command()
@_DRAFT
@click.option("--text", type=_WORDS, help="What it says.")
@click.option("--image-prompt", type=_WORDS, help="Post: prompt of its picture.")
@click.option("--alt-text", type=TextType(300), help="Post: alternative text of its picture.")
@click.option("--visibility", type=click.Choice(VISIBILITIES), help="Post: visibility.")
@click.option("--type", type=click.Choice(REACTIONS), help="Reaction: type.")
@reason_option("Reason; kept with the edit.")
@revision_option
@as_option
@pass_door
def edit(door: Door, /, *, draft: str, reason: str | None, revision: int | None, decided_by: str | None,
         **words: str | None) -> None:  # fmt: skip
    """Edit a draft; approvals of earlier revisions become void."""
    changes = given(**words)
    if not changes:
        raise click.UsageError("Name at least one thing to change.")
    body = given(**changes, reason=reason, revision=revision, decided_by=decided_by)
    door.say(f"Revision {door.api.patch(at('drafts', draft), body)['revision']} waits for a decision.")


@drafts.command()
@_DRAFT
@revision_option
@as_option
@pass_door
def picture(door: Door, /, *, draft: str, **body: Any) -> None:
    """Have another picture made for a proposed post, from its present words; this may cost money."""
    found = door.api.post(at("drafts", draft, "picture"), given(**body))
    door.say(f"A picture is being made; it becomes revision {found['revision'] + 1}.")


@drafts.command()
@click.argument("decision", type=click.Choice(["approve", "reject"]))
@_KIND
@_AGENT
@reason_option("Reason; required to reject.")
@as_option
@yes_option
@json_option
@pass_door
def bulk(door: Door, /, *, decision: str, kind: str | None, agent: str | None, reason: str | None,
         decided_by: str | None, yes: bool, as_json: bool) -> None:  # fmt: skip
    """Approve or reject all drafts that wait, or those of one agent or kind; asks first.

    A draft that is edited between the question and your answer is refused.
    """
    if decision == "reject" and not reason:
        raise InvalidInput("A rejection needs a reason.", fix="Add --reason.")
    found = door.api.list("/drafts", limit=LARGEST_PAGE, status=DraftStatus.PENDING, kind=kind, agent=agent).items
    if not found:
        if as_json:
            door.json({"items": []})
        door.note("No drafts.")
        return
    door.confirm(f"{decision.capitalize()} {_number(len(found))}?", yes=yes)
    revisions = {one["id"]: one["revision"] for one in found}
    body = given(reason=reason, decided_by=decided_by)
    decide(door, f"/drafts/{decision}", list(revisions), body, revisions=revisions, as_json=as_json)


def _number(number: int) -> str:
    return f"{number} draft{'' if number == 1 else 's'}"


@drafts.command()
@click.option(
    "--by", type=click.Choice([str(by) for by in DraftsBy]), default="agent", show_default=True, help="Group by."
)
@click.option("--since", type=SPAN, default="7d", show_default=True, help="Period up to now.")
@_AGENT
@click.option("--limit", type=click.IntRange(1, _MOST_GROUPS), default=20, show_default=True, help="Number of rows.")
@json_option
@pass_door
def stats(door: Door, /, *, since: timedelta, as_json: bool, **query: Any) -> None:
    """Show statistics of drafts: proposals, decisions and feed scans."""
    found = door.api.get("/drafts/stats", since=since, **query)
    if as_json:
        door.json(found)
        return
    if found["items"]:
        door.show(views.stats(found))
    for line in views.totals(found, render.span(since.total_seconds())):
        door.note(line)


@drafts.command()
@click.argument("agent", metavar="AGENT", type=AGENT)
@list_options()
@json_option
@pass_door
def learned(door: Door, /, *, agent: str, as_json: bool, **query: Any) -> None:
    """Show an agent's lessons, newest first, with their effects."""
    found = door.api.list(at("agents", agent, "lessons"), **query)
    if as_json:
        door.json(found.data())
        return
    if not found.items:
        door.note("No lessons: the agent learns from approved and rejected drafts.")
        return
    door.show(views.lessons(found.items))
    door.note(render.below(found, "lessons"))


@drafts.command()
@click.argument("lesson", metavar="LESSON", type=click.IntRange(1, LARGEST_ID))
@pass_door
def unlearn(door: Door, /, *, lesson: int) -> None:
    """Undo a lesson."""
    undone = door.api.post(at("lessons", lesson, "undo"))
    door.say(f"Lesson {undone['id']} is undone.")


@click.command(cls=FleetCommand)
@click.argument("agent", metavar="AGENT", type=AGENT)
@pass_door
def scan(door: Door, /, *, agent: str) -> None:
    """Have a supervised agent scan its feed now.

    `fleet drafts list` shows its drafts.
    """
    door.api.post(at("agents", agent, "scan"))
    door.say(f"{agent} scans its feed now; `fleet drafts list --agent {agent}` shows what it proposes, and"
             f" `fleet agents decisions {agent}` what it left out.")  # fmt: skip
