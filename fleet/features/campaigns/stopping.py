"""The agents that publish for a campaign, for an emergency stop: the extension of "leader.stops"."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.core.errors import Conflict, NotFound
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.campaigns.states import FINAL

_FIX = "`fleet campaigns list` shows names and ids."


def agents(tx: Tx, campaign: str) -> Sequence[uuid.UUID]:
    """Return the agents of a campaign, by its id or name: its targets, and those of items that are not published.

    Raises NotFound, and Conflict for a name that several campaigns have.
    """
    row = _named(tx, campaign)
    items = sa.select(ContentItemRow.agent_id).where(
        ContentItemRow.campaign_id == row.id, ContentItemRow.state.not_in(sorted(FINAL))
    )
    return sorted({uuid.UUID(str(one["agent"])) for one in row.targets} | set(tx.session.scalars(items)))


def _named(tx: Tx, campaign: str) -> CampaignRow:
    try:
        found = tx.session.get(CampaignRow, uuid.UUID(campaign))
    except ValueError:
        query = sa.select(CampaignRow).where(CampaignRow.name == campaign).limit(2)
        several = tx.session.scalars(query).all()
        if len(several) > 1:
            raise Conflict(f"Several campaigns are called {campaign}.", fix=f"Name it by its id: {_FIX}") from None
        found = several[0] if several else None
    if found is None:
        raise NotFound(f"There is no campaign {campaign}.", fix=_FIX)
    return found
