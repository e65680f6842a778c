"""Drafts in the review queue: a line of the list, and what stands beside a draft while people decide about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from fleet.core.db import Tx
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.approvals.pages.desk import changes
from fleet.features.approvals.request import Request
from fleet.features.approvals.review.renderer import Line, Renderer
from fleet.features.drafts import commands
from fleet.features.drafts.content import CHOICES, FIELDS, editable
from fleet.features.drafts.effect import ACTION, RESOURCE
from fleet.features.drafts.models import RevisionRow
from fleet.features.drafts.pictures import commands as pictures
from fleet.features.drafts.states import DraftKind
from fleet.web import links

_NAMES = {
    DraftKind.POST: ("Post", "Posts"), DraftKind.COMMENT: ("Comment", "Comments"),
    DraftKind.REACTION: ("Reaction", "Reactions"), DraftKind.CONNECTION: ("Friend request", "Friend requests"),
}  # fmt: skip


def lines(tx: Tx, requests: Sequence[Request]) -> Mapping[uuid.UUID, Line]:
    """Return drafts as lines; one that is pruned is left out."""
    ids = {one.id: draft_id for one in requests if (draft_id := _draft_id(one)) is not None}
    found = commands.seen(tx, ids.values())
    return {
        one.id: Line(
            _NAMES[DraftKind(view.row.kind)][0], _text(view.row.content, view.row.about),
            picture=bool(view.row.content.get("media") or view.row.about.get("picture")),
            state="revising" if view.revising else "",
        )
        for one in requests if one.id in ids and (view := found.get(ids[one.id])) is not None
    }  # fmt: skip


def _draft_id(request: Request) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.resource_id)
    except ValueError:
        return None


def _text(said: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return a draft in one line: its words, or the reaction and what it is about."""
    who = str(about.get("author_name") or about.get("author") or "")
    if said["kind"] == DraftKind.REACTION:
        return f"{said['type']} for {who}: {about.get('text') or ''}"
    if said["kind"] == DraftKind.CONNECTION:
        return f"{who}: {said['text']}" if said["text"] else who
    return str(said["text"])


def facts(deps: Deps, request: Request) -> Mapping[str, Any]:
    """Return a draft with its job, its revisions, and the fields that people may edit."""
    known: dict[str, Any] = {"fields": {}, "choices": {}, "view": None, "history": []}
    try:
        view, revisions = commands.show(deps, request.resource_id)
    except (NotFound, InvalidInput):  # pruned, or asked about by another program
        return known
    kind = DraftKind(view.row.kind)
    return known | {
        "fields": FIELDS[kind], "choices": CHOICES[kind], "view": view, "history": _history(revisions),
        "rendering": pictures.under_way(deps, view.row), "is_other": pictures.is_other(view.row.content),
        "url": _url(deps, view),
    }  # fmt: skip


def _url(deps: Deps, view: commands.DraftView) -> str | None:
    """Return the address of what a draft became at its surface."""
    if view.job is None:
        return None
    username = lookup.username(lookup.names(deps.db, [view.row.agent_id]), view.row.agent_id)
    return links.url_of_job(deps, view.job, username)


def _history(revisions: Sequence[RevisionRow]) -> list[dict[str, Any]]:
    """Return the revisions newest first, each with its changes; the first has none."""
    steps = [
        {"row": now, "changes": changes(_words(was), _words(now)),
         "is_picture": was.content.get("media") != now.content.get("media")}
        for was, now in pairwise(revisions)
    ]  # fmt: skip
    return [*reversed(steps), *({"row": one, "changes": [], "is_picture": False} for one in revisions[:1])]


def _words(one: RevisionRow) -> dict[str, Any]:
    return {name: value for name, value in one.content.items() if name != "media"}


def edited(request: Request, fields: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the content with the texts and choices of the form."""
    kind = DraftKind(request.payload["kind"])
    given = {name: fields[name] for name in editable(kind) if name in fields and (fields[name] or name in FIELDS[kind])}
    return {**request.payload, **given}


RENDERER = Renderer(
    resource=RESOURCE, actions=frozenset({ACTION}), plural="Drafts",
    kinds={str(kind): names[1] for kind, names in _NAMES.items()},
    template="drafts/_review.html", lines=lines, facts=facts, edited=edited,
    live="approval.*,agent.draft.*,job.*", live_lines="agent.draft.*", links=(("Draft statistics", "/drafts/stats"),),
)  # fmt: skip
