"""What a decision leads to: the shape that every file of this folder fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.approvals.request import Request
from fleet.features.approvals.rules import Person

Follow = Callable[[Deps, Tx, Request], None]


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows for one (resource, action); each part runs in the transaction of what it follows from.

    `settled` is called once for every end: look at `request.state`. A FleetError from it undoes the decision and is
    told to the person. `amended` is called after an edit; `checked` returns an edited payload as it may be kept, or
    refuses it; `facts` states what rules may ask of it, `summary` what it says in short; `revise` sends the payload
    back to whoever made it, with a person's instructions.
    """

    settled: Follow
    amended: Follow | None = None
    facts: Callable[[Request, Mapping[str, Any]], Mapping[str, Any]] | None = None
    revise: Callable[[Deps, Tx, Request, str, Person], None] | None = None
    checked: Callable[[Request, Mapping[str, Any]], Mapping[str, Any]] | None = None
    summary: Callable[[Tx, Request, Mapping[str, Any]], str] | None = None
