"""One run of the harness: create a world, cause faults by plan, bring it to rest, check, and report.

Called by `fleet chaos` and by the tests. A run can be repeated from its seed: the plan follows from it alone; the
timing on the machine differs by milliseconds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.chaos import log as act_log
from fleet.chaos.judge import evidence, ledger
from fleet.chaos.judge.checker import judge
from fleet.chaos.kinds import FaultKind
from fleet.chaos.nemesis import FaultResult, Nemesis
from fleet.chaos.plan import plan
from fleet.chaos.quiet import quiet
from fleet.chaos.recovery import settle_in
from fleet.chaos.report import Report, RunOptions
from fleet.chaos.surfaces import SURFACES
from fleet.chaos.world import World
from fleet.core import clock
from fleet.core.errors import InvalidInput, Unavailable

ENDS_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class RunScreen:
    """Gets progress during the run: steps, and each act once its consequences are known."""

    step: Callable[[str], None]
    deed: Callable[[FaultResult], None]


class Chaos:
    """One run. `live` may be called once, in the main thread."""

    def __init__(self, wanted: RunOptions, kinds: Sequence[FaultKind], screen: RunScreen, *, home: Path | None = None,
                 plain_workers: int = 2, most_acts: int | None = None) -> None:  # fmt: skip
        self._most_acts = most_acts
        self._wanted, self._kinds, self._screen = wanted, kinds, screen
        if home is not None and home.exists() and any(home.iterdir()):
            raise InvalidInput(f"{home} is not empty.", fix="Name a folder that is, or none.")
        self.home = home if home is not None else Path(tempfile.mkdtemp(prefix="fleet-chaos-"))
        surface = SURFACES[wanted.surface](self.home.absolute(), wanted.seed)
        self.world = World(
            self.home, seed=wanted.seed, agents=wanted.agents, surface=surface, plain_workers=plain_workers
        )

    def live(self) -> Report:
        """Run everything; return the report. Raises FleetError when the world itself failed."""
        try:
            self.world.start(self._screen.step)
            report = self._shake()
        except BaseException:
            self.world.kill()
            raise
        self.world.stop()
        return report

    def forget(self) -> None:
        """Remove the folder of the run."""
        shutil.rmtree(self.home, ignore_errors=True)

    def _shake(self) -> Report:
        wanted, acts_path = self._wanted, self.home / "acts.jsonl"
        self._screen.step("letting the fleet settle in")
        if not settle_in(self.world):
            raise Unavailable(
                "The fleet cannot keep up even unharmed.", fix="Try fewer --agents, or a less busy machine."
            )
        planned = plan(wanted.seed, wanted.minutes, self._kinds)[: self._most_acts]
        self._screen.step(f"{len(planned)} acts in {wanted.minutes:g} minutes; seed {wanted.seed}")
        began = clock.now()
        nemesis = Nemesis(self.world, acts_path, self._screen.deed)
        nemesis.follow(planned, wanted.minutes * 60)
        self._screen.step("everything is taken back; waiting until every job has ended")
        left = quiet(self.world, ENDS_WITHIN_S)
        shaken_s = (clock.now() - began).total_seconds()
        self._screen.step("checking")
        world = self.world
        seen = evidence.read(world.ledger_url, world.surface.read, world.outsiders)
        verdict = judge(seen, list(act_log.read(acts_path)))
        numbers = ledger.numbers(self.world)
        report = Report(
            wanted, began, shaken_s, len(planned), tuple(nemesis.deeds), numbers, left, verdict, seen.counts
        )
        (self.home / "report.json").write_text(json.dumps(report.to_data(), indent=1) + "\n", encoding="utf-8")
        return report
