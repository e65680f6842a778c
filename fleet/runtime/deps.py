"""What the loop works with, put together once a process from the settings. Called by the doors."""

from __future__ import annotations

import functools
import os
import random
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet.agents import controls
from fleet.agents.loop import Actor
from fleet.agents.personas import Library, load
from fleet.agents.schedule import ALWAYS, Schedule
from fleet.approvals import Rule, rule_file
from fleet.core import clock, queue
from fleet.core.db import Database
from fleet.core.errors import InvalidInput, Unavailable
from fleet.core.settings import Settings
from fleet.jobs.policy import JobKind
from fleet.llm import registry as models
from fleet.llm.base import Speaker, Words
from fleet.platforms import registry
from fleet.platforms.base import Account
from fleet.platforms.guard import Caps, Gateway, Policy
from fleet.runtime.keeping import Keeper
from fleet.runtime.quality import Quality


@dataclass(frozen=True)
class Deps:
    """The process's connections and rules. Build it after fork."""

    settings: Settings
    db: Database
    publisher: queue.Publisher
    personas: Library
    worker: str
    dice: random.Random = field(default_factory=random.SystemRandom)
    writer: Words | None = None
    """Who writes the words, if not whom the settings name."""
    keeper: Keeper | None = None
    """Who keeps pictures of public addresses; without one, drafts have none of these."""
    passed_over: set[tuple[str, datetime]] = field(default_factory=set)
    """Providers whose spent budget this process has told of, and until when that is so."""
    _gateways: dict[str, Gateway] = field(default_factory=dict)
    _writers: list[Words] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def gateway(self, surface: str) -> Gateway:
        """Return the door to a surface. Raises InvalidInput for an unknown one or missing settings."""
        with self._lock:
            if surface not in self._gateways:
                platform = registry.connect(surface, self.settings)
                self._gateways[surface] = Gateway(platform, policy(self.settings), self._kill_reason)
            return self._gateways[surface]

    @property
    def words(self) -> Words:
        """Who writes the words. Made on first use: the vendors' libraries take half a second. Raises InvalidInput."""
        with self._lock:
            if not self._writers:
                self._writers.append(self.writer or models.connect(self.settings))
            return self._writers[0]

    @functools.cached_property
    def quality(self) -> Quality:
        """What is let pass, and what has been said lately."""
        return Quality(self.db, self.settings)

    @functools.cached_property
    def approval_rules(self) -> tuple[Rule, ...]:
        """Which requests need whose approval, in order. Raises InvalidInput for a file that is wrong."""
        path = self.settings.approval_rules
        return rule_file.shipped() if path is None else rule_file.load(path)

    def _kill_reason(self) -> str | None:
        return controls.kill_reason(self.db)

    def schedule(self, persona_id: str | None) -> Schedule:
        """Return a persona's schedule; without a persona every hour is like the other. Raises InvalidInput."""
        return ALWAYS if persona_id is None else self.personas.get(persona_id).schedule

    def account(self, agent: Actor) -> Account:
        """Return the account that an agent acts with, and the bio line that says what it is."""
        return Account(
            str(agent.id), agent.username, agent.name, agent.persona_id, self._bio(agent), agent.remote_account
        )  # fmt: skip

    def _bio(self, agent: Actor) -> str:
        if not self.settings.label_agents:
            return agent.personality[:300]
        contact = f" ({self.settings.contact})" if self.settings.contact else ""
        return f"Automated account: an AI agent run by {self.settings.operator}{contact} with Fleet."

    def speaker(self, agent: Actor) -> Speaker:
        """Return whose voice an agent's words are in."""
        persona = self.personas.get(agent.persona_id) if agent.persona_id else None
        return Speaker(
            agent.name, agent.persona_id, agent.personality, agent.vibe, tuple(agent.interests),
            persona.workflow_types if persona else (), persona.grammar if persona else {},
        )  # fmt: skip

    @property
    def settle(self) -> timedelta:
        """How long to wait before an unknown outcome is looked into."""
        return timedelta(seconds=self.settings.settle_s)

    def now(self) -> datetime:
        """Return the database's time, or this machine's while the database is away."""
        try:
            with self.db.transaction() as tx:
                return tx.now()
        except Unavailable:
            return clock.now()

    def close(self) -> None:
        """Close all connections."""
        self.db.close()


def policy(settings: Settings) -> Policy:
    """Return the owner's rules.

    A fleet that lives faster than life keeps its gaps in its own time, but what it owes the surface (writes a minute)
    in everybody's.
    """
    caps = Caps(
        post_gap=timedelta(seconds=settings.post_gap_s / settings.tempo),
        comment_gap=timedelta(seconds=settings.comment_gap_s / settings.tempo),
        posts_per_day=settings.posts_per_day,
        comments_per_day=settings.comments_per_day,
        likes_per_day=settings.likes_per_day,
        connects_per_day=settings.connects_per_day,
        ai_comment_lead=settings.ai_comment_lead,
        surface_writes_per_minute=settings.surface_writes_per_minute,
        day=timedelta(days=1 / settings.tempo),
    )
    hosts, image_hosts = frozenset(settings.allowed_hosts), frozenset(settings.image_hosts)
    return Policy(hosts, settings.dry_run, settings.label_agents, caps, image_hosts)


def build(settings: Settings) -> Deps:
    """Connect everything that the loop needs. Raises InvalidInput for settings that cannot work."""
    models.check(settings)
    deps = Deps(
        settings=settings,
        db=Database(settings.database_url, pool_size=settings.pool_size),
        publisher=queue.Publisher(queue.make_app(settings.broker_url, lease_s=settings.lease_s)),
        personas=_library(settings),
        worker=f"{socket.gethostname()}:{os.getpid()}"[:100],
    )
    _check_approvals(deps)
    return deps


def _check_approvals(deps: Deps) -> None:
    """Refuse wrong rules at the start, and not when the first agent asks."""
    unknown = sorted(set(deps.settings.retry_by_approval) - {str(kind) for kind in JobKind})
    if unknown:
        raise InvalidInput(
            f"FLEET_RETRY_BY_APPROVAL names no kind of job: {', '.join(unknown)}.",
            fix=f"Kinds: {', '.join(JobKind)}.",
        )
    _ = deps.approval_rules


@functools.lru_cache(maxsize=4)
def _load_once(folder: str | None) -> Library:
    from pathlib import Path

    return load(Path(folder) if folder else None)


def _library(settings: Settings) -> Library:
    return _load_once(str(settings.personas_dir) if settings.personas_dir else None)
