"""Tables of campaigns, their content items, and what became of each item."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet.core.db import Base, one_of
from fleet.core.db.visibility import Rows, own, seen
from fleet.features.campaigns.states import ItemState

_TIME = sa.DateTime(timezone=True)
_NOW = sa.text("clock_timestamp()")
_EMPTY, _EMPTY_LIST = sa.text("'{}'::jsonb"), sa.text("'[]'::jsonb")
_NOTHING = sa.text("''")


class CampaignRow(Base):
    """One campaign: a message or topics, and the agents through which its posts are published.

    `targets` are agents with their accounts; `link` has url, title, description; `briefs` what the plan made of it.
    `variants` are the arms of an A/B test, with name and message: each account publishes `rounds` of them. A campaign
    with a `goal` has its briefs written by a model.
    """

    __tablename__ = "campaigns"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(sa.String(100))
    message: Mapped[str] = mapped_column(sa.Text, server_default=_NOTHING)
    variants: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    rounds: Mapped[int] = mapped_column(sa.SmallInteger, server_default=sa.text("1"))
    goal: Mapped[str] = mapped_column(sa.String(2000), server_default=_NOTHING)
    audience: Mapped[str] = mapped_column(sa.String(500), server_default=_NOTHING)
    topics: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    feeds: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    hashtags: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    link: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=_EMPTY)
    picture_prompt: Mapped[str] = mapped_column(sa.String(2000), server_default=_NOTHING)
    targets: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    briefs: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    brand: Mapped[str] = mapped_column(sa.String(60), server_default=sa.text("'fleet'"))
    starts_at: Mapped[datetime] = mapped_column(_TIME)
    ends_at: Mapped[datetime | None] = mapped_column(_TIME)
    job_id: Mapped[uuid.UUID | None]  # the job that plans it
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    cancelled_at: Mapped[datetime | None] = mapped_column(_TIME)
    stopped_at: Mapped[datetime | None] = mapped_column(_TIME)  # no write of its items begins until it is resumed
    stopped_by: Mapped[str] = mapped_column(sa.String(100), server_default=_NOTHING)
    stop_reason: Mapped[str] = mapped_column(sa.String(300), server_default=_NOTHING)

    __table_args__ = (
        sa.Index("ix_campaigns_created_at", "created_at", "id"),
        Rows(own()).args,
    )


class ContentItemRow(Base):
    """One post of one agent, from its brief to its publication. `parts` are the posts of a thread, in order.

    `media` are pictures: key in the store, prompt, alt text. `remote_ids` are the surface's ids of the published parts.
    """

    __tablename__ = "content_items"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("organisations.id"))
    campaign_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("campaigns.id", ondelete="CASCADE"))
    agent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("agents.id", ondelete="CASCADE"))
    account_id: Mapped[uuid.UUID | None]  # as of a job
    surface: Mapped[str] = mapped_column(sa.String(40))
    brief: Mapped[str] = mapped_column(sa.Text, server_default=_NOTHING)
    message: Mapped[str] = mapped_column(sa.Text, server_default=_NOTHING)
    parts: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    hashtags: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    picture_prompt: Mapped[str] = mapped_column(sa.String(2000), server_default=_NOTHING)
    media: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    link: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=_EMPTY)
    brand: Mapped[str] = mapped_column(sa.String(60), server_default=sa.text("'fleet'"))
    arm: Mapped[str] = mapped_column(sa.String(40), server_default=_NOTHING)  # the variant that it shows
    is_drafted: Mapped[bool] = mapped_column(server_default=sa.false())  # a model planned it: people approve it
    state: Mapped[str] = mapped_column(sa.String(10))
    failed_in: Mapped[str | None] = mapped_column(sa.String(10))
    scheduled_at: Mapped[datetime | None] = mapped_column(_TIME)  # before SCHEDULED: proposed
    is_fixed: Mapped[bool] = mapped_column(server_default=sa.false())  # a person chose the time
    score: Mapped[int | None] = mapped_column(sa.SmallInteger)
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    notes: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    request_id: Mapped[uuid.UUID | None]
    approved_by: Mapped[str | None] = mapped_column(sa.String(100))
    job_id: Mapped[uuid.UUID | None]  # the latest job that works on it
    remote_ids: Mapped[list[str]] = mapped_column(JSONB, server_default=_EMPTY_LIST)
    error: Mapped[str] = mapped_column(sa.String(500), server_default=_NOTHING)
    revision: Mapped[int] = mapped_column(server_default=sa.text("1"))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    created_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)
    published_at: Mapped[datetime | None] = mapped_column(_TIME)

    __table_args__ = (
        sa.CheckConstraint(one_of("state", ItemState), name="state"),
        sa.CheckConstraint(f"failed_in IS NULL OR {one_of('failed_in', ItemState)}", name="failed_in"),
        sa.CheckConstraint("(state = 'failed') = (failed_in IS NOT NULL)", name="failed"),
        sa.CheckConstraint("score IS NULL OR score BETWEEN 0 AND 100", name="score"),
        sa.CheckConstraint("state NOT IN ('scheduled', 'publishing') OR scheduled_at IS NOT NULL", name="scheduled"),
        sa.CheckConstraint("(state = 'published') = (published_at IS NOT NULL)", name="published"),
        sa.Index("ix_content_items_campaign", "campaign_id", "created_at", "id"),
        sa.Index("ix_content_items_created_at", "created_at", "id"),
        sa.Index("ix_content_items_scheduled_at", "scheduled_at", "id"),
        # The sweep: items that are due, and items whose job may have ended.
        sa.Index("ix_content_items_due", "scheduled_at", postgresql_where=sa.text("state = 'scheduled'")),
        sa.Index(
            "ix_content_items_open", "job_id",
            postgresql_where=sa.text("state IN ('planned', 'written', 'adapted', 'approved', 'publishing', 'failed')"),
        ),
        # The times that are taken.
        sa.Index("ix_content_items_agent", "agent_id", "scheduled_at"),
        Rows(own()).args,
    )  # fmt: skip


class ItemHistoryRow(Base):
    """One thing that happened to a content item. `state` is the one that it led to."""

    __tablename__ = "content_item_history"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    item_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("content_items.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(sa.String(12))
    state: Mapped[str] = mapped_column(sa.String(10))
    revision: Mapped[int]
    by: Mapped[str] = mapped_column(sa.String(100))
    note: Mapped[str] = mapped_column(sa.String(500), server_default=_NOTHING)
    at: Mapped[datetime] = mapped_column(_TIME, server_default=_NOW)

    __table_args__ = (
        sa.CheckConstraint(one_of("state", ItemState), name="state"),
        sa.Index("ix_content_item_history_item", "item_id", "id"),
        Rows(seen("content_items", "seen.id = content_item_history.item_id")).args,
    )


CREATED, MOVED, PART = "created", "moved", "part"
"""Events in the history of an item that move no state, beside those of `ItemEvent`."""
