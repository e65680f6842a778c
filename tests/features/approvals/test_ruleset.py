"""Approval rules that people edit: one set, versioned, in force in every process, at the page, the API and commands."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.approvals import rule_file
from fleet.features.approvals import service as approving
from fleet.features.approvals.queries import RequestFilter
from fleet.features.approvals.rules import DEFAULT_RULE, Condition, Op, Rule
from fleet.features.approvals.ruleset import form
from fleet.features.approvals.ruleset.in_force import rules_of
from fleet.features.users import service as accounts
from tests.features.agents.test_cli import Cli, cli
from tests.web_client import Browser, Web

__all__ = ["cli"]

RULES = "/api/v1/approvals/rules"
PAGE = "/approvals/rules"
ANY_DELETE = {"name": "any removal", "resource": "*", "action": "delete", "approvers": ["role:owner"]}


def another_process(web: Web) -> Deps:
    """Return the connections of another process of the same fleet."""
    return replace(web.deps, parts={})


def audited(web: Web) -> list[Any]:
    return accounts.audit_page(web.deps, accounts.AuditFilter(action="approval_rules.changed"))


def test_rules_are_changed_as_a_whole_and_every_process_follows_and_the_history_brings_them_back(web: Web) -> None:
    ann, other = web.program("owner", name="ann"), another_process(web)
    first = ann.get(RULES)
    shipped = first.json()
    assert (shipped["source"], shipped["version"], shipped["file"]) == ("file", 0, "shipped")
    assert ann.put(RULES, json={"items": shipped["items"]}).json()["version"] == 0  # the same rules are no change

    items = [ANY_DELETE, *shipped["items"]]
    put = ann.put(RULES, json={"items": items, "reason": "owners only"}, headers={"if-match": first.headers["etag"]})
    assert put.status_code == 200, put.text
    assert (put.json()["source"], put.json()["version"], put.json()["set_by"]) == ("edited", 1, "api:ann")
    assert [one["name"] for one in put.json()["items"]] == ["any removal", *(one["name"] for one in shipped["items"])]
    late = ann.put(RULES, json={"items": []}, headers={"if-match": first.headers["etag"]})
    assert late.status_code == 412, late.text

    assert rules_of(other)[0].name == "drafts"
    other.live.expire()
    other.refresh()
    assert rules_of(other)[0] == rule_file.parse([ANY_DELETE])[0]
    tried = ann.get("/api/v1/approvals/try", params={"resource": "agent", "action": "delete"}).json()
    assert tried["rule"]["name"] == "any removal"

    assert ann.delete(RULES, params={"reason": "too strict"}).json()["source"] == "file"
    other.live.expire()
    other.refresh()
    assert rules_of(other) == rule_file.shipped()
    history = ann.get(f"{RULES}/history").json()["items"]
    assert [(one["version"], one["is_file"], one["change"], one["reason"]) for one in history] == [
        (2, True, "removes any removal", "too strict"), (1, False, "adds any removal", "owners only")
    ]  # fmt: skip
    assert ann.get(f"{RULES}/history", params={"limit": 1}).json()["next"]
    assert ann.get(f"{RULES}/history/1").json()["items"] == put.json()["items"]
    assert ann.post(f"{RULES}/restore", json={"version": 1}).json()["items"] == put.json()["items"]
    assert ann.post(f"{RULES}/restore", json={"version": 9}).status_code == 404
    assert [(line.actor, line.after["version"], line.after["reason"]) for line in audited(web)] == [
        ("ann", 3, "as in version 1"), ("ann", 2, "too strict"), ("ann", 1, "owners only")
    ]  # fmt: skip


def test_an_open_request_keeps_the_rule_under_which_it_was_opened(web: Web) -> None:
    ann, ben = web.program("owner", name="ann"), web.program("admin", name="ben")
    web.fleet.agent(username="ana_1")
    asked = ann.delete("/api/v1/agents/ana_1").json()
    assert (asked["rule"], asked["approvers"]) == ("removals", ["role:owner", "role:admin"])
    assert ann.put(RULES, json={"items": [ANY_DELETE]}).status_code == 200
    web.deps.refresh()
    kept = ben.get(f"/api/v1/approvals/{asked['id']}").json()
    assert (kept["rule"], kept["approvers"]) == ("removals", ["role:owner", "role:admin"])
    assert ben.post(f"/api/v1/approvals/{asked['id']}/approve").status_code == 200


def test_changing_rules_waits_under_the_rules_of_now_and_runs_once(web: Web) -> None:
    ann, bob = web.program("owner", name="ann"), web.program("owner", name="bob")
    asked = ann.put(RULES, json={"items": [ANY_DELETE], "reason": "simple"})
    assert asked.status_code == 202 and asked.json()["rule"] == "rules", asked.text
    assert "removes drafts" in asked.json()["summary"] and ann.get(RULES).json()["source"] == "file"
    shown = {one["field"]: one["after"] for one in asked.json()["diff"]}
    assert '[[rule]]\nname = "any removal"' in shown["rules.any removal"]
    where = f"/api/v1/approvals/{asked.json()['id']}/approve"
    assert ann.post(where).status_code == 409
    assert bob.post(where).status_code == 200 and bob.post(where).status_code == 200
    now = ann.get(RULES).json()
    assert (now["version"], now["set_by"], [one["name"] for one in now["items"]]) == (1, "api:ann", ["any removal"])
    assert ann.put(RULES, json={"items": []}).json()["version"] == 2  # no rule covers changes of rules any more


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"approvers": ["role:nobody"]}, "Nobody could decide under the rule 'any removal'"),
        ({"min_approvals": 2}, "it needs 2 of role:owner, and there is 1"),
        ({"approvers": ["user:zoe"]}, "there is no such account"),
        ({"approvers": ["zoe"]}, "write role:NAME, user:NAME or owner"),
        ({"name": "an\u202ey"}, "invisible"),
        ({"when": [{"field": "usd", "op": "gt", "value": [1]}]}, "one plain value"),
        ({"whom": "me"}, "rule.1.whom: is not known here"),
    ],
)
def test_rules_without_a_possible_approver_and_wrong_ones_are_refused(web: Web, rule: Any, words: str) -> None:
    ann = web.program("owner", name="ann")
    answer = ann.put(RULES, json={"items": [{**ANY_DELETE, **rule}]})
    assert answer.status_code == 422 and words in answer.json()["detail"], answer.text
    assert ann.get(RULES).json()["version"] == 0
    free = {**ANY_DELETE, **rule, "requires_approval": False}
    if "Nobody" in words:  # who decides nothing need not exist
        assert ann.put(RULES, json={"items": [free]}).status_code == 200


def test_pinned_rules_are_the_file_s_whatever_people_edited(web: Web) -> None:
    ann = web.program("owner", name="ann")
    assert ann.put(RULES, json={"items": [ANY_DELETE]}).status_code == 200
    pinned = replace(web.deps, given=_pinned(web.deps.given), parts={})
    pinned.refresh()
    assert rules_of(pinned) == rule_file.shipped()
    there = Web(replace(web.fleet, deps=pinned))
    client = there.anonymous()
    client.headers["authorization"] = ann.headers["authorization"]
    assert (client.get(RULES).json()["source"], client.get(RULES).json()["is_pinned"]) == ("file", True)
    refused = client.put(RULES, json={"items": []})
    assert refused.status_code == 409 and "pinned" in refused.json()["detail"]


def _pinned(settings: Settings) -> Settings:
    return settings.model_copy(update={"pinned": ("approval_rules",)})


def fields(page: str) -> dict[str, Any]:
    """Return what the page's form would send."""
    body = page[page.index('class="rulebook"') :]
    body = body[: body.index("</form>")]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input [^>]*>", body):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] == "approvers":
            if " checked" in tag:
                found.setdefault("approvers", []).append(value[1] if value else "")
        elif name and name[1] != "csrf":
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)</textarea>', body):
        found[name] = html.unescape(text)
    chosen = re.search(r'<select name="approval">.*?<option value="(\w+)" selected', body, re.DOTALL)
    return found | ({"approval": chosen[1]} if chosen else {})


