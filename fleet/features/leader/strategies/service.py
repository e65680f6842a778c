"""Strategies of platform agents in the database: their figures, the record of changes, carrying out and undoing them.

The strategy is the agent's own configuration; here is only what was changed, why, and from which value. A change is
carried out by the agent's message, once; a setting that a person changed meanwhile stays as the person set it.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.agents import commands, config, loop
from fleet.engine.agents import queries as agent_queries
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.engine.points.network_measures import SAMPLES, PostSample
from fleet.features.leader.settings import LeaderSettings
from fleet.features.leader.strategies import rules, topics
from fleet.features.leader.strategies.models import TeamStrategyRow
from fleet.features.leader.strategies.rules import (
    AgentStrategy,
    PostFigures,
    StrategyBounds,
    StrategyChange,
    StrategyState,
)
from fleet.features.platforms import service as platforms
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import NETWORKS

_ROW = TeamStrategyRow


@dataclass(frozen=True, slots=True)
class StrategyView:
    """One change of an agent's strategy."""

    id: uuid.UUID
    agent: str
    network: str
    version: int
    kind: str
    setting: str
    before: str
    after: str
    words: str
    evidence: dict[str, Any]
    state: str
    decided_at: datetime
    ended_at: datetime | None
    undone_by: str | None


def bounds_of(own: LeaderSettings, tempo: float) -> StrategyBounds:
    """Return the bounds that people set."""
    return StrategyBounds(
        own.team_posts_least, own.team_posts_most, own.team_hours_from, own.team_hours_to, own.team_format_weight,
        own.team_sample, own.team_cooldown_days * 86_400 / tempo, own.team_topic_weight,
    )  # fmt: skip


def gather(
    deps: Deps, tx: Tx, organisation_id: uuid.UUID, since: datetime, until: datetime
) -> tuple[AgentStrategy, ...]:  # fmt: skip
    """Return the strategies that the leader may change, with their figures; none unless people allowed it."""
    settings = deps.settings_of(None, organisation_id=organisation_id)
    own = settings.of(LeaderSettings)
    if not own.team_adjusts:
        return ()
    query = sa.select(AgentRow).where(
        AgentRow.organisation_id == organisation_id, AgentRow.kind.in_([*NETWORKS]), AgentRow.deleted_at.is_(None),
        AgentRow.status == AgentStatus.RUNNING, AgentRow.autonomy == registry.AUTONOMOUS,
    )  # fmt: skip
    agents = tx.session.scalars(query.order_by(AgentRow.username)).all()
    found: list[PostSample] = []
    for samples in registry.current().extensions(SAMPLES):
        found += samples(deps, tx, organisation_id, since, until)
    by_agent = {one.id: one for one in agents}
    hours, formats, about = defaultdict(list), defaultdict(list), defaultdict(list)
    for sample in found:
        agent = by_agent.get(sample.agent_id)
        if agent is None:
            continue
        sums = (sample.number, sample.log_sum, sample.log_squares)
        if sample.topic:
            about[agent.id].append((sample.topic, *sums))
        elif sample.at is None:
            formats[agent.id].append((sample.format, *sums))
        else:
            hour = platforms.local_hour(deps, agent.persona_id, agent.id, sample.at)
            hours[agent.kind].append((str(hour), *sums))
    for agent_id, sums_of in topics.samples(deps, tx, list(by_agent), since, until):
        about[agent_id].append(sums_of)
    changes: dict[uuid.UUID, list[TeamStrategyRow]] = defaultdict(list)
    for row in tx.session.scalars(sa.select(_ROW).where(_ROW.organisation_id == organisation_id)):
        changes[row.agent_id].append(row)
    bounds = bounds_of(own, settings.tempo)
    return tuple(
        _strategy(
            one,
            bounds,
            changes[one.id],
            by_hour=rules.summed(hours[one.kind]),
            by_format=rules.summed(formats[one.id]),
            by_topic=rules.summed(about[one.id]),
        )
        for one in agents
    )


