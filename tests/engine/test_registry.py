"""The registry of features: every part resolves, names are unique, and what is left out is gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from fleet import app
from fleet.accounts.models import AccountUsageRow
from fleet.core.errors import InvalidInput
from fleet.core.events import EventRow
from fleet.engine import names, registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.models import JobRow, TickRow
from fleet.engine.registry import AgentMode, AgentType, EventType, Feature, JobHandler, Registry
from tests.engine.test_perform import add
from tests.factories import Fleet
from tests.optional_features import OPTIONAL, gone_with, without


@pytest.fixture(autouse=True)
def _all_features_again() -> Iterator[None]:
    yield
    app.load()


def references(value: Any) -> Iterator[str]:
    """Give every reference within a feature: strings of the form "package.module:attribute" or of a module of ours."""
    if isinstance(value, str):
        if value.startswith("fleet.features."):
            yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from references(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from references(tuple(value.values()))
    elif isinstance(value, tuple):
        for one in value:
            yield from references(one)


def test_every_reference_of_every_feature_resolves() -> None:
    found = [ref for feature in app.load() for ref in references(feature)]
    assert len(found) > 80
    for ref in found:
        registry.load(ref)


def test_a_reference_without_its_target_is_named() -> None:
    with pytest.raises(ImportError, match=r"fleet\.app has no nothing"):
        registry.load("fleet.app:nothing")


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_feature_can_be_left_out_with_all_that_it_registered(name: str) -> None:
    app.load()
    gone = gone_with(name)
    rest = app.load(without(name))
    assert not {one.name for one in gone} & rest.features.keys()
    assert [one.name for one in gone] == list(rest.left_out)
    assert not {job.kind for one in gone for job in one.jobs} & rest.jobs.keys()
    assert not {kind.kind for one in gone for kind in one.agents} & rest.agents.keys()
    places = tuple(f"fleet.features.{one.name}." for one in gone)
    assert not [ref for one in rest for ref in references(one) if ref.startswith(places)]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [(["-dancing"], "names no feature: dancing"), (["dancing"], "names no feature: dancing"),
     (["-publishing"], "cannot leave out publishing")],
)  # fmt: skip
def test_a_wrong_choice_of_features_is_refused(wanted: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        app.load(wanted)


def test_what_is_named_is_had_and_what_is_required_too() -> None:
    few = app.load(["webhooks"])
    assert "webhooks" in few and "publishing" in few
    assert set(OPTIONAL) & few.features.keys() == {"webhooks"}


def test_two_features_cannot_register_the_same_kind_and_needs_must_be_there() -> None:
    job = JobHandler(kind="dance", noun="a dance", prepare="fleet.app:load")
    with pytest.raises(InvalidInput, match="kind of job 'dance'"):
        _ = Registry([Feature(name="a", jobs=(job,)), Feature(name="b", jobs=(job,))]).jobs
    with pytest.raises(InvalidInput, match="b needs a"):
        Registry([Feature(name="b", needs=("a",))])


def test_names_that_no_column_can_hold_are_refused_when_they_are_registered() -> None:
    columns = {
        "kind of job": JobRow.kind, "kind of agent": AgentRow.kind, "mode": AgentRow.autonomy,
        "requested action": TickRow.asked_for, "action": AccountUsageRow.operation, "event": EventRow.subject,
        "username": AgentRow.username,
    }  # fmt: skip
    assert {name: column.type.length for name, column in columns.items()} == names.LONGEST  # type: ignore[attr-defined]
    long = "reconcile_everything2"
    job = JobHandler(kind=long[:-1], noun="a look", prepare="fleet.app:load")
    assert long[:-1] in Registry([Feature(name="a", jobs=(job,))]).jobs
    with pytest.raises(InvalidInput, match=r"The feature a registers the kind of job .* has 21 characters"):
        Registry([Feature(name="a", jobs=(dataclasses.replace(job, kind=long),))])
    asked = AgentType(kind="a", behaviour="fleet.app", actions=(long,))
    for feature in (
        Feature(name="a", agents=(asked,)),
        Feature(name="a", agents=(dataclasses.replace(asked, kind=long, actions=()),)),
        Feature(name="a", modes=(AgentMode(kind="a", name=long, behaviour="fleet.app"),)),
        Feature(name="a", events=(EventType(subject="e" * 81),)),
    ):
        with pytest.raises(InvalidInput, match="characters"):
            Registry([feature])


def test_an_agent_whose_mode_no_feature_knows_publishes_nothing(fleet: Fleet) -> None:
    agent = fleet.agent()
    fleet.sql("UPDATE agents SET autonomy = 'supervised'")
    job = add(fleet, agent, "like", target="p1")
    whole = registry.current()
    registry.use(Registry([dataclasses.replace(one, modes=()) for one in whole]))
    perform(fleet.deps, job)
    assert fleet.job(job).state == "skipped"
    assert "no feature of this fleet knows supervised agents" in str(fleet.job(job).error)
    assert fleet.surface.effects == []
