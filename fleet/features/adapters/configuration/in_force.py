"""Own values of adapters as they count for an account: those of the fleet, its organisation, then its own.

Read from the settings that this process holds, without a query: a change counts within seconds everywhere.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from fleet.accounts.models import key_of
from fleet.adapters.manifest import AdapterType
from fleet.core import logs
from fleet.core.settings import SettingScope
from fleet.engine.deps import Deps
from fleet.features.adapters.configuration import rules
from fleet.features.adapters.configuration.settings import AdaptersSettings

LIMITS, TIMEOUTS, CHECKS = "adapter_limits", "adapter_timeouts", "adapter_checks"

log = logs.get(__name__)


class ValueSource(StrEnum):
    """Where a value comes from, weakest first."""

    SYSTEM = "system"  # the manifest, or the default
    FLEET = "fleet"
    ORGANISATION = "organisation"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class OwnValues:
    """What one layer sets of one adapter."""

    source: ValueSource
    limits: Mapping[str, int] = field(default_factory=dict)
    timeout_s: float | None = None
    check_s: float | None = None

    @property
    def as_sizes(self) -> tuple[bool, Mapping[str, int]]:
        """Whether it is for all accounts, and its limits, as `rules.sizes` takes them."""
        return self.source is ValueSource.FLEET, self.limits


def layers(
    deps: Deps, adapter: str, account_id: uuid.UUID | None = None, organisation_id: uuid.UUID | None = None,
    *, is_for_account: bool = True,
) -> list[OwnValues]:  # fmt: skip
    """Return what each layer sets of an adapter, weakest first; for no account, that of the fleet alone."""
    settings = deps.live.fleet
    own = settings.of(AdaptersSettings)
    found = [_values(adapter, ValueSource.FLEET, own.adapter_limits, own.adapter_timeouts, own.adapter_checks)]
    if not is_for_account:
        return found
    for source, scope, key in (
        (ValueSource.ORGANISATION, SettingScope.ORGANISATION, organisation_id),
        (ValueSource.ACCOUNT, SettingScope.ACCOUNT, key_of(account_id)),
    ):
        values = deps.live.set_in(scope, str(key))
        given = [() if settings.is_pinned(name) else values.get(name, ()) for name in (LIMITS, TIMEOUTS, CHECKS)]
        if any(given):
            found.append(_values(adapter, source, *given))
    return found


def sizes(deps: Deps, kind: AdapterType, account_id: uuid.UUID, organisation_id: uuid.UUID | None) -> dict[str, int]:
    """Return own sizes of an account's limits by name; limits without one are left out."""
    found = layers(deps, kind.name, account_id, organisation_id)
    return rules.sizes([one.as_sizes for one in found], kind)


def timeout_s(deps: Deps, adapter: str, account_id: uuid.UUID, organisation_id: uuid.UUID | None) -> float | None:
    """Return the own time limit of an account's calls; None for that of the settings."""
    known = [one.timeout_s for one in layers(deps, adapter, account_id, organisation_id)]
    return next((one for one in reversed(known) if one is not None), None)


def check_s(deps: Deps, adapter: str, account_id: uuid.UUID, organisation_id: uuid.UUID | None) -> float:
    """Return the seconds between checks of an account."""
    known = [one.check_s for one in layers(deps, adapter, account_id, organisation_id)]
    return next((one for one in reversed(known) if one is not None), rules.CHECK_S)


def _values(
    adapter: str, source: ValueSource, limits: Sequence[str], timeouts: Sequence[str], checks: Sequence[str]
) -> OwnValues:
    try:
        own = {name: units for (of, name), units in rules.limits(limits).items() if of == adapter}
        times = rules.seconds(timeouts, least=rules.LEAST_TIMEOUT_S, most=rules.MOST_TIMEOUT_S)
        every = rules.seconds(checks, least=rules.LEAST_CHECK_S, most=rules.MOST_CHECK_S)
    except ValueError as error:  # of another version; the layers below hold
        log.warning("adapter_values_not_in_force", source=str(source), reason=str(error))
        return OwnValues(source)
    return OwnValues(source, own, times.get(adapter), every.get(adapter))
