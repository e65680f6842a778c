"""`fleet jobs`: what is to be done, what was tried, how it ended; retry one at once, or call it off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click
from rich.text import Text

from fleet.cli.frame import json_output, render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, SPAN, before_option, json_option, page_options
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Names
from fleet.engine.jobs.allowed_actions import MEANING
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.models import AttemptRow, JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import FINAL, DeadReason, JobState
from fleet.features.jobs import commands as job_commands

F = TypeVar("F", bound=Callable[..., Any])

ID_CHARS = 8
_SURELY_ONE_CHARS = 13  # twelve digits and a dash: among ten million jobs no two share them

COLUMNS = ("id", "kind", "state", "agent", "created_at", "finished_at", "error")
"""Columns of lists with --server."""
QUERY = {"agent": "agent", "kinds": "kind", "limit": "limit", "older_than": "until", "newer_than": "since"}
"""Options of `filters` and a limit, by the names that the API has for them."""
_STATES = click.Choice([str(state) for state in JobState])
_KINDS = click.Choice([*registry.current().jobs])


@click.group(cls=FleetGroup)
def jobs() -> None:
    """List, show, retry and cancel jobs.

    JOB is an id or its first characters, four at least.
    """


def filters(command: F) -> F:
    """Add the options that choose jobs by agent, kind and age."""
    for option in reversed(
        (
            click.option("--agent", type=AGENT, help="Only of this agent (username or id)."),
            click.option("--kind", "kinds", type=_KINDS, multiple=True, help="Only of this kind; may be repeated."),
            click.option("--older-than", type=SPAN, help="Only jobs that ended (or were created) before, e.g. 2h, 7d."),
            click.option("--newer-than", type=SPAN, help="Only jobs that ended (or were created) since, e.g. 30m."),
        )
    ):
        command = option(command)
    return command


def chosen(door: Door, *, states: Sequence[str] = (), agent: str | None = None, kinds: Sequence[str] = (),
           reason: str | None = None, older_than: timedelta | None = None, newer_than: timedelta | None = None,
           prefixes: Sequence[str] = ()) -> JobFilter:  # fmt: skip
    """Return the filter that options ask for. Raises NotFound for an unknown agent or id."""
    return JobFilter(
        states=tuple(JobState(state) for state in states),
        agent_id=lookup.agent_id(door.deps.db, agent),
        kinds=tuple(kinds),
        reason=DeadReason(reason) if reason else None,
        older_than=older_than,
        newer_than=newer_than,
        ids=tuple(job_commands.show_job(door.deps, prefix)[0].id for prefix in prefixes),
    )


@jobs.command("list", remote=Call("GET", "/jobs", {"states": "state", **QUERY}, columns=COLUMNS))
@click.option("--state", "states", type=_STATES, multiple=True, help="Only in this state; may be repeated.")
@filters
@before_option("JOB", str)
@page_options(20)
@json_option
@pass_door
def list_(door: Door, /, *, before: str | None, limit: int, offset: int, as_json: bool, **options: Any) -> None:
    """List jobs, newest first."""
    rows, total = job_commands.list_jobs(door.deps, chosen(door, **options), before=before, limit=limit, offset=offset)
    names = lookup.names(door.deps.db, [row.agent_id for row in rows])
    if as_json:
        items = [job_data(row, names) for row in rows]
        door.json(json_output.page(items, total=total, limit=limit, offset=offset))
        return
    now = clock.now()
    table = render.table("Job", "Kind", "State", "Agent", "When", ("About", render.ABOUT))
    for row in rows:
        render.row(table, str(row.id)[:ID_CHARS], row.kind, render.status(row.state), who(row, names),
                   _when(row, now), about(row))  # fmt: skip
    if rows:
        door.show(table)
    door.note(render.page(rows, total, offset, "jobs", below=below(rows, limit)))


def job_data(row: JobRow | ListedJob, names: Names, *, whole: bool = False) -> dict[str, Any]:
    """Return a job; `whole` adds what it carries, which lists have not read."""
    same = (
        "id", "kind", "state", "priority", "agent_id", "tick_no", "surface", "target", "attempts", "max_attempts",
        "claims", "next_attempt_at", "sending_at", "held", "remote_id", "dead_reason", "error", "requested_by",
        "created_at", "expires_at", "finished_at",
    )  # fmt: skip
    inside = ("payload", "checkpoint", "result") if whole else ()
    named = names.get(row.agent_id) if row.agent_id else None
    return {**{name: getattr(row, name) for name in (*same, *inside)}, "agent": named.username if named else None}


def attempt_data(row: AttemptRow) -> dict[str, Any]:
    """Return one attempt at a job."""
    return {
        name: getattr(row, name) for name in ("lease_token", "worker", "started_at", "ended_at", "outcome", "error")
    }


def below(rows: Sequence[ListedJob], limit: int) -> str | None:
    """Return what to give --before for the next page; None when this one is not full."""
    return str(rows[-1].id)[:_SURELY_ONE_CHARS] if len(rows) == limit else None


def who(row: JobRow | ListedJob, names: Names) -> str:
    """Return whose job it is."""
    named = names.get(row.agent_id) if row.agent_id else None
    return named.username if named else "–"


def about(row: ListedJob) -> Text:
    """Return the one thing worth knowing about a job: what went wrong, what it waits for, what it came to."""
    if row.error and row.state not in (JobState.DONE, JobState.SKIPPED, JobState.CANCELLED):
        return render.words(row.error, "red")
    if row.held:
        return render.words(f"waits: {row.held}", "yellow")
    told = (row.result or {}).get("text") or row.error or (f"on {row.target}" if row.target else "")
    return render.words(told, "dim")


def _when(row: ListedJob, now: datetime) -> str:
    return render.when(row.finished_at if row.state in FINAL else row.next_attempt_at, now)


@jobs.command(remote=Call("GET", "/jobs/{prefix}"))
@click.argument("prefix", metavar="JOB")
@json_option
@pass_door
def show(door: Door, /, *, prefix: str, as_json: bool) -> None:
    """Show one job with all its attempts."""
    row, attempts = job_commands.show_job(door.deps, prefix)
    tell(door, row, attempts, as_json=as_json)


def tell(door: Door, row: JobRow, attempts: Sequence[AttemptRow], *, as_json: bool) -> None:
    """Print one job with its attempts."""
    names = lookup.names(door.deps.db, [row.agent_id])
    if as_json:
        door.json({**job_data(row, names, whole=True), "attempts_made": [attempt_data(one) for one in attempts]})
        return
    door.show(render.facts(_facts(row, names, clock.now())))
    if attempts:
        table = render.table("Attempt", "Worker", "Took", "Outcome", ("Error", {"no_wrap": False, "overflow": "fold"}))
        for number, one in enumerate(attempts, start=1):
            took = render.span((one.ended_at - one.started_at).total_seconds()) if one.ended_at else "at work"
            render.row(table, number, one.worker, took, one.outcome or "–", one.error)
        door.show("", table)


def _facts(row: JobRow, names: Names, now: datetime) -> list[tuple[str, object]]:
    words = row.checkpoint.get("words") if isinstance(row.checkpoint, dict) else None
    return [
        ("Job", row.id),
        ("Kind", f"{row.kind}, priority {row.priority}"),
        ("State", render.status(row.state)),
        ("Because", render.words(row.dead_reason, "red") if row.dead_reason else None),
        ("Error", render.words(row.error, "red") if row.error else None),
        ("What helps", MEANING[DeadReason(row.dead_reason)].remedy if row.dead_reason else None),
        ("Waits for", row.held),
        ("Agent", who(row, names) if row.agent_id else None),
        ("Tick", row.tick_no),
        ("Asked by", row.requested_by),
        ("About", row.target),
        ("Words", words.get("text") or words.get("caption") if isinstance(words, dict) else None),
        ("Came to", (row.result or {}).get("text")),
        ("Remote id", row.remote_id),
        ("Attempts", f"{row.attempts} of {row.max_attempts} spent, begun {row.claims} times"),
        ("Made", render.when(row.created_at, now)),
        ("Next attempt", None if row.state in FINAL else render.when(row.next_attempt_at, now)),
        ("Sent", render.when(row.sending_at, now) if row.sending_at else None),
        ("Ended", render.when(row.finished_at, now) if row.finished_at else None),
        ("Worth doing", None if row.state in FINAL else f"until {render.when(row.expires_at, now)}"),
    ]


@jobs.command(remote=Call("POST", "/jobs/{prefix}/retry", done="It is due now."))
@click.argument("prefix", metavar="JOB")
@pass_door
def retry(door: Door, /, *, prefix: str) -> None:
    """Make a waiting job due now."""
    job_id = job_commands.retry_job(door.deps, prefix)
    door.say(f"Job {str(job_id)[:ID_CHARS]} is due now.")


@jobs.command(remote=Call("POST", "/jobs/{prefix}/cancel", done="It is cancelled."))
@click.argument("prefix", metavar="JOB")
@pass_door
def cancel(door: Door, /, *, prefix: str) -> None:
    """Cancel a job that has not started."""
    job_id = job_commands.cancel_job(door.deps, prefix, by=door.by)
    door.say(f"Job {str(job_id)[:ID_CHARS]} is cancelled.")
