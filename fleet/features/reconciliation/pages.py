"""The pages of reconciliation: discrepancies by severity with both values side by side, comparisons, and trends."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError

from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.deps import Deps
from fleet.features.reconciliation import queries, service
from fleet.features.reconciliation.api import (
    VIEW,
    Crew,
    Decider,
    DiscrepancyQuery,
    FixIn,
    ReconciliationQuery,
    chosen_ids,
    discrepancy_page,
    run_page,
)
from fleet.features.reconciliation.posts import begin as posts
from fleet.features.reconciliation.rules import DiscrepancySeverity, Remedy
from fleet.web.auth import TheDeps
from fleet.web.rendering import go, render

router = APIRouter()
_VERBS = {"fix": "Fix", "accept": "Accept", "push": "Write the catalogue's value of",
          "pull": "Take the store's value of", "undo": "Undo the fix of", "dismiss": "Dismiss"}  # fmt: skip
_DONE = {"undo": "undone", "dismiss": "dismissed", "accept": "accepted"}


class FilledReconciliation(BaseModel):
    """The form that begins a comparison."""

    store: str = Field("", max_length=60)


class FilledDiscrepancies(BaseModel):
    """The form of decisions: the chosen discrepancies, or all that the filter names."""

    ids: list[str] = Field(default=[], max_length=1000)
    verb: str = Field("", max_length=20)
    every: str = Field("", max_length=1)
    counted: str = Field("", max_length=6)
    """How many the person was told; empty: they were not asked yet."""
    store: str = Field("", max_length=60)
    type: str = Field("", max_length=20)
    severity: str = Field("", max_length=20)
    state: str = Field("todo", max_length=20)


@router.get("/reconciliation", dependencies=[VIEW])
def discrepancies(request: Request, deps: TheDeps, which: Annotated[DiscrepancyQuery, Query()]) -> Response:
    """Show discrepancies, most severe first, with both values side by side."""
    found, following = discrepancy_page(deps, which)
    return render(
        request, "reconciliation/discrepancies.html", found=found, next=following, which=which,
        tallies=queries.tallies(deps), types=queries.TYPES, severities=DiscrepancySeverity,
        stores=posts.names(deps), names=queries.names(deps), total=queries.count(deps, which.chosen),
        silent=posts.not_comparable(deps),
    )  # fmt: skip


@router.post("/reconciliation/run")
def begin(request: Request, deps: TheDeps, who: Crew, filled: Annotated[FilledReconciliation, Form()]) -> Response:
    """Compare a store, or the posts of an account."""
    try:
        service.request(deps, filled.store, by=who.by)
    except FleetError as error:
        return go(request, "/reconciliation", error.plain, wrong=True)
    return go(request, "/reconciliation/runs", f"The comparison of {filled.store} begins in seconds.")


@router.post("/reconciliation/decide")
def decide(request: Request, deps: TheDeps, who: Decider, filled: Annotated[FilledDiscrepancies, Form()]) -> Response:
    """Fix, undo or dismiss; several only after the person has seen how many."""
    back = f"/reconciliation?store={filled.store}&type={filled.type}&severity={filled.severity}&state={filled.state}"
    try:
        ids = chosen_ids(deps, _body(filled))
        if filled.verb not in _VERBS:
            raise InvalidInput("Choose what to do.")
        if len(ids) > 1 and not filled.counted:
            return render(request, "reconciliation/confirm.html", filled=filled, back=back, verb=_VERBS[filled.verb],
                          summary=_summary(deps, ids), number=len(ids))  # fmt: skip
        done = _run(deps, filled.verb, ids, by=who.by)
    except (FleetError, ValidationError) as error:
        words = error.plain if isinstance(error, FleetError) else "The form is not understood."
        return go(request, back, words, wrong=True)
    ended = _DONE.get(filled.verb, "being fixed")
    if done.problems:
        words = f"{done.changed} {ended}; {len(done.problems)} not: {done.problems[0]}"
        return go(request, back, words, wrong=True)
    return go(request, back, f"{done.changed} {ended}.")


def _body(filled: FilledDiscrepancies) -> FixIn:
    given: dict[str, Any] = {"ids": filled.ids, "all": bool(filled.every), "store": filled.store, "type": filled.type,
                             "severity": filled.severity, "state": filled.state}  # fmt: skip
    return FixIn.model_validate({**given, "counted": int(filled.counted) if filled.counted.isdecimal() else None})


def _run(deps: Deps, verb: str, ids: list[uuid.UUID], *, by: str) -> service.ChangedDiscrepancies:
    if verb == "undo":
        return service.undo(deps, ids, by=by)
    if verb == "dismiss":
        return service.dismiss(deps, ids, by=by)
    return service.fix(deps, ids, by=by, action=None if verb == "fix" else Remedy(verb))


def _summary(deps: Deps, ids: list[uuid.UUID]) -> list[tuple[str, str, int]]:
    """Return how many there are by store and suggested action."""
    found = [view for one in ids if (view := queries.find(deps, one)) is not None]
    counts = Counter((one.store, one.action) for one in found)
    return [(store, action, number) for (store, action), number in sorted(counts.items())]


@router.get("/reconciliation/runs", dependencies=[VIEW])
def runs(request: Request, deps: TheDeps, which: Annotated[ReconciliationQuery, Query()]) -> Response:
    """Show comparisons and their trend: what each found by severity, and what became of fixes."""
    found, following = run_page(deps, which)
    trend = [(one, _by_severity(one.tallies)) for one in queries.trend(deps, store=which.store)]
    return render(
        request, "reconciliation/runs.html", runs=found, next=following, which=which, names=queries.names(deps),
        trend=trend, most=max((sum(counts.values()) for _, counts in trend), default=0), severities=DiscrepancySeverity,
        outcomes=queries.outcomes(deps, store=which.store), stores=posts.names(deps),
    )  # fmt: skip


def _by_severity(tallies: Any) -> dict[str, int]:
    found = {one.value: 0 for one in DiscrepancySeverity}
    for name, number in tallies.items():
        found[name.partition(":")[2]] = found.get(name.partition(":")[2], 0) + number
    return found


@router.post("/reconciliation/runs/{run_id}/cancel")
def cancel(request: Request, deps: TheDeps, run_id: uuid.UUID, who: Crew) -> Response:
    """End a comparison."""
    done = service.cancel(deps, run_id, by=who.by)
    return go(request, "/reconciliation/runs", "It is cancelled." if done else "It has ended already.")


@router.get("/reconciliation/{discrepancy_id}", dependencies=[VIEW])
def discrepancy(request: Request, deps: TheDeps, discrepancy_id: uuid.UUID) -> Response:
    """Show one discrepancy: both values, what they agreed on, other stores, and what can be done."""
    one = queries.discrepancy(deps, discrepancy_id)
    url = posts.address(deps, one.store, one.external_id, one.versions) if one.is_post and one.remote else None
    return render(request, "reconciliation/discrepancy.html", one=one, url=url)
