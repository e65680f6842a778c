"""The FSC API: accounts, executions, showcase, likes and comments.

Called by Fleet's adapter. Endpoints are plain functions that run in threads; each opens its own short transactions
and does nothing slow inside one.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from fleet.core import clock, logs
from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery import auth, workflows
from fleet.sandbox.gallery.api.witness import Arrival, ArrivalDep
from fleet.sandbox.gallery.errors import ApiError, id_of, invalid
from fleet.sandbox.gallery.pictures import Stored
from fleet.sandbox.gallery.state import Gallery, GalleryDep
from fleet.sandbox.gallery.store import accounts, controls, engagement, executions, posts
from fleet.sandbox.gallery.store.accounts import GalleryInvitation, GalleryUser
from fleet.sandbox.gallery.store.posts import NewPost

TITLE_CHARS, DESCRIPTION_CHARS, COMMENT_CHARS = 200, 2000, 1000
_WAIT_S, _POLL_S = 25.0, 0.05

log = logs.get(__name__)
router = APIRouter(prefix="/api")

AgentHeader = Annotated[str | None, Header(alias="X-Agent-Id")]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class _Body(BaseModel):
    """Like the surface's own validator: unknown fields are dropped, nulls and wrong types refused."""

    model_config = ConfigDict(strict=True, extra="ignore", populate_by_name=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: object) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("must not hold the character NUL")
        return value


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class InviteBody(_Body):
    """The account to create."""

    agent_id: str = Field(alias="agentId", min_length=1, max_length=100)
    name: _Text = Field(max_length=100)
    username: str = Field(min_length=3, max_length=30, pattern=r"^[\w.-]+$")
    is_agent: Literal[True] = Field(alias="isAgent")
    persona_id: str = Field("", alias="agentPersonaId", max_length=60)
    bio: str = Field("", max_length=500)


class PostBody(_Body):
    """A new post."""

    image_url: str = Field(alias="imageUrl", min_length=1)
    title: _Text = Field(max_length=TITLE_CHARS)
    description: str = Field("", max_length=DESCRIPTION_CHARS)
    workflow_id: str = Field("", alias="workflowId", max_length=100)
    alt_text: str = Field("", alias="altText", max_length=500)
    category: str = Field("ai-art", min_length=1, max_length=40)
    visibility: Literal["public", "friends", "private"] = "public"


class CommentBody(_Body):
    """A new comment."""

    content: _Text = Field(max_length=COMMENT_CHARS)


@router.post("/admin/users/invite", dependencies=[Depends(auth.requires("users:write"))])
def invite(body: InviteBody, gallery: GalleryDep, arrival: ArrivalDep, response: Response) -> dict[str, Any]:
    """Create an agent's account, or return the existing one."""
    invitation = GalleryInvitation(
        body.agent_id, body.username, body.name, body.is_agent, body.persona_id or None, body.bio
    )
    with gallery.storage.transaction() as tx:
        user, created = accounts.invite(tx, invitation)
        arrival.took_effect(tx, "invite", user, user.id)
    response.status_code = 201 if created else 200
    return {**user.public(), "created": created}


@router.delete("/admin/users/{user_id}", dependencies=[Depends(auth.requires("users:write"))])
def remove(user_id: str, gallery: GalleryDep, arrival: ArrivalDep) -> dict[str, Any]:
    """Delete an account and hide its posts and comments."""
    with gallery.storage.transaction() as tx:
        gone = accounts.remove(tx, id_of(user_id, "Account"))
        arrival.took_effect(tx, "remove", gone, gone.id)
    return {"success": True}


@router.post("/execute/sync", dependencies=[Depends(auth.requires("workflows:execute"))])
def execute(
    body: workflows.Workflow, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None
) -> dict[str, Any]:
    """Execute a workflow and return its pictures. A repeated key is executed, and paid, once."""
    digest = _digest(workflows.canonical(body))
    with gallery.storage.transaction() as tx:
        user = auth.acting(tx, agent)
        controls.refuse_when_paused(tx)
        execution = executions.begin(tx, user, executions.Ask(body.name, digest, arrival.key), clock.now())
    if execution.mine:
        return _run(gallery, execution.id, user, body, arrival)
    execution = _outcome(gallery, execution)
    if execution.state == "failed":
        return {"executionId": str(execution.id), "status": "failed", "error": execution.error, "imageUrls": []}
    return _completed(execution.id, list(execution.image_urls))


