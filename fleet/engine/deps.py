"""What the loop works with, put together once a process from the settings. Called by the doors."""

from __future__ import annotations

import functools
import os
import random
import socket
import threading
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from fleet.accounts.directory import Accounts, OpenAccount
from fleet.accounts.keys import Keys
from fleet.accounts.links import Links
from fleet.accounts.models import SETTINGS_ACCOUNT, key_of
from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import Account, Adapter, Cap, OutsideSystem, TokenRefused
from fleet.adapters.gateway import Caps, FetchPicture, Gateway, PictureGateway, Policy, SystemRules
from fleet.adapters.pictures import PictureMaker
from fleet.core import queue
from fleet.core.clock import SYSTEM, Clock
from fleet.core.db import Database, sql, visibility
from fleet.core.errors import InvalidInput, Unavailable
from fleet.core.settings import Settings, SettingScope
from fleet.engine import controls, registry, surface_pictures
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.schedule import ALWAYS, with_hours
from fleet.engine.settings import layers
from fleet.engine.settings.live import LiveSettings
from fleet.images import signing
from fleet.images.credentials import Credentials, NotSigned
from fleet.llm import registry as models
from fleet.llm.moderation.base import RemoteModerator
from fleet.llm.provider import Words
from fleet.llm.writer import BatchWriter

T = TypeVar("T")
_IDLE_S = 3600.0


class Outside:
    """Connects to accounts by their adapters. Tests hand in one of their own."""

    def connect(self, account: OpenAccount) -> Adapter:
        """Return the adapter of an account. Raises NotFound, InvalidInput."""
        return adapters.get(account.adapter).connect(account.access)

    def makes_pictures(self, account: OpenAccount) -> bool:
        """Say whether an account's system makes pictures, as far as this process has its adapter."""
        if account.adapter not in adapters.names() or not account.access.address:
            return False
        return adapters.get(account.adapter).connect_pictures is not None

    def connect_pictures(self, account: OpenAccount) -> PictureMaker:
        """Return the picture maker of an account. Raises NotFound, InvalidInput."""
        connect = adapters.get(account.adapter).connect_pictures
        if connect is None:
            raise InvalidInput(
                f"The system of the account {account.key.name} makes no pictures.", fix="Mend FLEET_PICTURES_ACCOUNT."
            )
        return connect(account.access)

    def fetcher(self, system: OutsideSystem, settings: Settings) -> FetchPicture:
        """Return the function that fetches an outside system's pictures. Raises InvalidInput."""
        return surface_pictures.fetcher(system, settings)


@dataclass
class ModelsOverride:
    """Models that are used whatever the settings name. For tests and simulations."""

    writer: Words | None = None
    moderator: RemoteModerator | None = None
    batches: BatchWriter | None = None


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """Models with a key or an address, in the order of calls; `scope` set the order, None: environment or default."""

    models: Sequence[str]
    scope: SettingScope | None

    @property
    def words(self) -> str:
        """The order as text."""
        return ", then ".join([*self.models, "the persona's own grammar"])

    @property
    def source(self) -> str:
        """Where the order comes from, as text."""
        return "the environment, or the default" if self.scope is None else f"set for the {self.scope}"


