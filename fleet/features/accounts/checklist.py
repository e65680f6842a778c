"""The first step about accounts."""

from __future__ import annotations

from fleet.access import Permission
from fleet.accounts import service as accounts
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.web.points.checklist import ChecklistStep


def _is_done(deps: Deps, tx: Tx) -> bool:
    return bool(deps.settings.gallery_url) or any(one.id != SETTINGS_ACCOUNT for one in accounts.listed(tx))


STEP = ChecklistStep(
    "Connect an account", "Agents act at outside systems through accounts; “fleet accounts add” makes one.",
    "/accounts", Permission.SETTINGS_VIEW, _is_done,
)  # fmt: skip
