"""The AT Protocol network as a surface of the harness: real servers, a proxy for their faults, people beside the fleet.

Half of the agents are platform agents, which answer people and leave each other alone; the others post, comment and
like as gallery agents do. The evidence is what the repositories hold, compared with the AppView's tables and the
firehose.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from fleet.accounts import keys as key_files
from fleet.accounts.service import NewAccount
from fleet.adapters.atproto import keys, records
from fleet.chaos.judge.evidence import connected
from fleet.chaos.surfaces.crowd import Crowd
from fleet.chaos.surfaces.fault_proxy import FaultProxy
from fleet.chaos.surfaces.network import PDS, REST, AtNetwork
from fleet.chaos.surfaces.page_atproto import WORDS
from fleet.chaos.world.writes import EffectEvidence, JobEvidence, SurfaceEvidence, SurfaceFinding
from fleet.core import clock, logs
from fleet.engine import controls
from fleet.engine.agents.models import AgentRow
from fleet.features.accounts import commands as account_commands
from fleet.features.adapters import commands as adapter_commands
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.features.personas.generator import generate
from fleet.features.personas.service import personas_of
from fleet.sandbox.servers.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from fleet.chaos.world import World

_READY_S = 120.0
_SEEN_WITHIN_S = 120.0
_PASSWORD = "the password of an account on loopback"  # noqa: S105 - opens nothing but accounts of this world
_PEOPLE = 6
_FOLLOWED = 3
_AGENTS_PER_GAP = 4.0
"""So many agents share the calls that the network allows an address; more of them wake more seldom."""
_OPT_IN = ("like", "repost", "follow")
_WEIGHTS = {
    "atproto": {"post": 0.1, "comment": 0.2, "like": 0.5, "repost": 0.4, "follow": 0.3, "browse": 0.1},
    "gallery": {"post": 0.3, "comment": 0.4, "like": 0.5, "browse": 0.1},
}
_HOURS = ",".join(map(str, range(24)))
_TABLES = {keys.POST: "post", keys.LIKE: "like", keys.REPOST: "repost", keys.FOLLOW: "follow"}
_KINDS = {keys.LIKE: "like", keys.REPOST: "repost", keys.FOLLOW: "follow"}
LABELS, LIMITS, INBOX = 9, 10, 11
"""The promises that only this surface shows, as the page numbers them."""
log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record in a repository of the fleet. `at` is when it was written, by the firehose."""

    username: str
    uri: str
    collection: str
    value: Mapping[str, Any]
    at: datetime
    by_hand: bool = False
    """The account's owner made it before the run."""