def _strategy(
    agent: AgentRow, bounds: StrategyBounds, changes: Sequence[TeamStrategyRow], *,
    by_hour: tuple[PostFigures, ...], by_format: tuple[PostFigures, ...], by_topic: tuple[PostFigures, ...],
) -> AgentStrategy:  # fmt: skip
    own = config.read(PlatformConfig, agent.config)
    times = [at for one in changes for at in (one.decided_at, one.ended_at) if at is not None]
    newest = max(times, default=None)
    return AgentStrategy(
        str(agent.id), agent.username, agent.kind, own.hours or NETWORKS[agent.kind].post_hours, own.format_weights,
        {"post_hours": own.post_hours, "formats": own.formats, "topics": own.topics}, bounds, by_hour, by_format,
        own.topic_weights, by_topic, max((one.version for one in changes), default=0),
        None if newest is None else newest.isoformat(),
        tuple((one.setting, one.after) for one in changes if one.state == StrategyState.UNDONE),
    )  # fmt: skip


def record(
    tx: Tx, organisation_id: uuid.UUID, change: StrategyChange, change_id: uuid.UUID, job_id: uuid.UUID
) -> None:  # fmt: skip
    """Record a change whose message is sent in this transaction."""
    tx.execute(sa.insert(_ROW).values(
        id=change_id, organisation_id=organisation_id, agent_id=uuid.UUID(change.agent_id), version=change.version,
        kind=change.kind, setting=change.setting, before=change.before, after=change.after,
        words=change.words[:500], evidence=dict(change.evidence), job_id=job_id,
    ))  # fmt: skip


def carry_out(deps: Deps, change_id: uuid.UUID) -> str:
    """Apply a change, once; return the agent's answer. A setting that a person changed meanwhile stays."""
    with deps.db.transaction() as tx:
        row, agent = _locked(tx, change_id)
        if row.state != StrategyState.PROPOSED:
            return f"It is {row.state} already."
        own = config.read(PlatformConfig, agent.config)
        why = ""
        if getattr(own, row.setting) != row.before:
            why = "a person changed it meanwhile"
        else:
            try:
                commands.update(tx, agent.id, {row.setting: row.after})
            except InvalidInput as error:
                why = str(error)
        state = StrategyState.OVERTAKEN if why else StrategyState.APPLIED
        _end(tx, row, state)
        _emit(tx, row, "team.strategy.overtaken" if why else "team.strategy.changed", why=why[:300])
        return f"No: {why}." if why else f"Yes: {row.words}."


def undo(deps: Deps, change_id: uuid.UUID, *, by: str) -> StrategyView:
    """Restore what a change replaced. Raises NotFound, and Conflict if it is not in force any more."""
    with deps.db.transaction() as tx:
        row, agent = _locked(tx, change_id)
        restored = _restored(row, agent)
        commands.update(tx, agent.id, {row.setting: restored})
        _end(tx, row, StrategyState.UNDONE, undone_by=by[:100])
        audit.noted(tx, True, "team.strategy_undone", f"agent:{agent.username}", setting=row.setting, value=restored)
        _emit(tx, row, "team.strategy.undone", by=by)
        return one(tx, change_id)


def _restored(row: TeamStrategyRow, agent: AgentRow) -> str:
    if row.state != StrategyState.APPLIED:
        raise Conflict(f"The change is {row.state}, not applied.", fix="`fleet team strategies` shows those in force.")
    current = getattr(config.read(PlatformConfig, agent.config), row.setting)
    restored = rules.undone_value(current, row.before, row.after)
    if restored is None:
        raise Conflict("The setting was changed since.", fix=f"Edit it: `fleet agents edit {agent.username}`.")
    return restored


