"""The first step about being told when something stops."""

from __future__ import annotations

import sqlalchemy as sa

from fleet.access import Permission
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.features.notices.settings import NoticesSettings
from fleet.features.webhooks.models import SubscriptionRow
from fleet.web.points.checklist import ChecklistStep


def _is_done(deps: Deps, tx: Tx) -> bool:
    known = deps.settings
    is_told = isinstance(known, NoticesSettings) and bool(known.notify)  # the feature may be left out
    return is_told or bool(tx.scalar(sa.select(sa.exists().where(SubscriptionRow.active))))


STEP = ChecklistStep(
    "Be told when something stops", "Add a webhook, or set FLEET_NOTIFY to an e-mail address or a chat.", "/hooks/new",
    Permission.HOOKS_EDIT, _is_done,
)  # fmt: skip
