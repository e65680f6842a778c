"""Verbs that people have to approve: asked or run, once, with the asker's permission of then, at the three doors."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from fleet.access import Permission
from fleet.core.db import Tx
from fleet.core.errors import FleetError, NotFound
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.jobs.states import JobState
from fleet.engine.points import verbs
from fleet.engine.points.verbs import NeedsApproval, VerbArguments
from fleet.engine.registry import load
from fleet.features.approvals import rule_file
from fleet.features.approvals import service as approving
from fleet.features.approvals.effects.verb import requests_without_object
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.request import Request
from fleet.features.approvals.requests import people
from fleet.features.approvals.rules import Person
from fleet.features.costs import commands as costs
from fleet.features.users import service as accounts
from fleet.spending.budgets import Period, Scope
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli
from tests.features.drafts.test_pages import said
from tests.features.jobs.test_pages import add_job
from tests.web_client import Web

LETTERS = """
[[rule]]
name = "letters"
resource = "dead_letter"
action = "*"
approvers = ["role:owner"]
"""
OWNERS = frozenset({"owner", "admin", "operator", "reviewer"})
ANN, BEN = Person("web:ann", OWNERS), Person("web:ben", OWNERS)


def requests(fleet: Fleet) -> list[Request]:
    with fleet.deps.db.transaction() as tx:
        found = list(tx.session.scalars(sa.select(RequestRow.id).order_by(RequestRow.created_at)))
    return [approving.show(fleet.deps, str(one))[0] for one in found]


def is_deleted(fleet: Fleet, agent_id: uuid.UUID) -> bool:
    with fleet.deps.db.transaction() as tx:
        return tx.scalar(sa.select(AgentRow.deleted_at).where(AgentRow.id == agent_id)) is not None


def approve(fleet: Fleet, request: Request, by: Person = BEN) -> approving.DecisionResult:
    (found,) = approving.approve(fleet.deps, [request.id], by)
    return found


def use_rules(fleet: Fleet, text: str, path: Any) -> None:
    (path / "rules.toml").write_text(text)
    fleet.deps.parts["approval_rules"] = rule_file.load(path / "rules.toml")


def test_the_only_owner_needs_no_second_approval(web: Web, cli: Cli) -> None:
    first, second = web.fleet.agent(username="ana_1"), web.fleet.agent(username="ana_2")
    ann = web.program("owner", name="ann")
    assert ann.delete("/api/v1/agents/ana_1").status_code == 204
    assert "is deleted" in cli("agents", "delete", "ana_2", "-y").stdout  # the same person at the terminal
    assert is_deleted(web.fleet, first) and is_deleted(web.fleet, second) and requests(web.fleet) == []


def test_with_another_approver_each_door_asks_and_the_approval_runs_it_once(web: Web, cli: Cli) -> None:
    ann, ben = web.program("owner", name="ann"), web.browser("admin", "ben")
    agents = {name: web.fleet.agent(username=name) for name in ("ana_1", "ana_2", "ana_3")}

    asked = ann.delete("/api/v1/agents/ana_1")
    assert asked.status_code == 202
    body = asked.json()
    assert asked.headers["location"] == f"/api/v1/approvals/{body['id']}"
    assert (body["state"], body["rule"], body["arguments"]) == ("pending", "removals", {"agent": str(agents["ana_1"])})
    again = ann.delete(f"/api/v1/agents/{agents['ana_1']}")  # the same question while it is open
    assert again.status_code == 202 and again.json()["id"] == body["id"]

    page = ben.post(f"/agents/{agents['ana_2']}/delete")
    assert page.status_code == 303 and page.headers["location"].startswith("/review/")
    assert "needs an approval" in said(ben, page)
    shown = cli("agents", "delete", "ana_3", "-y")  # a terminal user is one of the two
    assert "Nothing is done yet" in shown.stdout
    assert not any(is_deleted(web.fleet, one) for one in agents.values())
    assert len(requests(web.fleet)) == 3

    refused = ann.post(f"/api/v1/approvals/{body['id']}/approve")
    assert refused.status_code == 409 and "own request" in refused.json()["detail"]
    told = said(ben, ben.post(f"/review/{body['id']}/approve", revision=1))
    assert told.startswith("Approved: Delete the agent ana_1") and is_deleted(web.fleet, agents["ana_1"])
    lines = accounts.audit_page(web.deps, accounts.AuditFilter(target="agent:ana_1", action="agent.deleted"))
    assert [(line.actor, line.via) for line in lines] == [("ann", "api")]  # who asked did it; ben approved
    assert ben.post(f"/review/{body['id']}/approve", revision=1).status_code == 303  # the second click
    assert len(accounts.audit_page(web.deps, accounts.AuditFilter(action="agent.deleted"))) == 1


def test_what_changed_since_the_question_is_shown_and_approved_again(web: Web) -> None:
    ann, ben = web.program("owner", name="ann"), web.browser("admin", "ben")
    ann.put("/api/v1/budgets/fleet/*/day", json={"microusd": 5_000_000})
    asked = ann.put("/api/v1/budgets/fleet/*/day", json={"microusd": 20_000_000})
    assert asked.status_code == 202 and asked.json()["summary"].startswith("Raise to $20.00")
    lowered = ann.put("/api/v1/budgets/fleet/*/day", json={"microusd": 3_000_000})  # less is no raise
    assert lowered.status_code == 200
    (request_id,) = [asked.json()["id"]]
    page = ben.get(f"/review/{request_id}").text
    assert 'id="outdated"' in page and 'name="revision" value="1"' in page
    answer = ben.post(f"/review/{request_id}/approve", revision=1)
    assert "has changed since the question" in said(ben, answer)
    page = ben.get(f"/review/{request_id}").text
    assert (
        'id="outdated"' not in page
        and "Changed since the question" in page
        and re.search(r"<del>.*5.*</del><ins>.*3", page)
    )
    assert "Approved" in said(ben, ben.post(f"/review/{request_id}/approve", revision=2))
    (budget,) = ann.get("/api/v1/budgets").json()["items"]
    assert budget["limit_microusd"] == 20_000_000


def test_an_override_is_approved_with_what_had_been_added_by_then(web: Web) -> None:
    ann, ben = web.browser("owner", "ann"), web.browser("owner", "ben")
    costs.set_budget(web.deps, Scope.FLEET, None, Period.DAY, 1_000_000, by="test")
    form = {"scope": "fleet", "period": "day", "amount": "20", "reason": "launch"}
    ann.post("/controls/budgets/raise", **form, had=5)
    assert requests(web.fleet) == []  # it would be refused: nobody is asked
    ann.post("/controls/budgets/raise", **form, had=0)
    (asked,) = requests(web.fleet)
    costs.allow(web.deps, Scope.FLEET, None, Period.DAY, 300_000, by="test", reason="")
    ben.post(f"/review/{asked.id}/look")
    assert "Approved" in said(ben, ben.post(f"/review/{asked.id}/approve", revision=2))
    assert costs.budget(web.deps, Scope.FLEET, None, Period.DAY).allowance_microusd == 20_300_000


def test_a_renewed_request_keeps_the_owner_and_tells_the_new_facts(web: Web, tmp_path: Any) -> None:
    use_rules(web.fleet, LETTERS + """
