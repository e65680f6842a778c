"""What the harness knows of a surface: `world` starts and ends it, `acts` break it, `judge` reads it.

`fleet.chaos.surfaces` has the implementations: the sandbox gallery, and the AT Protocol network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fleet.chaos.world import World
    from fleet.chaos.world.words import SurfaceWords
    from fleet.chaos.world.writes import JobEvidence, SurfaceEvidence


class ChaosSurface(Protocol):
    """One surface of one run. All but `read` is called in the main thread."""

    @property
    def name(self) -> str:
        """One of NAMES; the faults of the surface are those of `kinds.of(name)`."""

    @property
    def adapter(self) -> str:
        """The adapter of its accounts."""

    @property
    def words(self) -> SurfaceWords:
        """What the page says about it."""

    @property
    def processes(self) -> Sequence[str]:
        """The processes that `add` added, in the order of their start."""

    @property
    def always_honours_keys(self) -> bool:
        """Whether a write that arrives twice, or late, takes effect once in any case."""

    def open(self, world: World) -> Mapping[str, Any]:
        """Prepare databases and ports; return the fleet's settings for it."""

    def start(self, world: World, env: Mapping[str, str]) -> None:
        """Add its processes to the supervisor, start them, and wait until they answer."""

    def populate(self, world: World, count: int) -> None:
        """Create the agents and their accounts, and begin what others do there."""

    def set_pace(self, world: World, gap_s: float) -> None:
        """Set the agents' weights and their longest gap between two ticks in their best hours."""

    def answers(self) -> bool:
        """Tell whether it serves."""

    def honour_keys(self, world: World, *, on: bool) -> None:
        """Let it honour keys of writes, or not."""

    def take_back(self, world: World) -> None:
        """Undo all faults."""

    def resume(self, world: World) -> None:
        """Do what a person does after a fault: end the pauses that the fleet drew from it. Raises Unavailable."""

    def settle(self, world: World) -> None:
        """End what others do there, and wait until all that was written can be read."""

    def read(self, jobs: Sequence[JobEvidence]) -> SurfaceEvidence:
        """Return all that stands there under the fleet's names."""

    def close(self) -> None:
        """End what is not a process of the supervisor. Called in any case, also before `start`."""
