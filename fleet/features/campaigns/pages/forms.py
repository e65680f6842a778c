"""Forms of campaigns and content items: create, compose with a preview, edit, move, duplicate."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleet.access import Permission
from fleet.core import wall_time
from fleet.core.errors import FleetError, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.deps import Deps
from fleet.features.campaigns import queries, service
from fleet.features.campaigns.api import Planner, require
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.forms import preview
from fleet.features.campaigns.forms.preview import PostPreview
from fleet.features.campaigns.pages import typed
from fleet.features.campaigns.pages.typed import Typed, TypedForm
from fleet.features.campaigns.queries import ItemView
from fleet.features.campaigns.values import MOST_PICTURES
from fleet.features.platforms.networks import NETWORKS
from fleet.web.auth import TheDeps, needs
from fleet.web.rendering import KeptForm, go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_VIEW = [needs(Permission.DRAFTS_VIEW)]
_PLAN = [needs(Permission.AGENTS_CONTROL)]
Short = Annotated[str, Query(max_length=200)]
REFUSED = 422


@router.get("/campaigns/new", dependencies=_PLAN)
def new_campaign(request: Request, deps: TheDeps) -> Response:
    """Show the form of a new campaign."""
    return _campaign_form(request, deps, TypedForm())


@router.post("/campaigns/new")
def create_campaign(request: Request, deps: TheDeps, form: Typed, who: Planner) -> Response:
    """Create a campaign; its items are planned by a job."""
    if form.get("preview"):
        return _campaign_form(request, deps, form)
    try:
        row = service.create(deps, typed.new_campaign(form), by=who.by)
    except FleetError as error:
        form.refuse(error)
        return _campaign_form(request, deps, form, code=REFUSED)
    return go(request, f"/campaigns/{row.id}", "The campaign is created. A job plans its items.")


def _campaign_form(request: Request, deps: Deps, form: TypedForm, *, code: int = 200) -> Response:
    with deps.db.transaction() as tx:
        candidates = queries.candidates(tx)
    return render(
        request, "campaigns/new_campaign.html", code=code, form=form, candidates=candidates,
        previews=_previews(deps, form) if form.values else (), **_choices(deps),
    )  # fmt: skip


@router.get("/content-items/new", dependencies=_PLAN)
def new_item(
    request: Request, deps: TheDeps, *, at: Short = "", zone: Short = "", target: Short = "",
    campaign: Maybe[uuid.UUID] = None,
) -> Response:  # fmt: skip
    """Show the form of a new item, at a wall time of a zone and for an agent if they are given."""
    given = {"at": at, "zone": zone, "target": target, "campaign": "" if campaign is None else str(campaign)}
    return _item_form(request, deps, TypedForm({name: [value] for name, value in given.items() if value}))


@router.post("/content-items/new")
def compose_item(request: Request, deps: TheDeps, form: Typed, who: Planner) -> Response:
    """Compose an item by hand; it is adapted to its network, reviewed and scheduled."""
    if form.get("preview"):
        return _item_form(request, deps, form)
    try:
        row = service.compose(deps, typed.new_item(form, campaign_id=_campaign_id(form)), by=who.by)
    except FleetError as error:
        form.refuse(error)
        return _item_form(request, deps, form, code=REFUSED)
    return go(request, f"/content-items/{row.id}", "The item is composed. Its review comes next.")


@router.post("/content-items/new/preview", dependencies=_VIEW)
def preview_form(request: Request, deps: TheDeps, form: Typed) -> Response:
    """Return the part of a form's page with the previews, while a person types."""
    return render(request, "campaigns/_preview.html", form=form, previews=_previews(deps, form))


def _campaign_id(form: TypedForm) -> uuid.UUID | None:
    try:
        return uuid.UUID(form.get("campaign")) if form.get("campaign") else None
    except ValueError:
        return None


def _item_form(request: Request, deps: Deps, form: TypedForm, *, code: int = 200) -> Response:
    campaign_id, campaign = _campaign_id(form), None
    if campaign_id is not None:
        with deps.db.transaction() as tx:
            campaign = queries.campaign(tx, campaign_id).name
    return render(
        request, "campaigns/new_item.html", code=code, form=form, campaign=campaign,
        suggested=lookup.suggestions(deps.db), previews=_previews(deps, form), **_choices(deps),
    )  # fmt: skip


def _choices(deps: Deps) -> dict[str, Any]:
    names = sorted({brands.DEFAULT, *brands.known(deps)})
    return {"brands": names, "zones": wall_time.zone_names(), "networks": NETWORKS}


