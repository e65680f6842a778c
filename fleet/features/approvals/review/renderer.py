"""How requests are shown in the review queue: features register a `Renderer` for a resource at "approvals.renderers".

Requests about a resource without a renderer are shown by the generic one: summary, changes, payload.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.deps import Deps
from fleet.features.approvals.request import Request


@dataclass(frozen=True, slots=True)
class Line:
    """A request as one line of the list: its kind, what it says, a sign for pictures, and a state worth showing."""

    kind: str
    text: str
    picture: bool = False
    state: str = ""


Lines = Callable[[Tx, Sequence[Request]], Mapping[uuid.UUID, Line]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """How requests about one resource are shown, and how people edit them.

    `template` defines three macros: `proposal(one, shown)`, what would be done beside what it answers;
    `edit(one, shown, kept)`, the fields of the form that edits it; `history(one, shown)`. `shown` are the `facts`.
    """

    resource: str
    actions: frozenset[str]
    """Those that it shows; requests for another action with the resource are shown by the generic one."""
    plural: str
    """The requests in the filter: "Drafts"."""
    template: str
    lines: Lines
    facts: Callable[[Deps, Request], Mapping[str, Any]] = lambda _deps, _request: {}
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The values of the fact `kind`, and what the filter calls them: "Comments"."""
    edited: Callable[[Request, Mapping[str, str]], Mapping[str, Any]] | None = None
    """`edited(request, fields)`: the payload that the fields of the edit form make. Without it the payload is JSON."""
    live: str = "approval.*"
    """The subjects of events after which a request is shown anew, separated by commas."""
    live_lines: str = ""
    """The same for the list, besides events of approvals."""
    links: tuple[tuple[str, str], ...] = ()
    """Pages about such requests, by label, shown above the queue."""


GENERIC = "approvals/_generic.html"


def _generic_lines(_: Tx, requests: Sequence[Request]) -> Mapping[uuid.UUID, Line]:
    return {one.id: Line(f"{one.action} {one.resource}", one.summary or one.resource_id) for one in requests}


def known() -> Mapping[str, Renderer]:
    """Return the registered renderers by resource."""
    found: tuple[Renderer, ...] = registry.current().extensions("approvals.renderers")
    return {one.resource: one for one in found}


def of(request: Request) -> Renderer:
    """Return the renderer of a request."""
    found = known().get(request.resource)
    return found if found is not None and request.action in found.actions else _generic(request.resource)


def _generic(resource: str) -> Renderer:
    label = resource.replace("_", " ").capitalize()
    return Renderer(resource=resource, actions=frozenset(), plural=label, template=GENERIC, lines=_generic_lines)


def lines(tx: Tx, requests: Sequence[Request]) -> Mapping[uuid.UUID, Line]:
    """Return each request as a line; one that its feature does not know any more is shown by its summary."""
    found = dict(_generic_lines(tx, requests))
    for own in known().values():
        mine = [one for one in requests if of(one) is own]
        found |= own.lines(tx, mine) if mine else {}
    return found


def label(resource: str, kind: str) -> str:
    """Return what the filter calls requests of a kind."""
    one = known().get(resource) or _generic(resource)
    return one.kinds.get(kind, f"{one.plural}: {kind.replace('_', ' ')}") if kind else one.plural
