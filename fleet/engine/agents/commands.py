"""Writes to agents' rows, except those of the loop, which are in `loop`. Reading is in `queries`.

Called by `fleet.engine` inside its transactions. Each change of status is one guarded UPDATE that reports whether it
happened, so that starting a running agent does nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access import organisations
from fleet.accounts.models import AccountRow
from fleet.core import events, ids
from fleet.core.character import BLANK, TRAITS, Character
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine import registry
from fleet.engine.agents import config as agent_config
from fleet.engine.agents import owners
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.engine.agents.queries import get
from fleet.engine.agents.status import AgentStatus

_CLOCK = sa.func.clock_timestamp()
FIRST_TICK = timedelta(seconds=5)
"""The delay of the first tick of an agent that was just started."""
AWAKE = (AgentStatus.RUNNING, AgentStatus.PAUSED, AgentStatus.ERROR)
"""Every status but idle."""
_EDITABLE = frozenset(
    {"name", "min_interval_s", "max_interval_s", "owner", "persona_id", "autonomy", *(one.name for one in TRAITS)}
)
_WEIGHT = "_weight"


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent to be created. Intervals are seconds.

    Weights are relative, at least one above zero. Weights and settings (`config`) that are not named take the defaults
    of the agent's type.
    """

    name: str
    username: str
    weights: Mapping[str, float] = field(default_factory=dict)
    min_interval_s: int = 60
    max_interval_s: int = 300
    persona_id: str | None = None
    character: Character = BLANK
    surface: str = "floimg"
    account_id: uuid.UUID | None = None
    """Its main account; None is the account of the settings."""
    organisation_id: uuid.UUID | None = None
    """None: that of the member who creates it, or the default one; of a system agent none."""
    owner: str = ""
    """The name of a user who may own agents; empty for none."""
    kind: str = field(kw_only=True)
    autonomy: str = registry.AUTONOMOUS
    config: Mapping[str, Any] = field(default_factory=dict)


def create(tx: Tx, new: NewAgent) -> uuid.UUID:
    """Insert an idle agent and return its id. Raises InvalidInput for wrong values, Conflict for a taken username."""
    agent_id = ids.new()
    agent_config.check_mode(new.kind, new.autonomy)
    values = {name: getattr(new, name) for name in NewAgent.__slots__ if name != "character"}
    values |= new.character.values()
    if new.surface != NOWHERE:
        values["organisation_id"] = organisation_id = organisations.of_new(tx, new.organisation_id)
        check_account(tx, new.account_id, organisation_id)
    values |= {
        "id": agent_id, "owner": owners.check(tx, new.owner),
        "weights": agent_config.check_weights(new.kind, new.weights),
        "config": agent_config.check(new.kind, new.autonomy, new.config),
    }  # fmt: skip
    _write(tx, sa.insert(AgentRow).values(**values), new.username)
    events.emit(tx, "agent.created", agent_id=agent_id, agent=new.name, username=new.username, persona=new.persona_id)
    return agent_id


def check_account(tx: Tx, account_id: uuid.UUID | None, organisation_id: uuid.UUID | None) -> None:
    """Raise Conflict if an agent of an organisation may not act through an account: that is another's."""
    if account_id is None:
        return
    row = tx.execute(sa.select(AccountRow.name, AccountRow.organisation_id).where(AccountRow.id == account_id)).one()
    if row.organisation_id not in (None, organisation_id):
        raise Conflict(
            f"The account {row.name} belongs to another organisation than the agent.",
            fix="Choose an account of its organisation, or that of the settings.",
        )


class Outdated(Conflict):
    """What a person wants to change was changed after the person read it."""


