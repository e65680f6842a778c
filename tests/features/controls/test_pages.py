"""The pages about controls, money and settings: each button does what it says, once, and only for who may."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from fleet.engine import controls
from fleet.engine.jobs.states import JobState
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.personas.service import personas_of
from fleet.spending.budgets import Period, Scope
from fleet.web import redact
from fleet.web.drawing import bars
from tests.factories import make_fleet
from tests.features.jobs.test_pages import HOSTILE, add_job
from tests.web_client import Browser, Web

DOLLAR = 1_000_000


def said(browser: Browser) -> str:
    """Return what the next page tells of what was just done."""
    found = re.search(r'<p class="said[^>]*>(.*?)</p>', browser.get("/controls").text)
    return found[1] if found else ""


@pytest.fixture
def slow_fingers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what comes within half a minute for a second click: a busy machine may need more than three seconds."""
    monkeypatch.setattr(controls, "_A_MOMENT", timedelta(seconds=30))


def happened(web: Web, subject: str) -> int:
    return int(web.fleet.sql("SELECT count(*) FROM events WHERE subject = :s", s=subject).scalar())


def test_the_kill_switch_is_thrown_once_with_a_reason_and_lifted_by_who_may(web: Web) -> None:
    add_job(web, JobState.SENDING)
    oda, ada = web.browser("operator", "oda"), web.browser("admin", "ada")
    oda.post("/controls/kill", reason="  ")
    assert said(oda).startswith("Give a reason") and fleetwide.holds(web.deps) == []
    oda.post("/controls/kill", reason="a storm of likes")
    assert said(oda) == "The kill switch is on: no write begins. 1 write had begun before and may still land."
    oda.post("/controls/kill", reason="again")
    assert said(oda).startswith("The kill switch was on already")
    page = ada.get("/controls").text
    for words in ("On: no write begins", "a storm of likes", "web:oda", "1 write that had begun before"):
        assert words in page
    assert oda.post("/controls/lift").status_code == 403
    assert "Only an owner or an admin may lift it" in oda.get("/controls").text
    for words in ("The kill switch is off; waiting jobs are resumed.", "The kill switch was not on."):
        ada.post("/controls/lift")
        assert said(ada) == words
    assert (happened(web, "control.kill_switch.thrown"), happened(web, "control.kill_switch.lifted")) == (1, 1)


@pytest.mark.parametrize("role", ["viewer", "reviewer"])
def test_who_only_looks_changes_nothing_and_sees_no_button(web: Web, role: str) -> None:
    person = web.browser(role)
    money.set_budget(web.deps, Scope.FLEET, None, Period.DAY, DOLLAR, by="t")
    for path, fields in {
        "/controls/kill": {"reason": "x"}, "/controls/lift": {}, "/controls/pause": {"scope": "fleet"},
        "/controls/resume": {"scope": "fleet"},
        "/controls/budgets": {"scope": "fleet", "amount": "1", "period": "day"},
        "/controls/budgets/remove": {"scope": "fleet", "period": "day"},
        "/controls/budgets/raise": {"scope": "fleet", "period": "day", "amount": "1", "had": "0", "reason": "x"},
    }.items():  # fmt: skip
        assert person.post(path, **fields).status_code == 403, path
    assert fleetwide.holds(web.deps) == []
    page = person.get("/controls").text
    assert "<form" not in page[page.index("<main") :]
    assert person.get("/settings").status_code == 403


def test_operators_hold_but_do_not_touch_budgets(web: Web) -> None:
    oda = web.browser("operator")
    assert oda.post("/controls/budgets", scope="fleet", amount="1", period="day").status_code == 403
    assert "Set a budget" not in oda.get("/controls").text


