"""The configuration of adapters for programs: /api/v1/adapters/NAME/configuration."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.adapters.configuration import rules, service
from fleet.features.adapters.configuration.in_force import ValueSource
from fleet.web.auth import TheDeps, needs
from fleet.web.requests.fields import Body, MovedOut, line, taken

router = APIRouter(prefix="/adapters", tags=["adapters"])
AdapterName = Annotated[str, Path(max_length=60, description="name of an adapter", examples=["floimg"])]
Setter = Annotated[Principal, needs(Permission.SETTINGS_EDIT)]


class ConfiguredLimitOut(BaseModel):
    """A limit as it counts."""

    name: str
    system: int = Field(description="units that the system allows everybody")
    most: int = Field(description="units in force")
    source: ValueSource
    is_above: bool = Field(description="whether more is allowed than the system says to everybody")


class AdapterConfigurationOut(BaseModel):
    """What counts for one account of an adapter."""

    account: str | None = Field(description="null: accounts that have nothing of their own")
    limits: list[ConfiguredLimitOut]
    timeout_s: float = Field(description="time limit of calls")
    timeout_source: ValueSource
    check_s: float = Field(description="seconds between checks")
    check_source: ValueSource


class AdapterConfigurationList(BaseModel):
    """The configuration of an adapter for all accounts, then for each account."""

    items: list[AdapterConfigurationOut]


class ConfigureIn(Body):
    """Own values of an adapter. A null takes one back; what is left out stays as it is."""

    account: Annotated[str, line(60), Field(description="name or id; by default all accounts")] = ""
    organisation: Annotated[str, line(60), Field(description="name or id; all its accounts")] = ""
    limits: Annotated[
        dict[str, Annotated[int, Field(ge=1, le=rules.MOST_UNITS)] | None],
        Field(max_length=50, description="units by the name of the limit"),
    ] = {}
    timeout_s: Annotated[float | None, Field(ge=rules.LEAST_TIMEOUT_S, le=rules.MOST_TIMEOUT_S)] = None
    check_s: Annotated[float | None, Field(ge=rules.LEAST_CHECK_S, le=rules.MOST_CHECK_S)] = None
    reason: Annotated[str, line(300, least=1)]


def configuration(deps: Deps, adapter: str) -> AdapterConfigurationList:
    """Return the configuration of an adapter. Raises NotFound."""
    items = [
        taken(AdapterConfigurationOut, one, limits=[taken(ConfiguredLimitOut, limit) for limit in one.limits])
        for one in service.shown(deps, adapter)
    ]
    return AdapterConfigurationList(items=items)


@router.get("/{adapter}/configuration", dependencies=[needs(Permission.SETTINGS_VIEW)])
def show_configuration(deps: TheDeps, adapter: AdapterName) -> AdapterConfigurationList:
    """Return the sizes of limits, time limits and intervals of checks in force, and where each comes from."""
    return configuration(deps, adapter)


@router.put("/{adapter}/configuration")
def configure_adapter(deps: TheDeps, adapter: AdapterName, *, body: ConfigureIn, who: Setter) -> MovedOut:
    """Set own sizes of limits, a time limit or an interval of checks, for all accounts or some."""
    named = sorted({"timeout_s", "check_s"} & body.model_fields_set)
    times = {name: getattr(body, name) for name in named}
    changed = service.configure(
        deps, adapter, account=body.account, organisation=body.organisation, limits=body.limits, times=times,
        by=who.by, reason=body.reason,
    )  # fmt: skip
    return MovedOut(changed=changed)
