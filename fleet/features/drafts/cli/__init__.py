"""`fleet drafts` and `fleet scan`: what supervised agents propose, what is decided about it, and what that teaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import click

from fleet.cli.frame import render
from fleet.cli.frame.command import FleetCommand, FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import (
    AGENT,
    LARGEST_ID,
    LARGEST_PAGE,
    REASON,
    SPAN,
    TextType,
    before_option,
    json_option,
    yes_option,
)
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.engine.agents import lookup
from fleet.features.approvals import service as approving
from fleet.features.approvals.cli import person, revision_option, tell, who
from fleet.features.drafts import commands as drafting
from fleet.features.drafts import limits
from fleet.features.drafts.cli import views as look
from fleet.features.drafts.queries import DraftFilter
from fleet.features.drafts.states import DraftKind, DraftStatus
from fleet.features.drafts.stats import queries as draft_stats
from fleet.features.drafts.stats.tally import DraftsBy
from fleet.llm.scan_request import REACTIONS, VISIBILITIES

_DRAFT = click.argument("prefix", metavar="DRAFT")
_DRAFTS = click.argument("prefixes", metavar="DRAFT...", nargs=-1, required=True)
_KIND = click.option("--kind", type=click.Choice([str(kind) for kind in DraftKind]), help="Only of this kind.")
_AGENT = click.option("--agent", type=AGENT, help="Only of this agent (username or id).")
_LIMIT = click.option("--limit", type=click.IntRange(1, LARGEST_PAGE), default=20, show_default=True,
                      help="Number of rows.")  # fmt: skip
_SINCE = click.option("--since", type=SPAN, default="7d", show_default=True, help="Period up to now.")
_WORDS = TextType(2000)
_tell = partial(tell, data=look.answer, told=look.told)


@click.group(cls=FleetGroup)
def drafts() -> None:
    """List, show and decide the drafts of supervised agents.

    DRAFT is an id or its first characters, four at least. What is approved goes through the ledger like all else.
    """


def _filter(door: Door, status: str | None, kind: str | None, agent: str | None) -> DraftFilter:
    kinds = DraftKind(kind) if kind else None
    return DraftFilter(DraftStatus(status) if status else None, kinds, lookup.agent_id(door.deps.db, agent))


@drafts.command(
    "list",
    remote=Call(
        "GET",
        "/drafts",
        {"status": "status", "kind": "kind", "agent": "agent", "limit": "limit"},
        usually={"status": "pending"},
        columns=("id", "kind", "status", "agent", "topic", "expires_at"),
    ),
)
@click.option("--status", type=click.Choice([str(status) for status in DraftStatus]),
              help="In this status instead of pending.")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="In any status.")
@_KIND
@_AGENT
@before_option("DRAFT", str)
@_LIMIT
@json_option
@pass_door
def list_(door: Door, /, *, status: str | None, every: bool, kind: str | None, agent: str | None, before: str | None,
          limit: int, as_json: bool) -> None:  # fmt: skip
    """List drafts, newest first; those that wait for a decision if nothing else is asked for."""
    wanted = None if every else status or str(DraftStatus.PENDING)
    found = drafting.page(door.deps, _filter(door, wanted, kind, agent), limit=limit, before=before)
    names = lookup.names(door.deps.db, [one.row.agent_id for one in found])
    if as_json:
        door.json({"items": [look.data(one, names) for one in found], "limit": limit})
        return
    if found:
        door.show(look.table(found, names, clock.now()))
    following = f"; --before {look.surely_one(found[-1])} shows the next" if len(found) == limit else ""
    door.note(f"{len(found)} {'draft' if len(found) == 1 else 'drafts'}{following}." if found else "No drafts.")
    for username in limits.full(door.deps, None if agent is None else lookup.agent(door.deps.db, agent).id):
        door.note(f"{username} has too many undecided drafts, so its feed is not scanned. {limits.fix(username)}")


@drafts.command(remote=Call("GET", "/drafts/{prefix}"))
@_DRAFT
@json_option
@pass_door
def show(door: Door, /, *, prefix: str, as_json: bool) -> None:
    """Show one draft beside its target."""
    one, revisions = drafting.show(door.deps, prefix)
    names = lookup.names(door.deps.db, [one.row.agent_id])
    if as_json:
        door.json({**look.data(one, names), "revisions": [look.revision(revision) for revision in revisions]})
        return
    door.show(*look.page(one, revisions, names, clock.now(), columns=door.out.width))
    if one.row.status == DraftStatus.PENDING and one.request is not None:
        named = f"{look.surely_one(one)} --revision {one.request.revision}"
        door.note(f"`fleet drafts approve {named}` approves these words and no others.")


@drafts.command(
    remote=Call(
        "POST",
        "/drafts/{prefixes}/approve",
        body={"reason": "reason", "revision": "revision"},
        each="prefixes",
        done="{prefixes}: {state}.",
    )
)
@_DRAFTS
@who
@click.option("--reason", type=REASON, help="Reason; the agent learns from it.")
@revision_option
@json_option
@pass_door
def approve(door: Door, /, *, prefixes: Sequence[str], name: str | None, reason: str | None, revision: int | None,
            as_json: bool) -> None:  # fmt: skip
    """Approve drafts; each is published as soon as caps and pauses allow."""
    by = person(door, name)
    _tell(door, drafting.approve(door.deps, prefixes, by, reason, revision=revision), as_json=as_json)


@drafts.command(
    remote=Call(
        "POST",
        "/drafts/{prefixes}/reject",
        body={"reason": "reason", "revision": "revision"},
        each="prefixes",
        done="{prefixes}: {state}.",
    )
)
@_DRAFTS
@who
@click.option("--reason", type=REASON, required=True, help="Reason; the agent learns from it.")
@revision_option
@json_option
@pass_door
def reject(door: Door, /, *, prefixes: Sequence[str], name: str | None, reason: str, revision: int | None,
           as_json: bool) -> None:  # fmt: skip
    """Reject drafts."""
    by = person(door, name)
    _tell(door, drafting.reject(door.deps, prefixes, by, reason, revision=revision), as_json=as_json)


@drafts.command(
    remote=Call("POST", "/drafts/{prefix}/revise", body={"instructions": "instructions"}, done="It is being revised.")
)
@_DRAFT
@click.argument("instructions", type=TextType(1000))
@who
@pass_door
def revise(door: Door, /, *, prefix: str, instructions: str, name: str | None) -> None:
    """Ask the model for a new revision of a draft, with INSTRUCTIONS."""
    request = drafting.revise(door.deps, prefix, instructions, person(door, name))
    door.say(f"Sent back: {request.summary}")


@drafts.command()
@_DRAFT
@click.option("--text", type=_WORDS, help="What it says.")
@click.option("--image-prompt", type=_WORDS, help="Post: prompt of its picture.")
@click.option("--alt-text", type=TextType(300), help="Post: alternative text of its picture.")
@click.option("--visibility", type=click.Choice(VISIBILITIES), help="Post: visibility.")
@click.option("--type", "type_", type=click.Choice(REACTIONS), help="Reaction: type.")
@click.option("--reason", type=REASON, help="Reason; kept with the edit.")
@revision_option
@who
@pass_door
def edit(door: Door, /, *, prefix: str, type_: str | None, reason: str | None, revision: int | None,
         name: str | None, **words: str | None) -> None:  # fmt: skip
    """Edit a draft; approvals of earlier revisions become void."""
    changes = {field: value for field, value in {**words, "type": type_}.items() if value is not None}
    if not changes:
        raise click.UsageError("Name at least one thing to change.")
    request = drafting.edit(door.deps, prefix, changes, person(door, name), reason, revision=revision)
    door.say(f"Revision {request.revision} waits for a decision.")


@drafts.command()
@click.argument("decision", type=click.Choice(["approve", "reject"]))
@_KIND
@_AGENT
@click.option("--reason", type=REASON, help="Reason; required to reject.")
@who
@yes_option
@json_option
@pass_door
def bulk(door: Door, /, *, decision: str, kind: str | None, agent: str | None, reason: str | None, name: str | None,
         yes: bool, as_json: bool) -> None:  # fmt: skip
    """Approve or reject all drafts that wait, or those of one agent or kind; asks first.

    What is rewritten between the question and your answer is left, and said.
    """
    if decision == "reject" and not reason:
        raise InvalidInput("A rejection needs a reason.", fix="Add --reason.")
    seen = drafting.open_revisions(door.deps, _filter(door, str(DraftStatus.PENDING), kind, agent))
    if not seen:
        door.note("No drafts.")
        return
    door.confirm(f"{decision.capitalize()} {len(seen)} draft{'' if len(seen) == 1 else 's'}?", yes=yes)
    by = person(door, name)
    if decision == "approve":
        answers = approving.approve(door.deps, list(seen), by, reason, revision=seen)
    else:
        answers = approving.reject(door.deps, list(seen), by, str(reason), revision=seen)
    _tell(door, answers, as_json=as_json)


@drafts.command(
    remote=Call(
        "GET",
        "/drafts/stats",
        {"by": "by", "since": "since", "agent": "agent", "limit": "limit"},
        columns=("name", "proposed", "waiting", "approved", "edited", "rejected", "expired", "withdrawn", "agreed"),
        none="No drafts.",
    )
)
@click.option(
    "--by", type=click.Choice([str(by) for by in DraftsBy]), default="agent", show_default=True, help="Group by."
)
@_SINCE
@_AGENT
@_LIMIT
@json_option
@pass_door
def stats(door: Door, /, *, by: str, since: timedelta, agent: str | None, limit: int, as_json: bool) -> None:
    """Show statistics of drafts: proposals, decisions and feed scans."""
    found = draft_stats.stats(door.deps, DraftsBy(by), since=clock.now() - since, agent=agent, limit=limit)
    names = (
        lookup.names(door.deps.db, [UUID(one.key) for one in found.items if one.key]) if by == DraftsBy.AGENT else {}
    )
    if as_json:
        door.json(look.stats_data(found, by, names))
        return
    if found.items:
        door.show(look.stats(found, by, names))
    for line in look.scans(found.scans, found.total, render.span(since.total_seconds())):
        door.note(line)


@drafts.command()
@click.argument("agent", metavar="AGENT", type=AGENT)
@_LIMIT
@json_option
@pass_door
def learned(door: Door, /, *, agent: str, limit: int, as_json: bool) -> None:
    """Show an agent's lessons, newest first, with their effects."""
    found = drafting.learned(door.deps, agent, limit=limit)
    if as_json:
        door.json({"items": [look.lesson(row) for row in found], "limit": limit})
        return
    if found:
        door.show(look.lessons(found, clock.now()))
    noun = "lesson" if len(found) == 1 else "lessons"
    door.note(f"{len(found)} {noun}." if found else "Nothing yet: it learns from approved and rejected drafts.")


@drafts.command()
@click.argument("lesson", metavar="LESSON", type=click.IntRange(1, LARGEST_ID))
@pass_door
def unlearn(door: Door, /, *, lesson: int) -> None:
    """Undo a lesson."""
    row = drafting.unlearn(door.deps, lesson, by=door.by)
    door.say(f"Lesson {row.id} counts no more.")


@click.command(cls=FleetCommand)
@click.argument("name", metavar="AGENT", type=AGENT)
@pass_door
def scan(door: Door, /, *, name: str) -> None:
    """Have a supervised agent scan its feed now.

    `fleet drafts list` shows its drafts.
    """
    drafting.scan(door.deps, name, by=door.by)
    door.say(f"{name} looks at its feed now; `fleet drafts list --agent {name}` shows what it proposes, and"
             f" `fleet agents decisions {name}` what it left out.")  # fmt: skip