@pytest.mark.usefixtures("slow_fingers")
def test_pauses_are_set_reported_and_lifted_once(web: Web) -> None:
    web.fleet.agent(username="ana_1", name="Ana")
    oda = web.browser("operator", "oda")
    waiting = add_job(web, held="the fleet is paused")
    persona = personas_of(web.deps).ids[0]
    scopes = {"fleet": "", "kind": "like", "agent": "ana_1", "persona": persona, "surface": "floimg"}
    for scope, key in scopes.items():
        for _ in range(2):
            oda.post("/controls/pause", scope=scope, key=key, reason="a look at it", number="2", unit="hours")
    held = fleetwide.holds(web.deps)
    assert {hold.scope for hold in held} == set(scopes)
    assert all(timedelta(hours=1.9) < hold.until - web.deps.now() <= timedelta(hours=2) for hold in held if hold.until)
    assert happened(web, "control.paused") == 5
    page = oda.get("/controls").text
    assert "Agent ana_1" in page and "a look at it" in page and "web:oda" in page
    for hold in held:
        oda.post("/controls/resume", scope=hold.scope, key="" if hold.scope == "fleet" else hold.key)
        oda.post("/controls/resume", scope=hold.scope, key="" if hold.scope == "fleet" else hold.key)
    assert fleetwide.holds(web.deps) == [] and happened(web, "control.resumed") == 5
    assert web.fleet.job(waiting).held is None


@pytest.mark.usefixtures("slow_fingers")
def test_a_second_click_is_reported_as_a_repeat(web: Web) -> None:
    oda = web.browser("operator")
    oda.post("/controls/pause", scope="fleet", number="1", unit="minutes")
    assert said(oda) == "The fleet is paused for 1 min."
    oda.post("/controls/pause", scope="fleet", number="1", unit="minutes")
    assert said(oda) == "The fleet is already paused, for as long or longer."
    oda.post("/controls/pause", scope="fleet", number="1", unit="hours")
    assert said(oda) == "The fleet is paused for 1 h."
    oda.post("/controls/pause", scope="fleet")
    assert said(oda) == "The fleet is paused until resumed."


def test_what_is_gone_can_still_be_let_go(web: Web) -> None:
    agent = web.fleet.agent(username="ana_1")
    oda, ada = web.browser("operator", "oda"), web.browser("admin", "ada")
    oda.post("/controls/pause", scope="agent", key="ana_1")
    ada.post("/controls/budgets", scope="agent", key="ana_1", amount="1", period="day")
    web.fleet.sql("UPDATE agents SET status = 'idle', deleted_at = clock_timestamp()")
    web.fleet.sql("INSERT INTO controls (scope, key, hold, set_by) VALUES ('persona', 'forgotten', 'pause', 't')")
    assert "Persona forgotten" in oda.get("/controls").text
    oda.post("/controls/resume", scope="persona", key="forgotten")
    oda.post("/controls/resume", scope="agent", key=str(agent))
    ada.post("/controls/budgets/remove", scope="agent", key=str(agent), period="day")
    assert (fleetwide.holds(web.deps), money.budgets(web.deps)) == ([], [])
    told = ada.get("/activity").text
    for line in ("is paused by", "agent ana_1 may spend $1.00 a day", "agent ana_1 has no daily limit"):
        assert line in told


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": "fleet", "number": "-5"}, {"scope": "fleet", "number": "0"}, {"scope": "fleet", "number": "1e9"},
        {"scope": "fleet", "number": "999999999", "unit": "days"}, {"scope": "fleet", "number": "\x00"},
        {"scope": "fleet", "number": "٣"}, {"scope": "fleet", "key": "ana_1"}, {"scope": "agent"},
        {"scope": "agent", "key": "nobody"}, {"scope": "agent", "key": "a\x00b"}, {"scope": "kind", "key": "dance"},
        {"scope": "persona", "key": "\x00"}, {"scope": "surface", "key": "nowhere"}, {"scope": "surface", "key": "*"},
        {"scope": "kind", "key": HOSTILE[:90]},
    ],
)  # fmt: skip
def test_wrong_holds_are_refused_with_words(web: Web, fields: dict[str, str]) -> None:
    oda = web.browser("operator")
    for answer in (oda.post("/controls/pause", **fields, reason="typed"), oda.get("/controls/pause", params=fields)):
        assert answer.status_code in (404, 422)
        assert 'class="said wrong"' in answer.text and "<script>alert" not in answer.text
        assert f'value="{fields["scope"]}" selected' in answer.text  # what was typed stays
    assert fleetwide.holds(web.deps) == []


