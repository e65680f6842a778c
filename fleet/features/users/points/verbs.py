"""The verbs of users that people may have to approve: change a role, delete a user."""

from __future__ import annotations

from pydantic import Field

from fleet.access import Permission, Principal, Role, users
from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.verbs import Verb, VerbArguments, VerbPreview
from fleet.features.users import service


class UserArguments(VerbArguments):
    """Which user."""

    user: str = Field(min_length=1, max_length=60, description="the name")


class RoleArguments(UserArguments):
    """The new role of a user."""

    role: Role


def _of_role(deps: Deps, tx: Tx, given: RoleArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    user = users.get(tx, given.user)
    return VerbPreview(
        resource_id=str(user.id), summary=f"Make {user.name} {given.role}, who is {user.role}",
        before={"user": user.name, "role": str(user.role)}, after={"user": user.name, "role": str(given.role)},
        facts={"user": user.name, "old_role": str(user.role), "new_role": str(given.role)}, subject=user.name,
    )  # fmt: skip


def _of_delete(deps: Deps, tx: Tx, given: UserArguments) -> VerbPreview:  # noqa: ARG001 - the shape of all previews
    user = users.get(tx, given.user)
    before = {"user": user.name, "role": str(user.role)}
    summary = f"Delete the user {user.name}, with sessions and tokens"
    facts = {"user": user.name, "old_role": str(user.role)}
    return VerbPreview(resource_id=str(user.id), summary=summary, before=before, facts=facts, subject=user.name)


def _check_role(deps: Deps, tx: Tx, given: RoleArguments, who: Principal) -> None:  # noqa: ARG001 - the shape of all
    service.refuse_giving(who, given.role)
    service.refuse_beyond(who, users.get(tx, given.user).role, given.role)


def _check_delete(deps: Deps, tx: Tx, given: UserArguments, who: Principal) -> None:  # noqa: ARG001 - the shape of all
    service.refuse_beyond(who, users.get(tx, given.user).role)


def _change_role(deps: Deps, given: RoleArguments, who: Principal) -> bool:
    return service.change_role(deps, given.user, given.role, by=who)


def _delete(deps: Deps, given: UserArguments, who: Principal) -> None:
    service.remove_user(deps, given.user, by=who)


ROLE = Verb(
    resource="user", action="role", help="Change a user's role.", permission=Permission.USERS_EDIT,
    arguments=RoleArguments, example={"user": "ben", "role": "operator"}, preview=_of_role, check=_check_role,
    run=_change_role,
)  # fmt: skip
DELETE = Verb(
    resource="user", action="delete", help="Delete a user with their sessions and tokens.",
    permission=Permission.USERS_EDIT, arguments=UserArguments, example={"user": "ben"}, preview=_of_delete,
    check=_check_delete, run=_delete,
)  # fmt: skip