@dataclass(frozen=True)
class Deps:
    """The process's connections and rules. Build it after fork."""

    given: Settings
    """The settings of the environment. Code reads `settings`, which has those above them that people set."""
    db: Database
    publisher: queue.Publisher
    worker: str
    dice: random.Random = field(default_factory=random.SystemRandom)
    models_override: ModelsOverride = field(default_factory=ModelsOverride)
    """What is used in place of the models that the settings name."""
    parts: dict[str, Any] = field(default_factory=dict)
    """Values of this process that features keep, by name: see `part`."""
    outside: Outside = field(default_factory=Outside)
    """How accounts are connected to."""
    _gateways: dict[uuid.UUID, tuple[Gateway, Mapping[str, Any]]] = field(default_factory=dict)
    _policies: dict[uuid.UUID, tuple[Settings, Mapping[str, Any], Policy]] = field(default_factory=dict)
    """The rules last made for each account, with what they were made of."""
    _makers: dict[uuid.UUID, tuple[PictureGateway, Mapping[str, Any]]] = field(default_factory=dict)
    _connected: dict[tuple[str, Hashable], Any] = field(default_factory=dict)
    _used_s: dict[tuple[str, Hashable], float] = field(default_factory=dict)
    _signers: list[Credentials | None] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _parts_lock: threading.RLock = field(default_factory=threading.RLock)  # one value may need another

    @property
    def clock(self) -> Clock:
        """The time of this process and of its statements."""
        return self.db.clock

    @property
    def settings(self) -> Settings:
        """The settings of the whole fleet that are in force: the same object until one changes."""
        return self.live.fleet

    def settings_of(
        self, agent_id: uuid.UUID | None, account_id: uuid.UUID | None = None, persona_id: str | None = None,
        organisation_id: uuid.UUID | None = None,
    ) -> Settings:  # fmt: skip
        """Return the settings of an agent, with its persona and organisation, as it acts through an account; None: that
        of the settings.
        """
        return self.live.of(agent_id, account_id, persona_id, organisation_id)

    def model_order(
        self, agent_id: uuid.UUID | None = None, persona_id: str | None = None, organisation_id: uuid.UUID | None = None
    ) -> ModelOrder:
        """Return the models that an agent, or agents of a persona, write with, and who set their order."""
        settings = self.settings_of(agent_id, None, persona_id, organisation_id)
        used = models.configured(self.keys.fill(settings))
        scope = self.live.scope_of("llm_order", agent_id, persona_id, organisation_id)
        return ModelOrder([f"{name} ({getattr(settings, f'{name}_model')})" for name in used], scope)

    def gateway(
        self, account_id: uuid.UUID | None = None, agent_id: uuid.UUID | None = None,
        organisation_id: uuid.UUID | None = None,
    ) -> Gateway:  # fmt: skip
        """Return the gateway of an account, by default that of the settings, with the rules for an agent.

        Raises NotFound for a removed account or an unknown adapter, TokenRefused for lost credentials, NotAllowed for
        a further account at a host that the settings do not allow (nothing is read there either), Unavailable.
        """
        key, rules = key_of(account_id), self.live.of(agent_id, account_id, None, organisation_id)
        with self._lock:
            if key not in self._gateways:
                found = self._usable(account_id)
                adapter = self._connect_account(found)
                made = Gateway(
                    adapter, self._policy(key, rules, found.limits), self._kill_reason, _system_rules(found)
                )  # fmt: skip
                if key != SETTINGS_ACCOUNT:  # else anybody who may edit agents could send our requests to any host
                    made.require_host()
                self._gateways[key] = made, found.limits
            gateway, limits = self._gateways[key]
        return gateway.under(self._policy(key, rules, limits))

    def pictures(
        self, account_id: uuid.UUID | None = None, agent_id: uuid.UUID | None = None,
        organisation_id: uuid.UUID | None = None,
    ) -> PictureGateway:  # fmt: skip
        """Return the gateway to the picture maker of an account's system. Raises as `gateway`, and InvalidInput."""
        key, settings = key_of(account_id), self.live.of(agent_id, account_id, None, organisation_id)
        with self._lock:
            if key not in self._makers:
                found = self._usable(account_id)
                maker = self.outside.connect_pictures(found)
                fetch = self.outside.fetcher(maker, self.given)
                rules = self._policy(key, settings, found.limits)
                made = PictureGateway(maker, rules, self._kill_reason, fetch=fetch)
                self._makers[key] = made, found.limits
            gateway, limits = self._makers[key]
        return gateway.under(self._policy(key, settings, limits))

    def _policy(self, key: uuid.UUID, settings: Settings, limits: Mapping[str, Any]) -> Policy:
        """Return the rules for an account, made once for each change of settings: an attempt asks for them thrice."""
        known = self._policies.get(key)
        if known is None or known[0] is not settings or known[1] is not limits:
            known = self._policies[key] = settings, limits, policy(settings, limits)
        return known[2]

    def picture_account(self, account_id: uuid.UUID | None) -> AccountKey | None:
        """Return the account whose system makes the pictures of an account's posts; None if there is none.

        That is the account that FLEET_PICTURES_ACCOUNT names, else the posting account if its system makes pictures,
        else the first account whose system does. Raises InvalidInput for a name without an account, Unavailable.
        """
        known, wanted = self.accounts.all(), self.settings.pictures_account
        if wanted:
            named = next((one.key for one in known if one.key.name == wanted), None)
            if named is None:
                raise InvalidInput(f"There is no account {wanted!r}.", fix="Mend FLEET_PICTURES_ACCOUNT.")
            return named
        own_first = sorted(known, key=lambda one: one.key.id != key_of(account_id))
        return next((one.key for one in own_first if self.outside.makes_pictures(one)), None)

    def _connect_account(self, account: OpenAccount) -> Adapter:
        """Return the adapter of an account, within those that features put around it. Raises NotFound, InvalidInput."""
        connect = self.outside.connect
        for around in registry.current().parts("around_adapters"):
            connect = functools.partial(around, self, connect=connect)
        return connect(account)

    def _usable(self, account_id: uuid.UUID | None) -> OpenAccount:
        """Return an account whose credentials are known. Raises NotFound, TokenRefused, Unavailable."""
        found = self.accounts.get(account_id)
        if found.lost is not None:
            raise TokenRefused(f"the token of {found.key.name} cannot be read: {found.lost}")
        return found

    def words(self, settings: Settings | None = None) -> Words:
        """Return the language model of these settings, by default the fleet's.

        Made on first use: vendors' libraries take half a second to load. Raises InvalidInput.
        """
        return self.models_override.writer or self._connect("writer", settings, models.connect)

    def moderator(self, settings: Settings | None = None) -> RemoteModerator | None:
        """Return the moderator that checks texts besides the local rules, if one is set.

        Raises Unanswered when it cannot be reached.
        """
        made = functools.partial(models.connect_moderator, dice=self.dice)
        return self.models_override.moderator or self._connect("moderator", settings, made)

    def _connect(self, what: str, settings: Settings | None, connect: Callable[[Settings], T]) -> T:
        """Return what these settings connect to, made once for each value of the settings that name it.

        When settings have changed, what nobody has used for an hour is forgotten; not of a replay, which would begin
        anew.
        """
        complete = self.keys.fill(settings or self.settings)
        key, now_s = (what, models.key_of(complete)), self.clock.monotonic_s()
        with self._lock:
            if key not in self._connected:
                idle = [one for one, used_s in self._used_s.items() if now_s - used_s > _IDLE_S]
                for one in idle if self.given.llm_replay is None else ():
                    self._connected.pop(one, None)
                    del self._used_s[one]
                self._connected[key] = connect(complete)
            self._used_s[key] = now_s
            found: T = self._connected[key]
            return found

    @property
    def signer(self) -> Credentials | None:
        """The signer of pictures, if one is set. Raises NotSigned for credentials that cannot sign."""
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
        return Keys(self.db, self.given)

    @functools.cached_property
    def live(self) -> LiveSettings:
        """The settings in force: those of the environment, and those that people set above them."""
        return LiveSettings(self.db, self.given)

    @functools.cached_property
    def accounts(self) -> Accounts:
        """The accounts at outside systems, with their credentials opened."""
        return Accounts(self.db, self.given, self.keys)

    @functools.cached_property
    def links(self) -> Links:
        """The addresses of what agents published, for people."""
        return Links(self.accounts, self.outside.connect, lambda: self.settings)

    def under(self, settings: Settings) -> Deps:
        """Return the same connections with these settings in force for every agent: to try some before they are set."""
        other = replace(self)
        other.__dict__["live"] = LiveSettings(self.db, settings)  # the property's own place; it is never refreshed
        return other

    def refresh(self) -> None:
        """Take in changes of settings within seconds, of the key store and of accounts within half a minute.

        Not for transactions.
        """
        self.live.refresh()
        has_accounts, has_keys = self.accounts.refresh(), self.keys.refresh()  # both, in this order
        if has_accounts or has_keys:
            with self._lock:
                self._gateways.clear()
                self._makers.clear()
        if has_keys:
            with self._lock:
                self._signers.clear()
                if self.given.llm_replay is None:  # a replay would begin anew
                    self._connected.clear()

    def batches(self, settings: Settings | None = None) -> BatchWriter | None:
        """Return the batch API of the language model, cheaper and slower; None unless the settings want it."""
        return self.models_override.batches or self._connect("batches", settings, models.connect_batches)

    def part(self, name: str, make: Callable[[Deps], T], *, for_all: bool = False) -> T:
        """Return a feature's value of this process, made on first use. Raises what making it raises.

        A feature wraps this in a function, so that the name and the type are in one place. Requests that are restricted
        to organisations have values of their own, since a value may keep rows that others must not see; with `for_all`
        they share it, for what holds nothing of any organisation.
        """
        own = None if for_all else visibility.current()
        key = name if own is None else f"{name} of {', '.join(sorted(map(str, own)))}"
        if key not in self.parts:
            with self._parts_lock:
                if key not in self.parts:
                    with visibility.restricted(own):
                        self.parts[key] = make(self)
        found: T = self.parts[key]
        return found

    def _kill_reason(self) -> str | None:
        return controls.kill_reason(self.db)

    def account(self, agent: ActingAgent) -> Account:
        """Return an agent as the system of its account knows it, and the bio line that says what it is."""
        return Account(
            str(agent.id), agent.username, agent.name, agent.persona_id, self._bio(agent), agent.remote_account
        )  # fmt: skip

    def _bio(self, agent: ActingAgent) -> str:
        if not self.settings.label_agents:
            return agent.character.personality[:300]
        contact = f" ({self.settings.contact})" if self.settings.contact else ""
        return f"Automated account: an AI agent run by {self.settings.operator}{contact} with Fleet."

    @property
    def settle(self) -> timedelta:
        """How long to wait before an unknown outcome is probed."""
        return timedelta(seconds=self.settings.settle_s)

    def now(self) -> datetime:
        """Return the database's time, or this machine's while the database is away."""
        try:
            with self.db.transaction() as tx:
                return tx.now()
        except Unavailable:
            return self.clock.now()

    def close(self) -> None:
        """Close all connections."""
        self.db.close()


