"""Owners of agents: who may be one, what ends it, and what `owner` in a rule means for open requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.access import Role, users
from fleet.core.errors import InvalidInput
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import queries
from fleet.features.approvals.request import NotYours, Proposal, Request
from fleet.features.approvals.requests import moves
from fleet.features.approvals.rules import Person, Rule
from fleet.features.users import service as accounts
from tests.factories import Fleet
from tests.features.agents.test_commands import until_done_or_behind_us
from tests.web_client import PASSWORD

RULES = (Rule("own", "draft", "publish", ("owner",)),)


def people(fleet: Fleet, **roles: Role) -> None:
    with fleet.deps.db.transaction() as tx:
        for name, role in roles.items():
            users.create(tx, users.choose_password(name, PASSWORD), role)


def about(fleet: Fleet, agent_id: object) -> Request:
    told = Proposal("draft", str(agent_id), "publish", {}, "agent:x", "A post", agent_id=agent_id)  # type: ignore[arg-type]
    with fleet.deps.db.transaction() as tx:
        return moves.open(tx, told, RULES)


def decide(fleet: Fleet, request: Request, name: str, role: str) -> str:
    with fleet.deps.db.transaction() as tx:
        by = Person(f"web:{name}", frozenset({role}))
        return str(moves.decide(tx, request.id, "approve", by, revision=request.revision).request.state)


def approvers(fleet: Fleet, request: Request) -> tuple[str, ...]:
    with fleet.deps.db.transaction() as tx:
        return queries.get(tx, request.id).approvers


def test_an_open_request_follows_the_owner_of_its_agent_until_that_user_is_demoted(fleet: Fleet) -> None:
    people(fleet, ann=Role.REVIEWER, ben=Role.REVIEWER, eve=Role.VIEWER)
    agent_id = fleet.agent()
    agent_commands.update(fleet.deps, str(agent_id), {"owner": "Ann"})
    request = about(fleet, agent_id)
    assert approvers(fleet, request) == ("owner:ann",)
    with pytest.raises(NotYours):
        decide(fleet, request, "ben", "reviewer")
    agent_commands.update(fleet.deps, str(agent_id), {"owner": "ben"})
    with pytest.raises(NotYours):
        decide(fleet, request, "ann", "reviewer")
    accounts.change_role(fleet.deps, "ben", Role.VIEWER)
    assert fleet.row(agent_id).owner == ""
    assert approvers(fleet, request) == ("owner",)
    with pytest.raises(NotYours):
        decide(fleet, request, "ann", "reviewer")
    assert decide(fleet, request, "ann", "admin") == "approved"
    with pytest.raises(InvalidInput):
        agent_commands.update(fleet.deps, str(agent_id), {"owner": "eve"})


def test_a_removed_user_owns_no_agent_and_an_admin_who_creates_one_does(fleet: Fleet) -> None:
    people(fleet, ann=Role.OWNER, zoe=Role.ADMIN)
    new = agent_commands.draft(fleet.deps, username="mine", name="Mine", persona_id=None, by="web:zoe")
    agent_id = agent_commands.create(fleet.deps, new)
    assert fleet.row(agent_id).owner == "zoe"
    accounts.remove_user(fleet.deps, "zoe")
    assert fleet.row(agent_id).owner == ""


def test_a_request_that_is_opened_at_the_moment_of_an_owner_change_names_the_new_owner(fleet: Fleet) -> None:
    people(fleet, ann=Role.REVIEWER, ben=Role.REVIEWER)
    agent_id = fleet.agent()
    agent_commands.update(fleet.deps, str(agent_id), {"owner": "ann"})
    told = Proposal("draft", str(agent_id), "publish", {}, "agent:x", "A post", agent_id=agent_id)
    with ThreadPoolExecutor(1) as pool:
        with fleet.deps.db.transaction() as tx:
            request = moves.open(tx, told, RULES)
            change = pool.submit(agent_commands.update, fleet.deps, str(agent_id), {"owner": "ben"})
            until_done_or_behind_us(tx, change)
        change.result()
    assert approvers(fleet, request) == ("owner:ben",)
