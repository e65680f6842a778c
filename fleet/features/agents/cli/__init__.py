"""`fleet agents`: shows agents and their decisions. `actions` creates, edits, starts and pauses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer, at
from fleet.cli.frame.command import FleetGroup
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import AGENT, PERSONA, TextType, json_option, list_options
from fleet.engine import registry
from fleet.engine.agents.status import AgentStatus
from fleet.features.agents.cli import actions
from fleet.features.personas.cli import character_facts, pace

_STATUSES = click.Choice([str(status) for status in AgentStatus])
_KINDS = click.Choice([*registry.current().agents])
_MODES = click.Choice(registry.current().mode_names)


@click.group(cls=FleetGroup)
def agents() -> None:
    """List, create, edit, start, pause and stop agents.

    AGENT is a username or an id.
    """


for _command in actions.COMMANDS:
    agents.add_command(_command)


def complete(door: Door, beginning: str) -> list[tuple[str, str]]:
    """Return the usernames that begin so, with the names."""
    found = door.api.list("/agents", text=beginning or None).items
    return [(one["username"], one["name"]) for one in found if one["username"].startswith(beginning)]


@agents.command("list")
@click.option("--status", type=_STATUSES, help="Only with this status.")
@click.option("--persona", type=PERSONA, help="Only of this persona.")
@click.option("--kind", type=_KINDS, help="Only of this kind.")
@click.option("--autonomy", type=_MODES, help="Only in this mode.")
@click.option("--owner", type=TextType(60), help="Only those that this user owns.")
@click.option("--find", "text", help="Only those whose name or username contains this.")
@click.option("--deleted", is_flag=True, default=None, help="Also deleted agents.")
@list_options()
@json_option
@pass_door
def list_(door: Door, /, *, as_json: bool, **query: Any) -> None:
    """List agents by username. System agents (kinds such as approval and hooks) belong to Fleet itself."""
    found = door.api.list("/agents", **query)
    if as_json:
        door.json(found.data())
        return
    table = render.table("Username", "Name", "Persona", "Status", "Last action", "Next")
    for one in found.items:
        render.row(table, one["username"], one["name"], one["persona"] or "–", _status(one),
                   render.when(one["last_action_at"]), _next(one))  # fmt: skip
    if found.items:
        door.show(table)
    door.note(render.below(found, "agents"))


def _status(agent: Answer) -> Text:
    return render.words("deleted", "dim") if agent["deleted_at"] else render.status(agent["status"])


def _next(agent: Answer) -> str:
    if agent["current_action"]:
        return str(agent["current_action"])
    awake = agent["status"] in (AgentStatus.RUNNING, AgentStatus.PAUSED)
    return render.when(agent["next_tick_at"]) if awake else "–"


@agents.command()
@click.argument("name", metavar="AGENT", type=AGENT)
@json_option
@pass_door
def show(door: Door, /, *, name: str, as_json: bool) -> None:
    """Show one agent: character, settings and totals."""
    agent = door.api.get(at("agents", name), deleted=True)
    if as_json:
        door.json(agent)
        return
    features = registry.load_all(one.agent_rows for one in registry.current())
    door.show(render.facts(_facts(agent, [row for rows in features for row in rows(agent)])))


def _facts(agent: Answer, others: list[tuple[str, object]]) -> list[tuple[str, object]]:
    until = f" (until {render.when(agent['paused_until'])})" if agent["paused_until"] else ""
    is_held = agent["status"] in (AgentStatus.PAUSED, AgentStatus.ERROR)
    return [
        ("Name", agent["name"]),
        ("Username", agent["username"]),
        ("Id", agent["id"]),
        ("Persona", agent["persona"]),
        ("Status", _status(agent)),
        ("Because", f"{agent['pause_reason'] or ''}{until}" if is_held else None),
        ("Doing", agent["current_action"]),
        ("Thought last", agent["last_thought"]),
        ("Acted last", render.when(agent["last_action_at"])),
        ("Wakes next", _next(agent)),
        ("Totals", ", ".join(f"{number} {name}" for name, number in agent["totals"].items())),
        ("Wants to", _shares(agent["weights"])),
        ("Pause between", pace(agent)),
        *character_facts(agent),
        ("Autonomy", agent["autonomy"]),
        *others,
        ("Surface", f"{agent['surface']}, account {agent['remote_account'] or 'not made yet'}"),
        ("Profile", render.linked(agent["url"], agent["url"]) if agent["url"] else None),
        ("Owner", agent["owner"] or "nobody"),
        ("Created", render.when(agent["created_at"])),
        ("Deleted", render.when(agent["deleted_at"]) if agent["deleted_at"] else None),
    ]


def _shares(weights: Mapping[str, float]) -> str:
    total = sum(weights.values())
    return ", ".join(f"{name} {weight / total:.0%}" for name, weight in weights.items() if weight)


for _command in registry.load_all(ref for one in registry.current() for ref in one.agent_commands):
    agents.add_command(_command)


@agents.command()
@click.argument("name", metavar="AGENT", type=AGENT)
@click.option("--inputs", is_flag=True, default=None, help="With --json: also the inputs.")
@list_options()
@json_option
@pass_door
def decisions(door: Door, /, *, name: str, as_json: bool, inputs: bool | None, **query: Any) -> None:
    """Show an agent's decision log, newest first."""
    found = door.api.list(at("agents", name, "decisions"), inputs=(inputs and as_json) or None, **query)
    if as_json:
        door.json(found.data())
        return
    table = render.table(
        ("Tick", {"justify": "right"}), "State", "When", "Action", ("ms", {"justify": "right"}),
        ("Why", {"no_wrap": False, "overflow": "fold"}),
    )  # fmt: skip
    for one in found.items:
        render.row(table, one["tick_no"], render.status(one["state"]), render.when(one["decided_at"] or one["due_at"]),
                   (one["outcome"] or {}).get("action") or "–", one["duration_ms"], _why(one))  # fmt: skip
    if found.items:
        door.show(table)
    door.note(render.below(found, "decisions"))


def _why(decision: Answer) -> Text:
    if decision["error"]:
        return render.words(decision["error"], "red")
    outcome, scan = decision["outcome"] or {}, decision["scan"] or {}
    asked = f"asked by {decision['requested_by']}: " if decision["requested_by"] else ""
    came_to = f" → {scan['text']}" if scan.get("text") else ""
    return render.words(f"{asked}{outcome.get('thought') or outcome.get('skipped') or ''}{came_to}")