[[rule]]
name = "agents"
resource = "agent"
action = "delete"
approvers = ["role:owner"]
escalate = { after_minutes = 60, to = ["owner"] }
""", tmp_path)  # fmt: skip
    ann, ben, dan = web.program("owner", name="ann"), web.program("owner", name="ben"), web.program("operator")
    agent = web.fleet.agent(username="ana_1")
    web.fleet.sql("UPDATE agents SET owner = 'dan' WHERE username = 'ana_1'")
    asked = ann.delete("/api/v1/agents/ana_1").json()
    assert (
        dan.post("/api/v1/agents/ana_1/pause", json={"reason": "lunch"}).status_code == 200
    )  # the object has another status now
    approving.look_again(web.deps, uuid.UUID(asked["id"]))
    (request,) = requests(web.fleet)
    assert (request.revision, request.escalate_to) == (2, ("owner:dan",))
    assert ann.patch("/api/v1/agents/ana_1", json={"owner": "ben"}).status_code == 200
    assert requests(web.fleet)[0].escalate_to == ("owner:ben",)

    letters = [add_job(web, JobState.DEAD, agent=agent) for _ in range(2)]
    body = {"ids": [str(one) for one in letters]}
    asked = ann.post("/api/v1/dead/discard", json=body).json()
    assert asked["summary"].startswith("Discard 2 dead letters")
    web.fleet.sql(f"UPDATE jobs SET state = 'cancelled' WHERE id = '{letters[0]}'")
    approving.look_again(web.deps, uuid.UUID(asked["id"]))
    assert ben.get(f"/api/v1/approvals/{asked['id']}").json()["summary"].startswith("Discard 1 dead letter:")


def test_a_replay_is_asked_about_as_many_letters_as_it_would_replay(web: Web, tmp_path: Any) -> None:
    use_rules(web.fleet, LETTERS, tmp_path)
    ann = web.program("owner", name="ann")
    web.user("owner", "ben")
    agent = web.fleet.agent(username="ana_1")
    first, second = (add_job(web, JobState.DEAD, agent=agent) for _ in range(2))
    add_job(web, JobState.DEAD, agent=agent, stale=True)
    body = {"filter": {}, "limit": 10}
    asked = ann.post("/api/v1/dead/replay", json=body)
    assert asked.status_code == 202 and asked.json()["summary"].startswith("Replay 2 dead letters")
    web.fleet.sql(f"UPDATE jobs SET state = 'cancelled' WHERE id = '{second}'")
    alone = ann.post("/api/v1/dead/replay", json=body)  # one letter is replayed at once, whatever else is dead
    assert alone.status_code == 200 and web.fleet.job(first).state == "ready"


def test_a_request_whose_verb_no_feature_has_is_shown_and_withdrawn(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, ben = web.program("owner", name="ann"), web.browser("owner", "ben")
    web.fleet.agent(username="ana_1")
    asked = ann.delete("/api/v1/agents/ana_1").json()
    rest = {key: one for key, one in verbs.known().items() if key != ("agent", "delete")}
    monkeypatch.setattr(verbs, "known", lambda: rest)
    for path in ("/review", f"/review/{asked['id']}"):
        page = ben.get(path)
        assert page.status_code == 200 and 'id="outdated"' in page.text
    with web.deps.db.transaction() as tx:
        assert requests_without_object(web.deps, tx) == [uuid.UUID(asked["id"])]


def test_a_request_ends_when_its_object_or_the_asker_s_permission_is_gone(web: Web) -> None:
    ann, ben = web.program("admin", name="ann"), web.program("owner", name="ben")
    for name in ("ana_1", "ana_2"):
        web.fleet.agent(username=name)
        assert ann.delete(f"/api/v1/agents/{name}").status_code == 202
    gone, kept = requests(web.fleet)
    web.fleet.sql(
        "UPDATE agents SET deleted_at = clock_timestamp(), status = 'idle', next_tick_at = NULL"
        " WHERE username = 'ana_1'"
    )
    with web.deps.db.transaction() as tx:
        assert requests_without_object(web.deps, tx) == [gone.id]  # what the approval agent withdraws
    shown = ben.get(f"/api/v1/approvals/{gone.id}").json()
    assert (shown["state"], shown["outdated"]) == ("pending", True)  # to look changes nothing
    refused = ben.post(f"/api/v1/approvals/{gone.id}/approve")
    assert refused.status_code == 409 and "no agent" in refused.json()["detail"]
    assert ben.get(f"/api/v1/approvals/{gone.id}").json()["state"] == "withdrawn"

    accounts.change_role(web.deps, "ann", accounts.Role.OPERATOR)  # she may delete no agents now
    refused = ben.post(f"/api/v1/approvals/{kept.id}/approve")
    assert refused.status_code == 409 and "no longer has the permission agents.edit" in refused.json()["detail"]
    shown = ben.get(f"/api/v1/approvals/{kept.id}").json()
    assert shown["state"] == "withdrawn" and not is_deleted(web.fleet, uuid.UUID(kept.resource_id))


def test_a_person_does_not_decide_about_their_own_removal(web: Web) -> None:
    ann, ben = web.program("owner", name="ann"), web.program("admin", name="ben")
    cat = web.program("owner", name="cat")
    asked = ann.delete("/api/v1/users/ben")
    assert asked.status_code == 202
    where = f"/api/v1/approvals/{asked.json()['id']}/approve"
    assert ben.post(where).status_code == 409
    assert cat.post(where).json()["state"] == "approved"
    # Of the two who are left, cat is the subject of the next question, so that ann waits for nobody.
    assert ann.delete("/api/v1/users/cat").status_code == 204


def test_rules_exempt_by_condition_by_asker_and_by_their_own_no(web: Web, tmp_path: Any) -> None:
    use_rules(web.fleet, """
