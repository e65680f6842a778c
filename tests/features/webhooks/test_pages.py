"""Webhooks at the pages and the API: made, tried, changed, removed; secrets are shown once and to nobody else."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fleet.access import Permission, audit
from fleet.accounts.sealing import new_key
from fleet.core import clock, events
from fleet.core.events import Event, Position
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.states import JobState
from fleet.engine.registry import Registry
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import rule_file
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.kinds import DELIVER
from fleet.features.webhooks.models import SubscriptionRow
from fleet.features.webhooks.outbound import delivery
from tests import receiver as receivers
from tests.engine.test_perform import add
from tests.factories import Fleet, make_fleet
from tests.receiver import Receiver
from tests.web_client import Web

REPLAYS = """
[[rule]]
name = "replays"
resource = "webhook"
action = "replay"
approvers = ["role:owner"]
"""
SECRET = re.compile(r"whsec_[\w-]{43}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receivers.running() as running:
        yield running


@pytest.fixture
def fleet(database_url: str, receiver: Receiver) -> Iterator[Fleet]:
    made = make_fleet(database_url, hooks_allow=f"{receiver.allow},127.0.0.1:1", secret_keys=new_key())
    staff(made.deps.db)
    yield made
    made.deps.close()


def carry_out(web: Web) -> None:
    for job in web.fleet.jobs(kind=DELIVER):
        perform(web.deps, job.id)


def test_a_webhook_from_its_making_to_its_end(web: Web, receiver: Receiver) -> None:
    ana = web.browser("owner", "ana")
    assert "Nobody is told" in ana.get("/hooks").text
    made = ana.post("/hooks", url=f"{receiver.url}/token", subjects=["job.*", "job.done", "agent.created"],
                    other="agent.draft.*, hook.disabled agent.draft.expired", description="Ledger")  # fmt: skip
    (secret,) = SECRET.findall(made.text)
    (hook,) = hooks.listed(web.deps)
    where = f"/hooks/{hook.id}"
    assert list(hook.subjects) == ["job.*", "agent.created", "agent.draft.*", "hook.disabled"], (
        "wider ones cover others"
    )
    assert hook.created_by == "web:ana"
    form = ana.get(f"{where}/edit").text
    assert (
        'value="job.*" checked' in form and 'value="job.done">' in form and 'name="other" value="agent.draft.*"' in form
    )
    for path in ("/hooks", where, f"{where}/edit"):
        page = ana.get(path)
        assert page.status_code == 200
        assert secret not in page.text
    assert ana.post(f"{where}/test").headers["location"] == where
    carry_out(web)
    shown = ana.get(where).text
    assert "hook.test" in shown
    assert "204" in shown
    changed = ana.post(where, url=receiver.url, subjects="job.done", description="<b>x</b>")
    assert changed.status_code == 303
    assert "&lt;b&gt;x&lt;/b&gt;" in ana.get(where).text
    fresh = SECRET.findall(ana.post(f"{where}/rotate").text)
    assert fresh
    assert fresh != [secret]
    assert ana.post(f"{where}/rotate").status_code == 303  # within the day: refused, and said on the page
    ana.post(f"{where}/switch")
    assert "by web:ana" in ana.get(where).text
    ana.post(f"{where}/switch", on="true")
    assert hooks.get(web.deps, str(hook.id)).active
    assert ana.post(f"{where}/remove").headers["location"] == "/hooks"
    assert ana.get(where).status_code == 404


def test_what_failed_is_tried_again_from_the_page(web: Web, receiver: Receiver) -> None:
    ana = web.browser("owner", "ana")
    ana.post("/hooks", url=receiver.url, subjects="job.*")
    (hook,) = hooks.listed(web.deps)
    receiver.answer(404, b"<script>alert(1)</script>")
    ana.post(f"/hooks/{hook.id}/test")
    carry_out(web)
    shown = ana.get(f"/hooks/{hook.id}").text
    assert "<script>alert" not in shown
    assert "Try all that failed again" in shown
    (dead,) = hooks.history(web.deps, hook.id, state="dead")
    ana.post(f"/hooks/{hook.id}/replay", job=str(uuid.uuid4()))
    assert web.fleet.job(dead.job_id).state == JobState.DEAD
    program, address = web.program("operator"), f"/api/v1/hooks/{hook.id}/replay"
    stranger = str(add(web.fleet, web.fleet.agent(), "like", target="p1"))
    assert program.post(address, json={"deliveries": [stranger]}).json() == {"number": 0}
    assert program.post(address, json={"deliveries": ["ffff"]}).status_code == 404
    assert program.post(address, json={"deliveries": []}).status_code == 422
    assert program.post(address, json={"deliveries": [str(dead.job_id)[:8]]}).json() == {"number": 1}
    carry_out(web)  # it fails again
    ana.post(f"/hooks/{hook.id}/replay", job=str(dead.job_id))
    receiver.answer(204)
    carry_out(web)
    assert web.fleet.job(dead.job_id).state == JobState.DONE
    assert ana.get(f"/hooks/{hook.id}?state=dead").text.count("No delivery is in this state") == 1
    assert ana.get(f"/hooks/{hook.id}?state=%00").status_code == 422
    assert ana.get("/hooks/sources/a%00b").status_code == 422


def test_failed_deliveries_are_sent_again_when_somebody_approves_it(
    web: Web, receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "rules.toml").write_text(REPLAYS)
    web.deps.parts["approval_rules"] = rule_file.load(tmp_path / "rules.toml")
    ann, ben = web.program("owner", name="ann"), web.browser("owner", "ben")
    ben.post("/hooks", url=receiver.url, subjects="job.*")
    (hook,) = hooks.listed(web.deps)
    receiver.answer(404)
    ben.post(f"/hooks/{hook.id}/test")
    carry_out(web)
    (dead,) = hooks.history(web.deps, hook.id, state="dead")
    asked = ann.post(f"/api/v1/hooks/{hook.id}/replay", json={"deliveries": [str(dead.job_id)]})
    assert asked.status_code == 202 and asked.json()["arguments"]["deliveries"] == [str(dead.job_id)]
    ben.post(f"/hooks/{hook.id}/replay")  # all of them: the same question
    assert len(ann.get("/api/v1/approvals").json()["items"]) == 1
    assert web.fleet.job(dead.job_id).state == JobState.DEAD
    ben.post(f"/review/{asked.json()['id']}/approve", revision=1)
    assert web.fleet.job(dead.job_id).state == JobState.READY
    assert ben.post(f"/hooks/{hook.id}/replay", job=str(dead.job_id)).headers["location"] == f"/hooks/{hook.id}"


@pytest.mark.parametrize("fields", [
    {"url": "http://169.254.169.254/", "subjects": "job.*"}, {"url": "https://localhost/", "subjects": "job.*"},
    {"url": "javascript:alert(1)", "subjects": "job.*"}, {"url": "", "subjects": "job.*"},
    {"url": "https://example.com/", "subjects": ""}, {"url": "https://example.com/", "subjects": "Job.*"},
])  # fmt: skip
def test_wrong_input_comes_back_with_a_reason(web: Web, fields: dict[str, str]) -> None:
    answer = web.browser("owner", "ana").post("/hooks", **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert hooks.listed(web.deps) == []


def test_an_operator_looks_and_sees_no_address(web: Web, receiver: Receiver) -> None:
    owner = web.browser("owner", "ana")
    owner.post("/hooks", url=f"{receiver.url}/t0ken", subjects="job.*")
    (hook,) = hooks.listed(web.deps)
    ben = web.browser("operator", "ben")
    for path in ("/hooks", f"/hooks/{hook.id}"):
        assert "t0ken" not in ben.get(path).text
    assert "t0ken" in owner.get(f"/hooks/{hook.id}").text
    assert ben.get("/hooks/new").status_code == 403
    assert ben.post(f"/hooks/{hook.id}/test").status_code == 403
    assert web.program("operator").get(f"/api/v1/hooks/{hook.id}").json()["url"] == receiver.allow
    assert web.browser("viewer", "vic").get("/hooks").status_code == 403
    assert web.anonymous().get("/hooks").headers["location"] == "/login?next=/hooks"


def test_one_webhook_too_many_is_refused_at_the_page_and_the_api(web: Web, receiver: Receiver) -> None:
    ana, program = web.browser("owner", "ana"), web.program("owner", name="ben")
    web.deps.settings.__dict__["hooks_limit"] = 1
    assert ana.post("/hooks", url=receiver.url, subjects="job.*").status_code == 200
    page = ana.post("/hooks", url=receiver.url, subjects="job.*")
    answer = program.post("/api/v1/hooks", json={"url": receiver.url, "subjects": ["job.*"]})
    assert (page.status_code, answer.status_code) == (409, 409)
    for text in (page.text, answer.text):
        assert "FLEET_HOOKS_LIMIT" in text
    assert len(hooks.listed(web.deps)) == 1


def test_jobs_show_receivers_and_payloads_only_with_the_permission_to_see_webhooks(
    web: Web, receiver: Receiver
) -> None:
    owner = web.browser("owner", "ana")
    owner.post("/hooks", url=receiver.url, subjects="parcel.*")
    (hook,) = hooks.listed(web.deps)
    jobs: list[uuid.UUID] = []
    for url in (receiver.url, "http://127.0.0.1:1/in", "https://10.0.0.1/in"):
        with web.deps.db.transaction() as tx:
            tx.execute(sa.update(SubscriptionRow).values(url=url))
        event = Event(Position(1, len(jobs) + 1), clock.now(), "parcel.sent", None, None, {"order": "order-7"})
        with web.deps.db.transaction() as tx:
            one = delivery.job(delivery.agent_id(tx), hook.id, event)
            delivery.add(web.deps, tx, [one])
        perform(web.deps, one.id)
        jobs.append(one.id)
    assert [web.fleet.job(one).state for one in jobs] == [JobState.DONE, JobState.READY, JobState.DEAD]
    places = ("/", "/activity", "/jobs", "/dead", "/agents/fleet_hooks?tab=jobs", "/agents/fleet_hooks?tab=activity",
              *(f"/jobs/{one}" for one in jobs))  # fmt: skip
    apis = ("/api/v1/activity", "/api/v1/jobs", "/api/v1/dead", *(f"/api/v1/jobs/{one}" for one in jobs))
    viewer, program = web.browser("viewer", "vic"), web.program("viewer", name="val")
    for answer in (*map(viewer.get, places), *map(program.get, apis)):
        assert answer.status_code == 200
        hidden = ("127.0.0.1", "10.0.0.1", "parcel.sent", "order-7")
        assert not [word for word in hidden if word in answer.text], answer.url
    assert program.get(f"/api/v1/jobs/{jobs[0]}").json()["payload"] == {}
    assert "order-7" in web.browser("operator", "ben").get(f"/jobs/{jobs[0]}").text
    assert "order-7" in web.program("operator", name="cy").get(f"/api/v1/jobs/{jobs[0]}").text
    assert "127.0.0.1 cannot be reached" in owner.get(f"/hooks/{hook.id}").text
    assert "10.0.0.1" in owner.get(f"/hooks/{hook.id}").text


def test_what_webhooks_left_behind_stays_private_where_they_are_left_out(
    fleet: Fleet, features: Callable[..., Registry]
) -> None:
    event = Event(Position(1, 1), clock.now(), "parcel.sent", None, None, {"order": "order-7"})
    with fleet.deps.db.transaction() as tx:
        one = delivery.job(delivery.agent_id(tx), uuid.uuid4(), event)
        ledger.add(tx, [one])
        events.emit(tx, "hook.received", name="order-7")
    features("-webhooks")
    web = Web(fleet)
    apis = (f"/api/v1/jobs/{one.id}", "/api/v1/activity")
    pages = ("/jobs", f"/jobs/{one.id}", "/activity")
    viewer, operator = web.program("viewer", name="val"), web.program("operator", name="cy")
    assert ["order-7" in operator.get(path).text for path in apis] == [True, True]
    person = web.browser("viewer", "vic")
    for answer in (*map(viewer.get, (*apis, "/api/v1/jobs")), *map(person.get, pages)):
        assert (answer.status_code, "order-7" in answer.text) == (200, False), answer.url


def test_decisions_name_webhooks_only_to_those_who_may_see_them(web: Web, receiver: Receiver) -> None:
    look(web)  # what was before is no news
    web.browser("owner", "ana").post("/hooks", url=receiver.url, subjects="parcel.*")
    (hook,) = hooks.listed(web.deps)
    with web.deps.db.transaction() as tx:
        events.emit(tx, "parcel.sent")
    number = look(web)
    pages = ["/agents/fleet_hooks?tab=decisions", f"/agents/fleet_hooks/decisions/{number}"]
    log = "/api/v1/agents/fleet_hooks/decisions"
    apis = [log, f"{log}/{number}", f"{log}/{number}/replay"]
    viewer, program = web.browser("viewer", "vic"), web.program("viewer", name="val")
    ben, narrow = web.program("operator", name="ben"), web.program("owner", (Permission.AGENTS_VIEW,), name="cy")
    for answer in (*map(viewer.get, pages), *map(program.get, apis), *map(narrow.get, apis)):
        assert answer.status_code == 200
        assert not [word for word in (str(hook.id), "parcel") if word in answer.text], answer.url
    assert "deliveries" in viewer.get(pages[0]).text
    whole, again = (program.get(one).json() for one in apis[1:])
    plain = {"action": "deliveries"}
    assert (whole["outcome"], whole["inputs"]) == (plain, {})
    assert again == {"then": plain, "now": plain, "same": True}
    assert [str(hook.id) in ben.get(one).text for one in apis] == [True, True, True]
    seen = web.browser("operator", "dan").get(pages[1]).text
    assert str(hook.id) in seen and "parcel.sent" in seen
    web.fleet.sql("UPDATE ticks SET outcome = jsonb_set(outcome, '{deliveries}', '{}')")
    page = viewer.get(pages[1]).text  # that it is another is said, and not what differs
    assert "another decision comes out" in page and "Differences" not in page and str(hook.id) not in page
    assert program.get(apis[2]).json() == {"then": plain, "now": plain, "same": False}
    assert str(hook.id) in ben.get(apis[2]).text


def look(web: Web) -> int:
    """Have the agent of the hooks look at what has happened; return the number of its decision."""
    key = agent_commands.trigger(web.deps, "fleet_hooks", action=None, by="test")
    tick(web.deps, key)
    return key.tick_no


def test_a_source_from_its_making_to_its_end(web: Web) -> None:
    ana = web.browser("owner", "ana")
    made = ana.post("/hooks/sources", name="shop", form="stamped", header="Shop-Signature", id_path="id")
    (secret,) = SECRET.findall(made.text)
    from fleet.features.webhooks.signatures import signed

    body = b'{"id": "evt_1", "words": "<script>alert(1)</script>"}'
    stamp_s = int(web.deps.now().timestamp())
    told = web.anonymous().post(
        "/hooks/in/shop", content=body, headers={"shop-signature": signed([secret], stamp_s, body)}
    )
    assert told.status_code == 202
    assert "evt_1" in ana.get("/hooks/sources/shop").text
    (kept,) = receiving.history(web.deps, "shop")
    words = ana.get(f"/hooks/sources/shop/{kept.id}").text
    assert "<script>alert" not in words
    assert "&lt;script&gt;alert" in words
    assert SECRET.findall(ana.post("/hooks/sources/shop/rotate").text) != [secret]
    ana.post("/hooks/sources/shop/switch")
    assert not receiving.get(web.deps, "shop").active
    ana.post("/hooks/sources/shop/switch", on="true")
    assert ana.post("/hooks/sources", name="shop", header="X").status_code == 409
    assert ana.post("/hooks/sources", name="A B", header="X").status_code == 422
    ana.post("/hooks/sources/shop/remove")
    assert receiving.listed(web.deps) == []


def test_a_given_secret_is_not_kept_in_the_form_that_comes_back(web: Web) -> None:
    answer = web.browser("owner", "ana").post("/hooks/sources", name="A B", header="X", secret="hunter2hunter2")
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_programs_do_all_of_it(web: Web, receiver: Receiver) -> None:
    api = web.program("admin")
    made = api.post("/api/v1/hooks", json={"url": receiver.url, "subjects": ["job.*"]})
    assert made.status_code == 201
    where = f"/api/v1/hooks/{made.json()['id']}"
    assert SECRET.fullmatch(made.json()["secret"])
    assert "secret" not in api.get(where).json()
    assert [one["id"] for one in api.get("/api/v1/hooks").json()["items"]] == [made.json()["id"]]
    assert api.put(where, json={"url": receiver.url, "subjects": ["*"]}).json()["subjects"] == ["*"]
    assert api.post(f"{where}/test").status_code == 202
    receiver.answer(400)
    carry_out(web)
    (told,) = api.get(f"{where}/deliveries").json()["items"]
    assert (told["state"], told["status"], told["subject"]) == ("dead", 400, "hook.test")
    assert api.post(f"{where}/replay").json() == {"number": 1}
    assert SECRET.fullmatch(api.post(f"{where}/rotate").json()["secret"])
    assert api.post(f"{where}/rotate").status_code == 409
    assert api.put(f"{where}/active", json={"active": False}).json() == {"changed": True}
    assert api.put(f"{where}/active", json={"active": False}).json() == {"changed": False}
    assert api.delete(where).status_code == 204
    assert api.get(where).status_code == 404
    refused = api.post("/api/v1/hooks", json={"url": "http://10.0.0.1/", "subjects": ["*"]})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")


def test_programs_keep_sources_too(web: Web) -> None:
    api = web.program("admin")
    made = api.post("/api/v1/hooks/sources", json={"name": "shop", "header": "X-Sign", "secret": "hunter2hunter2"})
    assert (made.status_code, made.json()) == (201, {"secret": "hunter2hunter2"})
    assert api.get("/api/v1/hooks/sources/shop").json()["header"] == "X-Sign"
    assert [one["name"] for one in api.get("/api/v1/hooks/sources").json()["items"]] == ["shop"]
    assert api.get("/api/v1/hooks/sources/shop/received").json() == {"items": [], "next": None}
    assert api.get(f"/api/v1/hooks/sources/shop/received/{uuid.uuid4()}").status_code == 404
    assert SECRET.fullmatch(api.post("/api/v1/hooks/sources/shop/rotate").json()["secret"])
    assert api.put("/api/v1/hooks/sources/shop/active", json={"active": False}).json() == {"changed": True}
    assert api.delete("/api/v1/hooks/sources/shop").status_code == 204
    with web.deps.db.transaction() as tx:
        lines = audit.page(tx, audit.AuditFilter(target="source:shop"))
    assert {line.actor for line in lines} == {"admin-api"}
    assert "hunter2" not in str(lines)
