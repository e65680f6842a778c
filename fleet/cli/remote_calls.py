"""Which calls of the REST API do what a command does: the whole of `fleet --server`, as data. Read by `remote`.

A command that is not here works on the fleet's own machine only; an option that is not here is refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

Options = Mapping[str, Any]
"""What the person gave, by the names of the command's parameters; what is left out is not there."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command as one call. `path` may hold `{parameters}`; a parameter named by `each` makes a call for each value.

    `query` and `body` say under which name a parameter is sent, `usually` what is asked for where the person says
    nothing of it. `columns` are those of a list and `none` what is said of an empty one, `done` what is said when it is
    done (it may hold the answer's fields) and `already` where nothing had to change, `asks` what is asked first.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    usually: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] | Callable[[Options], Mapping[str, Any]] | None = None
    columns: tuple[str, ...] = ()
    none: str = "None."
    each: str = ""
    done: str = ""
    already: str = ""
    asks: str = ""


def _dead(options: Options) -> Mapping[str, Any]:
    """Return which dead letters, as the API wants it: by id, or by a filter."""
    body = {name: options[name] for name in ("limit", "allow_stale") if options.get(name)}
    if options.get("prefixes"):
        return body | {"ids": list(options["prefixes"])}
    names = {"reason": "reason", "kinds": "kind", "agent": "agent", "older_than": "until", "newer_than": "since"}
    chosen = {field_: options[name] for name, field_ in names.items() if options.get(name)}
    return body | {"filter": chosen}


def _scope(options: Options) -> Mapping[str, Any]:
    from fleet.features.controls.cli import key_of

    key = key_of(options["scope"], options.get("key"))
    body = {"scope": options["scope"], "key": key, "reason": options.get("reason")}
    span: timedelta | None = options.get("for_")
    body["for_s"] = None if span is None else int(span.total_seconds())
    return {name: value for name, value in body.items() if value is not None}


_AGES = {"older_than": "until", "newer_than": "since"}
_JOBS = {"agent": "agent", "kinds": "kind", "limit": "limit", **_AGES}
_JOB_COLUMNS = ("id", "kind", "state", "agent", "created_at", "finished_at", "error")
_WHO = {"persona_id": "persona"}

CALLS: Mapping[str, Call] = {
    "status": Call("GET", "/status"),
    "activity": Call(
        "GET", "/activity", {"name": "agent", "subjects": "subject", "since": "since", "limit": "limit"},
        columns=("occurred_at", "subject", "agent", "job_id"),
    ),
    "agents list": Call(
        "GET", "/agents", {"status": "status", "persona_id": "persona", "text": "text", "limit": "limit"},
        columns=("username", "name", "persona", "status", "last_action_at", "next_tick_at"),
    ),
    "agents show": Call("GET", "/agents/{name}"),
    "agents delete": Call("DELETE", "/agents/{name}", done="Deleted.", asks="Delete this agent?"),
    "agents start": Call(
        "POST", "/agents/{names}/start", body={}, each="names", done="{names} lives now.",
        already="{names} was running already.",
    ),
    "agents pause": Call(
        "POST", "/agents/{names}/pause", body={"reason": "reason"}, each="names", done="{names} is paused.",
        already="{names} was not running.",
    ),
    "agents resume": Call(
        "POST", "/agents/{names}/resume", body={}, each="names", done="{names} goes on.",
        already="{names} was not paused.",
    ),
    "agents stop": Call(
        "POST", "/agents/{names}/stop", body={}, each="names", done="{names} is idle now.",
        already="{names} was idle already.",
    ),
    "agents start-all": Call("POST", "/agents/start", body=_WHO, done="Started {count}."),
    "agents pause-all": Call("POST", "/agents/pause", body={**_WHO, "reason": "reason"}, done="Paused {count}."),
    "agents resume-all": Call("POST", "/agents/resume", body=_WHO, done="Resumed {count}."),
    "agents stop-all": Call("POST", "/agents/stop", body=_WHO, done="Stopped {count}.", asks="Stop all these agents?"),
    "agents decisions": Call(
        "GET", "/agents/{name}/decisions", {"limit": "limit"}, columns=("tick_no", "state", "due_at", "decided_at")
    ),
    "trigger": Call("POST", "/agents/{name}/trigger", body={"action": "action"}, done="It wakes, at tick {tick_no}."),
    "jobs list": Call("GET", "/jobs", {"states": "state", **_JOBS}, columns=_JOB_COLUMNS),
    "jobs show": Call("GET", "/jobs/{prefix}"),
    "jobs retry": Call("POST", "/jobs/{prefix}/retry", done="It is due now."),
    "jobs cancel": Call("POST", "/jobs/{prefix}/cancel", done="It is called off."),
    "dead list": Call("GET", "/dead", {"reason": "reason", **_JOBS}, columns=(*_JOB_COLUMNS, "dead_reason")),
    "dead show": Call("GET", "/jobs/{prefix}"),
    "dead replay": Call("POST", "/dead/replay", body=_dead, done="Replayed {count}.", asks="Replay these?"),
    "dead discard": Call(
        "POST", "/dead/discard", body=_dead, done="Discarded {count}.", asks="Discard these dead letters?"
    ),
    "drafts list": Call(
        "GET", "/drafts", {"status": "status", "kind": "kind", "agent": "agent", "limit": "limit"},
        usually={"status": "pending"}, columns=("id", "kind", "status", "agent", "topic", "expires_at"),
    ),
    "drafts show": Call("GET", "/drafts/{prefix}"),
    "drafts approve": Call(
        "POST", "/drafts/{prefixes}/approve", body={"reason": "reason", "revision": "revision"}, each="prefixes",
        done="{prefixes}: {state}.",
    ),
    "drafts reject": Call(
        "POST", "/drafts/{prefixes}/reject", body={"reason": "reason", "revision": "revision"}, each="prefixes",
        done="{prefixes}: {state}.",
    ),
    "drafts revise": Call(
        "POST", "/drafts/{prefix}/revise", body={"instructions": "instructions"}, done="It is being revised."
    ),
    "drafts stats": Call(
        "GET", "/drafts/stats", {"by": "by", "since": "since", "agent": "agent", "limit": "limit"},
        columns=("name", "proposed", "waiting", "approved", "edited", "rejected", "expired", "withdrawn", "agreed"),
        none="No drafts.",
    ),
    "approvals list": Call(
        "GET", "/approvals", {"states": "state", "resource": "resource", "agent": "agent", "limit": "limit"},
        usually={"state": "pending"}, columns=("id", "resource", "action", "state", "requested_by", "expires_at"),
    ),
    "approvals show": Call("GET", "/approvals/{prefix}"),
    "approvals approve": Call(
        "POST", "/approvals/{prefixes}/approve", body={"reason": "reason", "revision": "revision"}, each="prefixes",
        done="{prefixes}: {state}.",
    ),
    "approvals reject": Call(
        "POST", "/approvals/{prefixes}/reject", body={"reason": "reason", "revision": "revision"}, each="prefixes",
        done="{prefixes}: {state}.",
    ),
    "approvals withdraw": Call(
        "POST", "/approvals/{prefixes}/withdraw", body={"reason": "reason"}, each="prefixes",
        done="{prefixes}: {state}.", asks="Withdraw these requests?",
    ),
    "budgets list": Call("GET", "/budgets", columns=("scope", "key", "period", "limit_microusd", "spent_microusd")),
    "pause": Call(
        "POST", "/controls/pause", body=_scope, done="It is paused.",
        already="It was paused already, for as long or longer.",
    ),
    "resume": Call("POST", "/controls/resume", body=_scope, done="It goes on.", already="It was not paused."),
    "kill-switch on": Call(
        "POST", "/controls/kill", body=lambda options: {"reason": options.get("reason") or "by command line"},
        done="The kill switch is on. Writes under way: {in_flight}.",
        already="The kill switch was on already. Writes under way: {in_flight}.",
    ),
    "kill-switch off": Call(
        "POST", "/controls/lift", done="The kill switch is off.", already="The kill switch was not on.",
        asks="Lift the kill switch?",
    ),
    "kill-switch status": Call(
        "GET", "/controls", columns=("scope", "key", "hold", "reason", "until", "set_by"),
        none="The kill switch is off, and nothing is held back.",
    ),
    "persona list": Call("GET", "/personas", columns=("id", "vibe", "tier")),
    "persona show": Call("GET", "/personas/{persona_id}"),
}  # fmt: skip
