"""The sandbox gallery as a surface of the harness: a process with controls for its faults, and a log of every write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import sqlalchemy as sa

from fleet.chaos.judge.evidence import connected
from fleet.chaos.world import programs
from fleet.chaos.world.words import SurfaceWords
from fleet.chaos.world.writes import EffectEvidence, JobEvidence, SurfaceEvidence
from fleet.core.errors import FleetError, Unavailable
from fleet.engine.agents.models import AgentRow
from fleet.features.agents import commands as agent_commands
from fleet.features.controls import commands as fleetwide
from fleet.sandbox import ports

if TYPE_CHECKING:
    from fleet.chaos.world import World

TOKEN = "fst_of_the_fault_harness"  # noqa: S105 - opens nothing but the gallery of this world
_READY_S = 120.0
_WEIGHTS = {"post": 0.1, "comment": 0.45, "like": 0.6, "browse": 0.1}
_EFFECTS = """
    SELECT kind, key, username, subject, content, arrived_at FROM witnessed
    WHERE kind IN ('post', 'comment', 'like', 'unlike', 'image', 'react', 'connect') ORDER BY id"""
WORDS = SurfaceWords(
    path="docs/reliability.md",
    title="Reliability",
    parts="the sandbox gallery",
    others="{agents} agents run at the maximum rate.",
    checked="the gallery's own tables and with its log of every write that arrived",
    limits=(
        "A process that is suspended between its last check of the lease and the write to the socket, and resumes after"
        " the lease, sends late. No client can prevent that; every write has an idempotency key so that the surface"
        " can. The harness suspends workers with many threads, delays writes beyond the lease and delivers requests"
        " twice only while its gallery honours keys. Pool children, which run one job at a time, are suspended without"
        " keys, at every failpoint except that one.",
        "A probe is as good as the surface's own list: an effect that the surface first shows after the settling time"
        " could be sent twice.",
    ),
    elsewhere="""\
## Other runs

- [On the AT Protocol network](reliability-atproto.md), by `fleet chaos --surface atproto`.
- [With two real shops](reliability-stores.md), Vendure and Oscar: the catalogue and both shops agree at the end.
""",
)


class GallerySurface:
    """The gallery of one world."""

    name, adapter, words = "gallery", "floimg", WORDS
    processes: Sequence[str] = ("gallery",)
    always_honours_keys = False

    def __init__(self, home: Path, seed: int) -> None:
        self._home, self._seed = home, seed
        self._database_url = self._url = ""
        self._port = 0

    def open(self, world: World) -> Mapping[str, Any]:
        """Prepare its database and choose its port."""
        self._database_url = world.servers.postgres.ensure_gallery()
        self._port = ports.choose(purpose="the gallery", setting="FLEET_GALLERY_PORT")
        self._url = f"http://{ports.LOOPBACK}:{self._port}"
        return {"gallery_url": self._url, "service_token": TOKEN}

    def start(self, world: World, env: Mapping[str, str]) -> None:
        """Start its process."""
        database_url = self._database_url
        world.supervisor.add(programs.gallery(env, self._home, world.dice, database_url=database_url, port=self._port))
        world.supervisor.start("gallery")
        world.supervisor.wait_ready("gallery", self.answers, _READY_S)

    def populate(self, world: World, count: int) -> None:
        """Create the agents, who share its account."""
        agent_commands.seed(world.deps, count=count, seed_no=self._seed, by=world.by, start=True)

    def set_pace(self, world: World, gap_s: float) -> None:
        """Let every agent be as busy as possible."""
        most_s = int(gap_s * world.tempo)
        with world.deps.db.transaction() as tx:
            tx.execute(sa.update(AgentRow).values(min_interval_s=most_s // 50, max_interval_s=most_s, weights=_WEIGHTS))

    def answers(self) -> bool:
        """Tell whether it serves."""
        return programs.answers(self._url)

    def honour_keys(self, world: World, *, on: bool) -> None:
        """Let it honour keys of writes, or not."""
        self.control(world, "PUT", "/api/sandbox/keys", {"honourKeys": on})

    def take_back(self, world: World) -> None:
        """Undo all faults."""
        self.control(world, "PUT", "/api/sandbox/faults", [])
        self.control(world, "PUT", "/api/sandbox/budgets", {})
        self.control(world, "PUT", "/api/sandbox/paused", {"paused": False})

    def resume(self, world: World) -> None:
        """End the pause of the surface."""
        fleetwide.resume(world.deps, "surface", self.adapter, by=world.by)

    def settle(self, world: World) -> None:
        """Do nothing: its tables are there at once."""

    def read(self, jobs: Sequence[JobEvidence]) -> SurfaceEvidence:  # noqa: ARG002 - its writes name their jobs
        """Return its log of writes."""
        return SurfaceEvidence(witnessed(self._database_url))

    def close(self) -> None:
        """Do nothing: it is a process of the supervisor."""

    def control(self, world: World, method: str, path: str, body: object = None) -> Any:
        """Call its controls, with retries. Raises Unavailable when it stays down."""
        answers: list[Any] = []

        def done() -> bool:
            with suppress(httpx.HTTPError):
                headers = {"Authorization": f"Bearer {TOKEN}"}
                response = httpx.request(
                    method, self._url + path, headers=headers, json=body, timeout=5, trust_env=False
                )
                if response.is_success:
                    answers.append(response.json())
                elif response.status_code < 500:
                    raise FleetError(f"The gallery refuses {method} {path}: {response.status_code} {response.text}")
            return bool(answers)

        if not world.wait_until(done, 30):
            raise Unavailable(f"The gallery does not answer to {method} {path}.")
        return answers[0]


def witnessed(database_url: str) -> list[EffectEvidence]:
    """Return the effects in the log of a gallery."""
    with connected(database_url) as gallery:
        return [EffectEvidence(*row) for row in gallery.execute(sa.text(_EFFECTS))]