class AtProtoSurface:
    """The network of one world."""

    name, adapter, words = "atproto", "atproto", WORDS
    processes: Sequence[str] = (REST, PDS)
    always_honours_keys = True
    """Each record has a key of its own, which its job determines."""

    def __init__(self, home: Path, seed: int) -> None:
        self._seed = seed
        self.network = AtNetwork(home / "network", seed=seed)
        self.proxy = FaultProxy("")
        self._postgres = EmbeddedPostgres(home / "appview", log_path=home / "logs" / "appview.log", durable=False)
        self._crowd: Crowd | None = None
        self._by_hand: set[str] = set()
        self._firehose: list[dict[str, Any]] = []
        self._database_url = self._ledger_url = ""
        self._agents = 1
        self.dids: dict[str, str] = {}
        """Of the agents, by username."""

    def open(self, world: World) -> Mapping[str, Any]:
        """Start the AppView's database and choose the port of the PDS."""
        self._postgres.start()
        self._database_url = self._postgres.ensure_database("network")
        self._ledger_url = world.ledger_url
        self.network.choose_port()
        self.proxy.close()
        self.proxy = FaultProxy(self.network.url)
        self.proxy.start()
        return {}

    def start(self, world: World, env: Mapping[str, str]) -> None:  # noqa: ARG002 - it takes no settings of the fleet
        """Start PLC and AppView, then the PDS."""
        for process in self.network.processes(self._database_url, world.dice):
            world.supervisor.add(process)
        world.supervisor.start(REST)
        world.supervisor.wait_ready(REST, self.network.addresses.exists, _READY_S)
        world.supervisor.start(PDS)
        world.supervisor.wait_ready(PDS, self.answers, _READY_S)

    def populate(self, world: World, count: int) -> None:
        """Create accounts on the network, connect them to the fleet, and create an agent for each; let people begin."""
        deps, by, self._agents = world.deps, world.by, count
        key_files.make_ring(deps.settings)
        people = [self.network.account(f"person{number}", _PASSWORD) for number in range(_PEOPLE)]
        library = personas_of(deps)
        blueprints = generate(library, library.names, seed=self._seed, start=1, count=count)
        sessions, handles = [], {}
        for number, blueprint in enumerate(blueprints):
            session = self.network.account(f"agent{number}", _PASSWORD)
            sessions.append(session)
            self.dids[blueprint.username] = session["did"]
            account = f"agent{number}"
            credentials = f"{session['handle']}:{_PASSWORD}"
            account_commands.add(deps, NewAccount(account, self.adapter, self.proxy.url, credentials), by=by)
            for operation in _OPT_IN:
                adapter_commands.allow(deps, account, operation, "people of the harness asked for it", by=by)
            kind = "atproto" if number % 2 else "gallery"
            new = agent_commands.draft(
                deps,
                username=blueprint.username,
                name=blueprint.name,
                persona_id=blueprint.persona_id,
                by=by,
                kind=kind,
            )
            agent_commands.create(deps, agent_commands.through(deps, new, account), start=True)
            if kind == "atproto":
                handles[str(session["did"])] = str(session["handle"])
        with deps.db.transaction() as tx:
            tx.execute(sa.update(AgentRow).where(AgentRow.kind == "atproto").values(config={"post_hours": _HOURS}))
        self._follow_by_hand(sessions, people)
        self._crowd = Crowd(self.network, people, handles, seed=self._seed, gap_s=1.0)
        self._crowd.start()

    def _follow_by_hand(self, sessions: Sequence[Mapping[str, Any]], people: Sequence[Mapping[str, Any]]) -> None:
        """Let each account follow some others before the run, as its owner would: its timeline shows these."""
        dice = random.Random(f"{self._seed} follows")
        for session in sessions:
            others = [one for one in sessions if one["did"] != session["did"]]
            for other in (*dice.sample(people, 2), *dice.sample(others, min(_FOLLOWED, len(others)))):
                record = {"subject": other["did"], "createdAt": keys.moment(clock.now())}
                self._by_hand.add(self.network.create(session, keys.FOLLOW, record))

    def set_pace(self, world: World, gap_s: float) -> None:
        """Set weights by kind of agent; the gap grows with the agents, who share the calls of one address."""
        most_s = int(gap_s * max(1.0, self._agents / _AGENTS_PER_GAP) * world.tempo)
        with world.deps.db.transaction() as tx:
            for kind, weights in _WEIGHTS.items():
                values = {"min_interval_s": most_s // 50, "max_interval_s": most_s, "weights": weights}
                tx.execute(sa.update(AgentRow).where(AgentRow.kind == kind).values(values))

    def answers(self) -> bool:
        """Tell whether the PDS serves."""
        return self.network.answers()

    def honour_keys(self, world: World, *, on: bool) -> None:
        """Do nothing: keys are always honoured."""

    def take_back(self, world: World) -> None:  # noqa: ARG002 - the proxy is in this process
        """Undo the present fault."""
        self.proxy.arm(None)

    def resume(self, world: World) -> None:
        """End the pauses of the network and of its accounts."""
        fleetwide.resume(world.deps, "surface", self.adapter, by=world.by)
        with world.deps.db.transaction() as tx:
            controls.resume_accounts(tx, self.adapter, by=world.by)

    def settle(self, world: World) -> None:
        """Let people end, and wait until the AppView has indexed what the repositories hold."""
        if self._crowd is not None:
            self._crowd.finish()
        self._firehose = self.network.firehose(world.wait_until)
        live = self._live()

        def indexed() -> bool:
            return all(not uris - self._indexed(collection) for collection, uris in live.items())

        if not world.wait_until(indexed, _SEEN_WITHIN_S):
            log.warning("appview_is_late")

    def close(self) -> None:
        """End people, proxy and the AppView's database."""
        if self._crowd is not None:
            self._crowd.finish()
        self.proxy.close()
        self.network.close()
        self._postgres.kill()

    # Evidence

    def read(self, jobs: Sequence[JobEvidence]) -> SurfaceEvidence:
        """Return what the repositories hold under the fleet's names, and what is wrong on the network itself."""
        written = list(self._written())
        effects = effects_of(written, jobs, self.proxy.writes)
        findings = [*self._disagreements(written), *self._rewritten(), *self._unlabelled(), *self._lost_mentions()]
        if len(self.proxy.refused) > 1:
            times = ", ".join(f"{at:%H:%M:%S}" for at in self.proxy.refused[:20])
            findings.append(SurfaceFinding(LIMITS, f"the PDS answered 429 {len(self.proxy.refused)} times: {times}"))
        most = self.proxy.most_calls(300)
        log.info("network_calls", calls=dict(self.proxy.calls), most_in_5_minutes=most)
        return SurfaceEvidence(effects, tuple(findings), self._counts(written, most))

    def _counts(self, written: Sequence[WrittenRecord], most: int) -> Mapping[str, str]:
        """Return figures for the page."""
        pictures = sum("images" in str(one.value.get("embed", {}).get("$type")) for one in written)
        names = Counter(_TABLES[one.collection] for one in written if not one.by_hand)
        return {
            "records in the repositories": ", ".join(f"{number:,} {name}" for name, number in sorted(names.items())),
            "posts with pictures": f"{pictures:,}",
            "mentions by people": f"{len(self._crowd.mentions) if self._crowd else 0:,}",
            "calls that reached the PDS": f"{sum(self.proxy.calls.values()):,}",
            "most calls in 5 minutes, of 3,000": f"{most:,}",
            "answers 429 of the PDS": str(len(self.proxy.refused)),
        }

    def _written(self) -> Iterator[WrittenRecord]:
        times = {f"at://{one['did']}/{one['path']}": _time(one["time"]) for one in reversed(self._firehose)}
        for username, did in self.dids.items():
            for collection in _TABLES:
                for one in self.network.records(did, collection):
                    uri = str(one["uri"])
                    at = times.get(uri, clock.now())
                    yield WrittenRecord(username, uri, collection, one["value"], at, by_hand=uri in self._by_hand)

    def _live(self) -> dict[str, set[str]]:
        """Return the addresses of the fleet's records that stand by the firehose, by collection."""
        ours = set(self.dids.values())
        live: dict[str, set[str]] = defaultdict(set)
        for one in self._firehose:
            collection = str(one["path"]).partition("/")[0]
            if one["did"] in ours and collection in _TABLES:
                uri = f"at://{one['did']}/{one['path']}"
                (live[collection].discard if one["action"] == "delete" else live[collection].add)(uri)
        return live

    def _indexed(self, collection: str) -> set[str]:
        table = sa.table(_TABLES[collection], sa.column("uri"), sa.column("creator"), schema="appview_network")
        with connected(self._database_url) as appview:
            return set(appview.scalars(sa.select(table.c.uri).where(table.c.creator.in_(self.dids.values()))))

    def _disagreements(self, written: Sequence[WrittenRecord]) -> Iterator[SurfaceFinding]:
        """Compare repositories, firehose and AppView: the same records in all three."""
        live = self._live()
        for collection in _TABLES:
            there = {one.uri for one in written if one.collection == collection}
            for name, other in (("firehose", live.get(collection, set())), ("AppView", self._indexed(collection))):
                for uri in sorted(there ^ other):
                    where = f"is in the {name} alone" if uri in other else f"is not in the {name}"
                    yield SurfaceFinding(1, f"{uri} {where}")

    def _rewritten(self) -> Iterator[SurfaceFinding]:
        """Find records that were written twice, changed or deleted: no job of this world does that."""
        ours = set(self.dids.values())
        operations: dict[str, list[str]] = defaultdict(list)
        for one in self._firehose:
            if one["did"] in ours and str(one["path"]).partition("/")[0] in _TABLES:
                operations[f"at://{one['did']}/{one['path']}"].append(str(one["action"]))
        for uri, actions in operations.items():
            if actions != ["create"]:
                yield SurfaceFinding(1, f"{uri} was written more than once: {', '.join(actions)}")

    def _unlabelled(self) -> Iterator[SurfaceFinding]:
        for username, did in self.dids.items():
            found = self.network.records(did, keys.PROFILE)
            if not any(records.is_bot(one["value"]) for one in found):
                yield SurfaceFinding(LABELS, f"the account of {username} does not say that it is automated")

    def _lost_mentions(self) -> Iterator[SurfaceFinding]:
        """Find mentions that an agent has read past: older than its cursor, and not in its inbox."""
        with connected(self._ledger_url) as ledger:
            kept = set(ledger.scalars(sa.text("SELECT remote_id FROM inbox_items")))
            query = (
                "SELECT a.remote_account, p.cursor FROM inbox_positions p JOIN agents a ON a.account_id = p.account_id"
            )
            cursors: dict[str, str] = {str(did): str(cursor) for did, cursor in ledger.execute(sa.text(query))}
        with connected(self._database_url) as appview:
            query = 'SELECT "recordUri", "sortAt" FROM appview_network.notification'
            told: dict[str, str] = dict(appview.execute(sa.text(query)).tuples().all())
        for mention in self._crowd.mentions if self._crowd else ():
            at, seen = told.get(mention.uri), cursors.get(mention.did, "").partition(" ")[0]
            if at is not None and at <= seen and mention.uri not in kept:
                yield SurfaceFinding(INBOX, f"{mention.uri} was told at {at}, and its agent has read past it")


def effects_of(
    written: Sequence[WrittenRecord], jobs: Sequence[JobEvidence], arrived: Mapping[str, datetime]
) -> list[EffectEvidence]:
    """Return the records as effects of jobs: a post by the key that its job gives it, the others by their subject.

    What an account's owner made is an effect only of a job that found it there.
    """
    posts: dict[tuple[str, str], JobEvidence] = {}
    others: dict[tuple[str, str, str], JobEvidence] = {}
    for one_job in sorted(jobs, key=lambda job: job.state == "done"):
        posts[one_job.username, keys.of_job(str(one_job.id), one_job.created_at)] = one_job
        others[one_job.username, one_job.kind, str(one_job.target)] = one_job
    found = []
    for one in written:
        at = arrived.get(one.uri, one.at)
        if one.collection == keys.POST:
            job: JobEvidence | None = posts.get((one.username, keys.parse(one.uri).key))
            kind, subject, text = job.kind if job else "post", one.uri, str(one.value.get("text", ""))
        else:
            kind, text, about = _KINDS[one.collection], "", one.value.get("subject")
            subject = str(about.get("uri")) if isinstance(about, dict) else str(about)
            job = others.get((one.username, kind, subject))
        if one.by_hand and job is None:
            continue
        found.append(EffectEvidence(kind, str(job.id) if job else None, one.username, subject, text, at))
    return found


def _time(told: str) -> datetime:
    return datetime.fromisoformat(told.replace("Z", "+00:00"))
