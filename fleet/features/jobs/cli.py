"""`fleet jobs`: what is to be done, what was tried, how it ended; retry one at once, or call it off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, MOMENT, SPAN, json_option, list_options
from fleet.engine import registry
from fleet.engine.jobs.states import FINAL, JobState
from fleet.engine.policy import Priority

F = TypeVar("F", bound=Callable[..., Any])

ID_CHARS = 8
JOB = click.argument("job", metavar="JOB")
_STATES = click.Choice([str(state) for state in JobState])
_KINDS = click.Choice([*registry.current().jobs])


@click.group(cls=FleetGroup)
def jobs() -> None:
    """List, show, retry and cancel jobs.

    JOB is an id or its first characters, four at least.
    """


def filters(command: F) -> F:
    """Add the options that choose jobs by agent, kind and age, by the names of the API's filters."""
    for option in reversed(
        (
            click.option("--agent", type=AGENT, help="Only of this agent (username or id)."),
            click.option("--kind", type=_KINDS, multiple=True, help="Only of this kind; may be repeated."),
            click.option("--older-than", "until", type=SPAN,
                         help="Only jobs that ended (or were created) before, e.g. 2h, 7d."),
            click.option("--newer-than", "since", type=SPAN,
                         help="Only jobs that ended (or were created) since, e.g. 30m."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@jobs.command("list")
@click.option("--state", type=_STATES, multiple=True, help="Only in this state; may be repeated.")
@click.option("--priority", type=click.Choice([str(one) for one in Priority]), help="Only with this priority.")
@click.option("--search", "q", metavar="TEXT", help="Only jobs whose listed text or id contains this.")
@click.option(
    "--time",
    type=click.Choice(["ended", "created", "failed"]),
    default="ended",
    show_default=True,
    help="Timestamp that --from and --before compare: end, creation or a failed attempt.",
)
@click.option("--from", "start", type=MOMENT, help="Only jobs at or after this time, e.g. 2026-01-31T12:00:00Z.")
@click.option("--before", "end", type=MOMENT, help="Only jobs before this time.")
@click.option("--oldest", "order", flag_value="oldest", default=None, help="Oldest first.")
@filters
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool, **query: Any) -> None:
    """List jobs, newest first."""
    found = door.api.list("/jobs", **query)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Job", "Kind", "State", "Agent", "When", ("About", render.ABOUT))
    for one in found.items:
        moment = one["finished_at"] if one["state"] in FINAL else one["next_attempt_at"]
        render.row(table, short(one), one["kind"], render.status(one["state"]), one["agent"] or "–",
                   render.when(moment), _about(one))  # fmt: skip
    if found.items:
        door.show(table)
    door.note(render.below(found, "jobs"))


def short(job: Answer) -> str:
    """Return the beginning of a job's id."""
    return str(job["id"])[:ID_CHARS]


def _about(job: Answer) -> Text:
    """Return the one thing worth knowing about a job: what went wrong, what it waits for, what came of it."""
    if job["error"] and job["state"] not in (JobState.DONE, JobState.SKIPPED, JobState.CANCELLED):
        return render.words(job["error"], "red")
    if job["held"]:
        return render.words(f"waits: {job['held']}", "yellow")
    about = job["text"] or job["error"] or (f"on {job['target']}" if job["target"] else "")
    return render.linked(about, job["url"], "dim")


@jobs.command()
@JOB
@json_option
@pass_door
def show(door: Door, /, *, job: str, as_json: bool) -> None:
    """Show one job with all its attempts."""
    tell(door, door.api.get(at("jobs", job)), as_json=as_json)


def tell(door: Door, job: Answer, *, as_json: bool) -> None:
    """Print one job with its attempts."""
    if as_json:
        door.json(job)
        return
    door.show(render.facts(_facts(job)))
    if job["history"]:
        table = render.table("Attempt", "Worker", "Took", "Outcome", ("Error", {"no_wrap": False, "overflow": "fold"}))
        for number, one in enumerate(job["history"], start=1):
            render.row(table, number, one["worker"], _took(one), one["outcome"] or "–", one["error"])
        door.show("", table)


def _took(attempt: Answer) -> str:
    if not attempt["ended_at"]:
        return "at work"
    begun, ended = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "ended_at"))
    return render.span((ended - begun).total_seconds())


def _facts(job: Answer) -> list[tuple[str, object]]:
    words = job["checkpoint"].get("words")
    is_over = job["state"] in FINAL
    begun = render.counted(job["claims"], "time")
    return [
        ("Job", job["id"]),
        ("Kind", f"{job['kind']}, priority {job['priority']}"),
        ("State", render.status(job["state"])),
        ("Because", render.words(job["dead_reason"], "red") if job["dead_reason"] else None),
        ("Error", render.words(job["error"], "red") if job["error"] else None),
        ("What helps", job["remedy"]),
        ("Waits for", job["held"]),
        ("Agent", (job["agent"] or "–") if job["agent_id"] else None),
        ("Tick", job["tick_no"]),
        ("Requested by", job["requested_by"]),
        ("About", job["target"]),
        ("Words", words.get("text") or words.get("caption") if isinstance(words, dict) else None),
        ("Result", job["text"]),
        ("Published", render.linked(job["url"], job["url"]) if job["url"] else None),
        ("Remote id", job["remote_id"]),
        ("Attempts", f"{job['attempts']} of {job['max_attempts']} spent, begun {begun}"),
        ("Created", render.when(job["created_at"])),
        ("Next attempt", None if is_over else render.when(job["next_attempt_at"])),
        ("Sent", render.when(job["sending_at"]) if job["sending_at"] else None),
        ("Ended", render.when(job["finished_at"]) if job["finished_at"] else None),
        ("Expires", None if is_over else render.when(job["expires_at"])),
    ]


@jobs.command()
@JOB
@pass_door
def retry(door: Door, /, *, job: str) -> None:
    """Make a waiting job due now."""
    door.say(f"Job {short(door.api.post(at('jobs', job, 'retry')))} is due now.")


@jobs.command()
@JOB
@pass_door
def cancel(door: Door, /, *, job: str) -> None:
    """Cancel a job that has not started."""
    door.say(f"Job {short(door.api.post(at('jobs', job, 'cancel')))} is cancelled.")
