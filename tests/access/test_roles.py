"""What roles may do: the table of permissions, who may appoint whom, and whom a role stands for in approvals."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.access import Permission, Principal, Role, Via, allows, at_least
from fleet.access.roles import ORDER, TABLE, may_appoint
from fleet.features.approvals import approver
from fleet.features.approvals.rules import is_enough, is_own, may_decide
from tests import ROOT

ROLES = st.sampled_from(Role)


def principal(role: Role, via: Via = Via.SESSION, name: str = "ana") -> Principal:
    return Principal(uuid.UUID(int=1), name, role, via, uuid.UUID(int=2))


def test_every_permission_is_in_the_table_and_an_owner_has_all() -> None:
    assert set(TABLE) == set(Permission)
    assert all(Role.OWNER in roles for roles in TABLE.values())


def test_who_may_only_look_changes_nothing() -> None:
    looks = {one for one in Permission if allows(Role.VIEWER, one)}
    assert looks - {Permission.OWN_ACCOUNT} == {one for one in looks if one.endswith(".view")}


@given(role=ROLES, other=ROLES, permission=st.sampled_from(Permission))
def test_a_role_above_another_may_all_that_the_other_may(role: Role, other: Role, permission: Permission) -> None:
    if ORDER.index(role) <= ORDER.index(other) and allows(other, permission):
        assert allows(role, permission)


@given(role=ROLES, other=ROLES)
def test_only_owners_appoint_users_of_their_own_role(role: Role, other: Role) -> None:
    assert may_appoint(role, other) == (role is Role.OWNER or ORDER.index(role) < ORDER.index(other))
    assert may_appoint(Role.OWNER, other)


@given(role=ROLES)
def test_a_token_narrows_a_role_and_never_widens_it(role: Role) -> None:
    for permission in Permission:
        narrow = Principal(uuid.UUID(int=1), "ana", role, Via.TOKEN, uuid.UUID(int=2), frozenset({permission}))
        assert {one for one in Permission if narrow.may(one)} == ({permission} if allows(role, permission) else set())


@pytest.mark.parametrize("via", [Via.SESSION, Via.TOKEN])
def test_an_account_decides_with_its_role_and_those_below(via: Via) -> None:
    person = approver.person_of(principal(Role.OPERATOR, via))
    assert person.name == "web:ana"
    assert person.roles == {"operator", "reviewer", "viewer"} == at_least(Role.OPERATOR)
    assert may_decide(person, ["role:reviewer"])
    assert not may_decide(person, ["role:owner"])


def test_somebody_with_a_token_and_a_session_is_one_person() -> None:
    by_token = principal(Role.OWNER, Via.TOKEN)
    assert is_own(approver.person_of(principal(Role.OWNER)), by_token.by)
    assert not is_enough({approver.person_of(by_token).name, by_token.by, "cli:ana"}, 2)


def test_the_manual_shows_the_table() -> None:
    manual = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in manual.splitlines() if line[:1] == "|"]
    (head,) = [row for row in rows if row[0] == "permission"]
    assert head[2:] == [str(role) for role in ORDER]
    shown = {row[0].strip("`"): row[2:] for row in rows if row[0].strip("`") in set(Permission)}
    assert shown == {p: ["yes" if allows(role, p) else "" for role in ORDER] for p in Permission}
