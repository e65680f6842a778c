"""The first step about users."""

from __future__ import annotations

from fleet.access import Permission, Role, users
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.web.points.checklist import ChecklistStep


def _is_done(_: Deps, tx: Tx) -> bool:
    return sum(one.role in (Role.OWNER, Role.ADMIN) for one in users.listed(tx)) > 1


STEP = ChecklistStep(
    "Invite a second owner or admin", "One who loses the password is not locked out, and one who is away is replaced.",
    "/users", Permission.USERS_EDIT, _is_done,
)  # fmt: skip
