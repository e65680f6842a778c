"""`fleet dead`: jobs that will not happen by themselves any more. A person looks, replays or discards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from fleet.cli.frame import json_output, render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import (
    LARGEST_PAGE,
    before_option,
    json_option,
    page_options,
    yes_option,
)
from fleet.cli.frame.remote_call import Call, Options
from fleet.core import clock
from fleet.core.errors import Conflict
from fleet.engine.agents import lookup
from fleet.engine.jobs.lists import ListedJob
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.registry import MESSAGE
from fleet.features.jobs import cli as jobs
from fleet.features.jobs import commands as job_commands

F = TypeVar("F", bound=Callable[..., Any])
_REASONS = click.Choice([str(reason) for reason in DeadReason])


@click.group(cls=FleetGroup)
def dead() -> None:
    """List, show, replay and discard dead letters.

    Reasons: permanent (the surface says never), exhausted (attempts used up), poison (kills its workers),
    unknown_outcome (nobody can tell whether it happened), expired (too old), policy (the gateway refuses it),
    unreadable (a message that no task understands).
    """


def _filters(command: F) -> F:
    command = click.option("--id", "prefixes", multiple=True, metavar="JOB", help="Only this one; may be repeated.")(
        command
    )
    command = click.option("--reason", type=_REASONS, help="Only with this reason.")(command)
    return jobs.filters(command)


def _chosen(door: Door, options: dict[str, Any]) -> JobFilter:
    return jobs.chosen(door, states=[JobState.DEAD], **options)


_LIMIT = click.option(
    "--limit", type=click.IntRange(1, LARGEST_PAGE), default=LARGEST_PAGE, show_default=True, help="At most so many."
)


def _remote(options: Options) -> Mapping[str, Any]:
    """Return which dead letters, as the API takes it: by id, or by a filter."""
    body = {name: options[name] for name in ("limit", "allow_stale") if options.get(name)}
    if options.get("prefixes"):
        return body | {"ids": list(options["prefixes"])}
    names = {"reason": "reason", "kinds": "kind", "agent": "agent", "older_than": "until", "newer_than": "since"}
    return body | {"filter": {field: options[name] for name, field in names.items() if options.get(name)}}


@dead.command(
    "list", remote=Call("GET", "/dead", {"reason": "reason", **jobs.QUERY}, columns=(*jobs.COLUMNS, "dead_reason"))
)
@_filters
@before_option("JOB", str)
@page_options(20)
@json_option
@pass_door
def list_(door: Door, /, *, before: str | None, limit: int, offset: int, as_json: bool, **options: Any) -> None:
    """List dead letters, newest first."""
    rows, total = job_commands.list_jobs(door.deps, _chosen(door, options), before=before, limit=limit, offset=offset)
    if as_json:
        names = lookup.names(door.deps.db, [row.agent_id for row in rows])
        door.json(
            json_output.page([jobs.job_data(row, names) for row in rows], total=total, limit=limit, offset=offset)
        )
        return
    _show(door, rows)
    door.note(render.page(rows, total, offset, "dead letters", below=jobs.below(rows, limit)))


def _show(door: Door, rows: Sequence[ListedJob]) -> None:
    if not rows:
        return
    now = clock.now()
    names = lookup.names(door.deps.db, [row.agent_id for row in rows])
    table = render.table("Job", "Kind", "Reason", "Agent", "Died", ("Error", render.ABOUT))
    for row in rows:
        render.row(table, str(row.id)[: jobs.ID_CHARS], row.kind, render.words(row.dead_reason, "red"),
                   jobs.who(row, names), render.when(row.finished_at, now), row.error)  # fmt: skip
    door.show(table)


@dead.command(remote=Call("GET", "/jobs/{prefix}"))
@click.argument("prefix", metavar="JOB")
@json_option
@pass_door
def show(door: Door, /, *, prefix: str, as_json: bool) -> None:
    """Show one dead letter with all its attempts."""
    row, attempts = job_commands.show_job(door.deps, prefix)
    if row.state != JobState.DEAD:
        raise Conflict(f"Job {row.id} is {row.state}, not dead.", fix="`fleet jobs show` shows any job.")
    jobs.tell(door, row, attempts, as_json=as_json)


@dead.command(remote=Call("POST", "/dead/replay", body=_remote, done="Replayed {count}.", asks="Replay these?"))
@_filters
@_LIMIT
@click.option("--allow-stale", is_flag=True, help="Also expired ones.")
@click.option("--dry-run", is_flag=True, help="Only show which ones.")
@yes_option
@pass_door
def replay(door: Door, /, *, limit: int, allow_stale: bool, dry_run: bool, yes: bool, **options: Any) -> None:
    """Replay dead letters.

    Each keeps its id, and so its idempotency key, and gets a new count of attempts. One that may have been sent is
    looked for before it is sent again. Messages that no task understands stay dead.
    """
    which = _chosen(door, options)
    rows, total = job_commands.list_jobs(door.deps, which, limit=limit)
    able = [row for row in rows if _replayable(row, allow_stale=allow_stale)]
    left = len(rows) - len(able)
    if dry_run:
        _show(door, able)
    if left:
        door.note(f"{left} stay dead: too old (--allow-stale takes them along), or messages that no task understands.")
    if not able or dry_run:
        door.say(f"{'Would replay' if dry_run else 'Replayed'} {len(able)} of {_letters(total)}.")
        return
    door.confirm(f"Replay {_letters(len(able))}?", yes=yes)
    number = job_commands.replay_dead(door.deps, which, by=door.by, allow_stale=allow_stale, limit=limit)
    door.say(f"Replayed {_letters(number)}.")


def _replayable(row: ListedJob, *, allow_stale: bool) -> bool:
    return row.kind != MESSAGE.kind and (allow_stale or row.expires_at > clock.now())


@dead.command(
    remote=Call("POST", "/dead/discard", body=_remote, done="Discarded {count}.", asks="Discard these dead letters?")
)
@_filters
@_LIMIT
@click.option("--dry-run", is_flag=True, help="Only show which ones.")
@yes_option
@pass_door
def discard(door: Door, /, *, limit: int, dry_run: bool, yes: bool, **options: Any) -> None:
    """Discard dead letters; their rows stay."""
    which = _chosen(door, options)
    rows, total = job_commands.list_jobs(door.deps, which, limit=limit)
    if dry_run:
        _show(door, rows)
    if not rows or dry_run:
        door.say(f"{'Would discard' if dry_run else 'Discarded'} {len(rows)} of {_letters(total)}.")
        return
    door.confirm(f"Discard {_letters(len(rows))}?", yes=yes)
    number = job_commands.discard_dead(door.deps, which, by=door.by, limit=limit)
    door.say(f"Discarded {_letters(number)}.")


def _letters(number: int | None) -> str:
    return f"{render.many(number)} dead letter{'' if number == 1 else 's'}"