@pytest.mark.parametrize(
    "fields",
    [{"scope": "galaxy"}, {}, {"scope": "fleet", "unit": "years"}, {"scope": "fleet", "reason": "x" * 301},
     {"scope": "\x00"}, {"scope": "agent", "key": "x" * 101}],
)  # fmt: skip
def test_forged_holds_get_a_page_with_words(web: Web, fields: dict[str, str]) -> None:
    answer = web.browser("operator").post("/controls/pause", **fields)
    assert answer.status_code == 422 and "<h1" in answer.text


def test_a_pause_counts_the_affected_agents_before_it_starts(web: Web) -> None:
    """Symptom: the untouched form stopped the whole fleet, without a question."""
    oda = web.browser("operator", "oda")
    ana = web.fleet.agent(username="ana_1", persona_id="ai_artist")
    web.fleet.agent(username="bo_1", persona_id="ai_artist", running=False)
    web.fleet.agent(username="cy_1")
    add_job(web, agent=ana)
    assert '<option value="fleet" selected' not in oda.get("/controls").text
    untouched = oda.get("/controls/pause", params={"scope": "", "key": "", "reason": "", "number": "", "unit": "hours"})
    assert untouched.status_code == 422 and "Choose what to pause" in untouched.text
    assert oda.post("/controls/pause").status_code == 422
    asked = oda.get(
        "/controls/pause", params={"scope": "persona", "key": "ai_artist", "reason": "a look", "number": "2"}
    )
    assert "2, of which 1 runs" in asked.text and "<dd>2 h</dd>" in asked.text and "a look" in asked.text
    whole = oda.get("/controls/pause", params={"scope": "fleet"}).text
    assert "3, of which 2 run" in whole and "1: they wait on" in whole
    assert fleetwide.holds(web.deps) == []


def test_budgets_are_set_raised_once_and_removed(web: Web) -> None:
    ada = web.browser("admin", "ada")
    for _ in range(2):
        ada.post("/controls/budgets", scope="fleet", amount="2.50", period="day")
    assert happened(web, "budget.set") == 1
    raised = {"scope": "fleet", "amount": "1", "period": "day", "had": "0", "reason": "a launch"}
    ada.post("/controls/budgets/raise", **raised)
    assert said(ada).startswith("The fleet has $3.50 left today.")
    ada.post("/controls/budgets/raise", **raised)
    assert "was raised in the meantime" in said(ada)
    (budget,) = money.budgets(web.deps)
    assert (budget.limit_microusd, budget.allowance_microusd) == (2_500_000, DOLLAR)
    page = ada.get("/controls").text
    assert "$0.00 of $3.50 spent today" in page and 'name="had" value="1000000"' in page
    assert happened(web, "budget.allowed") == 1
    ada.post("/controls/budgets/remove", scope="fleet", period="day")
    ada.post("/controls/budgets/remove", scope="fleet", period="day")
    assert "There is no daily budget of the fleet" in said(ada)
    assert money.budgets(web.deps) == []


@pytest.mark.parametrize("amount", ["-5", "NaN", "inf", "1e99", "", " ", "\x00", "two", "1,50", "9" * 40, HOSTILE[:40]])
def test_wrong_amounts_are_refused_with_words(web: Web, amount: str) -> None:
    ada = web.browser("admin")
    answer = ada.post("/controls/budgets", scope="fleet", amount=amount, period="day")
    assert answer.status_code in (303, 422)
    assert (
        'class="said wrong"' in (answer.text if answer.status_code == 422 else ada.get("/controls").text)
        or "<h1" in answer.text
    )
    assert money.budgets(web.deps) == []


@pytest.mark.parametrize(
    "fields",
    [{"had": "-1"}, {"had": "x"}, {"had": "9" * 30}, {"period": "year"}, {"scope": "kind"}, {"reason": ""}],
)  # fmt: skip
def test_forged_raises_get_a_page_with_words(web: Web, fields: dict[str, str]) -> None:
    ada = web.browser("admin")
    money.set_budget(web.deps, Scope.FLEET, None, Period.DAY, DOLLAR, by="t")
    given = {"scope": "fleet", "amount": "1", "period": "day", "had": "0", "reason": "x"} | fields
    answer = ada.post("/controls/budgets/raise", **given)
    if answer.status_code == 303:  # what was typed stays beside what is wrong with it
        assert 'class="said wrong"' in ada.get("/controls").text
    else:
        assert answer.status_code == 422 and "<h1" in answer.text
    assert money.budgets(web.deps)[0].allowance_microusd == 0


