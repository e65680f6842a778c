"""Organisations and their members. Each function runs inside its caller's transaction.

Called by the feature organisations and wherever a principal is made. While there is one organisation, nothing shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from fleet.access.models import MemberRow, UserRow

OF_USER: sa.Label[list[uuid.UUID] | None] = (
    sa.select(sa.func.array_agg(MemberRow.organisation_id, type_=ARRAY(sa.Uuid)))
    .where(MemberRow.user_id == UserRow.id)
    .correlate(UserRow)
    .scalar_subquery()
    .label("organisations")
)
"""A column for queries of users: the organisations in which the role holds, NULL if it holds everywhere."""


def read(found: Sequence[Any] | None) -> frozenset[uuid.UUID] | None:
    """Return what `OF_USER` selected as principals have it."""
    return None if found is None else frozenset(found)
