"""First steps of a new fleet, which features bring: `extends` the point `frame.checklist` with a `ChecklistStep`.

Shown by the overview until all are done or the person dismisses them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import Request

from fleet.access import Permission, Principal
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps

POINT = "frame.checklist"
DISMISSED = "fleet_checklist"
"""The cookie of a browser in which the list was dismissed."""


@dataclass(frozen=True, slots=True)
class ChecklistStep:
    """One step: what to do, where, who may, and whether it is done already."""

    words: str
    why: str
    path: str
    permission: Permission
    is_done: Callable[[Deps, Tx], bool]


def steps(request: Request, deps: Deps, who: Principal) -> Sequence[tuple[ChecklistStep, bool]]:
    """Return the steps that a user may do, each with whether it is done; empty once all are, or when dismissed.

    A step that was done is not asked about again in this process.
    """
    if request.cookies.get(DISMISSED):
        return ()
    done: set[str] = request.app.state.steps_done
    own: list[ChecklistStep] = [one for one in registry.current().extensions(POINT) if who.may(one.permission)]
    if any(one.path not in done for one in own):
        with deps.db.transaction() as tx:
            done.update(one.path for one in own if one.path not in done and one.is_done(deps, tx))
    found = [(one, one.path in done) for one in own]
    return () if all(is_done for _, is_done in found) else found