def press(browser: Browser, page: str, do: str, **typed: Any) -> Any:
    return browser.post(f"{PAGE}/draft", **{**fields(page), **typed, "do": do})


def test_the_page_edits_moves_removes_tries_and_saves_without_a_script(web: Web) -> None:
    oda = web.browser("owner", "oda")
    page = oda.get(PAGE).text
    assert "In force: the rules of the file (shipped)" in page and "Not saved yet" not in page
    opened = press(oda, page, "open:2").text
    assert fields(opened)["escalate_to"] == "role:operator"
    wrong = press(oda, opened, "keep", when="usd > 100", min_approvals="many", others="zoe")
    assert wrong.status_code == 422 and wrong.text.count('aria-invalid="true"') == 3
    assert (fields(wrong.text)["min_approvals"], fields(wrong.text)["when"]) == ("many", "usd > 100")
    tried = press(oda, wrong.text, "try", min_approvals="1", others="", try_resource="budget", try_action="raise",
                  try_usd="12", try_asker="oda")  # fmt: skip
    then = tried.text[tried.text.index("With these changes") :]
    assert "no rule covers it" in then and "nobody but the asker may approve it" in tried.text
    kept = press(oda, tried.text, "keep").text
    assert "changes budgets" in kept
    moved = press(oda, press(oda, kept, "up:2").text, "remove:0").text
    assert "changes budgets; removes drafts; another order" in moved
    assert rules_of(web.deps) == rule_file.shipped()
    added = press(oda, press(oda, moved, "add").text, "keep", name="likes", resource="draft", action="publish",
                  approval="never").text  # fmt: skip
    saved = oda.post(PAGE, **{**fields(added), "reason": "calmer"})
    assert (saved.status_code, saved.headers["location"]) == (303, PAGE)
    web.deps.refresh()
    found = rules_of(web.deps)
    assert [rule.name for rule in found] == [
        "budgets",
        "retries",
        "reconciliation",
        "rules",
        "removals",
        "consent",
        "listings",
        "store-budgets",
        "content",
        "prices",
        "product-texts",
        "tuning",
        "likes",
    ]
    assert found[0].when == (Condition("usd", Op.GT, 100),) and not found[-1].requires_approval
    page = oda.get(PAGE).text
    assert "In force: version 1, by web:oda" in page and "(calmer)" in page

    stale = fields(press(oda, page, "remove:0").text)
    assert oda.post(f"{PAGE}/restore", version="0").status_code == 303  # somebody else resets meanwhile
    late = oda.post(PAGE, **stale)
    assert late.status_code == 412 and "changed meanwhile" in late.text and fields(late.text)["draft"] == stale["draft"]
    history = oda.get(f"{PAGE}/history").text
    assert "reset to the file" in history and "calmer" in history
    assert "as in version 1" in oda.get(f"{PAGE}?version=1").text
    web.deps.refresh()
    assert rules_of(web.deps) == rule_file.shipped()


