"""The form of the page of an adapter that changes its configuration: one value for all accounts or for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from fleet.core.errors import FleetError, InvalidInput
from fleet.features.adapters.configuration import rules, service
from fleet.features.adapters.configuration.api import AdapterName, Setter
from fleet.web.auth import TheDeps
from fleet.web.rendering import KeptForm, go

router = APIRouter()
TIMES = {
    "timeout_s": ("time limit of calls, seconds", rules.LEAST_TIMEOUT_S, rules.MOST_TIMEOUT_S),
    "check_s": ("seconds between checks", rules.LEAST_CHECK_S, rules.MOST_CHECK_S),
}


class FilledConfiguration(BaseModel):
    """The typed values of the form."""

    account: str = Field("", max_length=60)
    what: str = Field("", max_length=80)
    value: str = Field("", max_length=30)
    reason: str = Field("", max_length=300)


@router.post("/adapters/{adapter}/configure")
def configure(
    request: Request, deps: TheDeps, who: Setter, adapter: AdapterName, filled: Annotated[FilledConfiguration, Form()]
) -> Response:
    """Set a value of an adapter, or take it back."""
    where = f"/adapters/{adapter}"
    try:
        limits, times = _values(filled)
        changed = service.configure(
            deps, adapter, account=filled.account, limits=limits, times=times, by=who.by, reason=filled.reason
        )
    except FleetError as error:
        at = "reason" if not filled.reason.strip() else "value"
        return go(request, where, error.plain, kept=KeptForm("configure", at, filled.model_dump()))
    return go(request, where, "It counts within seconds." if changed else "That is in force already.")


def _values(filled: FilledConfiguration) -> tuple[dict[str, int | None], dict[str, float | None]]:
    """Return limits and times of a form. Raises InvalidInput."""
    written = filled.value.strip()
    if filled.what in TIMES:
        words, least, most = TIMES[filled.what]
        try:
            seconds = float(written) if written else None
        except ValueError:
            seconds = -1.0
        if seconds is not None and not least <= seconds <= most:
            raise InvalidInput(f"{words.capitalize()}: a number of {least:g} to {most:g}.")
        return {}, {filled.what: seconds}
    if written and not (written.isascii() and written.isdecimal() and len(written) <= 9):
        raise InvalidInput(f"{filled.what}: a whole number of units.")
    return {filled.what: int(written) if written else None}, {}
