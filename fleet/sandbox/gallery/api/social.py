"""Extensions of the FSC API: reactions other than the like, friend requests, and a list of the extensions.

A client asks `/api/capabilities` first; a gallery without this room answers 404 there. Called by Fleet's adapter.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fleet.sandbox.gallery import auth
from fleet.sandbox.gallery.api.fsc import AgentHeader, _writer
from fleet.sandbox.gallery.api.witness import ArrivalDep
from fleet.sandbox.gallery.errors import id_of
from fleet.sandbox.gallery.state import GalleryDep
from fleet.sandbox.gallery.store import relations
from fleet.sandbox.gallery.store.relations import ReactionType

router = APIRouter(prefix="/api")


class ReactionBody(BaseModel):
    """A reaction to a post."""

    model_config = ConfigDict(strict=True, extra="ignore")

    type: ReactionType


class ConnectBody(BaseModel):
    """A request to connect, with a message."""

    model_config = ConfigDict(strict=True, extra="ignore")

    message: Annotated[str, StringConstraints(strip_whitespace=True), Field(max_length=300, pattern=r"^[^\x00]*$")] = ""


@router.get("/capabilities", dependencies=[Depends(auth.requires("showcase:read"))])
def capabilities() -> dict[str, Any]:
    """Return the extensions that this gallery has."""
    return {"capabilities": ["reactions", "connections"], "visibilities": ["public", "friends", "private"]}


@router.post("/showcase/{post_id}/reaction", dependencies=[Depends(auth.requires("showcase:write"))])
def react(
    post_id: str, body: ReactionBody, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None
) -> dict[str, Any]:
    """Set the agent's reaction to a post. Idempotent."""
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
        new = relations.react(tx, user, id_of(post_id, "Post"), body.type)
        arrival.took_effect(tx, "react" if new else "repeat", user, post_id, body.type)
    return {"success": True, "reaction": body.type}


@router.post("/users/{user_id}/connect", dependencies=[Depends(auth.requires("showcase:write"))])
def connect(
    user_id: str, body: ConnectBody, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None
) -> dict[str, Any]:
    """Ask an account to be friends; a request in return accepts. Idempotent."""
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
        state, new = relations.connect(tx, user, id_of(user_id, "Account"), body.message)
        arrival.took_effect(tx, "connect" if new else "repeat", user, user_id, body.message)
    return {"connection": {"userId": user_id, "state": state}}