def _locked(tx: Tx, change_id: uuid.UUID) -> tuple[TeamStrategyRow, AgentRow]:
    """Return a change and its agent, both locked, the agent first. Raises NotFound."""
    missing = NotFound(f"There is no change {change_id}.", fix="`fleet team strategies` lists them.")
    agent_id = tx.scalar(sa.select(_ROW.agent_id).where(_ROW.id == change_id))
    agent = None if agent_id is None else loop.lock(tx, agent_id)
    if agent is None or agent.deleted_at is not None:
        raise missing
    return tx.session.get_one(_ROW, change_id, populate_existing=True, with_for_update=True), agent


def _end(tx: Tx, row: TeamStrategyRow, state: StrategyState, **values: Any) -> None:
    tx.execute(sa.update(_ROW).where(_ROW.id == row.id).values(state=state, ended_at=tx.sql_now, **values))


def _emit(tx: Tx, row: TeamStrategyRow, subject: str, **more: Any) -> None:
    events.emit(
        tx, subject, agent_id=row.agent_id, job_id=row.job_id, change=str(row.id), version=row.version, kind=row.kind,
        setting=row.setting, before=row.before, after=row.after, said=row.words, evidence=row.evidence, **more,
    )  # fmt: skip


def preview(tx: Tx, change_id: uuid.UUID) -> tuple[StrategyView, uuid.UUID]:
    """Return a change that can be undone now, and its agent. Raises NotFound, Conflict."""
    row = tx.session.get(_ROW, change_id)
    agent = None if row is None else tx.session.get(AgentRow, row.agent_id)
    if row is None or agent is None:
        raise NotFound(f"There is no change {change_id}.", fix="`fleet team strategies` lists them.")
    _restored(row, agent)
    return one(tx, change_id), agent.id


def _query() -> sa.Select[Any]:
    columns = (_ROW.id, AgentRow.username, AgentRow.kind, _ROW.version, _ROW.kind, _ROW.setting, _ROW.before,
               _ROW.after, _ROW.words, _ROW.evidence, _ROW.state, _ROW.decided_at, _ROW.ended_at,
               _ROW.undone_by)  # fmt: skip
    return sa.select(*columns).join(AgentRow, AgentRow.id == _ROW.agent_id)


def one(tx: Tx, change_id: uuid.UUID) -> StrategyView:
    """Return one change. Raises NotFound."""
    found = tx.execute(_query().where(_ROW.id == change_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no change {change_id}.", fix="`fleet team strategies` lists them.")
    return StrategyView(*found)


def listed(
    deps: Deps, *, agent: str = "", organisation_id: uuid.UUID | None = None, limit: int = 50,
    below: uuid.UUID | None = None,
) -> list[StrategyView]:  # fmt: skip
    """Return changes, newest first; `below` is the last one of the page above. Raises NotFound."""
    with deps.db.transaction() as tx:
        query = _query()
        if agent:
            query = query.where(_ROW.agent_id == agent_queries.named(tx, agent, include_deleted=True).id)
        if organisation_id is not None:
            query = query.where(_ROW.organisation_id == organisation_id)
        if below is not None:
            last = sa.select(_ROW.decided_at, _ROW.id).where(_ROW.id == below).scalar_subquery()
            query = query.where(sa.tuple_(_ROW.decided_at, _ROW.id) < last)
        rows = tx.execute(query.order_by(_ROW.decided_at.desc(), _ROW.id.desc()).limit(limit))
        return [StrategyView(*row) for row in rows]


def prune(tx: Tx, *, days: float, limit: int) -> int:
    """Delete up to `limit` changes that ended more than `days` ago and are not in force; return how many."""
    age = sa.literal(f"{days} days").cast(sa.Interval)
    over = _ROW.state.in_([StrategyState.OVERTAKEN, StrategyState.UNDONE])
    which = sa.select(_ROW.id).where(over, _ROW.ended_at < tx.sql_now - age).limit(limit)
    return tx.execute(sa.delete(_ROW).where(_ROW.id.in_(which))).rowcount
