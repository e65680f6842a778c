"""What somebody may do with a request, as verbs and buttons see it; and whom the shipped rules ask."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.access import Permission, Principal, Role, Via, allows
from fleet.core.diff import How, pieces
from fleet.features.approvals.approver import person_of
from fleet.features.approvals.request import Request
from fleet.features.approvals.requests.permissions import Bar, standing
from fleet.features.approvals.rule_file import shipped
from fleet.features.approvals.rules import Person, may_decide, rule_for
from fleet.features.approvals.states import RequestState

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OWNER = Person("web:ann", frozenset({"owner"}))


def request(**changes: Any) -> Request:
    values: dict[str, Any] = dict.fromkeys(Request.__slots__)
    values |= {
        "id": uuid.UUID(int=1), "resource": "page", "action": "publish", "revision": 1, "payload": {}, "facts": {},
        "requested_by": "agent:ben", "state": RequestState.PENDING, "approvers": ("role:owner",), "min_approvals": 1,
        "created_at": NOW, "expires_at": NOW + timedelta(hours=1), "voices": (),
    }  # fmt: skip
    return Request(**{**values, **changes})


def test_an_approver_decides_and_changes_what_is_open() -> None:
    found = standing(request(), OWNER, NOW)
    assert (found.decide, found.change, found.bar, found.voted) == (True, True, None, False)
    assert standing(request(voices=("cli:ann",), min_approvals=2), OWNER, NOW).voted


@pytest.mark.parametrize(
    ("changes", "bar", "change"),
    [
        ({"state": RequestState.APPROVED}, Bar.SETTLED, False),
        ({"expires_at": NOW}, Bar.EXPIRED, False),
        ({"requested_by": "api:ann"}, Bar.OWN, True),
        ({"approvers": ("role:operator", "user:ben")}, Bar.STRANGER, False),
    ],
)
def test_what_keeps_somebody_from_deciding_has_a_name(changes: dict[str, Any], bar: Bar, change: bool) -> None:
    found = standing(request(**changes), OWNER, NOW)
    assert (found.decide, found.change, found.bar) == (False, change, bar)


def test_a_rule_names_people_not_their_doors() -> None:
    assert may_decide(Person("web:ann"), ["user:ann"])
    assert may_decide(Person("ann"), ["user:ann"])
    assert not may_decide(Person("web:anna"), ["user:ann"])


@pytest.mark.parametrize(
    ("resource", "action", "permission"),
    [
        ("draft", "publish", Permission.DRAFTS_DECIDE),
        ("job", "retry", Permission.JOBS_CONTROL),
        ("discrepancy", "fix", Permission.JOBS_CONTROL),
        ("budget", "override", Permission.BUDGETS_EDIT),
        ("agent", "delete", Permission.AGENTS_EDIT),
    ],
)
@pytest.mark.parametrize("role", Role)
def test_the_shipped_rules_ask_the_roles_that_may_do_the_same_by_hand(
    resource: str, action: str, permission: Permission, role: Role
) -> None:
    person = person_of(Principal(uuid.UUID(int=1), "ann", role, Via.SESSION, uuid.UUID(int=2)))
    rule = rule_for(shipped(), resource, action, {})
    assert may_decide(person, rule.approvers) == allows(role, permission)


TEXTS = st.text("ab \n.,é", max_size=40)


@given(before=TEXTS, after=TEXTS)
def test_pieces_hold_both_texts_whole(before: str, after: str) -> None:
    found = pieces(before, after)
    assert "".join(one.text for one in found if one.how is not How.ADDED) == before
    assert "".join(one.text for one in found if one.how is not How.REMOVED) == after
    assert all(one.text for one in found)


def test_pieces_are_words_and_long_texts_are_not_compared() -> None:
    found = pieces("A lamp, lit twice.", "A brass lamp, lit.")
    changed = [(one.text, one.how) for one in found if one.how]
    assert changed == [(" brass", How.ADDED), (" twice", How.REMOVED)]
    long = "word " * 3_000
    assert [one.how for one in pieces(long, long + "x")] == [How.REMOVED, How.ADDED]
    assert [one.how for one in pieces(long, long)] == [None]
