"""The decisions of the team leader: which teams it asks, and which networks it scores. Pure.

A coordination has two steps: the leader asks the agents of a team for their status, and scores their networks once all
have answered or the time to answer is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fleet.features.leader import scores
from fleet.features.leader.scores import NetworkFigures, NetworkScore
from fleet.features.leader.strategies import rules as changes
from fleet.features.leader.strategies.rules import AgentStrategy, PostFigures, StrategyBounds, StrategyChange
from fleet.features.platforms.networks import NETWORKS

COORDINATE = "coordinate"
"""The action that people ask of the leader: coordinate now."""


@dataclass(frozen=True, slots=True)
class Member:
    """An agent of a platform."""

    agent_id: str
    username: str
    network: str


@dataclass(frozen=True, slots=True)
class TeamFinding:
    """Something that people have to know. `kind` and `key` say what it is about; `words` is a sentence for people."""

    kind: str
    key: str
    words: str
    agent_id: str | None = None
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """The agents of an organisation, and its newest coordination.

    `figures` are there when the open coordination is to be scored.
    """

    organisation_id: str
    members: tuple[Member, ...]
    every_s: float
    """Seconds between two coordinations, at the fleet's tempo."""
    answer_s: float
    """Seconds that agents have to answer."""
    number: int = 0
    """Of the newest coordination; 0 before the first."""
    asked_at: datetime | None = None
    open_round: str | None = None
    """The id of the coordination that is under way."""
    asked: int = 0
    answered: int = 0
    since: datetime | None = None
    figures: Mapping[str, NetworkFigures] = field(default_factory=dict)
    bands_before: Mapping[str, str | None] = field(default_factory=dict)
    """By network, the band of the coordination before."""
    findings: tuple[TeamFinding, ...] = ()
    strategies: tuple[AgentStrategy, ...] = ()
    """Those that the leader may change."""

    def is_due(self, now: datetime) -> bool:
        """Say whether the next coordination is due."""
        return self.asked_at is None or now >= self.asked_at + timedelta(seconds=self.every_s)

    def is_answered(self, now: datetime) -> bool:
        """Say whether the open coordination waits for no answer any more."""
        if self.open_round is None or self.asked_at is None:
            return False
        return self.answered >= self.asked or now >= self.asked_at + timedelta(seconds=self.answer_s)


@dataclass(frozen=True, slots=True)
class TeamObservation:
    """The teams of the fleet. `is_requested`: a person asked for a coordination now."""

    now: datetime
    teams: tuple[Team, ...]
    is_requested: bool = False


@dataclass(frozen=True, slots=True)
class Scoring:
    """The end of a coordination: the score of each network."""

    team: Team
    scores: Mapping[str, NetworkScore]
    now: datetime

    @property
    def changes(self) -> tuple[StrategyChange, ...]:
        """The changes of strategies that the figures justify."""
        found = []
        for one in self.team.strategies:
            figures = self.team.figures.get(one.network, NetworkFigures())
            score = self.scores.get(one.network)
            since = self.team.since or self.now
            found.append(
                changes.decide(one, self.now, since, None if score is None else score.band, figures.measured_posts)
            )
        return tuple(one for one in found if one is not None)

    @property
    def findings(self) -> tuple[TeamFinding, ...]:
        """What people have to know: what the checks found, and networks that stay in the lowest band."""
        lowest = [
            TeamFinding("lowest_band", name, f"{NETWORKS[name].title} is in the lowest band of engagement again")
            for name, one in self.scores.items()
            if one.band is scores.LOWEST and self.team.bands_before.get(name) == scores.LOWEST
        ]
        return (*lowest, *self.team.findings)


