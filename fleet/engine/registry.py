"""Registration interface: what a feature adds to a fleet. `fleet.app` loads features; docs/extending.md explains them.

A `feature.py` is light: it names its parts as references ("package.module:attribute"), which are imported on first use,
so that `fleet --help` loads neither a database driver nor a web framework.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from fleet.adapters.base import ActionType, Payload
from fleet.core.errors import InvalidInput
from fleet.engine.names import by_name, only, refuse_long
from fleet.engine.policy import Priority, RetryPolicy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from fleet.core.settings import Settings

AUTONOMOUS = "autonomous"  # the mode of agents that behave as their type says

Ref = str  # a reference to a part of a feature: "package.module:attribute", or "package.module"
_imported = cache(importlib.import_module)  # each request looks up several parts


def load(ref: Ref | Any) -> Any:
    """Return the object that a reference names; anything else is returned as it is. Raises ImportError."""
    if not isinstance(ref, str):
        return ref
    module, _, names = ref.partition(":")
    found: Any = _imported(module)
    for name in names.split(".") if names else ():
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise ImportError(f"{module} has no {names}; a feature registers it") from error
    return found


def load_all(refs: Iterable[Ref | Any | None]) -> list[Any]:
    """Return the objects that references name, skipping references that are None. Raises ImportError."""
    return [load(ref) for ref in refs if ref is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandler:
    """A kind of job: how its action is prepared, and the rules by which the ledger treats it.

    `prepare(work)` returns the `Action` to write, or an outcome when there is nothing to write. It never writes itself.
    """

    kind: str
    """At most 20 characters. Its Celery task is `fleet.KIND`."""
    noun: str
    """The kind in sentences: "a post"."""
    plural: str = ""
    """The kind in counts, if it is not KIND and an s: "looks around"."""
    prepare: Ref | Callable[..., Any]
    action: str = ""
    """The name of the type of action that `prepare` returns; by default the kind. Caps count jobs by it."""
    priority: Priority = Priority.NORMAL
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    expires_after: timedelta = timedelta(hours=24)
    """A job is started at most this long after it was added."""
    is_act: bool = True
    """Whether it is an act of its agent: `current_action` shows it, totals count it, and stopping cancels it."""
    is_public: bool = False
    """Whether users of the surface see it; a supervised agent does it only with an approval."""
    is_notice: bool = False
    """A message to operators: the kill switch and pauses of agents do not delay it."""
    uses_surface: bool = True
    """Whether it calls a surface, so that its outcome counts for that surface's health."""
    asks_model: bool = False
    """Whether it may wait for a budget."""
    is_frequent: bool = False
    """Whether most jobs are of kinds like this one; rare kinds have an index of their own. Each job keeps what this
    said when it was added, so a change needs a migration."""
    pace: Ref | Callable[..., Any] | None = None
    """`pace(deps)` publishes waiting jobs that were added with a lane, few at a time; called after one has ended."""
    turns: Ref | Callable[..., Any] | None = None
    """`turns(claim, action)` names locks, held while caps are checked, so that no two jobs count at the same time."""
    obstacle: Ref | Callable[..., Any] | None = None
    """`obstacle(tx, work, action)` returns Held or Skipped for a write that must not happen now, else None."""
    once_per_target: bool = False
    """At most one of an agent on one target, for as long as the agent is there. Each job keeps what this said when it
    was added, so a change needs a migration."""
    ignores_pauses: bool = False
    """Only the kill switch delays it: the removal of an account."""
    ignores_agent_pause: bool = False
    """The pause of its agent does not delay it."""
    outlives_agent: bool = False
    """Whether it runs for a deleted agent."""
    about: str = ""
    """A subject of events: only users who may see events of this subject see a job's payload (`Feature.private`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """`run(tx, work, outcome)`, called in the transaction that records the success of a job of that kind."""

    kind: str
    run: Ref | Callable[..., Any]


MESSAGE = JobHandler(
    kind="message", noun="a message", prepare="", priority=Priority.LOW, expires_after=timedelta(days=30),
    uses_surface=False,
)  # fmt: skip
"""The kind of dead letters for messages that no task understood; it does no work."""


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
    actions: tuple[str, ...] = ()
    """The actions that a person can request of an agent of this type."""
    about: str = ""
    """A subject of events: only users who may see events of this subject see the decisions of these agents."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Default weights of the actions between which its agents choose; an agent stores only weights that differ."""
    config: Ref | type[Any] | None = None
    """A pydantic model: the settings of such agents, stored as JSON in `agents.config`. `engine.agents.config` says how
    its fields are checked and shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTab:
    """A tab of an agent's page.

    `facts(deps, agent, before)` returns what the template shows; `before` is the cursor of the list, or empty.
    `permission` is one of `fleet.access`; without one every user who sees agents sees the tab.
    """

    name: str
    template: str
    facts: Ref | Callable[..., Mapping[str, Any]]
    permission: str | None = None
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMode:
    """A mode of agents of a kind, which people choose for single agents (`agents.autonomy`).

    `call_off(agent, claim, handler)` returns Skipped for a job that an agent in this mode must not carry out, else
    None.
    """

    kind: str
    name: str
    behaviour: Ref | Any
    next_tick: Ref | Callable[..., Any] | None = None
    call_off: Ref | Callable[..., Any] | None = None
    actions: tuple[str, ...] = ()
    """The actions that a person can request of an agent in this mode."""
    label: str = ""
    """The label in forms: "Supervised: it proposes, people decide"."""
    config: Ref | type[Any] | None = None
    """As `AgentType.config`: settings of this mode. They can be set before the mode is switched on."""
    first_config: Ref | Callable[..., Mapping[str, Any]] | None = None
    """`first_config(deps) -> Mapping`: settings of new agents, where they are not the defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A subject of events, and how feeds show it. `engine.event_text` turns an event into words.

    Without `words` and `describe` an event is shown as its subject and its payload.
    """

    subject: str
    kind: str = ""
    """Only for events whose payload has this `kind`: a kind of job can have its own text for success."""
    words: str = ""
    """A template without the agent, which feeds put before it: "asked {to} for a favour". `engine.event_text` lists
    the names; any other name is a value of the payload, cut after 60 characters (`{thought:160}`: after 160)."""
    describe: Ref | Callable[..., str | None] | None = None
    """`describe(payload, event)` returns the text where a template is not enough; None hides the event."""
    reason: tuple[str, ...] = ()
    """Names of payload values; the first one that is not empty is appended to the template after a colon."""
    sign: str = ""
    """An emoji, for terminals."""
    tone: str = "dim"
    """A Rich style, for terminals; pages derive a class from it."""
    icon: str = "dot"
    """A symbol of `signs.svg`, for pages."""
    family: str = ""
    """The filter of the feed that finds it, such as "drafts" or "trouble"; empty for none."""
    is_quiet: bool = False
    """Shown only by `fleet activity -v` and on the page of all activity."""

    @property
    def key(self) -> str:
        """The subject, and the kind if there is one: "job.done/post"."""
        return f"{self.subject}/{self.kind}" if self.kind else self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A page in the navigation. `icon` is an SVG path in a box of 24 by 24; `permission` is one of `fleet.access`."""

    path: str
    label: str
    permission: str
    group: str
    icon: str
    order: int = 100
    tally: Ref | Callable[..., int | None] | None = None
    """`tally(tx) -> int | None`: the number beside the item, such as waiting requests; None for very many."""
    is_alarming: bool = False  # whether the number means trouble
    is_shown: Ref | Callable[..., bool] | None = None  # `is_shown(tx)`: whether it is in the navigation


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
    """One capability and everything that it adds. Every field but the name is optional."""

    name: str
    help: str = ""
    needs: tuple[str, ...] = ()
    required_because: str = ""
    """Why the feature cannot be left out, as a sentence. Without one, `FLEET_FEATURES` can leave it out."""
    settings: Ref | type[BaseModel] | None = None
    """A pydantic model of its settings: a field `dance_days` is FLEET_DANCE_DAYS. `deps.settings.of(Model)` returns
    them to its code."""
    agents: tuple[AgentType, ...] = ()
    modes: tuple[AgentMode, ...] = ()
    actions: tuple[ActionType[Payload], ...] = ()
    """The types of action that its jobs write. The gateway refuses a type that no feature registers."""
    jobs: tuple[JobHandler, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    events: tuple[EventType, ...] = ()
    """The subjects that its code emits. Nobody can subscribe to a subject that no feature registers."""
    private: Mapping[str, str] = field(default_factory=dict)
    """The permission of `fleet.access` that events need, by subject or family ("hook.*").

    Without one, every user who sees the fleet sees the event.
    """
    metrics: tuple[Ref | Any, ...] = ()
    """Objects of `engine.metrics.Metrics`, for Prometheus."""
    tables: tuple[Ref, ...] = ()
    """Modules of its tables."""
    migrations: Ref = ""
    """The package with the Alembic revisions of its tables, on a branch of its own. Built-in features have theirs in
    `migrations/`."""
    pruners: tuple[Ref | Callable[..., int], ...] = ()
    """`prune(tx, *, days, limit) -> int`: delete up to `limit` rows that are older than `days`."""
    sweeps: tuple[Ref | Callable[..., Any], ...] = ()
    """`sweep(deps)`: called by each sweep, every few seconds."""
    preloads: tuple[Ref | Callable[..., None], ...] = ()
    """`preload(settings)`: load what child processes can share, before a fork; connects nothing."""
    checks_at_start: tuple[Ref | Callable[..., None], ...] = ()
    """`check(deps)`: called when a process starts. Raises InvalidInput for settings that cannot work."""
    checks_before_serving: tuple[Ref | Callable[..., None], ...] = ()
    """`check(deps)`: called before the dashboard serves; may read the database. Raises InvalidInput."""
    beside_web: tuple[Ref | Callable[..., Any], ...] = ()
    """`run(deps)`: a context manager that is entered while the dashboard's process serves. Raises InvalidInput."""
    resealers: tuple[Ref | Callable[..., Any], ...] = ()
    """`reseal(tx, keys) -> names`: seal with the first key what another key sealed (`fleet secrets rotate`)."""
    error_policies: tuple[Ref | Callable[..., Any], ...] = ()
    """`policy(error) -> AttemptResult | None`: the result of an attempt, for an error that the engine does not know."""
    around_adapters: tuple[Ref | Callable[..., Any], ...] = ()
    """`around(deps, account, connect) -> Adapter`: connect an account with `connect(account)`, and perhaps return an
    adapter around that one, with the same methods."""
    extends: Mapping[str, tuple[Ref | Any, ...]] = field(default_factory=dict)
    """Parts for extension points that other features define, by the name of the point ("publishing.waits")."""
    api: tuple[Ref, ...] = ()
    """Routers below /api/v1, in the order in which they match."""
    routes: tuple[Ref, ...] = ()
    """Public routers outside /api/v1 for programs, such as health checks."""
    pages: tuple[Ref, ...] = ()
    live_feed: Ref | None = None
    """Builds the lines of the feed for the live stream; see `fleet.web.live.ports.Feed`. One feature has it."""
    live_cards: Ref | None = None
    """Builds the cards of the first page for the live stream; see `fleet.web.live.ports.Cards`. One feature has it."""
    templates: Ref = ""
    """The package whose folder `templates` holds the templates of its pages; they are named NAME/page.html."""
    nav: tuple[NavItem, ...] = ()
    commands: tuple[Command, ...] = ()
    agent_tabs: tuple[AgentTab, ...] = ()
    agent_facts: Ref | Callable[..., Mapping[str, Any]] | None = None
    """`facts(deps, agent) -> Mapping`: names for the template of the first tab of an agent's page."""
    agent_summary: Ref | Any | None = None
    """A pydantic model of what the API tells of one agent; its `of(deps, agent, who)` returns that, or None."""
    agent_rows: Ref | Callable[..., Any] | None = None
    """`rows(agent) -> pairs`: rows of `fleet agents show`, from the API's answer."""
    agent_commands: tuple[Ref, ...] = ()
    """Commands below `fleet agents`."""
    agent_deleting: Ref | Callable[..., None] | None = None
    """`deleting(deps, tx, agent_id)`: end work that waits for an agent that is being deleted.

    Called before the agent's row is locked and again with the lock, so it must be idempotent.
    """
    agent_deleted: Ref | Callable[..., None] | None = None
    """`deleted(deps, tx, agent, by=)`: add jobs that clean up after an agent that this transaction has deleted."""
    account_left: Ref | Callable[..., None] | None = None
    """`left(deps, tx, identity, by=)`: add jobs that clean up at an account that an agent no longer uses."""
    refuse_name: Ref | Callable[..., None] | None = None
    """`refuse_name(deps, name)`: raise InvalidInput for a name that an invited person must not choose."""
    completions: Mapping[str, Ref] = field(default_factory=dict)
    """`complete(context, beginning)` by type of name ("agent"): pairs of a name and a line of help."""
    checks: tuple[Check, ...] = ()

    @property
    def is_optional(self) -> bool:
        """Whether `FLEET_FEATURES` may leave it out."""
        return not self.required_because


class Registry:
    """The features of this process, and their registrations, by kind.

    Raises InvalidInput for two of one name, and for a name that is too long for the database.

    `left_out` are installed features that this process does not load. Their private registrations stay in force: their
    jobs and events are still in the database.
    """

    def __init__(self, features: Iterable[Feature], *, left_out: Iterable[Feature] = ()) -> None:
        self.features: Mapping[str, Feature] = by_name(features, lambda one: one.name, "feature")
        self.left_out: Mapping[str, Feature] = by_name(left_out, lambda one: one.name, "feature")
        self._parts: dict[str, tuple[Any, ...]] = {}
        self._extensions: dict[str, tuple[Any, ...]] = {}
        for one in self.features.values():
            _refuse_long_names(one)
            missing = [name for name in one.needs if name not in self.features]
            if missing:
                raise InvalidInput(
                    f"The feature {one.name} needs {', '.join(missing)}, which FLEET_FEATURES leaves out.",
                    fix=f"Leave out {one.name} too (-{one.name}), or have {', '.join(missing)}.",
                )

    @cached_property
    def settings_model(self) -> type[Settings]:
        """The settings of this process: the fleet's own, then those of each feature, in order."""
        from fleet.core.settings import composed

        return composed(*((one.name, load(one.settings)) for one in self if one.settings is not None))

    @cached_property
    def settings_left_out(self) -> Mapping[str, str]:
        """The features that are left out, by the names of their settings."""
        left_out = [one for one in self.left_out.values() if one.settings is not None]
        return {name: one.name for one in left_out for name in load(one.settings).model_fields}

    @cached_property
    def jobs(self) -> Mapping[str, JobHandler]:
        """Handlers by kind of job, the ledger's own kind last."""
        return by_name((*chain(*(one.jobs for one in self)), MESSAGE), lambda job: job.kind, "kind of job")

    @cached_property
    def acts(self) -> list[str]:
        """The kinds of job that are acts of their agents, sorted: each claim names them."""
        return sorted(self.kinds(lambda job: job.is_act))

    @cached_property
    def action_types(self) -> Mapping[str, ActionType[Payload]]:
        """Types of action by name."""
        return by_name((action for one in self for action in one.actions), lambda action: action.name, "action")

    def action_of(self, kind: str) -> str:
        """Return the name of the type of action that jobs of a kind write; of an unknown kind it is the kind."""
        return (kind in self.jobs and self.jobs[kind].action) or kind

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
        return by_name((kind for one in self for kind in one.agents), lambda kind: kind.kind, "kind of agent")

    @cached_property
    def commands(self) -> Mapping[str, Command]:
        """Commands of features by name."""
        return by_name((command for one in self for command in one.commands), lambda command: command.name, "command")

    @cached_property
    def completions(self) -> Mapping[str, Ref]:
        """Functions that complete names, by type of name."""
        pairs = (pair for one in self for pair in one.completions.items())
        return dict(by_name(pairs, lambda pair: pair[0], "completion").values())

    def checks(self, stage: CheckStage) -> Iterator[Check]:
        """Return the checks of one stage, in the order of features."""
        return (check for one in self for check in one.checks if check.stage is stage)

    def parts(self, name: str) -> tuple[Any, ...]:
        """Return the objects that features named in a field of references, such as "pruners", in order."""
        if name not in self._parts:
            self._parts[name] = tuple(load(ref) for one in self for ref in getattr(one, name))
        return self._parts[name]

    @cached_property
    def modes(self) -> Mapping[tuple[str, str], AgentMode]:
        """Modes by kind of agent and name."""
        return by_name((mode for one in self for mode in one.modes), lambda mode: (mode.kind, mode.name), "mode")

    def actions(self, kind: str, mode: str) -> tuple[str, ...]:
        """Return the actions that a person can request of an agent of a kind in a mode."""
        one = self.modes.get((kind, mode)) or self.agents.get(kind)
        return () if one is None else one.actions

    @property
    def mode_names(self) -> tuple[str, ...]:
        """The modes of all kinds of agents."""
        return (AUTONOMOUS, *dict.fromkeys(mode.name for mode in self.modes.values()))

    def modes_of(self, kind: str) -> tuple[AgentMode, ...]:
        """Return the modes that agents of a kind can be switched to."""
        return tuple(mode for mode in self.modes.values() if mode.kind == kind)

    def weights(self, kind: str, own: Mapping[str, float]) -> dict[str, float]:
        """Return the weights of an agent by action: its own, or else the defaults of its type."""
        one = self.agents.get(kind)
        return {} if one is None else {name: own.get(name, default) for name, default in one.weights.items()}

    @cached_property
    def default_weights(self) -> Mapping[str, float]:
        """The default weights of all types of agents by action; the first type that has an action decides."""
        found = [pair for kind in self.agents.values() for pair in kind.weights.items()]
        first = dict(reversed(found))
        return {name: first[name] for name, _ in found}

    def all_actions(self) -> tuple[str, ...]:
        """Return the actions that a person can request of any agent."""
        of_types = [name for kind in self.agents.values() for name in kind.actions]
        return tuple(dict.fromkeys([*of_types, *(name for mode in self.modes.values() for name in mode.actions)]))

    def extensions(self, point: str) -> tuple[Any, ...]:
        """Return what features registered for an extension point of another feature, in order."""
        if point not in self._extensions:
            self._extensions[point] = tuple(load(ref) for one in self for ref in one.extends.get(point, ()))
        return self._extensions[point]

    @cached_property
    def nav(self) -> Sequence[NavItem]:
        """Pages in the navigation, in order."""
        return sorted((item for one in self for item in one.nav), key=lambda item: item.order)

    @cached_property
    def live_feed(self) -> Ref | None:
        """What builds the lines of the feed."""
        return only([one.live_feed for one in self if one.live_feed is not None], "feed")

    @cached_property
    def live_cards(self) -> Ref | None:
        """What builds the cards of the first page."""
        return only([one.live_cards for one in self if one.live_cards is not None], "cards of the first page")

    @cached_property
    def events(self) -> Mapping[str, EventType]:
        """Types of events by subject, or by "subject/kind"."""
        return by_name((event for one in self for event in one.events), lambda event: event.key, "event")

    @cached_property
    def subjects(self) -> frozenset[str]:
        """All subjects that events of this fleet can have."""
        return frozenset(event.subject for event in self.events.values())

    @cached_property
    def private(self) -> Mapping[str, str]:
        """The permission that it takes to see events, by subject or family."""
        return {subject: permission for one in self._installed for subject, permission in one.private.items()}

    @cached_property
    def subjects_of_jobs(self) -> Mapping[str, str]:
        """The subject of events whose permission guards the payload of a job, by kind of job."""
        return {job.kind: job.about for one in self._installed for job in one.jobs if job.about}

    @cached_property
    def subjects_of_agents(self) -> Mapping[str, str]:
        """The subject of events whose permission guards the decisions of an agent, by kind of agent."""
        return {agent.kind: agent.about for one in self._installed for agent in one.agents if agent.about}

    @property
    def _installed(self) -> Iterator[Feature]:
        return chain(self.features.values(), self.left_out.values())

    def event(self, subject: str, kind: str = "") -> EventType | None:
        """Return the type of an event by its subject and the kind in its payload; None if no feature registers it."""
        return self.events.get(f"{subject}/{kind}") or self.events.get(subject)

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
        """Return the kinds of job whose handler has a given property."""
        return frozenset(job.kind for job in self.jobs.values() if is_wanted(job))


def _refuse_long_names(one: Feature) -> None:
    refuse_long(one.name, "kind of job", (job.kind for job in one.jobs))
    refuse_long(one.name, "kind of agent", (agent.kind for agent in one.agents))
    refuse_long(one.name, "username", (agent.system.username for agent in one.agents if agent.system))
    refuse_long(one.name, "mode", (mode.name for mode in one.modes))
    requested = chain(*(agent.actions for agent in one.agents), *(mode.actions for mode in one.modes))
    refuse_long(one.name, "requested action", requested)
    refuse_long(one.name, "action", (action.name for action in one.actions))
    refuse_long(one.name, "event", (event.subject for event in one.events))


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


def load_settings(**overrides: object) -> Settings:
    """Read the settings of the fleet and of its features; `overrides` win. Raises InvalidInput naming each variable."""
    from fleet.core import settings

    return settings.load(current().settings_model, **overrides)
