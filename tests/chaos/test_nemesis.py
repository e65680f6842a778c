"""The nemesis: it keeps to the plan, survives acts that fail, and tells one fault's recovery from the next one's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from fleet.chaos import log, nemesis, recovery
from fleet.chaos.acts import ACTS, Struck
from fleet.chaos.nemesis import FaultResult, Nemesis
from fleet.chaos.plan import Planned
from fleet.chaos.recovery import FleetHealth
from fleet.chaos.world import World
from fleet.core import clock
from fleet.core.errors import Unavailable

WELL, ILL = FleetHealth(()), FleetHealth(("leases held: 1",))


class Pretended:
    """A world in which waiting is all that happens, and in which time is a number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.health = WELL
        self.slowed = 0
        self.struck: list[tuple[float, str]] = []
        began = clock.now()
        monkeypatch.setattr(clock, "monotonic_s", lambda: self.now_s)
        monkeypatch.setattr(clock, "now", lambda: began + timedelta(seconds=self.now_s))
        monkeypatch.setattr(recovery, "look", lambda world, since: self.health)

    def wait_until(self, true: Callable[[], object], timeout_s: float) -> bool:
        deadline_s = self.now_s + timeout_s
        while not true():
            if self.now_s >= deadline_s:
                return False
            self.now_s += 0.25
        return True

    def slow_down(self) -> None:
        self.slowed += 1

    def strike(self, world: Any, planned: Planned) -> Struck:
        self.struck.append((self.now_s, planned.kind))
        return Struck("somebody", {"pid": 7})


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    made = Pretended(monkeypatch)
    for kind in ACTS:
        monkeypatch.setitem(ACTS, kind, made.strike)
    return made


def follow(pretended: Pretended, path: Path, planned: list[Planned], for_s: float = 100.0) -> list[FaultResult]:
    told: list[FaultResult] = []
    made = Nemesis(cast(World, pretended), path / "acts.jsonl", told.append)
    made.follow(planned, for_s)
    assert told == made.deeds
    return told


def act(seq: int, at_s: float, kind: str = "broker.flush", *, calm: bool = True) -> Planned:
    return Planned(seq, at_s, kind, calm, 0.5, 1, {"for_s": 2})


def test_acts_come_when_the_plan_says(pretended: Pretended, tmp_path: Path) -> None:
    deeds = follow(pretended, tmp_path, [act(1, 3), act(2, 10, "beat.kill")])
    assert pretended.struck == [(3.0, "broker.flush"), (10.0, "beat.kill")]
    assert [deed.recovered_s for deed in deeds] == [0.0, 0.0]


def test_what_was_done_stands_in_the_log(pretended: Pretended, tmp_path: Path) -> None:
    follow(pretended, tmp_path, [act(1, 3)])
    (told,) = log.read(tmp_path / "acts.jsonl")
    assert (told.seq, told.kind, told.target) == (1, "broker.flush", "somebody")
    assert told.detail == {"for_s": 2, "pid": 7, "hit": True}


def test_a_calm_act_waits_until_the_fleet_is_well(
    pretended: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "look", lambda world, since: WELL if pretended.now_s >= 12 else ILL)
    deeds = follow(pretended, tmp_path, [act(1, 3), act(2, 5)])
    assert pretended.struck[1][0] == 12.0
    assert deeds[0].recovered_s == pytest.approx(9.0)


def test_an_act_that_is_not_calm_strikes_an_ailing_fleet(
    pretended: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "look", lambda world, since: WELL if pretended.now_s >= 12 else ILL)
    deeds = follow(pretended, tmp_path, [act(1, 3), act(2, 5, calm=False)])
    assert pretended.struck[1][0] == 5.0
    assert deeds[0].recovered_s is None
    assert deeds[0].stuck == ()
    assert deeds[1].recovered_s == pytest.approx(7.0)


def test_a_fleet_that_does_not_recover_is_called_stuck(pretended: Pretended, tmp_path: Path) -> None:
    pretended.health = ILL
    deeds = follow(pretended, tmp_path, [act(1, 3), act(2, 5)], for_s=1000)
    assert deeds[0].stuck == ILL.ills
    assert pretended.struck[1][0] >= 3 + nemesis.PATIENCE_S
    assert deeds[1].stuck == ILL.ills
    assert pretended.slowed == 2, "perhaps it only has too much to do"


def test_nothing_is_begun_after_the_time_is_up(pretended: Pretended, tmp_path: Path) -> None:
    assert len(follow(pretended, tmp_path, [act(1, 3), act(2, 30)], for_s=20)) == 1


def test_a_failed_act_is_reported_and_the_next_one_runs(
    pretended: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Struck:
        raise Unavailable("the gallery of fst_secret_token does not answer")

    monkeypatch.setitem(ACTS, "gallery.errors", fail)
    first, second = follow(pretended, tmp_path, [act(1, 3, "gallery.errors"), act(2, 10)])
    assert not first.hit
    assert "does not answer" in (first.failed or "")
    assert "secret" not in (first.failed or "")
    assert second.hit
