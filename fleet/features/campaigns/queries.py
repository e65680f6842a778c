"""Campaigns and items for pages, API, commands and the calendar."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from fleet.accounts import text_lengths
from fleet.accounts.models import AccountRow
from fleet.adapters.manifest import TextRule
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.agents.models import NOWHERE, AgentRow
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.campaigns.states import ItemState

_ITEM = ContentItemRow
_MOST_CANDIDATES = 60
_COLUMNS = (
    _ITEM, AgentRow.username.label("agent"), sa.func.coalesce(AccountRow.name, "settings").label("account"),
    CampaignRow.name.label("campaign"), AccountRow.text_lengths,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items. `begins` and `ends` are of their time, published or planned."""

    campaign_id: uuid.UUID | None = None
    agent: str | None = None
    account_id: uuid.UUID | None = None
    network: str | None = None
    state: ItemState | None = None
    begins: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemView:
    """One item with the names of its agent, account and campaign."""

    row: ContentItemRow
    agent: str
    account: str
    campaign: str | None
    lengths: Mapping[str, Any] | None = None
    """What its account's server sets of the lengths of texts; None for the account of the settings."""

    @property
    def own_texts(self) -> Mapping[str, TextRule]:
        """The text rules of its account's server, as they were read last."""
        return text_lengths.rules(self.row.surface, self.lengths or {})

    @property
    def text(self) -> str:
        """Its words so far."""
        return "\n".join(self.row.parts) or self.row.message or self.row.brief


def page(tx: Tx, which: ItemFilter, *, limit: int, below: uuid.UUID | None = None) -> list[ItemView]:
    """Return items, newest first; `below` is the last one of the page above."""
    query = _filtered(which).order_by(_ITEM.created_at.desc(), _ITEM.id.desc()).limit(limit)
    if below is not None:
        last = sa.select(_ITEM.created_at, _ITEM.id).where(_ITEM.id == below).subquery()
        place = sa.tuple_(_ITEM.created_at, _ITEM.id)
        query = query.where(place < sa.select(last.c.created_at, last.c.id).scalar_subquery())
    return [ItemView(*row) for row in tx.execute(query)]


def between(tx: Tx, which: ItemFilter, *, limit: int = 2000) -> list[ItemView]:
    """Return items in the order of their times, for a calendar; items without a time are left out."""
    query = _filtered(which).where(_ITEM.scheduled_at.is_not(None)).order_by(_ITEM.scheduled_at, _ITEM.id)
    return [ItemView(*row) for row in tx.execute(query.limit(limit))]


def one(tx: Tx, item_id: uuid.UUID) -> ItemView | None:
    """Return one item with its names."""
    row = tx.execute(_selected().where(_ITEM.id == item_id)).one_or_none()
    return None if row is None else ItemView(*row)


def _selected() -> Any:
    return (
        sa.select(*_COLUMNS)
        .join(AgentRow, AgentRow.id == _ITEM.agent_id)
        .outerjoin(AccountRow, AccountRow.id == _ITEM.account_id)
        .outerjoin(CampaignRow, CampaignRow.id == _ITEM.campaign_id)
    )


def _filtered(which: ItemFilter) -> Any:
    query = _selected()
    given: Sequence[tuple[Any, Any]] = (
        (_ITEM.campaign_id, which.campaign_id), (AgentRow.username, which.agent), (_ITEM.account_id, which.account_id),
        (_ITEM.surface, which.network), (_ITEM.state, which.state),
    )  # fmt: skip
    query = query.where(*(column == value for column, value in given if value is not None))
    moment = sa.func.coalesce(_ITEM.published_at, _ITEM.scheduled_at)
    if which.begins is not None:
        query = query.where(moment >= which.begins)
    if which.ends is not None:
        query = query.where(moment < which.ends)
    return query


def campaign(tx: Tx, campaign_id: uuid.UUID) -> CampaignRow:
    """Return one campaign. Raises NotFound."""
    found = tx.session.get(CampaignRow, campaign_id)
    if found is None:
        raise NotFound(f"There is no campaign {campaign_id}.", fix="`fleet campaigns list` shows them.")
    return found


def campaigns(tx: Tx, *, limit: int, below: uuid.UUID | None = None) -> list[CampaignRow]:
    """Return campaigns, newest first."""
    query = sa.select(CampaignRow).order_by(CampaignRow.created_at.desc(), CampaignRow.id.desc()).limit(limit)
    if below is not None:
        last = sa.select(CampaignRow.created_at, CampaignRow.id).where(CampaignRow.id == below).subquery()
        place = sa.tuple_(CampaignRow.created_at, CampaignRow.id)
        query = query.where(place < sa.select(last.c.created_at, last.c.id).scalar_subquery())
    return list(tx.session.scalars(query))


def counts(tx: Tx, campaign_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Mapping[str, int]]:
    """Return how many items of each campaign are in each state."""
    query = (
        sa.select(_ITEM.campaign_id, _ITEM.state, sa.func.count())
        .where(_ITEM.campaign_id.in_(list(campaign_ids)))
        .group_by(_ITEM.campaign_id, _ITEM.state)
    )
    found: dict[uuid.UUID, dict[str, int]] = {one: {} for one in campaign_ids}
    for campaign_id, state, number in tx.execute(query):
        found[campaign_id][state] = number
    return found


@dataclass(frozen=True, slots=True)
class CampaignCandidate:
    """An agent that could publish for a campaign, through its main account."""

    username: str
    name: str
    network: str


def candidates(tx: Tx) -> list[CampaignCandidate]:
    """Return the first agents that have an account, by network, for the choices of a form."""
    query = (
        sa.select(AgentRow.username, AgentRow.name, AgentRow.surface)
        .where(AgentRow.deleted_at.is_(None), AgentRow.surface != NOWHERE)
        .order_by(AgentRow.surface, AgentRow.username)
        .limit(_MOST_CANDIDATES)
    )
    return [CampaignCandidate(*row) for row in tx.execute(query)]
