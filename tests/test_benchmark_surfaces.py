"""The surfaces of benchmarks stand in the gallery's place; else a benchmark waits for effects that never come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import quiet_surface, stub_surface
from fleet.adapters import registry
from fleet.core import ids
from fleet.engine import deps, surface_pictures
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.publishing.kinds import LIKE
from tests.factories import Fleet


@pytest.mark.parametrize("register", [stub_surface.register, quiet_surface.register])
def test_a_like_of_a_benchmark_reaches_its_surface(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, register: Callable[[], None]
) -> None:
    monkeypatch.setenv(stub_surface.EFFECTS, str(tmp_path / "effects"))
    replaced = ((registry, "get"), (registry, "names"), (deps.Outside, "makes_pictures"), (surface_pictures, "fetcher"))
    for holder, name in replaced:
        monkeypatch.setattr(holder, name, getattr(holder, name))  # undone after the test
    register()
    job = NewJob(ids.new(), fleet.agent(), LIKE, stub_surface.NAME, target="p1")
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform(replace(fleet.deps, outside=deps.Outside(), _gateways={}), job.id)
    assert fleet.job(job.id).state == "done"
