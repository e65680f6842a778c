"""Configure adapters: change and show own sizes of limits, time limits and intervals of checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.accounts import service as accounts
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import AdapterType
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.engine.settings import store
from fleet.features.adapters.configuration import in_force, rules
from fleet.features.adapters.configuration.in_force import CHECKS, LIMITS, TIMEOUTS, OwnValues, ValueSource
from fleet.features.settings import commands as settings_commands
from fleet.features.settings.queries import Target, keys_of

_NO_REASON = "A reason is needed: it is kept with the change."


@dataclass(frozen=True, slots=True)
class ConfiguredLimit:
    """A limit as it counts: the size that the system has, and the one in force."""

    name: str
    system: int
    most: int
    source: ValueSource

    @property
    def is_above(self) -> bool:
        """Whether more is allowed than the system says to everybody."""
        return self.most > self.system


@dataclass(frozen=True, slots=True)
class AdapterConfiguration:
    """What counts for one account of an adapter; for `account` None, what counts for all that have nothing of their
    own.
    """

    account: str | None
    limits: tuple[ConfiguredLimit, ...]
    timeout_s: float
    timeout_source: ValueSource
    check_s: float
    check_source: ValueSource


def shown(deps: Deps, adapter: str) -> list[AdapterConfiguration]:
    """Return the configuration of an adapter for all accounts, then for each account. Raises NotFound."""
    kind = _kind(adapter)
    with deps.db.transaction() as tx:
        rows = [(row.name, row.id, row.organisation_id) for row in accounts.listed(tx) if row.adapter == adapter]
    of_all = _configuration(deps, kind, None, in_force.layers(deps, adapter, is_for_account=False))
    return [of_all, *(
        _configuration(deps, kind, name, in_force.layers(deps, adapter, account_id, organisation_id))
        for name, account_id, organisation_id in rows
    )]  # fmt: skip


def _configuration(
    deps: Deps, kind: AdapterType, account: str | None, layers: list[OwnValues]
) -> AdapterConfiguration:  # fmt: skip
    limits = []
    for one in kind.limits:
        sizes = [(layer.source, rules.sizes([layer.as_sizes], kind)) for layer in layers]
        found = [(layer, own[one.name]) for layer, own in sizes if one.name in own]
        source, most = found[-1] if found else (ValueSource.SYSTEM, one.most)
        limits.append(ConfiguredLimit(one.name, one.most, most, source))
    timeouts = [(layer.source, layer.timeout_s) for layer in layers if layer.timeout_s is not None]
    checks = [(layer.source, layer.check_s) for layer in layers if layer.check_s is not None]
    timeout_source, timeout_s = timeouts[-1] if timeouts else (ValueSource.SYSTEM, deps.settings.http_timeout_s)
    check_source, check_s = checks[-1] if checks else (ValueSource.SYSTEM, rules.CHECK_S)
    return AdapterConfiguration(account, tuple(limits), timeout_s, timeout_source, check_s, check_source)


def configure(
    deps: Deps, adapter: str, *, account: str = "", organisation: str = "", limits: Mapping[str, int | None],
    times: Mapping[str, float | None], by: str, reason: str,
) -> bool:  # fmt: skip
    """Set own values of an adapter for all accounts, an organisation's or one account; return whether any changed.

    `times` has "timeout_s" and "check_s"; None takes a value back. Raises NotFound, InvalidInput, Conflict for a
    pinned setting, Outdated for a change at the same moment.
    """
    kind, target = _kind(adapter), Target(account=account, organisation=organisation)
    if not reason.strip():
        raise InvalidInput(_NO_REASON, fix="Give --reason.")
    if not limits and not times:
        raise InvalidInput("Nothing is to be changed.", fix="Name a limit, a time limit or an interval of checks.")
    _check(deps, kind, target, limits, times)

    def with_limits(written: list[str]) -> list[str]:
        known: dict[tuple[str, str], int | None] = {**rules.limits(written)}
        known |= {(adapter, name): units for name, units in limits.items()}
        return rules.written_limits({key: units for key, units in known.items() if units is not None})

    def with_seconds(name: str, least: float, most: float) -> Callable[[list[str]], list[str]]:
        def change(written: list[str]) -> list[str]:
            known: dict[str, float | None] = {**rules.seconds(written, least=least, most=most), adapter: times[name]}
            return rules.written_seconds({key: value for key, value in known.items() if value is not None})

        return change

    changed = False
    if limits:
        changed |= _change(deps, LIMITS, target, with_limits, by=by, reason=reason)
    if "timeout_s" in times:
        change = with_seconds("timeout_s", rules.LEAST_TIMEOUT_S, rules.MOST_TIMEOUT_S)
        changed |= _change(deps, TIMEOUTS, target, change, by=by, reason=reason)
    if "check_s" in times:
        change = with_seconds("check_s", rules.LEAST_CHECK_S, rules.MOST_CHECK_S)
        changed |= _change(deps, CHECKS, target, change, by=by, reason=reason)
    return changed


def _check(
    deps: Deps, kind: AdapterType, target: Target, limits: Mapping[str, int | None], times: Mapping[str, float | None]
) -> None:
    for name, units in limits.items():
        limit = rules.limit_of(kind, name)
        if units is not None:
            rules.check_size(kind, limit, units, is_for_all=not target.account and not target.organisation)
    if times.get("timeout_s") is not None and not kind.limits:
        raise InvalidInput(
            f"{kind.name} has no limits, so its calls are made as they are.", fix="Set FLEET_HTTP_TIMEOUT_S."
        )
    if target.account:
        with deps.db.transaction() as tx:
            if (row := accounts.named(tx, target.account)).adapter != kind.name:
                raise InvalidInput(
                    f"{row.name} is an account of {row.adapter}.", fix=f"Name an account of {kind.name}."
                )


def _change(
    deps: Deps, name: str, target: Target, change: Callable[[list[str]], list[str]], *, by: str, reason: str
) -> bool:  # fmt: skip
    """Change the value that a setting has in one scope, as it is there now."""
    with deps.db.transaction() as tx:
        key = keys_of(deps, tx, target)[-1]
        row = next(iter(store.rows(tx, name=name, key=key)), None)
    if row is not None and row.value is not None:
        before = list(row.value)
    else:  # the first value of the fleet's scope keeps what the environment has
        before = [] if key != store.FLEET else list(_given(deps.given, name))
    after = change(before)
    seen = [str(row.revision if row else 0)]
    if after or key == store.FLEET:
        if after == before:
            return False
        return settings_commands.put(deps, name, after, target, by=by, reason=reason, seen=seen)
    return settings_commands.unset(deps, name, target, by=by, reason=reason, seen=seen)


def _given(settings: Settings, name: str) -> Any:
    return getattr(settings, name)


def check_setting(name: str, settings: Settings, given: Settings) -> None:  # noqa: ARG001 - the shape of such checks
    """Refuse own values of adapters or limits that are not there. The extension of "settings.checks"."""
    if name != LIMITS:
        return
    for (adapter, limit), units in rules.limits(getattr(settings, LIMITS)).items():
        if adapter in adapters.names():  # one that this process lacks may be installed elsewhere
            kind = adapters.get(adapter)
            rules.check_size(kind, rules.limit_of(kind, limit), units, is_for_all=True)


def _kind(adapter: str) -> AdapterType:
    if adapter not in adapters.names():
        raise NotFound(f"There is no adapter {adapter[:60]!r}.", fix="`fleet adapters list` shows them.")
    return adapters.get(adapter)