@dataclass(frozen=True, slots=True)
class TeamDecision:
    """The teams to ask, and the coordinations to end."""

    ask: tuple[Team, ...] = ()
    scorings: tuple[Scoring, ...] = ()
    action: str | None = None

    @property
    def thought(self) -> str:
        """What the leader does, as a sentence; empty for nothing."""
        agents = sum(len(team.members) for team in self.ask)
        said = []
        if agents:
            said.append(f"I ask {agents} {'agent' if agents == 1 else 'agents'} for their status.")
        found = [f"{NETWORKS[name].title} {one.points:.0f}" for scoring in self.scorings
                 for name, one in ranking(scoring.scores) if one.points is not None]  # fmt: skip
        if found:
            said.append(f"Scores: {', '.join(found[:7])}.")
        return " ".join(said)

    def outcome(self) -> dict[str, Any]:
        """Return the decision as data."""
        return {
            "ask": [team.organisation_id for team in self.ask],
            "scores": [
                {"organisation": one.team.organisation_id, "round": one.team.number,
                 "networks": {name: found.to_data() for name, found in one.scores.items()},
                 "findings": [asdict(found) for found in one.findings],
                 "changes": [asdict(found) for found in one.changes]}
                for one in self.scorings
            ],
        }  # fmt: skip


def decide(moment: TeamObservation) -> TeamDecision:
    """Return the coordinations to begin and to end now."""
    ended = tuple(_scoring(team, moment.now) for team in moment.teams if team.is_answered(moment.now))
    ask = tuple(
        team
        for team in moment.teams
        if team.members and team.open_round is None and (moment.is_requested or team.is_due(moment.now))
    )
    return TeamDecision(ask, ended)


def _scoring(team: Team, now: datetime) -> Scoring:
    return Scoring(team, {
        name: scores.score(team.figures.get(name, NetworkFigures()), NETWORKS[name].bands)
        for name in networks_of(team.members)
    }, now)  # fmt: skip


def networks_of(members: Sequence[Member]) -> list[str]:
    """Return the networks of agents, in the order of `NETWORKS`."""
    own = {one.network for one in members}
    return [name for name in NETWORKS if name in own]


def ranking(found: Mapping[str, NetworkScore]) -> list[tuple[str, NetworkScore]]:
    """Return networks by their score, best first; those without a score last."""
    return sorted(found.items(), key=lambda one: (one[1].points is None, -(one[1].points or 0.0), one[0]))


def planned_posts(hours: int, days_of_week: int, days: float) -> float:
    """Return how many posts the hours of an agent plan in a number of days."""
    return hours * days_of_week / 7 * max(0.0, days)


def to_data(moment: TeamObservation) -> dict[str, Any]:
    """Return an observation as data."""
    return {"now": moment.now.isoformat(), "is_requested": moment.is_requested,
            "teams": [_team_data(one) for one in moment.teams]}  # fmt: skip


def _team_data(team: Team) -> dict[str, Any]:
    data = asdict(team)
    return {**data, "asked_at": team.asked_at and team.asked_at.isoformat(),
            "since": team.since and team.since.isoformat()}  # fmt: skip


def from_data(data: Mapping[str, Any]) -> TeamObservation:
    """Return the observation that `to_data` wrote down. Raises KeyError, TypeError, ValueError for other data."""
    teams = tuple(
        Team(**{
            **one,
            "members": tuple(Member(**member) for member in one["members"]),
            "asked_at": one["asked_at"] and datetime.fromisoformat(one["asked_at"]),
            "since": one["since"] and datetime.fromisoformat(one["since"]),
            "findings": tuple(TeamFinding(**found) for found in one["findings"]),
            "strategies": tuple(_strategy(found) for found in one.get("strategies", ())),
            "figures": {name: NetworkFigures(**figures) for name, figures in one["figures"].items()},
        })
        for one in data["teams"]
    )  # fmt: skip
    return TeamObservation(datetime.fromisoformat(data["now"]), teams, data["is_requested"])


def _strategy(data: Mapping[str, Any]) -> AgentStrategy:
    return AgentStrategy(**{
        **data, "hours": tuple(data["hours"]), "bounds": StrategyBounds(**data["bounds"]),
        "by_hour": tuple(PostFigures(**one) for one in data["by_hour"]),
        "by_format": tuple(PostFigures(**one) for one in data["by_format"]),
        "undone": tuple((setting, value) for setting, value in data["undone"]),
    })  # fmt: skip
