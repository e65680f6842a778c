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
    """The consequences of decisions for one (resource, action); each part runs in the transaction of its cause.

    `settled` is called once for every end: look at `request.state`. A FleetError from it undoes the decision and is
    shown to the person. `amended` is called after an edit; `checked` returns an edited payload in the form to store, or
    refuses it; `facts` returns the values that rules compare, `summary` a short description; `revise` sends the payload
    back to its author, with a person's instructions.
    """

    settled: Follow
    amended: Follow | None = None
    facts: Callable[[Request, Mapping[str, Any]], Mapping[str, Any]] | None = None
    revise: Callable[[Deps, Tx, Request, str, Person], None] | None = None
    checked: Callable[[Request, Mapping[str, Any]], Mapping[str, Any]] | None = None
    summary: Callable[[Tx, Request, Mapping[str, Any]], str] | None = None
