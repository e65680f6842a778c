"""`fleet agents`: whom the fleet consists of. Shows them; `cli_actions` starts, pauses and edits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import json_output, render
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, json_option, list_options, page_options
from fleet.cli.frame.remote_call import Call
from fleet.core import clock
from fleet.engine import registry
from fleet.engine.agents import config, lookup
from fleet.engine.agents.models import AgentRow, AgentStatus
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.jobs.models import TickRow
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import decisions as looking
from fleet.features.agents import queries as agent_views
from fleet.features.agents.cli import actions
from fleet.features.personas.cli import character_facts

_KINDS = click.Choice([*registry.current().agents])


@click.group(cls=FleetGroup)
def agents() -> None:
    """List, create, edit, start, pause and stop agents.

    AGENT is a username or an id.
    """


for _command in actions.COMMANDS:
    agents.add_command(_command)


def complete(door: Door, beginning: str) -> list[tuple[str, str]]:
    """Return the usernames that begin so, with the names."""
    rows, _ = agent_commands.list_agents(door.deps, AgentFilter(text=beginning), limit=50)
    return [(row.username, row.name) for row in rows if row.username.startswith(beginning)]


@agents.command("list")
@click.option("--status", type=click.Choice([str(status) for status in AgentStatus]), help="Only with this status.")
@click.option("--persona", type=PERSONA, help="Only of this persona.")
@click.option("--find", "text", help="Only those whose name or username holds this.")
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool, **query: Any) -> None:
    """List agents by username; those of the kinds approval and hooks run the fleet itself."""
    found = door.api.list("/agents", **query)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Username", "Name", "Persona", "Status", "Last action", "Next")
    for one in found.items:
        render.row(table, one["username"], one["name"], one["persona"] or "–", render.status(one["status"]),
                   render.when(one["last_action_at"]), render.when(one["next_tick_at"]))  # fmt: skip
    if found.items:
        door.show(table)
    door.note(render.below(found, "agents"))


def agent_data(row: AgentRow) -> dict[str, Any]:
    """Return an agent."""
    same = (
        "id", "username", "name", "kind", "status", "autonomy", "surface", "owner",
        "tick_no", "next_tick_at", "paused_until", "pause_reason", "current_action", "last_action_at", "last_thought",
        "remote_account", "created_at", "updated_at", "deleted_at",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in same},
        **row.character.values(),
        "persona": row.persona_id,
        **agent_views.mode_config(row),
        "config": config.values(row.kind, row.config),
        "weights": agent_views.weights(row),
        "interval_s": {"min": row.min_interval_s, "max": row.max_interval_s},
        "totals": agent_views.totals(row),
    }


def tick_data(row: TickRow, *, inputs: bool) -> dict[str, Any]:
    """Return one entry of the decision log; `inputs` adds all that the agent saw."""
    same = ("agent_id", "tick_no", "state", "due_at", "decided_at", "asked_for", "requested_by", "duration_ms",
            "outcome", "error")  # fmt: skip
    return {name: getattr(row, name) for name in (*same, *(("inputs",) if inputs else ()))}


def _status(row: AgentRow) -> Text:
    return render.words("deleted", "dim") if row.deleted_at else render.status(row.status)


def _next(row: AgentRow, now: datetime) -> str:
    if row.current_action:
        return row.current_action
    return render.when(row.next_tick_at, now) if row.status in (AgentStatus.RUNNING, AgentStatus.PAUSED) else "–"


@agents.command(remote=Call("GET", "/agents/{name}"))
@click.argument("name", metavar="AGENT", type=AGENT)
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show one agent: character, settings and totals."""
    row = lookup.agent(door.deps.db, name, include_deleted=True)
    found = [summary(door.deps, row) for summary in registry.load_all(one.agent_summary for one in registry.current())]
    if as_json:
        door.json({**agent_data(row), **{name: value for fields, _ in found for name, value in fields.items()}})
        return
    door.show(render.facts(_facts(row, clock.now(), [fact for _, facts in found for fact in facts])))


def _facts(row: AgentRow, now: datetime, others: Sequence[tuple[str, object]]) -> list[tuple[str, object]]:
    view = agent_data(row)
    pause = f"{row.pause_reason or ''}{f' (until {render.when(row.paused_until, now)})' if row.paused_until else ''}"
    return [
        ("Name", row.name),
        ("Username", row.username),
        ("Id", row.id),
        ("Persona", row.persona_id),
        ("Status", _status(row)),
        ("Because", pause if row.status in (AgentStatus.PAUSED, AgentStatus.ERROR) else None),
        ("Doing", row.current_action),
        ("Thought last", row.last_thought),
        ("Acted last", render.when(row.last_action_at, now)),
        ("Wakes next", _next(row, now)),
        ("Totals", ", ".join(f"{number} {name}" for name, number in view["totals"].items())),
        ("Wants to", ", ".join(f"{name} {share:.0%}" for name, share in agent_views.shares(row).items())),
        ("Pause between", f"{row.min_interval_s} to {row.max_interval_s} s at the plain pace"),
        *character_facts(row.character),
        ("Autonomy", row.autonomy),
        *others,
        ("Surface", f"{row.surface}, account {row.remote_account or 'not made yet'}"),
        ("Owner", row.owner),
        ("Created", render.when(row.created_at, now)),
        ("Deleted", render.when(row.deleted_at, now) if row.deleted_at else None),
    ]


for _command in registry.load_all(ref for one in registry.current() for ref in one.agent_commands):
    agents.add_command(_command)


@agents.command(
    remote=Call(
        "GET", "/agents/{name}/decisions", {"limit": "limit"}, columns=("tick_no", "state", "due_at", "decided_at")
    )
)
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option("--inputs", is_flag=True, help="With --json: also the inputs.")
@page_options(20)
@json_option
@pass_door
def decisions(door: Door, /, *, name: str, inputs: bool, limit: int, offset: int, as_json: bool) -> None:
    """Show an agent's decision log, newest first."""
    rows, total = looking.decisions(door.deps, name, limit=limit, offset=offset)
    scans = looking.scans(door.deps, rows)
    if as_json:
        items = [{**tick_data(row, inputs=inputs), "scan": scans.get(row.tick_no)} for row in rows]
        door.json(json_output.page(items, total=total, limit=limit, offset=offset))
        return
    now = clock.now()
    table = render.table(
        ("Tick", {"justify": "right"}), "State", "When", "Action", ("ms", {"justify": "right"}),
        ("Why", {"no_wrap": False, "overflow": "fold"}),
    )  # fmt: skip
    for row in rows:
        render.row(table, row.tick_no, render.status(row.state), render.when(row.decided_at or row.due_at, now),
                   (row.outcome or {}).get("action") or "–", row.duration_ms,
                   _why(row, scans.get(row.tick_no)))  # fmt: skip
    if rows:
        door.show(table)
    door.note(render.page(rows, total, offset, "decisions"))


def _why(row: TickRow, scan: Mapping[str, Any] | None) -> Text:
    if row.error:
        return render.words(row.error, "red")
    outcome = row.outcome or {}
    asked = f"asked by {row.requested_by}: " if row.requested_by else ""
    came_to = f" → {scan['text']}" if scan and scan.get("text") else ""
    return render.words(f"{asked}{outcome.get('thought') or outcome.get('skipped') or ''}{came_to}")