@router.post("/showcase", status_code=201, dependencies=[Depends(auth.requires("showcase:write"))])
def create_post(body: PostBody, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None) -> dict[str, Any]:
    """Create a post with a picture."""
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
    image_name, stored = _picture(gallery, body.image_url)
    url = gallery.pictures.url(image_name) if image_name else body.image_url
    new = NewPost(url, image_name, body.title, body.description, body.alt_text, body.category, body.workflow_id or None,
                  body.visibility)  # fmt: skip
    digest = _digest(body.model_dump())
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
        if (earlier := _earlier_answer(tx, gallery, user, arrival, digest)) is not None:
            return earlier
        if stored is not None:
            executions.keep_image(tx, stored, user)
        made = posts.create(tx, user, new)
        arrival.took_effect(tx, "post", user, made, new.description)
        answer = {"showcaseItem": posts.get(tx, made, viewer=user.id).public()}
        _keep_answer(tx, user, arrival, digest, answer)
    return answer


@router.get("/showcase", dependencies=[Depends(auth.requires("showcase:read"))])
def list_posts(gallery: GalleryDep, *, limit: Limit = 20, offset: Offset = 0,
               sort: Literal["recent", "popular", "trending"] = "recent",
               audience: Literal["public", "friends"] = "public",
               agent: AgentHeader = None) -> dict[str, Any]:  # fmt: skip
    """Return posts in an order: public ones and the reader's own, and on request those for friends."""
    with gallery.storage.transaction() as tx:
        viewer = _id(auth.reading(tx, agent))
        items = posts.page(
            tx, limit=limit, offset=offset, sort=sort, viewer=viewer, friends=audience == "friends"
        )  # fmt: skip
        total = posts.total(tx)
    return {"items": [item.public() for item in items], "total": total, "limit": limit, "offset": offset}


@router.get("/showcase/{post_id}", dependencies=[Depends(auth.requires("showcase:read"))])
def get_post(post_id: str, gallery: GalleryDep, agent: AgentHeader = None) -> dict[str, Any]:
    """Return one post. Reading through the API is no page view."""
    with gallery.storage.transaction() as tx:
        viewer = _id(auth.reading(tx, agent))
        return {"item": posts.get(tx, id_of(post_id, "Post"), viewer=viewer).public()}


@router.post("/showcase/{post_id}/like", dependencies=[Depends(auth.requires("showcase:write"))])
def like(post_id: str, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None) -> dict[str, Any]:
    """Toggle a like of a post."""
    digest = _digest({"like": post_id})
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
        if (earlier := _earlier_answer(tx, gallery, user, arrival, digest)) is not None:
            return earlier
        liked, count = engagement.toggle_like(tx, user, id_of(post_id, "Post"))
        arrival.took_effect(tx, "like" if liked else "unlike", user, post_id)
        answer = {"success": True, "liked": liked, "likeCount": count}
        _keep_answer(tx, user, arrival, digest, answer)
    return answer


@router.post("/showcase/{post_id}/comments", status_code=201, dependencies=[Depends(auth.requires("showcase:write"))])
def create_comment(
    post_id: str, body: CommentBody, gallery: GalleryDep, arrival: ArrivalDep, agent: AgentHeader = None
) -> dict[str, Any]:
    """Create a comment on a post."""
    digest = _digest({"post": post_id, "content": body.content})
    with gallery.storage.transaction() as tx:
        user = _writer(tx, agent)
        if (earlier := _earlier_answer(tx, gallery, user, arrival, digest)) is not None:
            return earlier
        comment = engagement.add_comment(tx, user, id_of(post_id, "Post"), body.content)
        arrival.took_effect(tx, "comment", user, comment.id, body.content)
        answer = {"comment": comment.public()}
        _keep_answer(tx, user, arrival, digest, answer)
    return answer


@router.get("/showcase/{post_id}/comments", dependencies=[Depends(auth.requires("showcase:read"))])
def list_comments(post_id: str, gallery: GalleryDep, limit: Limit = 20, offset: Offset = 0,
                  agent: AgentHeader = None) -> dict[str, Any]:  # fmt: skip
    """Return a post's comments, oldest first."""
    with gallery.storage.transaction() as tx:
        viewer = _id(auth.reading(tx, agent))
        post = posts.get(tx, id_of(post_id, "Post"), viewer=viewer)
        found = engagement.comments_of(tx, post.id, limit=limit, offset=offset)
    return {"comments": [comment.public() for comment in found], "total": post.comments, "limit": limit,
            "offset": offset}  # fmt: skip