@pytest.mark.parametrize(("scope", "key"), [("agent", ""), ("agent", "nobody"), ("persona", "none"), ("fleet", "ana")])
def test_budgets_of_unknown_owners_are_refused(web: Web, scope: str, key: str) -> None:
    ada = web.browser("admin")
    ada.post("/controls/budgets", scope=scope, key=key, amount="1", period="day")
    assert 'class="said wrong"' in ada.get("/controls").text and money.budgets(web.deps) == []


def test_hostile_reasons_and_names_are_inert(web: Web) -> None:
    ada = web.browser("admin")
    ada.post("/controls/kill", reason=HOSTILE)
    ada.post("/controls/pause", scope="kind", key="like", reason=HOSTILE)
    ada.post("/controls/budgets", scope="provider", key=HOSTILE[:90], amount="1", period="day")
    spend(web, provider="<b>bold", model=HOSTILE[:90])
    for path in ("/controls", "/costs?by=model", "/costs?by=provider"):
        page = ada.get(path).text
        assert "<script>alert" not in page and "<img src=x" not in page and "<b>bold" not in page, path
    assert "&lt;script&gt;" in ada.get("/controls").text


def row_of(page: str, variable: str) -> str:
    """Return the row of a table that tells of a setting."""
    row = page[page.index(variable.replace("_", "_<wbr>")) :]
    return row[: row.index("</tr>")]


def test_caps_say_where_they_come_from(database_url: str) -> None:
    web = Web(make_fleet(database_url, caps={"post": {"per_day": 7}}))
    page = web.browser("viewer").get("/controls").text
    posts, likes = row_of(page, "FLEET_CAPS post.per_day"), row_of(page, "FLEET_CAPS like.per_day")
    assert ">7<" in posts and "environment" in posts and "default" in likes


def spend(web: Web, *, days_ago: float = 0.0, microusd: int = DOLLAR, provider: str = "anthropic", model: str = "m-1",
          agent: uuid.UUID | None = None, persona: str | None = None, purpose: str = "post") -> None:  # fmt: skip
    web.fleet.sql(
        "INSERT INTO llm_calls (called_at, agent_id, persona_id, purpose, provider, model, outcome, input_tokens,"
        " output_tokens, microusd, latency_ms) VALUES (clock_timestamp() - make_interval(secs => :s), :agent, :persona,"
        " :purpose, :provider, :model, 'answered', 900, 120, :microusd, 800)",
        s=days_ago * 86_400, agent=agent, persona=persona, purpose=purpose, provider=provider, model=model,
        microusd=microusd,
    )  # fmt: skip


def test_costs_are_shown_for_each_span_and_grouping(web: Web) -> None:
    ana = web.fleet.agent(username="ana_1")
    spend(web, agent=ana, persona="ai_artist", model="model-a")
    spend(web, days_ago=3, provider="openai", purpose="comment", microusd=2 * DOLLAR)
    spend(web, days_ago=20, microusd=4 * DOLLAR)
    spend(web, days_ago=50, microusd=64 * DOLLAR)
    viewer = web.browser("viewer")
    page = viewer.get("/costs").text
    assert re.findall(r'class="figure">([^<]+)<', page) == ["$1.00", "$3.00", "$7.00"]
    for query, present, absent in (
        ("by=provider&since=today", "anthropic", "openai"), ("by=provider&since=month", "openai", "$64"),
        ("by=model", "model-a", "$4.00<"), ("by=agent", "ana_1", "$4.00<"), ("by=persona", "ai_artist", "$4.00<"),
        ("by=purpose&since=week", "comment", "$4.00<"), ("by=&since=", "openai", "$64"),
    ):  # fmt: skip
        page = viewer.get(f"/costs?{query}").text
        table = page[page.index('id="table"') :]
        assert present in table and absent not in table, query
    for query in ("by=moon", "since=ever", "by=%00"):
        assert viewer.get(f"/costs?{query}").status_code == 422


