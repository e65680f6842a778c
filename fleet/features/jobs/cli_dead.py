"""`fleet dead`: jobs that will not happen by themselves any more. A person looks, replays or discards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import LARGEST_PAGE, json_option, list_options, yes_option
from fleet.core import clock
from fleet.core.errors import Conflict
from fleet.engine.jobs.states import DeadReason, JobState
from fleet.engine.registry import MESSAGE
from fleet.features.jobs import cli as jobs

F = TypeVar("F", bound=Callable[..., Any])
_REASONS = click.Choice([str(reason) for reason in DeadReason])
_LIMIT = click.option(
    "--limit", type=click.IntRange(1, LARGEST_PAGE), default=LARGEST_PAGE, show_default=True, help="Maximum number."
)


@click.group(cls=FleetGroup)
def dead() -> None:
    """List, show, replay and discard dead letters.

    Reasons: permanent (the surface will never accept it), exhausted (attempts used up), poison (kills its workers),
    unknown_outcome (it may or may not have happened), expired (too old), policy (the gateway refuses it),
    unreadable (a message that no task can read).
    """


def _filters(command: F) -> F:
    ids = click.option("--id", multiple=True, metavar="JOB", help="Only this one; may be repeated.")
    return jobs.filters(click.option("--reason", type=_REASONS, help="Only with this reason.")(ids(command)))


@dead.command("list")
@_filters
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool, **query: Any) -> None:
    """List dead letters, newest first."""
    found = door.api.list("/dead", **query)
    if as_json:
        door.json(found.data())
        return
    _show(door, found.items)
    door.note(render.below(found, "dead letters"))


def _show(door: Door, letters: Sequence[Answer]) -> None:
    if not letters:
        return
    table = render.table("Job", "Kind", "Reason", "Agent", "Died", ("Error", render.ABOUT))
    for one in letters:
        render.row(table, jobs.short(one), one["kind"], render.words(one["dead_reason"], "red"), one["agent"] or "–",
                   render.when(one["finished_at"]), one["error"])  # fmt: skip
    door.show(table)


@dead.command()
@jobs.JOB
@json_option
@pass_door
def show(door: Door, /, *, job: str, as_json: bool) -> None:
    """Show one dead letter with all its attempts."""
    found = door.api.get(at("jobs", job))
    if found["state"] != JobState.DEAD:
        raise Conflict(f"Job {found['id']} is {found['state']}, not dead.", fix="`fleet jobs show` shows any job.")
    jobs.tell(door, found, as_json=as_json)


@dead.command()
@_filters
@_LIMIT
@click.option("--allow-stale", is_flag=True, help="Also expired ones.")
@click.option("--dry-run", is_flag=True, help="Only show which ones.")
@yes_option
@pass_door
def replay(door: Door, /, *, limit: int, allow_stale: bool, dry_run: bool, yes: bool, **which: Any) -> None:
    """Replay dead letters.

    Each keeps its id, and so its idempotency key, and gets a new count of attempts. Before
    Fleet sends a write again that may have happened, it looks for it. Messages that no task can read stay dead.
    """
    which = _given(which)
    body = {"filter": which, "limit": limit, "allow_stale": allow_stale}
    found = door.api.post("/dead/replay", {**body, "dry_run": True})
    total, able = found["total"], found["count"]
    if dry_run:
        letters = door.api.list("/dead", limit=limit, **which).items
        _show(door, [one for one in letters if _is_replayable(one, allow_stale=allow_stale)])
    if total is not None and (left := min(total, limit) - able):
        door.note(f"{left} stay dead: too old (--allow-stale includes them), or messages that no task can read.")
    if not able or dry_run:
        door.say(f"{'Would replay' if dry_run else 'Replayed'} {able} of {_letters(total)}.")
        return
    door.confirm(f"Replay {_letters(able)}?", yes=yes)
    door.say(f"Replayed {_letters(door.api.post('/dead/replay', body)['count'])}.")


def _is_replayable(letter: Answer, *, allow_stale: bool) -> bool:
    is_stale = datetime.fromisoformat(letter["expires_at"]) <= clock.now()
    return letter["kind"] != MESSAGE.kind and (allow_stale or not is_stale)


@dead.command()
@_filters
@_LIMIT
@click.option("--dry-run", is_flag=True, help="Only show which ones.")
@yes_option
@pass_door
def discard(door: Door, /, *, limit: int, dry_run: bool, yes: bool, **which: Any) -> None:
    """Discard dead letters; their rows stay."""
    which = _given(which)
    body = {"filter": which, "limit": limit}
    found = door.api.post("/dead/discard", {**body, "dry_run": True})
    if dry_run:
        _show(door, door.api.list("/dead", limit=limit, **which).items)
    if not found["count"] or dry_run:
        door.say(f"{'Would discard' if dry_run else 'Discarded'} {found['count']} of {_letters(found['total'])}.")
        return
    door.confirm(f"Discard {_letters(found['count'])}?", yes=yes)
    door.say(f"Discarded {_letters(door.api.post('/dead/discard', body)['count'])}.")


def _given(which: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters that were given; what is asked about and what is done choose by the same moments."""
    given = ((name, value) for name, value in which.items() if value not in (None, ()))
    return {name: clock.now() - value if isinstance(value, timedelta) else value for name, value in given}


def _letters(number: int | None) -> str:
    return "very many dead letters" if number is None else render.counted(number, "dead letter")
