"""Registration interface: what a feature adds to a fleet. `fleet.app` loads features; docs/extending.md explains them.

A `feature.py` is light: it names its parts as references ("package.module:attribute"), which are imported on first use,
so that `fleet --help` loads neither a database driver nor a web framework.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

from fleet.core.errors import InvalidInput
from fleet.engine.jobs.policy import Priority, RetryPolicy

T = TypeVar("T")
Ref = str
"""A part of a feature by its place: "package.module:attribute", or "package.module" for a module."""


def load(ref: Ref | Any) -> Any:
    """Return the object that a reference names; anything else is returned as it is. Raises ImportError."""
    if not isinstance(ref, str):
        return ref
    module, _, names = ref.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split(".") if names else ():
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise ImportError(f"{module} has no {names}; a feature registers it") from error
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandler:
    """A kind of job: how its action is prepared, and the rules by which the ledger treats it.

    `prepare(work)` returns the `Action` to write, or an outcome when there is nothing to write. It never writes itself.
    """

    kind: str
    """At most 20 characters. Its Celery task is `fleet.KIND`."""
    noun: str
    """As sentences have it: "a post"."""
    prepare: Ref | Callable[..., Any]
    priority: Priority = Priority.NORMAL
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    expires_after: timedelta = timedelta(hours=24)
    """How long after it was added a job is still worth starting."""
    is_act: bool = True
    """Whether it is an act of its agent: `current_action` shows it, totals count it, and stopping cancels it."""
    is_public: bool = False
    """Whether others see it; a supervised agent does it only with an approval."""
    is_notice: bool = False
    """A message to operators: the kill switch and pauses of agents' work do not hold it."""
    uses_surface: bool = True
    """Whether it calls a surface, so that its end says something about that surface's health."""
    asks_model: bool = False
    """Whether it may wait for a budget."""
    is_frequent: bool = False
    """Whether most jobs are of kinds like this one; rare kinds have an index of their own."""
    pace: Ref | Callable[..., Any] | None = None
    """`pace(deps)` publishes waiting jobs, few at a time; without it a job is published when it is added."""
    turns: Ref | Callable[..., Any] | None = None
    """`turns(claim, action)` names locks, held while caps are checked, so that no two jobs count at the same time."""
    obstacle: Ref | Callable[..., Any] | None = None
    """`obstacle(tx, work, action)` returns Held or Skipped for a write that must not happen now, else None."""
    once_per_target: bool = False
    """At most one of an agent on one target, for as long as the agent is there."""
    ignores_pauses: bool = False
    """Only the kill switch holds it: the removal of an account."""
    ignores_agent_pause: bool = False
    """The pause of its agent does not hold it."""
    outlives_agent: bool = False
    """Whether it is carried out for a deleted agent."""

    @property
    def is_paced(self) -> bool:
        """Whether its feature decides when it is published."""
        return self.pace is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """`run(tx, work, outcome)`, called in the transaction that records the success of a job of that kind."""

    kind: str
    run: Ref | Callable[..., Any]


MESSAGE = JobHandler(
    kind="message", noun="a message", prepare="", priority=Priority.LOW, expires_after=timedelta(days=30),
    uses_surface=False,
)  # fmt: skip
"""No work but a dead letter: a message that no task understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAgent:
    """The one agent of a type that runs the fleet itself. `every_s` is its plain interval in seconds."""

    username: str
    name: str
    every_s: int
    personality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentType:
    """A kind of agent. `behaviour` names a module or object with the functions of `engine.agent_type.Behaviour`."""

    kind: str
    behaviour: Ref | Any
    next_tick: Ref | Callable[..., Any] | None = None
    """`next_tick(deps, due, tick_no) -> datetime`; without it gaps are drawn between the agent's intervals."""
    system: SystemAgent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A page in the navigation. `icon` is an SVG path in a box of 24 by 24; `permission` is one of `fleet.access`."""

    path: str
    label: str
    permission: str
    group: str
    icon: str
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of the command line: `run` names a click command. A section lists its commands by `order`."""

    name: str
    run: Ref
    help: str
    section: str
    order: int = 1000