def test_no_costs_are_explained(web: Web) -> None:
    page = web.browser("viewer").get("/costs").text
    assert "No calls to models the last 7 days." in page and "spending is not limited" in page


def test_settings_show_values_and_sources_but_no_secret(database_url: str) -> None:
    web = Web(make_fleet(database_url, anthropic_api_key="sk-very-secret-key-1234", contact="ops@example.org"))
    oda = web.browser("operator")
    page = oda.get("/settings").text
    assert "very-secret" not in page and "ops@example.org" in page and "Bell 1" in page
    key = row_of(page, "FLEET_ANTHROPIC_API_KEY")
    assert ">set<" in key and "environment" in key and ">not set<" in row_of(page, "FLEET_OPENAI_API_KEY")
    found = oda.get("/settings?q=CONTACT&source=environment").text
    assert row_of(found, "FLEET_CONTACT") and "FLEET_<wbr>HOME" in page and "FLEET_<wbr>HOME" not in found
    nothing = oda.get("/settings?q=%00%3Cscript%3Ealert&source=").text
    assert "No settings match." in nothing and "<script>alert" not in nothing
    assert oda.get("/settings?source=moon").status_code == 422
    password = sa.make_url(database_url).password
    assert password and password not in page


def test_bars_stay_within_their_width() -> None:
    assert 'width="100.0"' in bars.meter(9, 9, 3, "x") and "bad" in bars.meter(9, 9, 3, "x")
    assert 'class="meter "' in bars.meter(1, 0, 3, "x") and "warn" in bars.meter(8, 1, 10, "x")
    assert "bad" in bars.meter(0, 0, 0, "x") and 'width="0.0"' in bars.nested((0, 0, 0), 0)
    assert "&lt;b&gt;" in bars.columns([("<b>", 1.0)], "x") and "rect" not in bars.columns([], "x")


def test_what_is_carried_loses_secrets_and_long_texts() -> None:
    found = {
        one.name: one
        for one in redact.fields(
            {"password": "hunter2 hunter2", "input_tokens": 12, "deep": [{"apiKey": "abc"}], "n": None, "on": True,
             "text": "y" * 9000, "lines": "a\nb", "empty_token": ""}
        )
    }  # fmt: skip
    assert found["password"].text == "***" and found["input_tokens"].text == "12" and '"***"' in found["deep"].text
    assert (found["n"].text, found["on"].text, found["empty_token"].text) == ("null", "true", "")
    assert found["text"].is_long and found["text"].text.endswith("... and 5,000 more characters")
    assert found["lines"].is_long and not found["n"].is_long


def test_experiments_are_listed_and_shown(web: Web) -> None:
    viewer = web.browser("viewer")
    assert "caption_question" in viewer.get("/experiments").text
    page = viewer.get("/experiments/caption_question?after=72&by=everybody").text
    assert "after 72 h" in page and "not enough yet" in page
    for path, code in {
        "/experiments/none": 404, "/experiments/%00": 404, "/experiments/caption_question?after=2": 422,
        "/experiments/caption_question?by=cats": 422, "/experiments/" + "x" * 101: 422,
    }.items():  # fmt: skip
        assert viewer.get(path).status_code == code, path


def test_results_without_a_file_are_shown_and_inert(web: Web) -> None:
    name = "<img src=x onerror=alert(2)>"
    agent = web.fleet.agent()
    web.fleet.sql(
        "INSERT INTO assignments (experiment, post_job, variant, agent_id, unit) VALUES (:n, :j, :n, :a, 'u')",
        n=name, j=uuid.uuid4(), a=agent,
    )  # fmt: skip
    viewer = web.browser("viewer")
    for path in ("/experiments", f"/experiments/{quote(name)}"):
        page = viewer.get(path)
        assert page.status_code == 200 and "Its file is gone" in page.text and "<img src=x" not in page.text