[[rule]]
name = "small sums"
resource = "budget"
action = "override"
approvers = ["role:owner"]
auto_approve = [{ field = "usd", op = "lt", value = 1 }]
[[rule]]
name = "agents"
resource = "agent"
action = "delete"
approvers = ["role:owner"]
self = true
[[rule]]
name = "webhooks"
resource = "webhook"
action = "*"
approvers = ["role:owner"]
requires_approval = false
""", tmp_path)  # fmt: skip
    ann, admin = web.program("owner", name="ann"), web.program("admin", name="ben")
    narrow = web.program("owner", scopes=(Permission.AGENTS_EDIT, Permission.AGENTS_VIEW), name="cat")
    ann.put("/api/v1/budgets/fleet/*/day", json={"microusd": 1_000_000})
    assert ann.post("/api/v1/budgets/fleet/*/day/allow", json={"microusd": 10}).status_code == 200
    assert ann.post("/api/v1/budgets/fleet/*/day/allow", json={"microusd": 2_000_000}).status_code == 202
    for name in ("ana_1", "ana_2", "ana_3"):
        web.fleet.agent(username=name)
    assert ann.delete("/api/v1/agents/ana_1").status_code == 204
    assert admin.delete("/api/v1/agents/ana_2").status_code == 202  # no approver
    assert narrow.delete("/api/v1/agents/ana_3").status_code == 202  # a token that could not approve either
    tried = {who: web_try(ann, "agent", "delete", who) for who in ("ann", "ben")}
    assert {who: (one["asks"], one["verdict"]) for who, one in tried.items()} == {
        "ann": (False, "own"), "ben": (True, "asks")
    }  # fmt: skip
    assert web_try(ann, "webhook", "delete")["verdict"] == "not_required"
    assert web_try(ann, "kill_switch", "lift")["verdict"] == "no_rule"
    assert ann.get("/api/v1/approvals/try", params={"resource": "a", "action": "b", "facts": "["}).status_code == 422
    page = web.browser("viewer", "eve").get("/approvals/rules?resource=webhook&action=delete").text
    assert "its rule requires no approval" in page and "small sums" in page


def web_try(program: Any, resource: str, action: str, asker: str = "") -> Any:
    return program.get(
        "/api/v1/approvals/try", params={"resource": resource, "action": action, "asker": asker}
    ).json()  # fmt: skip


def test_programs_ask_about_verbs_and_about_things_of_their_own(web: Web) -> None:
    ann, ben, eve = web.program("owner", name="ann"), web.program("owner", name="ben"), web.program("viewer")
    web.fleet.agent(username="ana_1")
    verb = {"resource": "agent", "action": "delete", "arguments": {"agent": "ana_1"}}
    first = ann.post("/api/v1/approvals", json=verb)
    assert first.status_code == 201 and ann.post("/api/v1/approvals", json=verb).status_code == 200
    assert eve.post("/api/v1/approvals", json=verb).status_code == 403
    for wrong in ({"agent": 5}, {"agent": "ana_1", "more": 1}, {}):
        assert ann.post("/api/v1/approvals", json={**verb, "arguments": wrong}).status_code == 422
    assert ann.post("/api/v1/approvals", json={**verb, "arguments": {"agent": "nobody"}}).status_code == 404
    assert ann.post("/api/v1/approvals", json={**verb, "payload": {}}).status_code == 422
    operator = web.program("operator", name="dan")  # may ask, but may not delete agents
    assert operator.post("/api/v1/approvals", json=verb).status_code == 403

    own = {"resource": "budget", "action": "review", "resource_id": "sku-1", "payload": {"stock": 4},
           "before": {"stock": 5}, "summary": "Take one from the stock of <b>sku-1</b>"}  # fmt: skip
    found = ann.post("/api/v1/approvals", json=own).json()
    assert (found["rule"], found["is_verb"], found["state"]) == ("budgets", False, "pending")
    assert ann.post("/api/v1/approvals", json={**own, "payload": {"stock": 1}}).status_code == 409
    for taken in (("draft", "publish"), ("discrepancy", "fix"), ("agent", "delete")):
        reserved = {**own, "resource": taken[0], "action": taken[1]}
        assert ann.post("/api/v1/approvals", json=reserved).status_code in {404, 409}
    assert "&lt;b&gt;sku-1" in web.browser("reviewer", "fay").get(f"/review/{found['id']}").text
    assert ben.post(f"/api/v1/approvals/{found['id']}/approve").json()["state"] == "approved"


def test_the_author_answers_a_question_where_no_other_person_can(web: Web) -> None:
    ann = web.program("owner", name="ann")
    own = {"resource": "launch", "action": "start", "payload": {}, "summary": "Start"}
    asked = ann.post("/api/v1/approvals", json=own).json()
    web.user("owner", "ben")
    assert ann.post(f"/api/v1/approvals/{asked['id']}/approve").status_code == 409
    accounts.remove_user(web.deps, "ben")
    assert ann.post(f"/api/v1/approvals/{asked['id']}/approve").json()["state"] == "approved"


def test_each_verb_is_listed_with_an_example_that_it_accepts_and_holds_no_secret(web: Web) -> None:
    items = web.program("viewer").get("/api/v1/approvals/verbs").json()["items"]
    assert {(one["resource"], one["action"]) for one in items} == set(verbs.known())
    assert len(items) == len(registry.current().extensions("verbs")) >= 14
    for verb in verbs.known().values():
        arguments = verb.parse(verb.example)
        assert json.loads(arguments.model_dump_json()) == json.loads(verb.parse(arguments.model_dump(mode="json"))
                                                                     .model_dump_json())  # fmt: skip
        assert _secrets(type(arguments)) == []
        try:
            with web.deps.db.transaction() as tx:
                load(verb.preview)(web.deps, tx, arguments)
        except FleetError as error:
            assert isinstance(error, NotFound), (verb.key, error)


def _secrets(model: type[VerbArguments]) -> list[str]:
    return [name for name, one in model.model_fields.items() if one.annotation is SecretStr]


def test_a_savepoint_that_fails_leaves_no_call_for_after_the_commit(web: Web) -> None:
    calls: list[str] = []

    def within(name: str, *, fails: bool) -> Iterator[None]:
        with web.deps.db.transaction() as tx:
            tx.afterwards(lambda: calls.append(name))
            if fails:
                raise NotFound("no")
        yield

    outer: Tx
    with web.deps.db.transaction() as outer:
        with web.deps.db.joined(outer):
            next(within("kept", fails=False))
            with pytest.raises(NotFound):
                next(within("dropped", fails=True))
        assert calls == []
    assert calls == ["kept"]


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


STEPS = st.one_of(
    st.tuples(st.just("approve"), st.sampled_from(["ben", "cat", "ann"]), st.sampled_from([None, "before", "after"])),
    st.tuples(st.just("race"), st.none(), st.none()),
    st.tuples(st.sampled_from(["change", "gone", "demote", "reject", "withdraw", "look", "ask"]), st.none(), st.none()),
)
ADDED = 500_000


@hypothesis.settings(deadline=None, max_examples=12, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.example(steps=[("approve", "ben", "after"), ("approve", "cat", None)])
@hypothesis.example(steps=[("race", None, None), ("approve", "ben", None)])
@hypothesis.given(steps=st.lists(STEPS, min_size=1, max_size=6))
def test_whatever_happens_a_request_runs_its_verb_once_if_it_is_approved_and_else_never(
    web: Web, steps: list[tuple[str, str | None, str | None]]
) -> None:
    """Crashes around the run, doubled and racing decisions, changes of the object and of the asker, in any order."""
    world = _World(web)
    for name, who, crash in steps:
        getattr(world, name)(who, crash)
        world.check()


class _World:
    """One budget, one asker and two other approvers; each open request would add to the budget."""

    def __init__(self, web: Web) -> None:
        self.fleet, self.deps = web.fleet, web.deps
        if not accounts.anybody(self.deps):
            for name in ("ann", "ben", "cat"):
                web.user("owner", name)
        self.fleet.sql("UPDATE users SET role = 'owner'")
        self.fleet.sql("DELETE FROM budgets")
        self.fleet.sql(
            "UPDATE approval_requests SET state = 'withdrawn', settled_at = clock_timestamp(), next_step_at = NULL"
            " WHERE state = 'pending'"
        )
        self.ann = people.named(self.deps, "ann")
        self.asked: list[uuid.UUID] = []
        self.limit = 1_000_000
        self.removed = 0  # what had been added to the budget when it was removed
        self.change(None, None)
        self.ask(None, None)

    def check(self) -> None:
        """Compare what was added with the requests that are approved."""
        with self.deps.db.transaction() as tx:
            states = list(tx.session.scalars(sa.select(RequestRow.state).where(RequestRow.id.in_(self.asked))))
        assert self._added() + self.removed == states.count("approved") * ADDED

    def _added(self) -> int:
        return sum(one.allowance_microusd for one in costs.budgets(self.deps))

    def ask(self, _: str | None, __: str | None) -> None:
        given = {"scope": "fleet", "name": None, "period": "day", "microusd": ADDED}
        try:
            verbs.perform(self.deps, self.ann, "budget", "override", **given)
        except NeedsApproval as asked:
            self.asked.append(asked.request_id)
        except NotFound:
            return  # there is no budget
        else:
            raise AssertionError("it ran although two others could have been asked")

    def approve(self, who: str | None, crash: str | None) -> None:
        by = Person(f"web:{who}", OWNERS)
        known = verbs.get("budget", "override")

        def dies(*given: Any) -> None:
            if crash == "after":
                load(known.run)(*given)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            if crash is not None:
                patch.setattr(verbs, "get", lambda *_: replace(known, run=dies))
            with contextlib.suppress(KeyboardInterrupt):
                approving.approve(self.deps, self.asked, by)

    def race(self, _: str | None, __: str | None) -> None:
        threads = [
            threading.Thread(target=approving.approve, args=(self.deps, self.asked, Person(f"web:{one}", OWNERS)))
            for one in ("ben", "cat", "ben")
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def change(self, _: str | None, __: str | None) -> None:
        self.limit += 1
        costs.set_budget(self.deps, Scope.FLEET, None, Period.DAY, self.limit, by="test")

    def gone(self, _: str | None, __: str | None) -> None:
        self.removed += self._added()
        with contextlib.suppress(NotFound):
            costs.remove_budget(self.deps, Scope.FLEET, None, Period.DAY, by="test")

    def demote(self, _: str | None, __: str | None) -> None:
        self.fleet.sql("UPDATE users SET role = 'viewer' WHERE name = 'ann'")

    def reject(self, _: str | None, __: str | None) -> None:
        approving.reject(self.deps, self.asked, BEN, "no")

    def withdraw(self, _: str | None, __: str | None) -> None:
        approving.withdraw(self.deps, self.asked, ANN, "no")

    def look(self, _: str | None, __: str | None) -> None:
        for one in self.asked:
            approving.look_again(self.deps, one)