def version_of(agent: AgentRow) -> str:
    """Return a version that changes with the agent's settings, but not with its activity."""
    settings = {name: getattr(agent, name) for name in sorted(_EDITABLE)}
    settings |= {"weights": sorted(agent.weights.items()), "config": sorted(agent.config.items())}
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def update(tx: Tx, agent_id: uuid.UUID, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Change an agent's settings; return the old ones. Raises NotFound, InvalidInput for a wrong field or value.

    A weight is named by its action ("like_weight"), a setting of its configuration by its own name. The caller holds
    the lock of the agent's row, so that values that are checked together do not change meanwhile.
    """
    agent = get(tx, agent_id)
    before = settings_of(agent)
    unknown = sorted(set(changes) - set(before))
    if unknown:
        raise InvalidInput(
            f"An agent has no {', '.join(unknown)} to edit.", fix=f"Fields: {', '.join(sorted(before))}."
        )
    if not changes:
        return {}
    if "owner" in changes:
        changes = {**changes, "owner": owners.check(tx, changes["owner"] or owners.NOBODY)}
    before = {name: before[name] for name in changes}
    values = _columns(agent, changes)
    _write(tx, sa.update(AgentRow).where(AgentRow.id == agent_id).values(**values, updated_at=_CLOCK), agent.username)
    events.emit(tx, "agent.updated", agent_id=agent_id, agent=agent.name, before=before, after=dict(changes))
    if changes.get("owner", before.get("owner")) != before.get("owner"):
        owners.tell(tx, [agent_id], changes["owner"])
    return before


def follow_persona(tx: Tx, persona_id: str, changes: Sequence[Mapping[str, tuple[Any, Any]]]) -> int:
    """Change columns of a persona's agents that still have the old values; return how many agents.

    Each of `changes` names columns that belong together, with the old and the new value. An agent that was given values
    of its own keeps them.
    """
    its = (AgentRow.persona_id == persona_id, AgentRow.deleted_at.is_(None))
    # In the order of ids, as all who lock many agents do: two such transactions never wait for each other.
    locked = sa.select(AgentRow.id, AgentRow.kind).where(*its).order_by(AgentRow.id).with_for_update()
    kinds = sorted({row.kind for row in tx.execute(locked)}) if changes else []
    followed: set[uuid.UUID] = set()
    for kind in kinds:
        for group in changes:
            was = [getattr(AgentRow, name) == _stored_value(kind, name, old) for name, (old, _) in group.items()]
            now = {name: _stored_value(kind, name, new) for name, (_, new) in group.items()}
            other = sa.or_(*(getattr(AgentRow, name) != value for name, value in now.items()))
            mine = sa.update(AgentRow).where(*its, AgentRow.kind == kind, *was, other)
            followed.update(row[0] for row in tx.execute(mine.values(**now, updated_at=_CLOCK).returning(AgentRow.id)))
    return len(followed)


def _stored_value(kind: str, name: str, value: Any) -> Any:
    """Return a value of a persona as agents of a kind store it: weights of their own actions alone."""
    if name != "weights":
        return value
    actions = registry.current().weights(kind, {})
    own = {action: weight for action, weight in value.items() if action in actions}
    return agent_config.check_weights(kind, own) if actions else {}


def settings_of(agent: AgentRow) -> dict[str, Any]:
    """Return the editable settings of an agent, by the names that `update` takes."""
    weights = registry.current().weights(agent.kind, agent.weights)
    return {
        **dict.fromkeys(agent_config.fields(agent.kind)),
        **agent_config.values(agent.kind, agent.config),
        **{f"{name}{_WEIGHT}": weight for name, weight in weights.items()},
        **{name: getattr(agent, name) for name in sorted(_EDITABLE)},
    }


def _columns(agent: AgentRow, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that changes of settings write. Raises InvalidInput."""
    columns = {name: value for name, value in changes.items() if name in _EDITABLE}
    mode = columns.get("autonomy", agent.autonomy)
    if mode != agent.autonomy:
        agent_config.check_mode(agent.kind, mode)
    actions = registry.current().weights(agent.kind, {})
    weights = {name: changes[f"{name}{_WEIGHT}"] for name in actions if f"{name}{_WEIGHT}" in changes}
    if weights:
        known = {name: weight for name, weight in agent.weights.items() if name in actions}
        columns["weights"] = {**agent.weights, **agent_config.check_weights(agent.kind, {**known, **weights})}
    fields = agent_config.fields(agent.kind)
    config = {name: value for name, value in changes.items() if name in fields}
    if config or mode != agent.autonomy:
        checked = agent_config.check(agent.kind, mode, config, stored=agent.config)
        columns["config"] = {**agent.config, **checked}
    return columns


_WRONG = {
    "interval": "The interval must be above zero seconds, its minimum no more than its maximum.",
    "username": "A username is 3 to 30 of a-z, 0-9 and _.",
    "name": "A name has 1 to 100 characters.",
}


def _write(tx: Tx, statement: sa.Executable, username: str) -> None:
    """Run a write that the database's constraints check; turn a violation into an error for people."""
    try:
        with tx.session.begin_nested():
            tx.execute(statement)
    except exc.IntegrityError as error:
        diagnostics = getattr(error.orig, "diag", None)
        constraint = str(getattr(diagnostics, "constraint_name", ""))
        if "username" in constraint and constraint.startswith("uq"):
            raise Conflict(f"The username {username} is taken.") from None
        for name, words in _WRONG.items():
            if constraint == f"ck_agents_{name}":
                raise InvalidInput(words) from None
        raise InvalidInput(f"The database refuses these values ({constraint or 'constraint'}).") from error
    except exc.DataError as error:
        raise InvalidInput("A value is too long or out of range.") from error


def start(tx: Tx, agent_id: uuid.UUID, *, first_tick_at: datetime) -> bool:
    """Set an idle or failed agent going; False if it is running or paused already. Raises NotFound."""
    return _one(tx, agent_id, start_these(tx, [agent_id], first_tick_at=first_tick_at))


def start_these(tx: Tx, agent_ids: Sequence[uuid.UUID], *, first_tick_at: datetime) -> int:
    """Start those of the agents that are idle or failed; return how many."""
    return _move(
        tx, agent_ids, (AgentStatus.IDLE, AgentStatus.ERROR), AgentStatus.RUNNING, "agent.started",
        next_tick_at=first_tick_at, paused_until=None, pause_reason=None,
    )  # fmt: skip


def pause(tx: Tx, agent_id: uuid.UUID, *, reason: str, until: datetime | None = None) -> bool:
    """Pause an agent until a person resumes it or `until` has come; False if it is idle or already paused as long.

    Raises NotFound.
    """
    return _one(tx, agent_id, pause_these(tx, [agent_id], reason=reason, until=until))


def pause_these(tx: Tx, agent_ids: Sequence[uuid.UUID], *, reason: str, until: datetime | None = None) -> int:
    """Pause running agents, and with no end also those that are paused until a moment; return how many."""
    ends = until.isoformat() if until else None
    moving = AgentRow.status == AgentStatus.RUNNING
    if until is None:  # else the end of its budget's sleep would wake an agent that a person paused
        moving = sa.or_(moving, sa.and_(AgentRow.status == AgentStatus.PAUSED, AgentRow.paused_until.is_not(None)))
    return _move(
        tx, agent_ids, (AgentStatus.RUNNING, AgentStatus.PAUSED), AgentStatus.PAUSED, "agent.paused",
        payload={"reason": reason, "until": ends}, only=moving, paused_until=until, pause_reason=reason[:200],
        next_tick_at=until,
    )  # fmt: skip


def resume(tx: Tx, agent_id: uuid.UUID, *, first_tick_at: datetime) -> bool:
    """Let a paused agent go on; False if it is not paused. Raises NotFound."""
    return _one(tx, agent_id, resume_these(tx, [agent_id], first_tick_at=first_tick_at))


def resume_these(tx: Tx, agent_ids: Sequence[uuid.UUID], *, first_tick_at: datetime) -> int:
    """Resume those of the agents that are paused; return how many."""
    return _move(
        tx, agent_ids, (AgentStatus.PAUSED,), AgentStatus.RUNNING, "agent.resumed",
        next_tick_at=first_tick_at, paused_until=None, pause_reason=None,
    )  # fmt: skip


def resume_paused_for(tx: Tx, agent_id: uuid.UUID, reasons: Sequence[str], *, first_tick_at: datetime) -> bool:
    """Resume an agent if the reason of its pause begins with one of these prefixes; return whether it did."""
    why = sa.or_(*(AgentRow.pause_reason.startswith(reason, autoescape=True) for reason in reasons))
    moved = _move(
        tx, [agent_id], (AgentStatus.PAUSED,), AgentStatus.RUNNING, "agent.resumed", only=why,
        next_tick_at=first_tick_at, paused_until=None, pause_reason=None,
    )  # fmt: skip
    return bool(moved)


def stop(tx: Tx, agent_id: uuid.UUID) -> bool:
    """Stop an agent; False if it is idle already. Raises NotFound."""
    return _one(tx, agent_id, stop_these(tx, [agent_id]))


def stop_these(tx: Tx, agent_ids: Sequence[uuid.UUID]) -> int:
    """Stop those of the agents that are not idle; return how many."""
    return _move(
        tx, agent_ids, AWAKE, AgentStatus.IDLE, "agent.stopped",
        next_tick_at=None, paused_until=None, pause_reason=None, current_action=None,
    )  # fmt: skip


def fail(tx: Tx, agent_id: uuid.UUID, *, why: str) -> bool:
    """Mark an agent as broken: it does not wake until a person starts it again. Raises NotFound."""
    moved = _move(
        tx,
        [agent_id],
        (AgentStatus.RUNNING, AgentStatus.PAUSED),
        AgentStatus.ERROR,
        "agent.failed",
        payload={"error": why[:1000]},
        next_tick_at=None,
        pause_reason=why[:200],
    )
    return _one(tx, agent_id, moved)


def delete(tx: Tx, agent_id: uuid.UUID) -> None:
    """Stop an agent and hide it; its history stays, and its username stays taken. Raises NotFound."""
    agent = get(tx, agent_id)
    stop(tx, agent_id)
    tx.execute(sa.update(AgentRow).where(AgentRow.id == agent_id).values(deleted_at=_CLOCK, updated_at=_CLOCK))
    events.emit(tx, "agent.deleted", agent_id=agent_id, agent=agent.name)


def _move(tx: Tx, agent_ids: Sequence[uuid.UUID], before: Sequence[AgentStatus], after: AgentStatus, subject: str,
          *, payload: Mapping[str, Any] | None = None, only: sa.ColumnElement[bool] | None = None,
          **values: Any) -> int:  # fmt: skip
    """Change the status of those of the agents from which the transition is allowed, with an event for each; return how
    many.
    """
    standing = (AgentRow.id == sa.any_(_ids(agent_ids)), AgentRow.status.in_(before), AgentRow.deleted_at.is_(None))
    moved = tx.execute(
        sa.update(AgentRow)
        .where(*standing, *([] if only is None else [only]))
        .values(status=after, updated_at=_CLOCK, **values)
        .returning(AgentRow.id, AgentRow.name)
    ).all()
    told = [
        {"subject": subject, "agent_id": agent_id, "job_id": None, "payload": {"agent": name, **(payload or {})}}
        for agent_id, name in moved
    ]
    events.emit_many(tx, told)
    return len(moved)


def _ids(agent_ids: Sequence[uuid.UUID]) -> sa.ColumnElement[Any]:
    """Return ids as one parameter: a statement takes no more than 65,535."""
    return sa.literal(list(agent_ids), ARRAY(sa.Uuid))


def _one(tx: Tx, agent_id: uuid.UUID, moved: int) -> bool:
    """Return whether the status of the single given agent changed. Raises NotFound if there is no such agent."""
    if not moved:
        get(tx, agent_id)
    return bool(moved)


def first_tick_at(tx: Tx) -> datetime:
    """Return when an agent that is started now ticks first."""
    return tx.now() + FIRST_TICK
