"""Follow a plan: cause its faults at their times, log what really happened, and measure the recovery of the fleet.

Called by `run` with a running world. Acts that fail (the target was down longer than expected) are logged as such; they
have undone their settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psycopg

from fleet.chaos import log as act_log
from fleet.chaos import recovery
from fleet.chaos.acts import ACTS, Struck
from fleet.chaos.log import FaultRecord
from fleet.chaos.plan import Planned
from fleet.chaos.world import World
from fleet.core import clock, logs
from fleet.core.errors import FleetError

PATIENCE_S = 60.0
"""A fleet that has not recovered after so long is called stuck, and the next act comes anyway."""
_LOOK_EVERY_S = 0.25

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class FaultResult:
    """An act, and its result. `recovered_s` None: the next act came before the fleet had recovered."""

    act: FaultRecord
    hit: bool
    failed: str | None = None
    recovered_s: float | None = None
    stuck: tuple[str, ...] = ()


class Nemesis:
    """Executes a plan once."""

    def __init__(self, world: World, acts_path: Path, tell: Callable[[FaultResult], None]) -> None:
        self._world, self._path, self._tell = world, acts_path, tell
        self._open: FaultResult | None = None
        self._looked_s = 0.0
        self._began_s = clock.monotonic_s()
        self.deeds: list[FaultResult] = []

    def follow(self, plan: Iterable[Planned], for_s: float) -> None:
        """Execute a plan for so many seconds at most, and wait until the fleet has recovered from the last act."""
        for planned in plan:
            self._watch(lambda planned=planned: self._elapsed_s() >= planned.at_s, timeout_s=for_s)  # type: ignore[misc]
            if planned.calm:
                self._watch(lambda: self._open is None, PATIENCE_S)
            if self._elapsed_s() >= for_s:
                break
            self._give_up_watching(stuck=planned.calm)
            self._strike(planned)
        self._watch(lambda: self._open is None, PATIENCE_S)
        self._give_up_watching(stuck=True)

    def _elapsed_s(self) -> float:
        return clock.monotonic_s() - self._began_s

    def _strike(self, planned: Planned) -> None:
        began, failed = clock.now(), None
        try:
            struck = ACTS[planned.kind](self._world, planned)
        except (FleetError, psycopg.Error, OSError) as error:
            failed = logs.mask(f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0])
            struck = Struck("", hit=False)
            log.warning("act_failed", kind=planned.kind, seq=planned.seq, error=failed)
        detail = {**planned.detail, **struck.detail, "hit": struck.hit}
        if failed:
            detail["failed"] = failed
        act = FaultRecord(
            planned.seq, struck.at or began, struck.until or clock.now(), planned.kind, struck.target, detail
        )
        act_log.write(self._path, [act])
        self._open = FaultResult(act, struck.hit, failed)

    def _watch(self, true: Callable[[], bool], timeout_s: float) -> None:
        """Wait for something, and check meanwhile whether the fleet has recovered from the last act."""

        def looked() -> bool:
            self._look()
            return true()

        self._world.wait_until(looked, timeout_s)

    def _look(self) -> None:
        now_s = clock.monotonic_s()
        if self._open is None or now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        ended = _end(self._open.act)
        if recovery.look(self._world, ended).well:
            self._close(replace(self._open, recovered_s=(clock.now() - ended).total_seconds()))

    def _give_up_watching(self, *, stuck: bool) -> None:
        if self._open is None:
            return
        ills = recovery.look(self._world, _end(self._open.act)).ills if stuck else ()
        if ills:
            self._world.slow_down()
        self._close(replace(self._open, stuck=ills))

    def _close(self, deed: FaultResult) -> None:
        self._open = None
        self.deeds.append(deed)
        self._tell(deed)


def _end(act: FaultRecord) -> datetime:
    return act.until or act.at
