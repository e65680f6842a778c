"""The organisation that somebody with several looks at: a cookie of the dashboard narrows where their role holds.

Whoever looks at one organisation sees and may do what a member does there. Read when a page is rendered.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from fleet.access import Principal
from fleet.core.errors import FleetError
from fleet.web.cached_stats import shared_names


@dataclass(frozen=True, slots=True)
class Switch:
    """The organisations that a user may look at, by id with their names, and the one that they look at.

    `chosen` is empty for all of them, which are called `whole`.
    """

    choices: Sequence[tuple[str, str]]
    chosen: str
    whole: str


def read(request: Request, *, fresh: bool) -> Switch | None:
    """Return what a page shows; None for a user who has nothing to choose. `fresh` False: without a query."""
    who: Principal | None = getattr(request.state, "principal", None)
    if who is None or not hasattr(request.state, "memberships"):
        return None
    own: frozenset[uuid.UUID] | None = request.state.memberships
    names = shared_names(request.app.state.deps)
    try:
        known = (names.get() if fresh else names.last) or {}
    except FleetError:
        return None
    choices = [(key, name) for key, name in known.items() if own is None or uuid.UUID(key) in own]
    chosen = "" if who.organisations in (None, own) else "".join(map(str, who.organisations or ()))
    if chosen and chosen not in known:
        choices.append((chosen, "a removed one"))
    return Switch(choices, chosen, "The whole fleet" if own is None else "All of mine") if len(choices) > 1 else None
