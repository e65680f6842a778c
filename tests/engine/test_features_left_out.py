"""A fleet without one of its optional features: the others go on, also with what the missing one has left behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing

import pytest

from fleet.engine import registry
from fleet.engine.dispatch import dispatch
from fleet.engine.registry import Registry
from fleet.engine.sweep import prune, sweep
from fleet.features.monitoring.metrics import families
from tests.browser.inhabited import lived
from tests.factories import Fleet, make_fleet
from tests.optional_features import OPTIONAL, gone_with, restarted, without


@pytest.mark.parametrize("name", OPTIONAL)
def test_without_a_feature_the_others_do_their_work(
    database_url: str, features: Callable[..., Registry], name: str
) -> None:
    features(*without(name))
    made = make_fleet(database_url)
    with closing(made.deps):
        for check in registry.current().parts("checks_at_start"):
            check(made.deps)
        world = lived(made)  # all that it does has to succeed
        assert made.job(uuid.UUID(world.names["job"])).state == "done"


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_a_missing_feature_has_left_behind_rests(
    fleet: Fleet, features: Callable[..., Registry], name: str
) -> None:
    lived(fleet)
    fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp() - interval '1 s' WHERE status = 'running'")
    fleet.bell.take()
    left = features(*without(name))
    fleet = restarted(fleet)
    dispatch(fleet.deps)
    sweep(fleet.deps)
    prune(fleet.deps)
    opened = list(fleet.sql("SELECT kind, autonomy FROM agents JOIN ticks ON agent_id = agents.id WHERE state = 'due'"))
    assert opened
    known = {*((kind, "autonomous") for kind in left.agents), *left.modes}
    assert {(kind, autonomy) for kind, autonomy in opened} <= known
    published = {message.task.removeprefix("fleet.") for message in fleet.bell.take()}
    assert published <= {"tick", *left.jobs}


@pytest.mark.parametrize("name", OPTIONAL)
def test_without_a_feature_there_are_none_of_its_metrics(features: Callable[..., Registry], name: str) -> None:
    everything = families().keys()
    own = {
        family.name
        for one in gone_with(name)
        for metrics in registry.load_all(one.metrics)
        for family in metrics.families
    }
    features(*without(name))
    assert families().keys() == everything - own