def _system_rules(account: OpenAccount) -> SystemRules:
    """Return what the rules of an account's system say about it, as far as this process has its adapter."""
    kind = adapters.get(account.adapter) if account.adapter in adapters.names() else None
    return SystemRules() if kind is None else adapters.rules_of(kind, account.operations)


def policy(settings: Settings, limits: Mapping[str, Any] = MappingProxyType({})) -> Policy:
    """Return the owner's rules for an account with these limits.

    A fleet with a tempo keeps the gaps between its actions in fleet time, but limits that protect the surface (writes a
    minute) in real time.
    """
    caps = {name: replace(cap, gap=cap.gap / settings.tempo) for name, cap in caps_of(settings).items()}
    hosts = frozenset(host.lower() for host in settings.allowed_hosts)
    return Policy(
        hosts, settings.dry_run, settings.label_agents, Caps(caps, timedelta(days=1 / settings.tempo)),
        limits.get("writes_per_minute", settings.surface_writes_per_minute),
    )  # fmt: skip


def caps_of(settings: Settings) -> dict[str, Cap]:
    """Return the cap of each registered type of action: from the settings, or else its own.

    Raises InvalidInput for a cap of an action that no feature registers.
    """
    types, given = registry.current().action_types, settings.caps_given()
    unknown = [name for name in given if name not in types]
    if unknown:
        raise InvalidInput(
            f"FLEET_CAPS names actions that no feature registers: {', '.join(unknown)}.",
            fix=f"Actions: {', '.join(types)}.",
        )
    caps = {name: one.cap for name, one in types.items()}
    for name, cap in given.items():
        gap = caps[name].gap if cap.gap_s is None else timedelta(seconds=cap.gap_s)
        caps[name] = Cap(gap=gap, per_day=caps[name].per_day if cap.per_day is None else cap.per_day)
    return caps


def preload(settings: Settings) -> None:
    """Load the modules that `build` would, so that child processes share them; nothing is connected."""
    for load in registry.current().parts("preloads"):
        load(settings)
    sql.compile_all()


def build(settings: Settings, *, clock: Clock = SYSTEM) -> Deps:
    """Connect everything that the loop needs. `clock` may be virtual, for a simulation.

    Raises InvalidInput for settings that cannot work.
    """
    models.check(settings)
    signing.check(settings)
    caps_of(settings)
    layers.check_pinned(settings)
    with_hours(ALWAYS, settings.agent_timezone, settings.agent_hours)
    deps = Deps(
        given=settings,
        db=Database(settings.database_url, pool_size=settings.pool_size, clock=clock),
        publisher=queue.Publisher(queue.make_app(settings.broker_url)),
        worker=f"{socket.gethostname()}:{os.getpid()}"[:100],
    )
    for check in registry.current().parts("checks_at_start"):
        check(deps)
    return deps
