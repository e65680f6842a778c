"""The API of sources and received events. Secrets are shown once."""

from __future__ import annotations

import base64
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission
from fleet.engine.points import verbs
from fleet.features.webhooks.api import Editor, SecretOut, Switched
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.signatures import Scheme
from fleet.features.webhooks.sources import InboundSource as Teller
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, MovedOut, taken

router = APIRouter(prefix="/hooks/sources", tags=["hooks"])
Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,59}$")]


class SourceOut(BaseModel):
    """A source of incoming events, and its signature scheme."""

    name: str
    description: str
    active: bool
    form: str
    header: str
    encoding: str
    prefix: str
    timestamp_header: str
    tolerance_s: int
    id_header: str
    id_path: str
    created_by: str
    created_at: datetime


class NewSource(Body):
    """A source to be created; without a secret one is made."""

    name: str = Field(max_length=60)
    description: str = Field("", max_length=200)
    form: Literal["plain", "stamped"] = "plain"
    header: str = Field("Fleet-Signature", max_length=100)
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field("", max_length=20)
    timestamp_header: str = Field("", max_length=100)
    tolerance_s: int = Field(300, ge=1, le=86_400)
    id_header: str = Field("", max_length=100)
    id_path: str = Field("", max_length=200)
    secret: str = Field("", max_length=1000)

    def wanted(self) -> receiving.SourceFields:
        """Return it as the verbs take it."""
        scheme = Scheme(self.form, self.header, self.encoding, self.prefix, self.timestamp_header, self.tolerance_s)
        return receiving.SourceFields(self.name, scheme, self.description, self.id_header, self.id_path, self.secret)


class NewSecret(Body):
    """Another secret of a source: the sender's own, or without one a new one."""

    secret: str = Field("", max_length=1000)


_CREATED = NewSecret()
"""A request without a body asks for a new secret."""


class ReceivedOut(BaseModel):
    """A received event."""

    id: uuid.UUID
    external_id: str
    state: str
    content_type: str
    bytes: int
    received_at: datetime
    processed_at: datetime | None
    error: str | None


class SourceList(BaseModel):
    """All sources by name."""

    items: list[SourceOut]


class ReceivedQuery(Paging):
    """A page of received events."""


class ReceivedPage(Page[ReceivedOut]):
    """Received events of a source, newest first."""


class Content(BaseModel):
    """The exact body of a received event."""

    base64: str


@router.get("", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_sources(deps: TheDeps) -> SourceList:
    """Return all sources by name."""
    return SourceList(items=[_source(one) for one in receiving.listed(deps)])


@router.post("", status_code=201)
def create_source(body: NewSource, deps: TheDeps, who: Editor) -> SecretOut:
    """Create a source; only this response contains its secret."""
    return SecretOut(secret=receiving.create(deps, body.wanted(), by=who.by))


@router.get("/{name}", dependencies=[needs(Permission.HOOKS_VIEW)])
def show_source(name: Name, deps: TheDeps) -> SourceOut:
    """Return one source."""
    return _source(receiving.get(deps, name))


@router.delete("/{name}", status_code=204, responses=ASKED)
def remove_source(name: Name, deps: TheDeps, who: Editor) -> None:
    """Delete a source and all its received events."""
    verbs.perform(deps, who, "webhook_source", "delete", source=name)


@router.put("/{name}/active")
def switch_source(name: Name, body: Switched, deps: TheDeps, who: Editor) -> MovedOut:
    """Enable or disable a source."""
    return MovedOut(changed=receiving.switch(deps, name, on=body.active, by=who.by))


@router.post("/{name}/rotate")
def change_secret(name: Name, deps: TheDeps, who: Editor, body: NewSecret = _CREATED) -> SecretOut:
    """Rotate a source's secret; the old secret is refused at once."""
    return SecretOut(secret=receiving.change_secret(deps, name, body.secret, by=who.by))


@router.get("/{name}/received", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_received(name: Name, deps: TheDeps, *, which: Annotated[ReceivedQuery, Query()]) -> ReceivedPage:
    """Return a page of events received from a source, newest first."""
    before = which.place(uuid.UUID, of=name)
    found = receiving.history(deps, name, before=before, limit=which.one_more)
    items, following = which.page(found, lambda one: one.id, of=name)
    return ReceivedPage(items=[taken(ReceivedOut, one, bytes=one.size_bytes) for one in items], next=following)


@router.get("/{name}/received/{received}", dependencies=[needs(Permission.HOOKS_EDIT)])
def show_received(name: Name, received: uuid.UUID, deps: TheDeps) -> Content:
    """Return the raw body of a received event."""
    receiving.get(deps, name)
    return Content(base64=base64.b64encode(receiving.body_of(deps, received)).decode())


def _source(found: Teller) -> SourceOut:
    return taken(SourceOut, found, **asdict(found.scheme))
