"""A short chaos: real processes, the strongest faults, a fixed seed. It must end with every promise kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.chaos import log
from fleet.chaos.kinds import chosen
from fleet.chaos.plan import plan
from fleet.chaos.report import RunOptions
from fleet.chaos.run import Chaos, RunScreen

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FAULTS = "worker.kill-at-point,gallery.lost-reply,database.cut-commit,broker.flush,database.kill,web.kill"
# Each once in a round, and one round: it is over in half a minute, and on a busy machine when all of it has come.
KINDS = [replace(kind, times=1) for kind in chosen(FAULTS)]
WANTED = RunOptions(minutes=10, seed=5941, agents=12, faults=FAULTS)


def test_a_round_of_chaos_breaks_no_promise(tmp_path: Path) -> None:
    said: list[str] = []
    screen = RunScreen(said.append, lambda deed: said.append(f"{deed}"))
    run = Chaos(WANTED, KINDS, screen, home=tmp_path / "a chaos", plain_workers=0, most_acts=len(KINDS))
    report = run.live()
    story = "\n".join([*said, json.dumps(report.to_data(), indent=1)])
    assert report.clean, story
    assert len(report.deeds) == len(KINDS), story
    assert sum(deed.hit for deed in report.deeds) >= 4, f"hardly anything was struck\n{story}"
    assert sum(report.numbers.effects.values()) > 20, f"the fleet did next to nothing\n{story}"
    assert report.verdict.answers > 0, f"a person was told of no decision\n{story}"
    assert report.verdict.heard > 0, f"the webhook was told of nothing\n{story}"
    _assert_the_log_is_the_plan(tmp_path / "a chaos" / "acts.jsonl")
    run.forget()
    assert not run.home.exists()


def _assert_the_log_is_the_plan(path: Path) -> None:
    acts = list(log.read(path))
    planned = plan(WANTED.seed, WANTED.minutes, KINDS)
    assert [(act.seq, act.kind) for act in acts] == [(act.seq, act.kind) for act in planned[: len(acts)]]