def test_who_may_not_set_rules_sees_and_tries_them_only(web: Web) -> None:
    eve = web.browser("reviewer", "eve")
    page = eve.get(PAGE).text
    assert "Add a rule" not in page and "Try" in page
    assert eve.post(PAGE, **fields(page)).status_code == 403
    tried = press(eve, page, "try", try_resource="budget", try_action="raise")
    assert tried.status_code == 200 and "no rule covers it" not in tried.text
    assert eve.post(f"{PAGE}/draft", draft='[{"name": "<script>"}]').status_code == 422


def test_a_rule_is_the_same_after_its_form_and_after_its_file() -> None:
    odd = Rule(
        'a "b"\\', "budget", "*", ("role:owner", "user:ann", "owner"), 2, DEFAULT_RULE.expiration,
        (Condition("a.b", Op.IN, [1, "two", True]), Condition("c", Op.EQ, "12"), Condition("d", Op.EQ, "x y")),
        (Condition("e", Op.EXISTS, False), Condition("f", Op.GE, 0.5), Condition("g", Op.EQ, "ä 😀 ]")),
    )  # fmt: skip
    for rule in (*rule_file.shipped(), odd):
        data = rule_file.rule_data(rule)
        typed = form.as_typed(data)
        again = rule_file.parse([form.as_rule(typed)])[0]
        assert replace(again, approvers=()) == replace(rule, approvers=()), typed
        assert set(again.approvers) == set(rule.approvers)
        assert rule_file.parse(json.loads(json.dumps([data]))) == (rule,)
        assert rule_file.parse_toml(rule_file.rule_toml(rule)) == (rule,)


def test_the_gate_of_drafts_follows_the_rules_in_force(web: Web) -> None:
    web.program("owner", name="ann").put(RULES, json={"items": []})
    web.deps.refresh()
    assert approving.page(web.deps, RequestFilter(), limit=1) == []
    assert approving.time_to_decide(web.deps, "draft", "publish", {}, DEFAULT_RULE.expiration * 3) == (
        DEFAULT_RULE.expiration
    )


def test_commands_show_set_reset_and_list_the_versions_of_the_rules(cli: Cli, web: Web, tmp_path: Path) -> None:
    web.user("admin", "ben")
    path = tmp_path / "rules.toml"
    path.write_text(cli("approvals", "rules", "list", "--toml").stdout.replace("129600", "100"))
    assert "version 1" in cli("approvals", "rules", "set", str(path), "--why", "sooner").stdout
    assert rule_file.parse_toml(cli("approvals", "rules", "list", "--toml").stdout) == rule_file.load(path)
    assert "From the shipped file" in cli("approvals", "rules", "check").stderr  # the file itself is as it was
    assert "nobody" in cli("approvals", "rules", "set", "-", code=2, stdin=_UNDECIDABLE).stderr.lower()
    assert "--yes" in cli("approvals", "rules", "reset", code=2).stderr
    assert "In force: the shipped file" in cli("approvals", "rules", "reset", "-y").stdout
    shown = " ".join(cli("approvals", "rules", "history", columns=200).stdout.split())
    assert "reset to the file; changes drafts" in shown and "sooner" in shown
    assert [one["version"] for one in cli.json("approvals", "rules", "history")["items"]] == [2, 1]
    assert cli.json("approvals", "rules", "history", "1")["items"][0]["expiration_minutes"] == 100
    assert "version 3" in cli("approvals", "rules", "restore", "1", "-y").stdout


_UNDECIDABLE = "[[rule]]\nname='x'\nresource='*'\naction='*'\napprovers=['role:nobody']\n"
