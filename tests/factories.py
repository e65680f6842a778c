"""What tests are made of: agents, a surface at the outer wall, and the loop's dependencies on a real database."""

from __future__ import annotations

import functools
import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.accounts import service as account_service
from fleet.accounts.directory import OpenAccount
from fleet.accounts.keys import ring
from fleet.accounts.sealing import new_key
from fleet.accounts.service import NewAccount
from fleet.adapters import base
from fleet.adapters.base import (
    Account,
    Action,
    ActionType,
    AnyAction,
    P,
    Receipt,
    Resolution,
    SurfaceObject,
)
from fleet.adapters.gateway import FetchPicture
from fleet.adapters.pictures import PictureFile, PictureMaker, PictureOrder
from fleet.adapters.social import (
    COMMENT,
    CONNECT,
    DEPROVISION,
    LIKE,
    POST,
    PROVISION,
    REACT,
    FeedItem,
    Offers,
    OwnPost,
    OwnPostPage,
    SaidComment,
)
from fleet.core.character import BLANK
from fleet.core.clock import SYSTEM, Clock
from fleet.core.db import Database, Tx
from fleet.core.group_commit import GroupCommit
from fleet.core.queue import Message
from fleet.core.settings import Settings, SettingScope
from fleet.engine import registry
from fleet.engine.agents import commands
from fleet.engine.agents.commands import NewAgent
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps, ModelsOverride, Outside
from fleet.engine.jobs.models import JobRow
from fleet.engine.settings import store
from fleet.engine.settings.store import FLEET, ScopeKey
from fleet.features.personas.library import Library, load
from fleet.images.placeholder import render_jpeg
from fleet.llm.base import (
    BriefRequest,
    CampaignPlan,
    CommentRequest,
    CommentWords,
    PostRequest,
    PostWords,
    ProductRequest,
    ProductWords,
    SeenPost,
    Speaker,
    Usage,
)
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.provider import Till
from fleet.llm.scan_request import ScanAnswer, ScanRequest

_NUMBERS = itertools.count(1)
WITHIN_S = 60.0
"""How long tests wait for what is to come at once: however busy a machine is, only what never comes takes longer."""


