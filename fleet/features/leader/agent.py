"""The team leader: one system agent that coordinates the teams of all organisations, each from its own rows alone.

Its tick is decided once over all processes, and the rounds, scores and messages that follow are written in the
transaction that records the decision.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from fleet.core import events, ids
from fleet.core.db import Tx
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import FINAL
from fleet.features.campaigns.brand_rules.rules import BrandRules
from fleet.features.leader import rules
from fleet.features.leader.checks import findings, measures
from fleet.features.leader.kinds import MessageType
from fleet.features.leader.models import TeamRoundRow, TeamScoreRow
from fleet.features.leader.rules import Member, Scoring, Team, TeamDecision, TeamObservation, from_data, to_data
from fleet.features.leader.settings import LeaderSettings
from fleet.features.leader.strategies import service as strategies
from fleet.features.leader.strategies.rules import StrategyChange
from fleet.features.platforms.networks import NETWORKS

__all__ = ["act", "decide", "from_data", "gather", "to_data"]


def gather(deps: Deps, claimed: ClaimedAgent) -> TeamObservation:
    """Read the teams, and the figures of those whose coordination can be scored."""
    brand = findings.rules_of(deps)
    with deps.db.transaction() as tx:
        teams = tuple(_team(deps, tx, claimed.now, brand, found) for found in _members(tx).items())
    return TeamObservation(claimed.now, teams, claimed.tick.asked_for == rules.COORDINATE)


def _members(tx: Tx) -> dict[uuid.UUID, list[Member]]:
    """Return the agents of platforms by organisation."""
    query = sa.select(AgentRow.organisation_id, AgentRow.id, AgentRow.username, AgentRow.kind)
    query = query.where(AgentRow.kind.in_([*NETWORKS]), AgentRow.deleted_at.is_(None))
    found: dict[uuid.UUID, list[Member]] = {}
    for organisation_id, agent_id, username, kind in tx.execute(query.order_by(AgentRow.username)):
        if organisation_id is not None:
            found.setdefault(organisation_id, []).append(Member(str(agent_id), username, kind))
    return found


def _team(
    deps: Deps, tx: Tx, now: datetime, brand: BrandRules | None, found_members: tuple[uuid.UUID, Sequence[Member]]
) -> Team:  # fmt: skip
    organisation_id, members = found_members
    settings = deps.settings_of(None, organisation_id=organisation_id)
    own = settings.of(LeaderSettings)
    newest = tx.session.scalars(
        sa.select(TeamRoundRow).where(TeamRoundRow.organisation_id == organisation_id)
        .order_by(TeamRoundRow.number.desc()).limit(1)
    ).one_or_none()  # fmt: skip
    found = Team(
        str(organisation_id), tuple(members), own.team_interval_h * 3600 / settings.tempo,
        own.team_answer_min * 60 / settings.tempo,
    )  # fmt: skip
    if newest is None:
        return found
    found = replace(found, number=newest.number, asked_at=newest.asked_at, asked=newest.asked)
    if newest.scored_at is not None:
        return found
    found = replace(found, open_round=str(newest.id), answered=_answered(tx, newest))
    if not found.is_answered(now):
        return found
    since = now - timedelta(days=own.team_period_days) / settings.tempo
    return replace(
        found, since=since, figures=measures.figures(deps, tx, organisation_id, since, now),
        bands_before=_bands_before(tx, organisation_id),
        findings=tuple(findings.look(tx, organisation_id, since, now, brand)),
        strategies=strategies.gather(deps, tx, organisation_id, since, now),
    )  # fmt: skip


def _bands_before(tx: Tx, organisation_id: uuid.UUID) -> dict[str, str | None]:
    """Return the bands of the newest coordination that was scored."""
    scored = (TeamRoundRow.organisation_id == organisation_id, TeamRoundRow.scored_at.is_not(None))
    newest = sa.select(TeamRoundRow.id).where(*scored).order_by(TeamRoundRow.number.desc()).limit(1)
    query = sa.select(TeamScoreRow.network, TeamScoreRow.band)
    return dict(tx.execute(query.where(TeamScoreRow.round_id.in_(newest))).tuples().all())


def _answered(tx: Tx, row: TeamRoundRow) -> int:
    """Return how many of the questions of a round have ended (ix_jobs_rare)."""
    which = (JobRow.kind == MessageType.STATUS_REQUEST.value, JobRow.rare, JobRow.created_at >= row.asked_at)
    own = JobRow.payload["round"].astext == str(row.id)
    return int(tx.scalar(sa.select(sa.func.count()).where(*which, own, JobRow.state.in_(FINAL))) or 0)


def decide(moment: TeamObservation, rng: random.Random) -> TeamDecision:  # noqa: ARG001 - the shape of decisions
    """Choose the coordinations to begin and to end."""
    return rules.decide(moment)


def act(deps: Deps, claimed: ClaimedAgent, decision: TeamDecision) -> Acts:
    """Return the questions to agents, and the writes that begin and end coordinations."""
    tick_no = claimed.tick.key.tick_no
    rounds = {team.organisation_id: _round_id(claimed, team) for team in decision.ask}
    questions = [(team, one) for team in decision.ask for one in team.members]
    jobs = [
        NewJob(
            ids.job(claimed.agent.id, tick_no, place), uuid.UUID(one.agent_id), MessageType.STATUS_REQUEST.value,
            one.network, payload={"round": str(rounds[team.organisation_id]), "sender": claimed.agent.username},
        )
        for place, (team, one) in enumerate(questions)
    ]  # fmt: skip
    changes = [
        (scoring.team, change, _change_id(claimed, change), ids.job(claimed.agent.id, tick_no, place))
        for place, (scoring, change) in enumerate(
            ((scoring, change) for scoring in decision.scorings for change in scoring.changes), start=len(jobs)
        )
    ]
    jobs += [
        NewJob(
            job_id, uuid.UUID(change.agent_id), MessageType.SCHEDULE_UPDATE.value, change.network,
            payload={"change": str(change_id), "note": change.words[:300], "sender": claimed.agent.username},
        )
        for _, change, change_id, job_id in changes
    ]  # fmt: skip
    if not decision.ask and not decision.scorings:
        return Acts(jobs)

    def also(tx: Tx) -> None:
        _also(deps, claimed, decision, rounds, tx)
        for team, change, change_id, job_id in changes:
            strategies.record(tx, uuid.UUID(team.organisation_id), change, change_id, job_id)

    return Acts(jobs, also)


def _change_id(claimed: ClaimedAgent, change: StrategyChange) -> uuid.UUID:
    return ids.derived("team strategy", claimed.agent.id, claimed.tick.key.tick_no, change.agent_id)


def _round_id(claimed: ClaimedAgent, team: Team) -> uuid.UUID:
    return ids.derived("team round", claimed.agent.id, claimed.tick.key.tick_no, team.organisation_id)


def _also(
    deps: Deps, claimed: ClaimedAgent, decision: TeamDecision, rounds: dict[str, uuid.UUID], tx: Tx
) -> None:  # fmt: skip
    for scoring in decision.scorings:
        _end_round(deps, tx, scoring)
    for team in decision.ask:
        tx.execute(sa.insert(TeamRoundRow).values(
            id=rounds[team.organisation_id], organisation_id=uuid.UUID(team.organisation_id), number=team.number + 1,
            asked_at=claimed.now, asked=len(team.members), requested_by=claimed.tick.requested_by,
        ))  # fmt: skip
        events.emit(tx, "team.asked", organisation=team.organisation_id, round=team.number + 1,
                    agents=len(team.members))  # fmt: skip


def _end_round(deps: Deps, tx: Tx, scoring: Scoring) -> None:
    team = scoring.team
    which = (TeamRoundRow.id == uuid.UUID(team.open_round or ""), TeamRoundRow.scored_at.is_(None))
    ended = {"scored_at": tx.sql_now, "answered": team.answered, "since": team.since}
    if tx.execute(sa.update(TeamRoundRow).where(*which).values(**ended)).rowcount != 1:
        return
    rows = [
        {"round_id": uuid.UUID(team.open_round or ""), "network": name, **one.to_data(),
         "figures": asdict(team.figures[name]) if name in team.figures else {}}
        for name, one in scoring.scores.items()
    ]  # fmt: skip
    if rows:
        tx.execute(sa.insert(TeamScoreRow), rows)
    findings.record(deps, tx, uuid.UUID(team.organisation_id), scoring.findings)
    points = {name: one.points for name, one in rules.ranking(scoring.scores)}
    said = ", ".join(f"{NETWORKS[name].title} {'no data' if one is None else f'{one:.0f}'}"
                     for name, one in points.items())  # fmt: skip
    events.emit(tx, "team.scored", organisation=team.organisation_id, round=team.number, answered=team.answered,
                asked=team.asked, scores=points, said=said)  # fmt: skip
