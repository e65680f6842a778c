"""The composition root: which features there are. The only file that names them."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.registry import Feature, Registry

if TYPE_CHECKING:
    from fleet.core.settings import Settings

BUILT_IN = (
    "fleet.features.users.feature:FEATURE",
    "fleet.features.overview.feature:FEATURE",
    "fleet.features.charts.feature:FEATURE",
    "fleet.features.activity.feature:FEATURE",
    "fleet.features.search.feature:FEATURE",
    "fleet.features.agents.feature:FEATURE",
    "fleet.features.personas.feature:FEATURE",
    "fleet.features.jobs.feature:FEATURE",
    "fleet.features.calendar.feature:FEATURE",
    "fleet.features.controls.feature:FEATURE",
    "fleet.features.costs.feature:FEATURE",
    "fleet.features.monitoring.feature:FEATURE",
    "fleet.features.settings.feature:FEATURE",
    "fleet.features.organisations.feature:FEATURE",
    "fleet.features.secrets.feature:FEATURE",
    "fleet.features.accounts.feature:FEATURE",
    "fleet.features.adapters.feature:FEATURE",
    "fleet.features.notices.feature:FEATURE",
    "fleet.features.content.feature:FEATURE",
    "fleet.features.media.feature:FEATURE",
    "fleet.features.publishing.feature:FEATURE",
    "fleet.features.experiments.feature:FEATURE",
    "fleet.features.approvals.feature:FEATURE",
    "fleet.features.pictures.feature:FEATURE",
    "fleet.features.drafts.feature:FEATURE",
    "fleet.features.platforms.feature:FEATURE",
    "fleet.features.engagement.feature:FEATURE",
    "fleet.features.leader.feature:FEATURE",
    "fleet.features.campaigns.feature:FEATURE",
    "fleet.features.reports.feature:FEATURE",
    "fleet.features.links.feature:FEATURE",
    "fleet.features.competitors.feature:FEATURE",
    "fleet.features.products.feature:FEATURE",
    "fleet.features.orders.feature:FEATURE",
    "fleet.features.stores.feature:FEATURE",
    "fleet.features.reconciliation.feature:FEATURE",
    "fleet.features.listings.feature:FEATURE",
    "fleet.features.product_content.feature:FEATURE",
    "fleet.features.forecast.feature:FEATURE",
    "fleet.features.pricing.feature:FEATURE",
    "fleet.features.fraud.feature:FEATURE",
    "fleet.features.tuning.feature:FEATURE",
    "fleet.features.webhooks.feature:FEATURE",
)
"""In the order in which their routers match and their parts are shown."""
ENTRY_POINTS = "fleet.features"


def load(wanted: Collection[str] = ()) -> Registry:
    """Load the features of this process and return their registry, which `registry.current()` returns from now on.

    `wanted` is FLEET_FEATURES: names of optional features to load, or names with a leading minus to leave out; empty
    for all. Required features are always there. Raises InvalidInput for a name that no feature has.
    """
    features = _all()
    chosen = _chosen(features, wanted)
    found = registry.Registry(chosen, left_out=[one for one in features if one not in chosen])
    registry.use(found)
    return found


def chosen() -> tuple[str, ...]:
    """Return FLEET_FEATURES from the environment, else from `.env`, as `Settings` does, but without loading pydantic.

    The settings depend on the features, so this one must be known before them.
    """
    given = {name.upper(): value for name, value in {**_dotenv(), **os.environ}.items()}.get("FLEET_FEATURES")
    return tuple(name for part in (given or "").split(",") if (name := part.strip()))


@functools.cache
def settings() -> Settings:
    """Return the settings of this process, read on first use. Call `load` before. For doors only."""
    return registry.load_settings()


def load_tables() -> None:
    """Load the tables of all features, also of those that this process leaves out: all are in the database."""
    for feature in _all():
        for ref in feature.tables:
            registry.load(ref)


def migration_folders() -> list[Path]:
    """Return the folders with the revisions of installed packages' tables, also of features that are left out."""
    from importlib import resources

    packages = (feature.migrations for feature in _all() if feature.migrations)
    return [Path(str(resources.files(package))) for package in packages]


def _dotenv() -> Mapping[str, str | None]:
    if not Path(".env").is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(".env")
    except (OSError, ValueError):  # loading the settings reports the problem in the file
        return {}


@functools.cache
def _all() -> Sequence[Feature]:
    """Return the built-in features, then those of installed packages by the name of their entry point."""
    return [registry.load(ref) for ref in BUILT_IN] + _installed()


def _installed() -> list[Feature]:
    """Return the features of installed packages. Without any, importlib.metadata and its 0.02 s are left out."""
    if not any(_may_have_features(place) for place in sys.path):
        return []
    from importlib import metadata

    points = sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    return [point.load() for point in points]


def _may_have_features(place: str) -> bool:
    """Say whether a place of the module path has a package with features, or is an archive."""
    try:
        names = os.listdir(place or ".")  # noqa: PTH208 - names alone
    except NotADirectoryError:
        return True
    except OSError:
        return False
    return any(name.endswith(".egg") or _names_features(Path(place, name)) for name in names if _is_info(name))


def _is_info(name: str) -> bool:
    return name.endswith((".dist-info", ".egg-info", ".egg"))


def _names_features(info: Path) -> bool:
    try:
        return ENTRY_POINTS.encode() in (info / "entry_points.txt").read_bytes()
    except OSError:
        return False


def _chosen(features: Sequence[Feature], wanted: Collection[str]) -> list[Feature]:
    names = {one.name for one in features}
    optional = {one.name for one in features if one.is_optional}
    left_out = {name.removeprefix("-") for name in wanted if name.startswith("-")}
    named = {name for name in wanted if not name.startswith("-")}
    unknown = sorted((left_out | named) - names)
    if unknown:
        raise InvalidInput(
            f"FLEET_FEATURES names no feature: {', '.join(unknown)}.",
            fix=f"Optional features: {', '.join(sorted(optional))}.",
        )
    required = [one for one in features if one.name in left_out and not one.is_optional]
    if required:
        raise InvalidInput(
            f"FLEET_FEATURES cannot leave out {', '.join(one.name for one in required)}: "
            + " ".join(one.required_because for one in required),
            fix=f"Optional features: {', '.join(sorted(optional))}.",
        )
    return [
        one
        for one in features
        if not one.is_optional or (one.name not in left_out and (not named or one.name in named))
    ]