class CheckStage(Enum):
    """What a check of `fleet check` relies on. The checks of a stage are left out when that is missing."""

    FILES = "files"
    """The home and files named by settings."""
    SETTINGS = "settings"
    """Settings that name a database."""
    TABLES = "tables"
    """A database with this version's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of `fleet check`: `run(settings)` yields `CheckResult`s of fleet.cli.frame; a FleetError fails it."""

    about: str
    run: Ref
    stage: CheckStage = CheckStage.SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """All that one capability adds. A feature registers what it has; every field but the name may be left out."""

    name: str
    help: str = ""
    needs: tuple[str, ...] = ()
    is_optional: bool = True
    """Whether `FLEET_FEATURES` may leave it out."""
    agents: tuple[AgentType, ...] = ()
    jobs: tuple[JobHandler, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    tables: tuple[Ref, ...] = ()
    """Modules of its tables."""
    pruners: tuple[Ref | Callable[..., int], ...] = ()
    """`prune(tx, *, days, limit) -> int`: delete up to `limit` rows that are older than `days`."""
    sweeps: tuple[Ref | Callable[..., Any], ...] = ()
    """`sweep(deps)`: called by each sweep, every few seconds."""
    preloads: tuple[Ref | Callable[..., None], ...] = ()
    """`preload(settings)`: load what child processes can share, before a fork; connects nothing."""
    checks_at_start: tuple[Ref | Callable[..., None], ...] = ()
    """`check(deps)`: called when a process starts. Raises InvalidInput for settings that cannot work."""
    resealers: tuple[Ref | Callable[..., Any], ...] = ()
    """`reseal(tx, keys) -> names`: seal with the first key what another key sealed (`fleet secrets rotate`)."""
    error_policies: tuple[Ref | Callable[..., Any], ...] = ()
    """`policy(error) -> Verdict | None`: what follows from an error that the engine does not know."""
    api: tuple[Ref, ...] = ()
    """Routers below /api/v1, in the order in which they match."""
    pages: tuple[Ref, ...] = ()
    nav: tuple[NavItem, ...] = ()
    commands: tuple[Command, ...] = ()
    completions: Mapping[str, Ref] = field(default_factory=dict)
    """`complete(context, beginning)` by what an option names ("agent"): pairs of a name and a line of help."""
    checks: tuple[Check, ...] = ()


class Registry:
    """The features of this process, and what they registered, by kind. Raises InvalidInput for two of one name."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self.features: Mapping[str, Feature] = _by_name(features, lambda one: one.name, "feature")
        for one in self.features.values():
            missing = [name for name in one.needs if name not in self.features]
            if missing:
                raise InvalidInput(
                    f"The feature {one.name} needs {', '.join(missing)}.",
                    fix=f"Add {'it' if len(missing) == 1 else 'them'} to FLEET_FEATURES, or leave out {one.name}.",
                )

    @cached_property
    def jobs(self) -> Mapping[str, JobHandler]:
        """Handlers by kind of job, the ledger's own kind last."""
        registered = [job for one in self for job in one.jobs]
        return _by_name([*registered, MESSAGE], lambda job: job.kind, "kind of job")

    @cached_property
    def follow_ups(self) -> Mapping[str, tuple[Callable[..., Any], ...]]:
        """What else is written when a job of a kind is done."""
        found: dict[str, tuple[Callable[..., Any], ...]] = {}
        for one in self:
            for follow_up in one.follow_ups:
                found[follow_up.kind] = (*found.get(follow_up.kind, ()), load(follow_up.run))
        return found

    @cached_property
    def agents(self) -> Mapping[str, AgentType]:
        """Agent types by kind of agent."""
        return _by_name((kind for one in self for kind in one.agents), lambda kind: kind.kind, "kind of agent")

    @cached_property
    def commands(self) -> Mapping[str, Command]:
        """Commands of features by name."""
        return _by_name((command for one in self for command in one.commands), lambda command: command.name, "command")

    @cached_property
    def completions(self) -> Mapping[str, Ref]:
        """How names are completed, by what an option names."""
        pairs = (pair for one in self for pair in one.completions.items())
        return dict(_by_name(pairs, lambda pair: pair[0], "completion").values())

    def checks(self, stage: CheckStage) -> Iterator[Check]:
        """Return the checks of one stage, in the order of features."""
        return (check for one in self for check in one.checks if check.stage is stage)

    @cached_property
    def error_policies(self) -> tuple[Callable[..., Any], ...]:
        """What follows from errors of features, in order."""
        return tuple(load(ref) for one in self for ref in one.error_policies)

    @cached_property
    def pruners(self) -> tuple[Callable[..., int], ...]:
        """Pruners of the features' rows."""
        return tuple(load(ref) for one in self for ref in one.pruners)

    @cached_property
    def preloads(self) -> tuple[Callable[..., None], ...]:
        """What is loaded before a fork."""
        return tuple(load(ref) for one in self for ref in one.preloads)

    @cached_property
    def checks_at_start(self) -> tuple[Callable[..., None], ...]:
        """What is checked when a process starts."""
        return tuple(load(ref) for one in self for ref in one.checks_at_start)

    @cached_property
    def resealers(self) -> tuple[Callable[..., Any], ...]:
        """What seals secrets of features anew."""
        return tuple(load(ref) for one in self for ref in one.resealers)

    @cached_property
    def sweeps(self) -> tuple[Callable[..., Any], ...]:
        """What features do at each sweep."""
        return tuple(load(ref) for one in self for ref in one.sweeps)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features.values())

    def __contains__(self, name: object) -> bool:
        return name in self.features

    def job(self, kind: str) -> JobHandler:
        """Return the handler of a kind of job. Raises InvalidInput for a kind that no feature registered."""
        try:
            return self.jobs[kind]
        except KeyError:
            raise InvalidInput(
                f"No feature of this fleet does jobs of the kind {kind!r}.", fix=f"Kinds: {', '.join(self.jobs)}."
            ) from None

    def uses_surface(self, kind: str) -> bool:
        """Say whether jobs of a kind call a surface; of an unknown kind it is assumed."""
        return kind not in self.jobs or self.jobs[kind].uses_surface

    def kinds(self, is_wanted: Callable[[JobHandler], bool]) -> frozenset[str]:
        """Return the kinds of job whose handler is wanted."""
        return frozenset(job.kind for job in self.jobs.values() if is_wanted(job))


def _by_name(found: Iterable[T], name_of: Callable[[T], str], what: str) -> Mapping[str, T]:
    named: dict[str, T] = {}
    for one in found:
        if name_of(one) in named:
            raise InvalidInput(f"Two features register the {what} {name_of(one)!r}.")
        named[name_of(one)] = one
    return named


_active: Registry | None = None


def use(registry: Registry) -> None:
    """Make a registry the one of this process. Called by `fleet.app.load`, and by tests."""
    global _active
    _active = registry


def current() -> Registry:
    """Return the features of this process. Raises RuntimeError before `fleet.app.load` was called."""
    if _active is None:
        raise RuntimeError("No features are loaded: call fleet.app.load() first.")
    return _active
