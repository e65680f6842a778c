"""Executions of workflows: request, result and payment. One row for each that was started."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.pictures import Stored
from fleet.sandbox.gallery.store import controls
from fleet.sandbox.gallery.store.accounts import GalleryUser
from fleet.sandbox.gallery.store.tables import executions, images

STALE = timedelta(seconds=30)
"""An execution that runs longer was left behind by a process that died; its key may begin it again."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution; the caller executes it when `mine`, else another request did."""

    id: uuid.UUID
    state: str
    image_urls: tuple[str, ...] = ()
    error: str | None = None
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A request: a workflow's name, its digest, and the idempotency key."""

    name: str
    digest: str
    key: str | None = None


def begin(tx: sa.Connection, user: GalleryUser, ask: Ask, now: datetime) -> Execution:
    """Start an execution within the budgets, or return the one that this key already has.

    A failed or abandoned one starts again under its key. Raises ApiError 429 for budgets, 422 when the key came
    with another request.
    """
    if ask.key is not None:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{user.id}:run:{ask.key}", 0))))
        known = tx.execute(
            sa.select(executions).where(executions.c.user_id == user.id, executions.c.idempotency_key == ask.key)
        ).one_or_none()
        if known is not None:
            return _again(tx, known, ask, user, now)
    controls.spend(tx, user.id, now)
    made = uuid.uuid4()
    tx.execute(
        sa.insert(executions).values(
            id=made, user_id=user.id, idempotency_key=ask.key, request_digest=ask.digest, name=ask.name,
            state="running", started_at=now,
        )
    )  # fmt: skip
    return Execution(made, "running", mine=True)


def _again(tx: sa.Connection, known: sa.Row[Any], ask: Ask, user: GalleryUser, now: datetime) -> Execution:
    if known.request_digest != ask.digest:
        raise ApiError(422, "IDEMPOTENCY_KEY_REUSED", "This Idempotency-Key came with another workflow before.")
    abandoned = known.state == "running" and known.started_at < now - STALE
    if known.state == "failed":
        controls.spend(tx, user.id, now)
    if known.state == "failed" or abandoned:
        restarted = {"state": "running", "started_at": now, "error": None}
        tx.execute(sa.update(executions).where(executions.c.id == known.id).values(restarted))
        return Execution(known.id, "running", mine=True)
    return Execution(known.id, known.state, tuple(known.image_urls), known.error)


def state(tx: sa.Connection, execution_id: uuid.UUID) -> Execution:
    """Return the state of an execution."""
    row = tx.execute(sa.select(executions).where(executions.c.id == execution_id)).one()
    return Execution(row.id, row.state, tuple(row.image_urls), row.error)


def complete(tx: sa.Connection, execution_id: uuid.UUID, image_urls: list[str], now: datetime) -> bool:
    """Record result and payment; False when a request that was considered lost has completed it before."""
    done = {"state": "completed", "image_urls": image_urls, "finished_at": now}
    unpaid = (executions.c.id == execution_id, executions.c.state != "completed")
    return tx.execute(sa.update(executions).where(*unpaid).values(done)).rowcount == 1


def fail(tx: sa.Connection, execution_id: uuid.UUID, error: str, now: datetime) -> None:
    """Record a failure; it costs nothing."""
    failed = {"state": "failed", "error": error[:500], "finished_at": now}
    tx.execute(sa.update(executions).where(executions.c.id == execution_id).values(failed))


def keep_image(tx: sa.Connection, stored: Stored, made_by: GalleryUser) -> None:
    """Record a picture whose file is in place."""
    tx.execute(
        sa.insert(images).values(
            name=stored.name, content_type=stored.content_type, width=stored.width, height=stored.height,
            source=stored.source, made_by=made_by.id,
        )
    )  # fmt: skip


def knows_image(tx: sa.Connection, name: str) -> bool:
    """Tell whether a picture of this name is in the gallery."""
    return tx.scalar(sa.select(images.c.name).where(images.c.name == name)) is not None