def _id(user: GalleryUser | None) -> uuid.UUID | None:
    return None if user is None else user.id


def _writer(tx: sa.Connection, agent: str | None) -> GalleryUser:
    user = auth.acting(tx, agent)
    controls.refuse_when_paused(tx)
    return user


def _earlier_answer(tx: sa.Connection, gallery: Gallery, user: GalleryUser, arrival: Arrival,
                    digest: str) -> dict[str, Any] | None:  # fmt: skip
    """Return what was answered to a request's key, if keys are honoured now and there is something.

    Keys are held, and answers kept, in any case: the switch counts for requests that came before it, too.
    """
    if arrival.key is None:
        return None
    posts.hold_key(tx, user, arrival.key)
    if not controls.honours_keys(tx, configured=gallery.config.honour_keys):
        return None
    answer = posts.earlier_answer(tx, user, arrival.key, digest)
    if answer is not None:
        arrival.took_effect(tx, "repeat", user, "")
    return answer


def _keep_answer(tx: sa.Connection, user: GalleryUser, arrival: Arrival, digest: str, answer: dict[str, Any]) -> None:
    if arrival.key is not None:
        posts.keep_answer(tx, user, arrival.key, digest, answer)


def _run(gallery: Gallery, execution_id: uuid.UUID, user: GalleryUser, workflow: workflows.Workflow,
         arrival: Arrival) -> dict[str, Any]:  # fmt: skip
    """Execute a workflow and record its outcome; pictures are drawn outside any transaction."""
    try:
        saved = workflows.run(workflow, gallery.pictures)
    except InvalidInput as error:
        _failed(gallery, execution_id, str(error))
        return {"executionId": str(execution_id), "status": "failed", "error": str(error), "imageUrls": []}
    except Exception as error:
        _failed(gallery, execution_id, str(error) or type(error).__name__)
        raise
    urls = [gallery.pictures.url(stored.name) for stored in saved]
    with gallery.storage.transaction() as tx:
        for stored in saved:
            executions.keep_image(tx, stored, user)
        if executions.complete(tx, execution_id, urls, clock.now()):
            arrival.took_effect(tx, "image", user, execution_id, urls[0] if urls else "")
    return _completed(execution_id, urls)


def _failed(gallery: Gallery, execution_id: uuid.UUID, error: str) -> None:
    log.warning("execution_failed", execution_id=str(execution_id), error=error)
    with gallery.storage.transaction() as tx:
        executions.fail(tx, execution_id, error, clock.now())


def _completed(execution_id: uuid.UUID, urls: list[str]) -> dict[str, Any]:
    return {"executionId": str(execution_id), "status": "completed", "imageUrls": urls}


def _outcome(gallery: Gallery, execution: executions.Execution) -> executions.Execution:
    """Wait for the execution by another request with the same key. Raises ApiError 503 on timeout."""
    deadline = clock.monotonic_s() + _WAIT_S
    while execution.state == "running":
        if clock.monotonic_s() > deadline:
            raise ApiError(503, "EXECUTION_IN_PROGRESS", "This workflow still runs for another request; ask again.")
        time.sleep(_POLL_S)
        with gallery.storage.transaction() as tx:
            execution = executions.state(tx, execution.id)
    return execution


def _picture(gallery: Gallery, url: str) -> tuple[str | None, Stored | None]:
    """Return the name of a picture that is here, and what was stored for this post. Foreign ones are not fetched."""
    if url[:5].lower() == "data:":
        stored = gallery.pictures.save_data_url(url)
        return stored.name, stored
    if len(url) > 2000 or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise invalid("imageUrl", "Must be an http(s) address of at most 2000 characters, or a data URL of a picture.")
    name = gallery.pictures.own_name(url)
    if name is None:
        return None, None
    with gallery.storage.transaction() as tx:
        if not name or not executions.knows_image(tx, name):
            raise invalid("imageUrl", "There is no such picture in this gallery.")
    return name, None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
