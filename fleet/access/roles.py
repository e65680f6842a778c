"""The table of roles and permissions. Checked through `Principal`, by `fleet.web.auth` for every route.

Pure. A role has the permissions in the table and inherits none, so that one line is the whole truth about a permission;
`ORDER` only says which roles may manage which. docs/access.md shows the table, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleet.core.errors import InvalidInput


class Role(StrEnum):
    """The role of a user."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


ORDER = tuple(Role)
"""From the most to the least."""


class Permission(StrEnum):
    """Something that a route lets people do."""

    FLEET_VIEW = "fleet.view"  # overview, activity, personas, experiments
    FLEET_EDIT = "fleet.edit"  # change personas, approval rules and experiments; start experiments
    AGENTS_VIEW = "agents.view"
    AGENTS_CONTROL = "agents.control"  # start, pause, resume, stop, trigger
    AGENTS_EDIT = "agents.edit"  # create, change, delete; personas
    JOBS_VIEW = "jobs.view"
    JOBS_CONTROL = "jobs.control"  # retry, cancel; replay and discard dead letters
    DRAFTS_VIEW = "drafts.view"
    DRAFTS_DECIDE = "drafts.decide"  # approve, reject, edit, revise, withdraw; rules narrow it further
    DRAFTS_ASK = "drafts.ask"  # open requests for approval; a verb takes its own permission, too
    COSTS_VIEW = "costs.view"
    BUDGETS_EDIT = "budgets.edit"
    CONTROLS_VIEW = "controls.view"
    CONTROLS_PAUSE = "controls.pause"
    CONTROLS_KILL = "controls.kill"
    CONTROLS_LIFT = "controls.lift"  # lifting the kill switch
    SETTINGS_VIEW = "settings.view"
    SETTINGS_EDIT = "settings.edit"  # set and unset settings at run time
    AUDIT_VIEW = "audit.view"
    HOOKS_VIEW = "hooks.view"
    HOOKS_EDIT = "hooks.edit"
    USERS_VIEW = "users.view"
    USERS_EDIT = "users.edit"
    PRODUCTS_EDIT = "products.edit"  # create and change products, their stock and locations; import files
    ORDERS_EDIT = "orders.edit"  # see customers; release and act on orders; erase customers
    OWN_ACCOUNT = "account.own"  # one's own password, sessions and tokens


_ALL = frozenset(Role)
_LEADERS = frozenset({Role.OWNER, Role.ADMIN})
_CREW = _LEADERS | {Role.OPERATOR}
_REVIEWERS = _CREW | {Role.REVIEWER}

TABLE: Mapping[Permission, frozenset[Role]] = {
    Permission.FLEET_VIEW: _ALL,
    Permission.FLEET_EDIT: _LEADERS,
    Permission.AGENTS_VIEW: _ALL,
    Permission.AGENTS_CONTROL: _CREW,
    Permission.AGENTS_EDIT: _LEADERS,
    Permission.JOBS_VIEW: _ALL,
    Permission.JOBS_CONTROL: _CREW,
    Permission.DRAFTS_VIEW: _ALL,
    Permission.DRAFTS_DECIDE: _REVIEWERS,
    Permission.DRAFTS_ASK: _REVIEWERS,
    Permission.COSTS_VIEW: _ALL,
    Permission.BUDGETS_EDIT: _LEADERS,
    Permission.CONTROLS_VIEW: _ALL,
    Permission.CONTROLS_PAUSE: _CREW,
    Permission.CONTROLS_KILL: _CREW,
    Permission.CONTROLS_LIFT: _LEADERS,
    Permission.SETTINGS_VIEW: _CREW,
    Permission.SETTINGS_EDIT: _LEADERS,
    Permission.AUDIT_VIEW: _LEADERS,
    Permission.HOOKS_VIEW: _CREW,
    Permission.HOOKS_EDIT: _LEADERS,
    Permission.USERS_VIEW: _LEADERS,
    Permission.USERS_EDIT: _LEADERS,
    Permission.PRODUCTS_EDIT: _CREW,
    Permission.ORDERS_EDIT: _CREW,
    Permission.OWN_ACCOUNT: _ALL,
}

WITHIN_ORGANISATIONS = frozenset({
    Permission.FLEET_VIEW, Permission.AGENTS_VIEW, Permission.AGENTS_CONTROL, Permission.AGENTS_EDIT,
    Permission.JOBS_VIEW, Permission.JOBS_CONTROL, Permission.DRAFTS_VIEW, Permission.DRAFTS_DECIDE,
    Permission.DRAFTS_ASK, Permission.COSTS_VIEW, Permission.BUDGETS_EDIT, Permission.CONTROLS_VIEW,
    Permission.CONTROLS_PAUSE, Permission.SETTINGS_VIEW, Permission.SETTINGS_EDIT, Permission.PRODUCTS_EDIT,
    Permission.ORDERS_EDIT, Permission.OWN_ACCOUNT,
})  # fmt: skip
"""The permissions that a role gives whose user is a member of some organisations, for what belongs to these. All others
concern the whole fleet, and need a role everywhere.
"""


@dataclass(frozen=True, slots=True)
class Preset:
    """Usual scopes of a token: what it is called, what such a token does, and its permissions."""

    name: str
    words: str
    scopes: tuple[Permission, ...]


def _preset_of(role: Role) -> tuple[Permission, ...]:
    """Return what a role allows but the own account: a program changes no password."""
    return tuple(one for one in Permission if role in TABLE[one] and one is not Permission.OWN_ACCOUNT)


PRESETS = (
    Preset("read-only", "looks at everything", tuple(one for one in Permission if one.endswith(".view"))),
    Preset("reviewer", "decides about drafts", _preset_of(Role.REVIEWER)),
    Preset("operator", "runs agents and jobs, pauses, stops", _preset_of(Role.OPERATOR)),
    Preset("emergency-stop", "pauses, and turns on the kill switch", (
        Permission.FLEET_VIEW, Permission.CONTROLS_VIEW, Permission.CONTROLS_PAUSE, Permission.CONTROLS_KILL,
    )),
)  # fmt: skip


def preset(name: str) -> Preset:
    """Return a preset by its name. Raises InvalidInput."""
    found = next((one for one in PRESETS if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in PRESETS)
        raise InvalidInput(f"There is no preset {name!r}.", fix=f"Presets: {names}.")
    return found


def allows(role: Role, permission: Permission) -> bool:
    """Say whether a role may do something."""
    return role in TABLE[permission]


def reach_of(permissions: Iterable[Permission]) -> Role:
    """Return the lowest role that has all of these permissions."""
    wanted = list(permissions)
    return next(role for role in reversed(ORDER) if all(allows(role, one) for one in wanted))


def at_least(role: Role) -> frozenset[Role]:
    """Return the role and every lower one: the roles that it covers where rules of approval name roles."""
    return frozenset(ORDER[ORDER.index(role) :])


def may_appoint(own: Role, other: Role) -> bool:
    """Return whether a role may create, change or remove users of another: owners any, others only lower ones."""
    return own is Role.OWNER or ORDER.index(own) < ORDER.index(other)
