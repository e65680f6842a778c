"""What the loop works with, put together once a process from the settings. Called by the doors."""

from __future__ import annotations

import functools
import os
import random
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fleet.accounts.keys import Keys
from fleet.adapters import registry
from fleet.adapters.base import Account, TokenRefused
from fleet.adapters.gateway import Caps, Gateway, Policy
from fleet.core import clock, queue
from fleet.core.db import Database, sql
from fleet.core.errors import InvalidInput, Unavailable
from fleet.core.settings import Settings
from fleet.engine import controls, surface_pictures
from fleet.engine.agents.loop import Actor
from fleet.engine.jobs.policy import JobKind
from fleet.engine.schedule import ALWAYS, Schedule
from fleet.features.approvals import Rule, rule_file
from fleet.features.content import review
from fleet.features.experiments import experiment_file
from fleet.features.experiments.variants import Experiment
from fleet.features.personas.library import Library, load
from fleet.features.publishing.memory import LedgerMemory
from fleet.features.publishing.quality import Quality
from fleet.images import signing
from fleet.images.credentials import Credentials, NotSigned
from fleet.llm import registry as models
from fleet.llm.base import Speaker
from fleet.llm.moderation.base import RemoteModerator
from fleet.llm.provider import Remember, Words
from fleet.llm.writer import BatchWriter

if TYPE_CHECKING:
    from fleet.images.objects import Objects


@dataclass(frozen=True)
class Deps:
    """The process's connections and rules. Build it after fork."""

    settings: Settings
    db: Database
    publisher: queue.Publisher
    personas: Library
    worker: str
    dice: random.Random = field(default_factory=random.SystemRandom)
    experiments: tuple[Experiment, ...] = ()
    writer: Words | None = None
    """Who writes the words, if not whom the settings name."""
    remember: Remember | None = None
    """Who remembers for the agents, if not the ledger."""
    _gateways: dict[str, Gateway] = field(default_factory=dict)
    _writers: list[Words] = field(default_factory=list)
    _moderators: list[RemoteModerator | None] = field(default_factory=list)
    _signers: list[Credentials | None] = field(default_factory=list)
    _batches: list[BatchWriter | None] = field(default_factory=list, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def gateway(self, surface: str) -> Gateway:
        """Return the door to a surface. Raises NotFound for an unknown one, TokenRefused for a lost token."""
        with self._lock:
            if surface not in self._gateways:
                platform = registry.connect(surface, self._keyed(surface))
                fetch = surface_pictures.fetcher(platform, self.settings)
                self._gateways[surface] = Gateway(platform, policy(self.settings), self._kill_reason, fetch=fetch)
            return self._gateways[surface]

    @property
    def words(self) -> Words:
        """Who writes the words. Made on first use: the vendors' libraries take half a second. Raises InvalidInput."""
        with self._lock:
            if not self._writers:
                self._writers.append(self.writer or models.connect(self.keys.settings))
            return self._writers[0]

    @property
    def moderator(self) -> RemoteModerator | None:
        """Who looks at texts beside the local rules, if anybody. Raises Unanswered when it cannot be asked at all."""
        with self._lock:
            if not self._moderators:
                self._moderators.append(models.connect_moderator(self.keys.settings, self.dice))
            return self._moderators[0]

    @property
    def signer(self) -> Credentials | None:
        """Whose signature pictures carry, if anybody's. Raises NotSigned for credentials that cannot sign."""
        with self._lock:
            if not self._signers:
                try:
                    self._signers.append(signing.connect(self.keys.settings))
                except InvalidInput as error:
                    raise NotSigned(error.message, fix=error.fix) from error
            return self._signers[0]

    @functools.cached_property
    def keys(self) -> Keys:
        """The settings with the keys of the key store in them."""
        return Keys(self.db, self.settings)

    def refresh(self) -> None:
        """Take in what has changed in the key store, looked at twice a minute. Not to be called in a transaction."""
        if self.keys.refresh():
            with self._lock:
                self._gateways.clear()
                self._moderators.clear()
                self._signers.clear()
                self._batches.clear()
                if self.settings.llm_replay is None:  # a replay would begin anew
                    self._writers.clear()

    def _keyed(self, surface: str) -> Settings:
        """Return the settings with which to call a surface. Raises TokenRefused while its token cannot be opened."""
        settings = self.keys.settings
        lost = self.keys.lost.get("service_token")
        if lost is not None:
            raise TokenRefused(f"the token of {surface} cannot be read: {lost}")
        return settings

    @property
    def batches(self) -> BatchWriter | None:
        """Who writes what can wait, for less money; None unless the settings want that."""
        with self._lock:
            if not self._batches:
                self._batches.append(models.connect_batches(self.keys.settings))
            return self._batches[0]

    @functools.cached_property
    def quality(self) -> Quality:
        """What is let pass, and what has been said lately."""
        return Quality(self.db, self.settings)

    @functools.cached_property
    def objects(self) -> Objects:
        """Where fetched pictures are kept. Opened on first use: few processes need its library. Raises InvalidInput."""
        from fleet.images import objects

        return objects.connect(self.settings)

    @functools.cached_property
    def memory(self) -> Remember:
        """What agents remember."""
        return self.remember or LedgerMemory(self.db)

    @functools.cached_property
    def approval_rules(self) -> tuple[Rule, ...]:
        """Which requests need whose approval, in order. Raises InvalidInput for a file that is wrong."""
        path = self.settings.approval_rules
        return rule_file.shipped() if path is None else rule_file.load(path)

    def _kill_reason(self) -> str | None:
        return controls.kill_reason(self.db)

    def schedule(self, persona_id: str | None) -> Schedule:
        """Return a persona's schedule; without a persona every hour is like the other. Raises NotFound."""
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
    hosts = frozenset(host.lower() for host in settings.allowed_hosts)
    return Policy(hosts, settings.dry_run, settings.label_agents, caps)


def preload(settings: Settings) -> None:
    """Load what `build` would, as far as children of this process can have it from here: nothing is connected."""
    _library(settings.personas_dir)
    sql.compile_all()
    review.load_all()


def build(settings: Settings) -> Deps:
    """Connect everything that the loop needs. Raises InvalidInput for settings that cannot work."""
    models.check(settings)
    signing.check(settings)
    deps = Deps(
        settings=settings,
        db=Database(settings.database_url, pool_size=settings.pool_size),
        publisher=queue.Publisher(queue.make_app(settings.broker_url)),
        personas=_library(settings.personas_dir),
        experiments=experiment_file.chosen(settings.experiments),
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


_library = functools.lru_cache(maxsize=4)(load)
