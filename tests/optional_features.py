"""The features that FLEET_FEATURES may leave out, and what to leave out with each."""

from __future__ import annotations

from dataclasses import replace

from fleet.engine import registry
from fleet.engine.registry import Feature
from tests.factories import Fleet

OPTIONAL = sorted(one.name for one in registry.current() if one.is_optional)


def gone_with(name: str) -> list[Feature]:
    """Return a feature and those that need it, directly or through another one."""
    whole = registry.current()
    gone = {name}
    while more := {one.name for one in whole if gone & set(one.needs)} - gone:
        gone |= more
    return [one for one in whole if one.name in gone]


def without(name: str) -> tuple[str, ...]:
    """Return what FLEET_FEATURES says in a fleet without a feature, and without those that need it."""
    return tuple(f"-{one.name}" for one in gone_with(name))


def restarted(fleet: Fleet) -> Fleet:
    """Return a fleet as a process that starts now has it: with the settings of the features that are loaded by now."""
    given = fleet.deps.given
    known = given.model_fields_set & registry.current().settings_model.model_fields.keys()
    values = {name: getattr(given, name) for name in known}
    deps = replace(fleet.deps, given=registry.load_settings(**values), parts={"personas": fleet.deps.parts["personas"]})
    return replace(fleet, deps=deps)