def _previews(deps: Deps, form: TypedForm) -> Sequence[PostPreview]:
    """Return the message as the networks of the chosen agents will show it; as all networks until one is chosen."""
    message = form.get("message").strip()
    if not message:
        return ()
    chosen = service.networks_of(deps, typed.targets(form))
    shown = typed.pictures(form)[: 1 if "name" in form.values else MOST_PICTURES]  # a campaign has one
    media = [{"alt_text": one.alt_text or one.prompt or one.key, "key": one.key} for one in shown]
    link = typed.link(form).data()
    return [
        preview.of(
            network, message=message, link=link, media=media, hashtags=typed.hashtags(form), own=chosen.get(network, {})
        )
        for network in chosen or NETWORKS
    ]


@router.get("/content-items/{item_id}/edit", dependencies=_PLAN)
def edit_form(request: Request, deps: TheDeps, item_id: uuid.UUID) -> Response:
    """Show the form of an item's words, link and alt texts."""
    view = _view(deps, item_id)
    row = view.row
    form = TypedForm({
        "part": list(row.parts) or [row.message], "alt_text": [one.get("alt_text", "") for one in row.media],
        "link": [row.link.get("url", "")], "link_title": [row.link.get("title", "")],
        "link_description": [row.link.get("description", "")],
    })  # fmt: skip
    return _edit_form(request, view, form)


@router.post("/content-items/{item_id}/edit")
def edit_item(request: Request, deps: TheDeps, item_id: uuid.UUID, form: Typed, who: Planner) -> Response:
    """Change an item of which nothing is published; it is reviewed again."""
    if form.get("preview"):
        return _edit_form(request, _view(deps, item_id), form)
    try:
        service.edit(deps, item_id, typed.item_edit(form), by=who.by)
    except FleetError as error:
        view = _view(deps, item_id)
        form.problems["form"] = str(error)
        return _edit_form(request, view, form, code=REFUSED)
    return go(request, f"/content-items/{item_id}", "The item is changed. It is reviewed again.")


@router.post("/content-items/{item_id}/preview", dependencies=_VIEW)
def preview_edit(request: Request, deps: TheDeps, item_id: uuid.UUID, form: Typed) -> Response:
    """Return the part of the form's page with the preview, while a person types."""
    return render(request, "campaigns/_preview.html", form=form, previews=_preview_of(_view(deps, item_id), form))


def _edit_form(request: Request, view: ItemView, form: TypedForm, *, code: int = 200) -> Response:
    previews = _preview_of(view, form)
    return render(request, "campaigns/edit_item.html", code=code, one=view, row=view.row, form=form, previews=previews)


def _preview_of(view: ItemView, form: TypedForm) -> Sequence[PostPreview]:
    row = view.row
    alts = form.all("alt_text")
    media = [{**one, "alt_text": alts[at] if at < len(alts) else ""} for at, one in enumerate(row.media)]
    parts = [one for one in form.all("part") if one.strip()]
    link = typed.link(form).data()
    return [preview.of(row.surface, parts=parts, link=link, media=media, is_adapted=True, own=view.own_texts)]


def _view(deps: Deps, item_id: uuid.UUID) -> ItemView:
    with deps.db.transaction() as tx:
        return require(tx, item_id)


@router.post("/content-items/{item_id}/move")
def move_item(request: Request, deps: TheDeps, item_id: uuid.UUID, form: Typed, who: Planner) -> Response:
    """Publish an item at another time."""
    return _at_time(request, deps, item_id, form, "move", by=who.by)


@router.post("/content-items/{item_id}/duplicate")
def duplicate_item(request: Request, deps: TheDeps, item_id: uuid.UUID, form: Typed, who: Planner) -> Response:
    """Create an item with the content of another one; without a time at the next good hour that is free."""
    return _at_time(request, deps, item_id, form, "duplicate", by=who.by)


def _at_time(request: Request, deps: Deps, item_id: uuid.UUID, form: TypedForm, verb: str, *, by: str) -> Response:
    try:
        at = typed.moment(form)
        if verb == "duplicate":
            made = service.duplicate(deps, item_id, by=by, at=at)
            return go(request, f"/content-items/{made.id}", "This is the copy. Its review comes next.")
        if at is None:
            raise InvalidInput("time: there is none.", fix="Choose one.")
        service.reschedule(deps, item_id, at, by=by)
    except FleetError as error:
        kept = KeptForm(verb, "at", {"at": form.get("at"), "zone": form.get("zone")})
        return go(request, f"/content-items/{item_id}", str(error), kept=kept)
    return go(request, f"/content-items/{item_id}", "The item has another time.")