def in_character(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an agent, with those of its character in one value."""
    character = BLANK.changed(changes)
    return {**{name: one for name, one in changes.items() if name not in character.values()}, "character": character}


@dataclass
class Effect:
    """What the surface shows."""

    id: str
    action: str
    username: str
    target: str | None
    text: str
    key: str


class Surface:
    """An honest surface in memory: it knows no idempotency keys, likes toggle, and faults are played as scripted.

    A fault is called with the action before the write; it may raise, or return a callable that runs after the write.
    """

    name = "floimg"
    scheme, host, port = "http", "127.0.0.1", 8640
    third_party = False

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.liked: set[tuple[str, str]] = set()
        self.accounts: set[str] = set()
        self.images_paid: list[str] = []
        self.writes_begun = 0
        self.posts: list[FeedItem] = []
        self.said: dict[str, list[SaidComment]] = {}
        self.audiences: list[str] = []
        self.offered = Offers(frozenset({REACT.name, CONNECT.name}), frozenset({"public", "friends", "private"}))
        self.social: dict[tuple[str, str, str], str] = {}
        self.faults: list[Callable[[AnyAction], Callable[[], None] | None]] = []
        self.image_faults: list[Exception] = []
        self.fetch_faults: list[Exception] = []
        self.images_fetched: list[str] = []
        self.picture, self.picture_type = a_picture(), "image/jpeg"
        self.feed_faults: list[Exception] = []
        self.probe_faults: list[Exception] = []
        self.probes = 0
        self.actions: Mapping[str, Resolution] = {
            POST.name: Resolution.PROBE, COMMENT.name: Resolution.PROBE, LIKE.name: Resolution.NATURAL,
            PROVISION.name: Resolution.NATURAL, DEPROVISION.name: Resolution.NATURAL,
            REACT.name: Resolution.NATURAL, CONNECT.name: Resolution.NATURAL,
        }  # fmt: skip
        self._lock = threading.Lock()

    def offers(self) -> Offers:
        return self.offered

    def feed(self, account: Account, *, limit: int, audience: str = "public") -> list[FeedItem]:
        if self.feed_faults:
            raise self.feed_faults.pop(0)
        self.audiences.append(audience)
        return self.posts[:limit]

    def comments(self, account: Account, item_id: str, *, limit: int) -> list[SaidComment]:
        return self.said.get(item_id, [])[:limit]

    def item(self, account: Account, item_id: str) -> FeedItem:
        found = [post for post in self.posts if post.id == item_id]
        if not found:
            raise base.Vanished("404")
        return found[0]

    def own_posts(self, account: Account, *, authors: Collection[str], cursor: str | None, limit: int) -> OwnPostPage:
        own = (one for one in reversed(self.effects) if one.action == POST.name and one.username in authors)
        return OwnPostPage(
            tuple(OwnPost(id=one.id, text=one.text, created_at=None, author=one.username) for one in own)
        )

    def own_post(self, account: Account, post_id: str) -> OwnPost:
        found = next((one for one in self.effects if one.id == post_id), None)
        if found is None:
            raise base.Vanished("404")
        return OwnPost(id=found.id, text=found.text, created_at=None, author=found.username)

    def make(self, order: PictureOrder, *, timeout_s: float) -> str:
        if self.image_faults:
            raise self.image_faults.pop(0)
        self.images_paid.append(order.key)
        return f"http://127.0.0.1/images/{len(self.images_paid)}.png"

    def fetch_image(self, url: str, _within_s: float) -> PictureFile:
        self.images_fetched.append(url)
        if self.fetch_faults:
            raise self.fetch_faults.pop(0)
        return PictureFile(self.picture, self.picture_type)

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        self.writes_begun += 1
        after = self.faults.pop(0)(action) if self.faults else None
        receipt = self._apply(action)
        if after is not None:
            after()
        return receipt

    def _apply(self, action: AnyAction) -> Receipt:
        with self._lock:
            name, target, words = action.type.name, target_of(action), action.payload.words
            if name == LIKE.name:
                return self._toggle(action)
            if name in (REACT.name, CONNECT.name):
                said = getattr(action.payload, "reaction", words)
                self.social[name, action.account.username, target or ""] = said
                return Receipt(target)
            if name == PROVISION.name:
                self.accounts.add(action.account.username)
                return Receipt(f"u-{action.account.username}")
            if name == DEPROVISION.name:
                self.accounts.discard(action.account.username)
                return Receipt(action.account.remote_id)
            effect = Effect(
                f"e{len(self.effects) + 1}", name, action.account.username, target, words, action.key
            )  # fmt: skip
            self.effects.append(effect)
            return Receipt(effect.id)

    def _toggle(self, action: AnyAction) -> Receipt:
        pair = (action.account.username, target_of(action) or "")
        if pair in self.liked:
            self.liked.discard(pair)
            return self._toggle(action)
        self.liked.add(pair)
        return Receipt(target_of(action))

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        self.probes += 1
        if self.probe_faults:
            raise self.probe_faults.pop(0)
        for effect in self.effects:
            mine = (effect.username, effect.action, effect.target) == (
                action.account.username, action.type.name, target_of(action)
            )  # fmt: skip
            if mine and effect.text == action.payload.words and effect.id not in known:
                return Receipt(effect.id, {"adopted": True})
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        return f"{self.scheme}://{self.host}:{self.port}/{found.action}/{found.username}/{found.id}"

    def close(self) -> None: ...


class InMemory(Outside):
    """Connects the accounts of a test to systems in memory, by the accounts' names."""

    def __init__(self, systems: Mapping[str, Any]) -> None:
        self.systems = dict(systems)

    def connect(self, account: OpenAccount) -> Any:
        return self.systems[account.key.name]

    def makes_pictures(self, account: OpenAccount) -> bool:
        return isinstance(self.systems.get(account.key.name), Surface)

    connect_pictures = connect

    def fetcher(self, maker: PictureMaker, settings: Settings) -> FetchPicture:
        assert isinstance(maker, Surface)
        return maker.fetch_image


def act(one: ActionType[P], account: Account, key: str = "k", **payload: Any) -> Action[P]:
    """Return an action with a payload of its type."""
    return Action(one, account, key, one.payload(**payload))


def target_of(action: AnyAction) -> str | None:
    """Return what an action is about, if it is about something."""
    return getattr(action.payload, "target", None)


def raises(error: Exception) -> Callable[[AnyAction], None]:
    """Return a fault: the write is refused and nothing happens."""

    def fault(_: AnyAction) -> None:
        raise error

    return fault


def reply_lost(_: AnyAction) -> Callable[[], None]:
    """A fault: the write happens, and its answer never arrives."""

    def lose() -> None:
        raise base.Uncertain("no answer")

    return lose


def comment_on(speaker: Speaker, author: str, caption: str) -> CommentRequest:
    """Ask for a comment on one post."""
    return CommentRequest(speaker, (SeenPost("post-1", author, caption),))


@functools.cache
def shipped_personas() -> Library:
    """Return the personas, read once: frozen as they are, all fleets of a process can have the same."""
    return load()


@functools.cache
def a_picture() -> bytes:
    """Return a picture as a workflow makes them."""
    return render_jpeg("a quiet harbour at dawn", "ai_artist")


class Words:
    """A writer that counts what it was paid for, and never says the same twice."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked: list[ScanRequest] = []
        self.scan_faults: list[BaseException] = []
        self.proposals: Callable[[ScanRequest], ScanAnswer] = lambda _: ScanAnswer()

    def write_post(self, request: PostRequest, dice: random.Random) -> tuple[PostWords, Usage]:
        self.calls += 1
        return PostWords("a quiet harbour at dawn", f"A harbour, take {self.calls}.", "A harbour."), _usage()

    def write_comment(self, request: CommentRequest, dice: random.Random) -> tuple[CommentWords, Usage]:
        self.calls += 1
        post = request.seen[0]
        return CommentWords(f"Well seen, {post.author}, number {self.calls}.", post.id), _usage()

    def digest(self, request: ScanRequest, dice: random.Random) -> tuple[ScanAnswer, Usage]:
        self.calls += 1
        self.asked.append(request)
        if self.scan_faults:
            raise self.scan_faults.pop(0)
        return self.proposals(request), _usage()

    def plan_campaign(self, request: BriefRequest, dice: random.Random) -> tuple[CampaignPlan, Usage]:
        self.calls += 1
        return OfflineProvider().plan_campaign(request, dice)[0], _usage()

    def describe(self, request: ProductRequest, dice: random.Random) -> tuple[ProductWords, Usage]:
        self.calls += 1
        return OfflineProvider().describe(request, dice)[0], _usage()

    def paid_by(self, till: Till) -> PaidWords:
        return PaidWords(self, till)


def _usage() -> Usage:
    return Usage("test", "1", input_tokens=10, microusd=3)


class PaidWords:
    """The same writer, whose till is asked before each call and told after it, as a chain does."""

    name = "test"

    def __init__(self, words: Words, till: Till) -> None:
        self.words = words
        self.till = till

    def write_post(
        self, request: PostRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[PostWords, Usage]:
        return self._paid(lambda: self.words.write_post(request, dice))

    def write_comment(
        self, request: CommentRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CommentWords, Usage]:
        return self._paid(lambda: self.words.write_comment(request, dice))

    def digest(
        self, request: ScanRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ScanAnswer, Usage]:
        return self._paid(lambda: self.words.digest(request, dice))

    def plan_campaign(
        self, request: BriefRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[CampaignPlan, Usage]:
        return self._paid(lambda: self.words.plan_campaign(request, dice))

    def describe(
        self, request: ProductRequest, dice: random.Random, *, within_s: float | None = None
    ) -> tuple[ProductWords, Usage]:
        return self._paid(lambda: self.words.describe(request, dice))

    def _paid(self, write: Callable[[], tuple[Any, Usage]]) -> tuple[Any, Usage]:
        reserved = self.till.reserve(self.name, 5)
        made = write()
        self.till.settle(reserved, made[1].calls)
        return made


class Bell:
    """A publisher that remembers its messages, and can be told to fail."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.broken: Exception | None = None

    def publish(self, messages: Any) -> None:
        if self.broken is not None:
            raise self.broken
        self.messages += list(messages)

    def depths(self) -> dict[str, int]:
        return {}

    def version(self) -> str | None:
        return "Bell 1"

    def take(self) -> list[Message]:
        taken, self.messages = self.messages, []
        return taken


@dataclass
class Fleet:
    """The loop on a real database, with the outside world in the test's hands."""

    deps: Deps
    surface: Surface
    words: Words
    bell: Bell
    personas: list[str] = field(default_factory=list)
    accounts: dict[str, uuid.UUID] = field(default_factory=dict)

    def account(self, name: str, *, adapter: str = "floimg", credentials: str = "fst_another_token") -> uuid.UUID:
        """Create an account beside that of the settings; it connects to the system of its name."""
        new = NewAccount(name, adapter, f"http://127.0.0.1/{name}", credentials)
        with self.deps.db.transaction() as tx:
            self.accounts[name] = account_service.create(tx, ring(self.deps.settings), new, by="tests").id
        return self.accounts[name]

    def agent(self, *, running: bool = True, account: bool = True, **changes: Any) -> uuid.UUID:
        """Create an agent, by default running, with an account, and due now. Weights that are not named are 0."""
        number = next(_NUMBERS)
        values: dict[str, Any] = {"name": f"Agent {number}", "username": f"agent_{number}", "kind": "gallery"}
        actions = registry.current().weights(changes.get("kind", "gallery"), {})
        if "weights" in changes:
            changes["weights"] = {**dict.fromkeys(actions, 0.0), **changes["weights"]}
        else:
            changes["weights"] = dict.fromkeys(actions, 1.0)
        with self.deps.db.transaction() as tx:
            agent_id = commands.create(tx, NewAgent(**{**values, **in_character(changes)}))
            if running:
                commands.start(tx, agent_id, first_tick_at=self.now(tx) - timedelta(seconds=1))
            if account:
                tx.execute(
                    sa.update(AgentRow).where(AgentRow.id == agent_id).values(remote_account=f"u-{number}")
                )  # fmt: skip
        return agent_id

    def now(self, tx: Any) -> datetime:
        """Return the database's time."""
        now: datetime = tx.now()
        return now

    def job(self, job_id: uuid.UUID) -> JobRow:
        """Return a job as it stands."""
        with self.deps.db.transaction() as tx:
            row = tx.session.get(JobRow, job_id)
            assert row is not None
            return row

    def jobs(self, **where: Any) -> list[JobRow]:
        """Return all jobs, oldest first."""
        with self.deps.db.transaction() as tx:
            return list(tx.session.scalars(sa.select(JobRow).filter_by(**where).order_by(JobRow.created_at)))

    def row(self, agent_id: uuid.UUID) -> AgentRow:
        """Return an agent as it stands."""
        with self.deps.db.transaction() as tx:
            row = tx.session.get(AgentRow, agent_id)
            assert row is not None
            return row

    def sql(self, statement: str, **parameters: Any) -> Any:
        """Run SQL of the test's own, e.g. to let time pass."""
        with self.deps.db.transaction() as tx:
            return tx.execute(sa.text(statement), parameters)

    def set_setting(self, name: str, value: Any, *, agent: uuid.UUID | None = None) -> None:
        """Set a setting at run time, unchecked, and let this process read it."""
        key = FLEET if agent is None else ScopeKey(SettingScope.AGENT, str(agent))
        with self.deps.db.transaction() as tx:
            store.put(tx, key, name, value, by="tests", reason="")
        self.deps.live.expire()
        self.deps.live.refresh()

    def lease_runs_out(self) -> None:
        """Let every lease in the ledger have ended."""
        self.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE lease_until IS NOT NULL")
        self.sql("UPDATE ticks SET lease_until = clock_timestamp() - interval '1 s' WHERE lease_until IS NOT NULL")

    def time_passes(self) -> None:
        """Let every waiting job be due."""
        self.sql("UPDATE jobs SET next_attempt_at = clock_timestamp() WHERE state IN ('ready', 'unknown')")


def make_fleet(
    database_url: str, *, systems: Mapping[str, Any] | None = None, clock: Clock = SYSTEM, **settings: Any
) -> Fleet:
    """Build the loop on a database, with a surface, a writer and a bell that tests hold in their hands.

    `systems`: the systems in memory behind further accounts, by the accounts' names.
    """
    surface, words, bell = Surface(), Words(), Bell()
    values = {
        "database_url": database_url, "broker_url": "memory://", "settle_s": 0.0, "surface_writes_per_minute": 10_000,
    }  # fmt: skip
    if systems:
        values["secret_keys"] = new_key()
    caps = {"post": {"gap_s": 0}, "comment": {"gap_s": 0}} | settings.pop("caps", {})
    config = registry.load_settings(**{**values, **settings, "caps": caps})
    deps = Deps(
        given=config, db=Database(database_url, pool_size=5, clock=clock), publisher=bell,  # type: ignore[arg-type]
        parts={"personas": shipped_personas()}, worker="test:1", dice=random.Random(1),
        models_override=ModelsOverride(writer=words), outside=InMemory({"gallery": surface, **(systems or {})}),
    )  # fmt: skip
    return Fleet(deps, surface, words, bell)


def until_somebody_waits(tx: Tx, number: int = 1) -> None:
    """Return when so many sessions wait for an advisory lock of this database."""
    waiting = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    deadline = time.monotonic() + 60
    while tx.scalar(sa.text(waiting)) < number:
        assert time.monotonic() < deadline, "nobody takes turns"
        time.sleep(0.005)


@contextmanager
def turn_taken(group: GroupCommit) -> Iterator[Callable[[int], None]]:
    """Hold a group's turn inside the block; what it gives returns once so many calls wait behind it."""
    begun, over = threading.Event(), threading.Event()

    def hold(items: list[None], _: int) -> list[None]:
        begun.set()
        assert over.wait(90)
        return items

    def until_waiting(number: int) -> None:
        deadline = time.monotonic() + 60
        while len(group._waiting) < number:
            assert time.monotonic() < deadline, f"only {len(group._waiting)} of {number} wait"
            time.sleep(0.001)

    holder = threading.Thread(target=group.run, args=(hold, None))
    holder.start()
    assert begun.wait(60)
    try:
        yield until_waiting
    finally:
        over.set()
        holder.join()


def at_once(group: GroupCommit, *calls: Callable[[], Any]) -> list[Any]:
    """Make calls from as many threads so that all of them wait for a group's turn; return their results or errors."""
    found: list[Any] = [None] * len(calls)

    def make(place: int) -> None:
        try:
            found[place] = calls[place]()
        except Exception as error:
            found[place] = error

    with turn_taken(group) as until_waiting:
        threads = [threading.Thread(target=make, args=(place,)) for place in range(len(calls))]
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until_waiting(number)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return found
