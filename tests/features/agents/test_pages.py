"""The pages about agents and personas: what they show, what their buttons do, and what they refuse.

Buttons are pressed as a browser presses them: the form is found on the page, and its own fields are sent.
"""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

import pytest
import sqlalchemy as sa

from fleet.adapters.social import FeedItem
from fleet.core import clock, ids
from fleet.engine import dispatch
from fleet.engine.agents import lookup, queries
from fleet.engine.agents.commands import NewAgent, settings_of
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.queries import AgentFilter
from fleet.engine.attempts import perform
from fleet.engine.jobs import ticks
from fleet.engine.jobs.ticks import TickKey
from fleet.engine.system_agents import staff
from fleet.engine.tick import tick
from fleet.features.activity import queries as activity_queries
from fleet.features.agents import commands as agent_commands
from fleet.features.agents import pages as agents_page
from fleet.features.agents import queries as agent_views
from fleet.features.controls import commands as fleetwide
from fleet.features.drafts import service
from fleet.features.drafts.service import NewDraft
from fleet.features.personas.service import personas_of
from tests.factories import in_character
from tests.web_client import Browser, Web

WEIGHTS = {"post": 1.0, "comment": 1.0, "like": 1.0, "browse": 1.0}
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'


class _Forms(HTMLParser):
    """Finds the forms of a page: what each sends where, and its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({"action": given.get("action"), "method": given.get("method"), "fields": {}})
        elif tag == "input" and self.forms and given.get("name") and "disabled" not in given:
            if given.get("type") in ("checkbox", "radio") and "checked" not in given:
                return
            self.forms[-1]["fields"][given["name"]] = given.get("value") or ""


def forms(page: str) -> dict[str, dict[str, Any]]:
    """Return the POST forms of a page by where they go."""
    parser = _Forms()
    parser.feed(page)
    return {form["action"]: form["fields"] for form in parser.forms if form["method"] == "post"}


def press(ana: Browser, page: str, where: str, **fields: str):  # type: ignore[no-untyped-def]
    """Send the form of a page that goes to an address, with its own fields and these; follow to where it leads."""
    sent = ana.client.post(
        where, data={**forms(ana.get(page).text)[where], **fields}, headers={"referer": f"http://127.0.0.1{page}"}
    )
    assert sent.status_code == 303, sent.text
    return ana.get(sent.headers["location"])


def usernames(page: str) -> list[str]:
    return re.findall(r'<small class="mono">([a-z0-9_]+)</small>', page)


def agent(web: Web, username: str, **changes: Any) -> str:
    """Make an agent and return its username; `running` starts it."""
    running = changes.pop("running", False)
    weights = WEIGHTS if changes.get("kind", "gallery") == "gallery" else {}
    changes = {"kind": "gallery", "name": username.title(), **in_character(changes)}
    new = NewAgent(username=username, weights=weights, **changes)
    agent_commands.create(web.deps, new)
    if running:
        agent_commands.start(web.deps, username)
    return username


def status(web: Web, username: str) -> str:
    return lookup.agent(web.deps.db, username, include_deleted=True).status


def decided(web: Web, username: str, action: str = "post") -> int:
    """Have an agent decide to do something and do it; return the number of the decision."""
    row = lookup.agent(web.deps.db, username)
    web.fleet.sql("UPDATE agents SET remote_account = 'u-1' WHERE username = :u", u=username)
    key = agent_commands.trigger(web.deps, username, action=action, by="web:ana")
    tick(web.deps, key)
    for job in web.fleet.jobs(agent_id=row.id, state="ready"):
        perform.perform(web.deps, job.id)
    return key.tick_no


# ---- the list ----


def test_the_list_tells_of_each_agent_what_it_is_and_why_it_stands_still(web: Web) -> None:
    agent(web, "ana_lens", persona_id="ai_artist", running=True)
    agent(web, "ben_lens", running=True)
    agent_commands.pause(web.deps, "ben_lens", by="web:ana", reason="too much ramen")
    agent(web, "cyd_lens")
    web.fleet.sql(
        "UPDATE agents SET status = 'error', pause_reason = 'its persona is gone' WHERE username = 'cyd_lens'"
    )
    page = web.browser("viewer").get("/agents").text
    assert usernames(page) == ["ana_lens", "ben_lens", "cyd_lens"]
    assert "too much ramen" in page
    assert "its persona is gone" in page
    assert 'href="/personas/ai_artist"' in page
    fleetwide.pause(web.deps, "persona", "ai_artist", by="web:ana", reason="a quiet day")
    assert "persona ai_artist is paused: a quiet day" in web.browser("viewer", "vic").get("/agents").text


def test_badges_count_living_agents_of_each_persona(web: Web) -> None:
    for number in range(3):
        agent(web, f"ai_{number}", persona_id="ai_artist")
    agent(web, "ux_one", persona_id="ux_designer")
    agent_commands.delete(web.deps, "ai_2", by="test")
    badges = re.findall(
        r"<li><a href=\"[^\"]*persona=(\w+)\"[^>]*>\S+ \w+ (\d+)</a>", web.browser("viewer").get("/agents").text
    )
    assert dict(badges)["ai_artist"] == "2"
    assert dict(badges)["ux_designer"] == "1"
    assert dict(badges)["data_viz"] == "0"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["agent_a", "agent_b", "agent_c", "agent_d"]),
        ("status=running", ["agent_a"]),
        ("status=idle", ["agent_b", "agent_c", "agent_d"]),
        ("status=deleted", ["agent_e"]),
        ("persona=ai_artist", ["agent_b"]),
        ("autonomy=supervised", ["agent_c"]),
        ("kind=approval", ["agent_d"]),
        ("q=GENT_b", ["agent_b"]),
        ("q=somebody", []),
        ("q=%25", []),
        ("status=&persona=&autonomy=&kind=&q=", ["agent_a", "agent_b", "agent_c", "agent_d"]),
    ],
)
def test_filters_show_those_that_match(web: Web, query: str, found: list[str]) -> None:
    agent(web, "agent_a", running=True)
    agent(web, "agent_b", persona_id="ai_artist")
    agent(web, "agent_c", autonomy="supervised")
    agent(web, "agent_d", kind="approval")
    agent(web, "agent_e")
    agent_commands.delete(web.deps, "agent_e", by="test")
    page = web.browser("viewer").get(f"/agents?{query}").text
    assert usernames(page) == found
    assert f'<span class="count">{len(found)}</span>' in page


def test_an_impossible_filter_is_reported(web: Web) -> None:
    vic = web.browser("viewer")
    assert vic.get("/agents?status=asleep").status_code == 422
    assert vic.get(f"/agents?q={'x' * 101}").status_code == 422


def test_pages_lead_on_and_back_without_missing_or_repeating_anybody(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents_page, "PAGE", 3)
    names = [agent(web, f"agent_{letter}", persona_id="ai_artist") for letter in "abcdefgh"]
    vic = web.browser("viewer")
    for query in ("", "?persona=ai_artist", "?q=agent"):
        seen, where = [], f"/agents{query}"
        while where:
            page = vic.get(where).text
            seen.append(usernames(page))
            where = next(iter(links(page, "next")), "")
        assert seen == [names[:3], names[3:6], names[6:]]
        (newer,) = links(page, "prev")
        page = vic.get(newer).text
        assert usernames(page) == names[3:6]
        (newest,) = links(page, "prev")
        page = vic.get(newest).text
        assert usernames(page) == names[:3]
        assert links(page, "prev") == []
        assert len(links(page, "next")) == 1


def links(page: str, rel: str) -> list[str]:
    return [unescape(href) for href in re.findall(rf'<a href="([^"]+)" rel="{rel}"', page)]


def test_an_empty_list_of_agents_says_how_to_create_some(web: Web) -> None:
    page = web.browser("owner").get("/agents").text
    assert "fleet seed" in page
    assert 'href="/agents/new"' in page


def test_a_page_of_many_agents_asks_the_database_as_often_as_one_of_few(web: Web) -> None:
    agent(web, "agent_a", running=True)
    vic = web.browser("viewer")

    def asked() -> int:
        counted = []
        listen = lambda *_: counted.append(1)  # noqa: E731
        sa.event.listen(web.deps.db.engine, "before_cursor_execute", listen)
        vic.get("/agents")
        sa.event.remove(web.deps.db.engine, "before_cursor_execute", listen)
        return len(counted)

    def least() -> int:
        return min(asked() for _ in range(3))  # what every page shows is kept for two seconds, and then asked anew

    few = least()
    agent_commands.seed(web.deps, count=40, by="test", start=True)
    assert least() == few


# ---- buttons ----


def test_buttons_of_the_list_start_pause_resume_and_wake(web: Web) -> None:
    agent(web, "ada_1", name="Ada")
    ana = web.browser("operator")
    page = "/agents?q=ada"
    after = press(ana, page, "/agents/ada_1/start")
    assert "Ada lives now." in after.text
    assert str(after.url).endswith(page)  # back where it was pressed
    assert status(web, "ada_1") == "running"
    assert "Ada wakes; its decision will be number 1." in press(ana, page, "/agents/ada_1/trigger").text
    assert "Ada is paused." in press(ana, page, "/agents/ada_1/pause").text
    assert lookup.agent(web.deps.db, "ada_1").pause_reason == "by web:operator-1"
    assert "Ada is resumed." in press(ana, page, "/agents/ada_1/resume").text
    assert status(web, "ada_1") == "running"


def test_buttons_of_the_page_pause_with_a_reason_stop_and_ask_for_an_action(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    ana = web.browser("operator")
    page = press(ana, "/agents/ada_1", "/agents/ada_1/pause", reason="  a day\u202e off ").text
    assert "a day off" in page
    assert lookup.agent(web.deps.db, "ada_1").pause_reason == "a day off"
    press(ana, "/agents/ada_1", "/agents/ada_1/resume")
    page = press(ana, "/agents/ada_1", "/agents/ada_1/trigger", action="like").text
    assert "Ada wakes and is asked to like" in page
    with web.deps.db.transaction() as tx:
        asked = ticks.get_tick(tx, TickKey(lookup.agent(web.deps.db, "ada_1").id, 1))
    assert (asked.asked_for, asked.requested_by) == ("like", "web:operator-1")
    assert "Ada is idle now." in press(ana, "/agents/ada_1", "/agents/ada_1/stop").text
    assert status(web, "ada_1") == "idle"


def test_what_may_not_be_is_said_on_the_page_and_changes_nothing(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    agent_commands.pause(web.deps, "ada_1", by="test", reason="rest")
    ana = web.browser("operator")
    for path, fields, said in (
        ("start", {}, "Resume it instead."),
        ("trigger", {"action": "post"}, "Resume it first."),
        ("trigger", {"action": "dance"}, "There is no action"),
        ("pause", {}, "Ada was not running."),
    ):
        sent = ana.post(f"/agents/ada_1/{path}", **fields)
        assert said in ana.get(sent.headers["location"]).text
    assert ana.post("/agents/ada_1/pause", reason="x" * 201).status_code == 422
    assert status(web, "ada_1") == "paused"
    assert lookup.agent(web.deps.db, "ada_1").tick_no == 0


def test_a_pressed_button_leads_back_to_pages_of_ours_only(web: Web) -> None:
    agent(web, "ada_1")
    ana = web.browser("operator")
    for came in ("https://evil.example/agents", "http://127.0.0.1//evil.example", "nonsense"):
        sent = ana.client.post("/agents/ada_1/start", data={"csrf": ana.csrf}, headers={"referer": came})
        assert sent.headers["location"] == "/agents/ada_1"


def test_deleting_asks_first_and_keeps_the_history(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    decided(web, "ada_1")
    agent_commands.start(web.deps, "ada_1")
    ana = web.browser("admin")
    asking = ana.get("/agents/ada_1/delete").text
    assert "Delete Ada?" in asking
    assert status(web, "ada_1") == "running"
    after = press(ana, "/agents/ada_1/delete", "/agents/ada_1/delete")
    assert "Ada is deleted." in after.text
    assert usernames(after.text) == []
    assert usernames(ana.get("/agents?status=deleted").text) == ["ada_1"]
    page = ana.get("/agents/ada_1?tab=decisions").text
    assert "This agent was deleted." in page
    assert "I have an idea for a picture." in page
    assert [action for action in forms(page) if action.startswith("/agents")] == []
    assert ana.post("/agents/ada_1/start").status_code == 404
    assert ana.get("/agents/ada_1/edit").status_code == 404


def test_what_runs_the_fleet_itself_can_be_stopped_and_not_deleted(web: Web) -> None:
    staff(web.deps.db)
    ana = web.browser("owner")
    page = ana.get("/agents/fleet_hooks").text
    assert "/agents/fleet_hooks/delete" not in page and "/agents/fleet_hooks/stop" in forms(page)
    assert "Action weights" not in page
    sent = ana.post("/agents/fleet_hooks/delete")
    assert sent.status_code == 409 and "Webhooks runs the fleet itself" in sent.text
    assert status(web, "fleet_hooks") == "running"


def test_an_agent_that_is_held_back_is_called_by_its_name(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    its_id = str(lookup.agent(web.deps.db, "ada_1").id)
    ana = web.browser("owner")
    ana.post("/controls/pause", scope="agent", key="ada_1", reason="", number="1", unit="hours")
    for path in ("/", "/agents", "/activity"):
        assert f"agent {its_id}" not in ana.get(path).text
    assert "the agent is paused: by web:owner-1" in ana.get("/agents").text
    assert "is paused for 60 min by web:owner-1" in ana.get("/activity").text
    assert ana.get("/activity").text.count(">Ada</a>") > 0


def test_an_agent_called_like_a_page_of_ours_has_a_page_too(web: Web) -> None:
    agent(web, "new", name="Newton")
    agent(web, "bulk", name="Hulk")
    agent(web, "assign", name="Signe")
    ana = web.browser("owner")
    hrefs = re.findall(r'<a href="(/agents/[^"]+)">(\w+)</a></span>', ana.get("/agents").text)
    assert {name for _, name in hrefs} == {"Newton", "Hulk", "Signe"}
    assert all(f"<h1>{name} " in ana.get(href).text for href, name in hrefs)


# ---- many at once ----


def bulk(ana: Browser, query: str):  # type: ignore[no-untyped-def]
    """Return the page that asks about a deed on many, and what happens when it is confirmed."""
    asking = ana.get(f"/agents/bulk?{query}")
    assert asking.status_code == 200, asking.text
    (action,) = [one for one in forms(asking.text) if one.startswith("/agents/bulk")]
    sent = ana.client.post(action, data=forms(asking.text)[action])
    assert sent.status_code == 303, sent.text
    return asking.text, ana.get(sent.headers["location"])


def test_all_that_match_are_counted_before_and_after(web: Web) -> None:
    for number in range(3):
        agent(web, f"ai_{number}", persona_id="ai_artist", running=True)
    agent(web, "ai_3", persona_id="ai_artist")
    agent(web, "ux_0", persona_id="ux_designer", running=True)
    asking, after = bulk(web.browser("operator"), "do=pause&all=1&persona=ai_artist")
    assert "Pause 3 agents?" in asking
    assert "4 match" in asking
    assert "1 of them is not running and will be left alone." in asking
    assert "3 agents paused." in after.text
    assert dict(parse_qsl(after.url.query.decode())) == {"persona": "ai_artist"}
    assert [status(web, name) for name in ("ai_0", "ai_1", "ai_2", "ai_3", "ux_0")] == ["paused"] * 3 + [
        "idle",
        "running",
    ]


def test_chosen_ones_are_moved_and_no_others(web: Web) -> None:
    for number in range(3):
        agent(web, f"agent_{number}")
    ana = web.browser("operator")
    asking, after = bulk(ana, "do=start&name=agent_0&name=agent_2")
    assert "Start 2 agents?" in asking
    assert "agent_0, agent_2" in asking
    assert "2 agents started." in after.text
    assert [status(web, f"agent_{number}") for number in range(3)] == ["running", "idle", "running"]
    bulk(ana, "do=pause&all=1")
    assert "2 agents resumed." in bulk(ana, "do=resume&all=1")[1].text
    assert "1 agent stopped." in bulk(ana, "do=stop&name=agent_0&name=agent_1")[1].text
    assert [status(web, f"agent_{number}") for number in range(3)] == ["idle", "idle", "running"]


def test_stopping_many_calls_off_what_they_had_not_begun(web: Web) -> None:
    agent(web, "ada_1", running=True)
    web.fleet.sql("UPDATE agents SET remote_account = 'u-1'")
    tick(web.deps, agent_commands.trigger(web.deps, "ada_1", action="post", by="test"))
    bulk(web.browser("operator"), "do=stop&all=1")
    assert [job.state for job in web.fleet.jobs()] == ["cancelled"]


def test_more_than_one_batch_is_moved_with_events_and_audit_log(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.features.agents.bulk._BATCH", 4)
    agent_commands.seed(web.deps, count=10, by="test")
    _, after = bulk(web.browser("operator"), "do=start&all=1")
    assert "10 agents started." in after.text
    assert len(activity_queries.latest(web.deps, subjects=["agent.started"])) == 10
    with web.deps.db.transaction() as tx:
        noted = tx.execute(sa.text("SELECT actor, after->>'number' FROM audit WHERE action = 'agents.started'")).all()
    assert [actor for actor, _ in noted] == ["operator-1"] * 3
    assert sum(int(number) for _, number in noted) == 10


def test_an_empty_selection_is_reported_and_changes_nothing(web: Web) -> None:
    agent(web, "ada_1", running=True)
    ana = web.browser("operator")
    asked = ana.get("/agents/bulk?do=pause")
    assert "Choose agents first" in ana.get(asked.headers["location"]).text
    assert ana.post("/agents/bulk?do=pause").status_code == 303
    assert ana.get("/agents/bulk?do=dance&all=1").status_code == 422
    assert status(web, "ada_1") == "running"


def test_an_action_that_changes_no_agent_has_no_button(web: Web) -> None:
    agent(web, "ada_1")
    page = web.browser("operator").get("/agents/bulk?do=resume&all=1").text
    assert "Resume 0 agents?" in page
    assert [action for action in forms(page) if action.startswith("/agents")] == []


# ---- the form ----

GOOD = {
    "name": "Ada Lens", "username": "ada_lens", "persona": "ai_artist", "personality": "Calm.", "vibe": "dry",
    "interests": "fog,  night   trains ,fog", "post": "90", "comment": "35", "like": "5", "browse": "0",
    "min_interval_s": "30", "max_interval_s": "600", "autonomy": "supervised", "scans": "1",
    "scan_interval_s": "7200", "audience": "friends", "heeds_agents": "1", "draft_days": "3",
}  # fmt: skip


def facts(row: AgentRow) -> dict[str, Any]:
    return {**settings_of(row), "username": row.username, "status": row.status}


def test_a_new_agent_is_what_the_form_says(web: Web) -> None:
    sent = web.browser("admin").post("/agents/new", **GOOD)
    assert (sent.status_code, sent.headers["location"]) == (303, "/agents/ada_lens")
    assert facts(lookup.agent(web.deps.db, "ada_lens")) == {
        "name": "Ada Lens", "username": "ada_lens", "persona_id": "ai_artist", "personality": "Calm.", "vibe": "dry",
        "interests": ["fog", "night trains"], "post_weight": 0.9, "comment_weight": 0.35, "like_weight": 0.05,
        "browse_weight": 0.0, "min_interval_s": 30, "max_interval_s": 600, "autonomy": "supervised", "scans": True,
        "scan_interval_s": 7200, "audience": "friends", "heeds_agents": True, "draft_days": 3, "status": "idle",
        "owner": "",
    }  # fmt: skip


def test_a_new_agent_can_start_at_once(web: Web) -> None:
    web.browser("admin").post("/agents/new", **GOOD, start="1")
    assert status(web, "ada_lens") == "running"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "Give it a name"),
        ("name", "\u200b\u202e", "Give it a name"),
        ("name", "x" * 101, "101 characters; 100 is the most"),
        ("username", "Ada Lens", "3 to 30 of"),
        ("username", "ab", "3 to 30 of"),
        ("username", "taken_1", "The username taken_1 is taken."),
        ("persona", "nobody", "There is no such persona"),
        ("personality", "x" * 2001, "2,001 characters"),
        ("vibe", "x" * 61, "61 characters"),
        ("interests", "fog, " + "y" * 61, "at most 60 characters"),
        ("interests", ",".join(f"i{n}" for n in range(51)), "51 interests; 50 is the most"),
        ("post", "-5", "percentage of 0 or more"),
        ("like", "nan", "percentage of 0 or more"),
        ("browse", "inf", "percentage of 0 or more"),
        ("comment", "", "percentage of 0 or more"),
        ("min_interval_s", "0", "whole seconds from 1 to 604,800"),
        ("max_interval_s", "604801", "whole seconds from 1 to 604,800"),
        ("max_interval_s", "29", "shorter than the shortest, 30 s"),
        ("min_interval_s", "1e3", "whole seconds from 1 to 604,800"),
        ("autonomy", "free", "Choose one of: autonomous, supervised."),
        ("scan_interval_s", "61", "Choose one of the list."),
        ("audience", "enemies", "Choose one of: public, friends."),
        ("draft_days", "91", "1 to 90 days"),
    ],
)
def test_an_error_stands_at_its_field_and_the_input_stays(web: Web, field: str, value: str, said: str) -> None:
    agent(web, "taken_1")
    answer = web.browser("admin").post("/agents/new", **(GOOD | {field: value}))
    assert answer.status_code == 422
    (problem,) = re.findall(r'<small class="said wrong" id="(\w+)-problem">([^<]*)</small>', answer.text)
    assert problem[0] == field
    assert said in unescape(problem[1])
    kept = forms(answer.text)["/agents/new"]
    assert all(kept[name] == GOOD[name] for name in ("name", "vibe", "like", "draft_days") if name != field)
    assert agent_commands.list_agents(web.deps, AgentFilter())[1] == 1


def test_four_weights_of_nothing_are_refused(web: Web) -> None:
    nothing = dict.fromkeys(("post", "comment", "like", "browse"), "0")
    answer = web.browser("admin").post("/agents/new", **(GOOD | nothing))
    assert answer.status_code == 422
    assert "there is nothing to do" in answer.text


def test_a_form_without_any_field_is_a_form_with_every_problem(web: Web) -> None:
    answer = web.browser("admin").post("/agents/new")
    assert answer.status_code == 422
    assert answer.text.count('class="said wrong"') > 5


def test_a_personas_character_is_filled_in_without_saving_anything(web: Web) -> None:
    ana = web.browser("admin")
    answer = ana.post("/agents/new", fill="1", **(GOOD | {"persona": "ux_designer"}))
    filled = forms(answer.text)["/agents/new"]
    persona = personas_of(web.deps).get("ux_designer")
    assert answer.status_code == 200
    assert persona.character.personality in unescape(answer.text)
    assert ", ".join(persona.character.interests) in unescape(answer.text)
    assert (filled["name"], filled["username"]) == ("Ada Lens", "ada_lens")
    assert (filled["post"], filled["min_interval_s"]) == (
        f"{persona.weights['post'] * 100:g}",
        str(persona.interval.min_s),
    )
    assert agent_commands.list_agents(web.deps, AgentFilter())[1] == 0
    assert forms(ana.get("/agents/new?persona=ux_designer").text)["/agents/new"]["vibe"] == persona.character.vibe
    assert "Choose a persona first" in ana.post("/agents/new", fill="1", **(GOOD | {"persona": ""})).text


def test_every_persona_that_ships_fills_in_a_form_that_can_be_sent(web: Web) -> None:
    ana = web.browser("admin")
    for number, persona in enumerate(personas_of(web.deps).ids):
        page = ana.get(f"/agents/new?persona={persona}").text
        texts = dict(re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)</textarea>', page))
        typed = forms(page)["/agents/new"] | {name: unescape(value) for name, value in texts.items()}
        chosen = {"persona": persona, "scan_interval_s": "3600", "audience": "public"}
        sent = ana.post("/agents/new", **(typed | chosen | {"name": persona, "username": f"agent_{number}"}))
        assert sent.status_code == 303, sent.text
        made = lookup.agent(web.deps.db, f"agent_{number}")
        assert made.personality == personas_of(web.deps).get(persona).character.personality
        assert made.weights["post"] == pytest.approx(personas_of(web.deps).get(persona).weights["post"])


def test_editing_changes_what_was_touched_and_nothing_else(web: Web) -> None:
    agent(web, "ada_1", name="Ada", persona_id="ai_artist", personality="Calm.")
    web.fleet.sql("UPDATE agents SET weights = weights || :own, min_interval_s = 3, max_interval_s = 90000",
                  own='{"post": 0.123456}')  # fmt: skip
    before = facts(lookup.agent(web.deps.db, "ada_1"))
    ana = web.browser("admin")
    page = ana.get("/agents/ada_1/edit").text
    typed = forms(page)["/agents/ada_1/edit"] | {
        "persona": "ai_artist", "personality": "Calm.", "interests": "", "scan_interval_s": "3600",
        "audience": "public",
    }  # fmt: skip
    sent = ana.post("/agents/ada_1/edit", **typed)
    assert "Nothing was changed." in ana.get(sent.headers["location"]).text
    ana.post("/agents/ada_1/edit", **(typed | {"vibe": "dry", "like": "45", "username": "other_1"}))
    assert facts(lookup.agent(web.deps.db, "ada_1")) == before | {"vibe": "dry", "like_weight": 0.45}
    (updated,) = activity_queries.latest(web.deps, subjects=["agent.updated"])
    assert updated.payload["after"] == {"vibe": "dry", "like_weight": 0.45}


def test_a_refused_edit_changes_nothing(web: Web) -> None:
    agent(web, "ada_1", name="Ada")
    before = facts(lookup.agent(web.deps.db, "ada_1"))
    answer = web.browser("admin").post("/agents/ada_1/edit", **(GOOD | {"draft_days": "0"}))
    assert answer.status_code == 422
    assert forms(answer.text)["/agents/ada_1/edit"]["name"] == "Ada Lens"
    assert facts(lookup.agent(web.deps.db, "ada_1")) == before


# ---- one agent ----


def test_the_page_tells_what_an_agent_is_and_when_it_wakes(web: Web) -> None:
    agent(web, "ada_1", name="Ada", persona_id="ai_artist", personality="Calm.", interests=("fog",), running=True)
    # Whoever is late wakes now, which is another moment on the page and below.
    web.fleet.sql("UPDATE agents SET next_tick_at = next_tick_at + interval '1 h'")
    page = web.browser("viewer").get("/agents/ada_1").text
    for said in ("Calm.", "fog", "ai_artist", "on its account and its pictures", "in UTC (UTC+00:00)"):
        assert said in page
    wakes = agent_views.wakes(web.deps, lookup.agent(web.deps.db, "ada_1"), clock.now())
    assert [wake.isoformat() in page for wake in wakes] == [True] * 5


def test_coming_wakes_are_those_that_dispatch_draws(web: Web) -> None:
    agent(web, "ada_1", min_interval_s=60, max_interval_s=360_000, running=True)  # so wide that no other draw is near
    web.fleet.sql("UPDATE agents SET next_tick_at = clock_timestamp()")
    foretold = agent_views.wakes(web.deps, lookup.agent(web.deps.db, "ada_1"), clock.now())[1]
    assert dispatch.dispatch(web.deps) == 1
    drawn = lookup.agent(web.deps.db, "ada_1").next_tick_at
    assert drawn is not None
    assert timedelta() <= drawn - foretold < timedelta(minutes=1)  # by as much as dispatch came later


def test_a_decision_tells_its_jobs_and_is_decided_again(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    web.fleet.surface.posts = [FeedItem("p1", "bob", "Bob", f"A harbour {EVIL}", None)]
    number = decided(web, "ada_1", "post")
    vic = web.browser("viewer")
    page = vic.get("/agents/ada_1?tab=decisions").text
    (job,) = web.fleet.jobs()
    assert "I have an idea for a picture." in page
    assert f'href="/jobs/{job.id}"' in page
    assert "asked to post by web:ana" in page
    assert "1 post in its feed" in page
    again = vic.get(f"/agents/ada_1/decisions/{number}").text
    assert "the same comes out" in again and "Differences" not in again
    assert "A harbour &lt;script&gt;" in again.replace("&#34;", '"')
    web.fleet.sql("""UPDATE ticks SET outcome = jsonb_set(outcome, '{thought}', '"I was other."')""")
    again = vic.get(f"/agents/ada_1/decisions/{number}").text
    assert "another decision comes out" in again
    assert re.search(r"<del>[^<]*I was other\.", again)
    assert vic.get("/agents/ada_1/decisions/99").status_code == 404


def test_a_decision_that_could_not_be_made_says_why(web: Web) -> None:
    agent(web, "ada_1", running=True)
    key = agent_commands.trigger(web.deps, "ada_1", action=None, by="web:ana")
    agent_commands.pause(web.deps, "ada_1", by="test")
    tick(web.deps, key)
    page = web.browser("viewer").get(f"/agents/ada_1/decisions/{key.tick_no}").text
    assert "there is no decision to repeat" in page


def test_each_tab_shows_its_own_and_pages_lead_down(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("agents.pages_agent._ENTRIES", "jobs.pages._PAGE", "activity.pages._OF_AGENT"):
        monkeypatch.setattr(f"fleet.features.{name}", 2)
    agent(web, "ada_1", name="Ada", running=True)
    agent(web, "bob_1", running=True)
    for _ in range(3):
        decided(web, "ada_1", "post")
    decided(web, "bob_1", "post")
    vic = web.browser("viewer")
    for tab, shown in (("decisions", r"<strong>(\d+)</strong>"), ("jobs", r'"/jobs/([0-9a-f-]+)"')):
        first = vic.get(f"/agents/ada_1?tab={tab}").text
        (older,) = links(first, "next")
        rest = vic.get(older).text
        seen = re.findall(shown, first.partition("<main")[2]) + re.findall(shown, rest.partition("<main")[2])
        assert len(set(seen)) == 3, tab
    told, where = 0, "/agents/ada_1?tab=activity"
    while where:
        page = vic.get(where).text
        told += page.count("<tr>") - 1
        where = next(iter(links(page, "next")), "")
    assert told == len(activity_queries.latest(web.deps, name="ada_1"))
    assert vic.get("/agents/ada_1?tab=decisions&before=x").status_code == 422
    assert vic.get("/agents/ada_1?tab=nothing").status_code == 422


def test_costs_are_those_of_this_agent(web: Web) -> None:
    agent(web, "ada_1")
    agent(web, "bob_1")
    for name, days, microusd, model in (
        ("ada_1", 0, 20_000, "small"), ("ada_1", 1, 30_000, "large"), ("ada_1", 9, 990_000, "old"),
        ("bob_1", 0, 770_000, "bobs"),
    ):  # fmt: skip
        web.fleet.sql(
            "INSERT INTO llm_calls (called_at, agent_id, purpose, provider, model, outcome, microusd, latency_ms)"
            " SELECT clock_timestamp() - make_interval(days => :d), id, 'post', 'test', :m, 'answered', :c, 10"
            " FROM agents WHERE username = :u", d=days, m=model, c=microusd, u=name,
        )  # fmt: skip
    page = web.browser("viewer").get("/agents/ada_1?tab=costs").text
    figures = re.findall(r'<h2>([^<]+)</h2><p class="figure">([^<]+)</p>', page)
    assert figures == [("Today", "$0.02"), ("7 days", "$0.05"), ("Calls to models", "2")]
    assert re.findall(r'<th scope="row">(\w+)</th>', page) == ["large", "small", "post"]


def test_drafts_are_those_of_this_agent(web: Web) -> None:
    agent(web, "ada_1", autonomy="supervised")
    draft(web, "ada_1", EVIL)
    page = web.browser("viewer").get("/agents/ada_1?tab=drafts").text
    assert "&lt;script&gt;alert(1)" in page
    assert "It has proposed nothing yet." not in page
    agent(web, "bob_1", autonomy="supervised")
    assert "It has proposed nothing yet." in web.browser("viewer", "vic").get("/agents/bob_1?tab=drafts").text


def draft(web: Web, username: str, words: str) -> None:
    """Have an agent propose a post."""
    row = lookup.agent(web.deps.db, username)
    content = {"kind": "post", "target": None, "text": words, "media": [], "visibility": "public"}
    with web.deps.db.transaction() as tx:
        service.create(tx, NewDraft(ids.new(), row.id, "test", ids.new(), "floimg", content, timedelta(days=7)))


# ---- who may, and what is hostile ----


def test_a_viewer_sees_no_buttons_and_is_refused(web: Web) -> None:
    agent(web, "ada_1", name="Ada", running=True)
    vic = web.browser("viewer")
    for path in ("/agents", "/agents/ada_1", "/personas/ai_artist"):
        page = vic.get(path).text
        assert [action for action in forms(page) if action != "/logout"] == []
        assert "checkbox" not in page
        assert not re.search(r'href="[^"]*/(edit|delete|new)', page)
    for path in ("start", "pause", "resume", "stop", "trigger", "delete", "edit"):
        assert vic.post(f"/agents/ada_1/{path}").status_code == 403, path
    assert vic.post("/agents/new", **GOOD).status_code == 403
    assert vic.post("/agents/bulk?do=pause&all=1").status_code == 403
    assert vic.get("/agents/new").status_code == 403
    assert vic.get("/agents/bulk?do=pause&all=1").status_code == 403
    assert status(web, "ada_1") == "running"
    assert agent_commands.list_agents(web.deps, AgentFilter())[1] == 1


def test_an_operator_controls_agents_and_does_not_edit_them(web: Web) -> None:
    agent(web, "ada_1", running=True)
    ola = web.browser("operator")
    page = ola.get("/agents/ada_1").text
    assert "/agents/ada_1/pause" in forms(page)
    assert "/agents/ada_1/edit" not in page
    assert ola.post("/agents/ada_1/delete").status_code == 403


@pytest.mark.parametrize("path", ["", "?tab=jobs", "/edit", "/delete", "/decisions/1"])
def test_the_page_of_an_unknown_agent_says_what_to_do(web: Web, path: str) -> None:
    answer = web.browser("owner").get(f"/agents/nobody_1{path}")
    assert answer.status_code == 404
    assert "There is no agent called" in answer.text
    assert "all agents" in answer.text or "fleet agents list" in answer.text


def test_words_of_agents_and_people_are_inert_wherever_they_stand(web: Web) -> None:
    agent(web, "evil_1", name=EVIL, personality=EVIL, vibe=EVIL[:60], interests=(EVIL[:60],), running=True)
    decided(web, "evil_1", "post")
    with web.deps.db.transaction() as tx:
        tx.execute(
            sa.update(AgentRow).values(
                last_thought=EVIL, remote_account=EVIL, current_action=EVIL[:40], owner=EVIL[:40]
            )
        )
    web.fleet.sql("UPDATE ticks SET error = CAST(:e AS text), requested_by = CAST(:e AS text)", e=EVIL)
    web.fleet.sql("UPDATE jobs SET error = CAST(:e AS text), target = CAST(:e AS text)", e=EVIL)
    web.fleet.sql("UPDATE events SET payload = jsonb_build_object('text', CAST(:e AS text))", e=EVIL)
    agent_commands.pause(web.deps, "evil_1", by="test", reason=EVIL)
    ana = web.browser("owner")
    tabs = [f"/agents/evil_1?tab={tab}" for tab in ("about", "decisions", "jobs", "activity", "costs", "drafts")]
    paths = [
        "/agents", "/agents/evil_1/edit", "/agents/evil_1/delete", "/agents/evil_1/decisions/1", *tabs,
        f"/agents?q={EVIL}", f"/agents/bulk?do=start&all=1&q={EVIL}", f"/agents/bulk?do=start&name={EVIL}",
    ]  # fmt: skip
    for path in paths:
        answer = ana.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img" not in re.sub(r'<img class="(published|thumb)" src="/media/[\w/.]+"', "", answer.text), path
    refused = ana.post("/agents/new", **(GOOD | {"name": EVIL, "interests": EVIL, "username": EVIL, "post": EVIL}))
    assert refused.status_code == 422
    assert "<script>alert" not in refused.text
    assert "<img" not in refused.text


# ---- personas ----


def test_personas_tell_how_many_live_by_them(web: Web) -> None:
    agent(web, "ai_1", persona_id="ai_artist", running=True)
    agent(web, "ai_2", persona_id="ai_artist")
    vic = web.browser("viewer")
    listed = vic.get("/personas").text
    row = listed.partition('href="/personas/ai_artist"')[2].partition("</tr>")[0]
    assert re.findall(r'<td class="num">(?:<a [^>]*>)?(\d+)', row)[:2] == ["2", "1"]
    page = vic.get("/personas/ai_artist").text
    assert usernames(page) == ["ai_1", "ai_2"]
    assert "Active every day; at its best 20–24, 00–04" in page
    assert "impossible materials" in page
    examples = page.partition("<h2>Voice")[2].partition("</ul>")[0]
    assert examples.count("<li>") == 4
    assert examples in vic.get("/personas/ai_artist").text  # the same ones each time


def test_an_unknown_persona_is_not_found(web: Web) -> None:
    answer = web.browser("viewer").get("/personas/ai_artisan")
    assert answer.status_code == 404
    assert "ai_artist" in answer.text


def test_an_agent_whose_personas_file_is_gone_still_has_its_page(web: Web) -> None:
    agent(web, "ada_1", running=True)
    web.fleet.sql("UPDATE agents SET persona_id = 'gone_one'")
    ana = web.browser("owner")
    page = ana.get("/agents/ada_1").text
    assert "There is no persona" in page
    assert "its file is gone" in ana.get("/agents").text
    typed = forms(ana.get("/agents/ada_1/edit").text)["/agents/ada_1/edit"]
    same = {"persona": "gone_one", "scan_interval_s": "3600", "audience": "public"}
    assert ana.post("/agents/ada_1/edit", **(typed | same | {"vibe": "dry"})).status_code == 303


def test_find_walks_both_ways_whatever_the_filter(web: Web) -> None:
    names = [agent(web, f"agent_{letter}", persona_id="ai_artist") for letter in "abcde"]
    with web.deps.db.transaction() as tx:
        for which in (AgentFilter(), AgentFilter(persona_id="ai_artist"), AgentFilter(text="agent")):
            found = lambda **place: [row.username for row in queries.find(tx, which, limit=2, **place)]  # noqa: B023, E731
            assert found() == names[:2]
            assert found(after="agent_b") == names[2:4]
            assert found(before="agent_e") == names[2:4]
            assert found(offset=1) == names[1:3]


def test_many_agents_get_another_owner_by_their_list(web: Web) -> None:
    web.user("reviewer", "ben")
    web.user("viewer", "vic")
    for name in ("ada_1", "bob_1", "cleo_1"):
        agent(web, name)
    ana = web.browser("admin", "ana")
    assert 'formaction="/agents/assign"' in ana.get("/agents").text
    asked = ana.get("/agents/assign?name=ada_1&name=bob_1").text
    assert "the owner of 2 agents?" in asked
    choice = asked.partition('<select name="new_owner"')[2].partition("</select>")[0]
    assert re.findall(r'<option value="([\w-]*)"', choice) == ["", "ana", "ben", "-"]  # a viewer cannot own agents
    sent = ana.post("/agents/assign?name=ada_1&name=bob_1", new_owner="ben")
    assert sent.headers["location"] == "/agents"
    assert "ben owns 2 more agents." in ana.get("/agents").text
    assert usernames(ana.get("/agents?owner=ben").text) == ["ada_1", "bob_1"]
    assert ana.post("/agents/assign?all=1&owner=ben").status_code == 422  # nobody is chosen by a word
    assert ana.post("/agents/assign?all=1&owner=ben", new_owner="-").status_code == 303
    assert usernames(ana.get("/agents?owner=ben").text) == []
    refused = ana.post("/agents/assign?name=ada_1", new_owner="vic")
    assert refused.status_code == 422 and "vic cannot own agents." in refused.text
    operator = web.browser("operator")
    assert "/agents/assign" not in operator.get("/agents").text
    assert operator.post("/agents/assign?name=ada_1", new_owner="ben").status_code == 403
