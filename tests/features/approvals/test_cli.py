"""`fleet approvals` on a real database: lists, pages with diffs, decisions in whose name, exit codes, JSON."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.features.approvals import rule_file
from fleet.features.approvals import service as approving
from fleet.features.approvals.request import Proposal, Request
from fleet.features.approvals.rules import Person
from fleet.features.drafts import commands as drafting
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import HOSTILE, Cli
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import COMMENT

REQUEST_KEYS = {
    "id", "resource", "resource_id", "action", "revision", "summary", "agent_id", "agent", "requested_by", "state",
    "rule", "approvers", "min_approvals", "voices", "escalate_to", "created_at", "expires_at", "escalate_at",
    "escalated_at", "settled_at", "settled_by", "reason", "is_verb",
}  # fmt: skip
TWO = "[[rule]]\nname='two'\nresource='page'\naction='publish'\napprovers=['role:owner']\nmin_approvals=2\n"


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


def propose(fleet: Fleet, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "resource": "draft", "resource_id": str(uuid.uuid4()), "action": "publish", "requested_by": "agent:ann_1",
        "payload": {"text": "A harbour at dusk.\nCome and see.", "visibility": "public"},
        "before": {"text": "A harbour at dawn.\nCome and see.", "likes": 3}, "summary": "A comment on Ben's harbour",
        "agent_id": None, "facts": {"confidence": 0.7},
    }  # fmt: skip
    with fleet.deps.db.transaction() as tx:
        return approving.propose(fleet.deps, tx, Proposal(**{**values, **changes}))


def short(request: Request) -> str:
    return str(request.id)[:8]


def test_a_request_is_listed_shown_with_its_diff_and_approved(cli: Cli, fleet: Fleet) -> None:
    long = "Try the comment of ann_1 again: exhausted, the gallery did not answer within half a minute"
    propose(fleet, resource="reconciliation", summary=long)
    request = propose(fleet, agent_id=fleet.agent(username="ann_1", name="Ann"))
    lines = cli("approvals", "list", "--resource", "draft").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "publish draft" in lines[1]
    narrow = cli("approvals", "list").stdout.splitlines()
    assert len(narrow) == 3
    assert all(word in narrow[2] for word in ("publish reconciliation", "pending", "in 23 h", "Try"))
    cli("approvals", "reject", narrow[2][:8], "--reason", "no")
    shown = cli("approvals", "show", short(request)).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for part in ("- A harbour at dawn.", "+ A harbour at dusk.", "likes (gone)", "+ public", "ann_1", "in 89 d"):
        assert part in shown
    assert "Approved" in cli("approvals", "approve", short(request), "--reason", "good").stdout
    assert "No requests." in cli("approvals", "list").stderr
    shown = cli("approvals", "show", short(request)).stdout
    assert getpass.getuser() in shown
    assert "good" in shown


def test_deciding_again_does_nothing_and_otherwise_is_an_error(cli: Cli, fleet: Fleet) -> None:
    request = short(propose(fleet))
    cli("approvals", "reject", request, code=2)
    cli("approvals", "reject", request, "--reason", "dull")
    assert "Already rejected" in cli("approvals", "reject", request, "--reason", "dull").stdout
    assert "rejected already" in cli("approvals", "approve", request, code=4).stderr
    cli("approvals", "show", "00000000", code=3)


def test_names_without_a_role_decide_nothing_and_no_author_decides_own_requests(cli: Cli, fleet: Fleet) -> None:
    request, own = propose(fleet), propose(fleet, requested_by=f"cli:{getpass.getuser()}")
    refused = cli("approvals", "approve", short(request), "--as", "eve", code=4)
    assert "FLEET_ROLES_OF" in refused.stderr
    assert "own request" in cli("approvals", "approve", short(own), code=4).stderr
    cli("approvals", "approve", short(own), "--as", "eve", FLEET_ROLES_OF="eve=owner")
    cli("approvals", "approve", short(request), code=4, FLEET_ROLES_OF=f"{getpass.getuser()}=viewer")
    assert "NAME=ROLE" in cli("approvals", "list", code=2, FLEET_ROLES_OF="eve").stderr


def test_each_of_several_requests_gets_its_own_answer(cli: Cli, fleet: Fleet) -> None:
    good, own = propose(fleet), propose(fleet, requested_by=getpass.getuser())
    told = cli("approvals", "approve", short(good), short(own), code=4)
    assert short(good) in told.stdout
    assert short(own) in told.stderr
    more = [propose(fleet), propose(fleet)]
    found = cli.json("approvals", "approve", *(str(one.id) for one in more))["items"]
    assert [(one["decided"]["state"], one["problem"]) for one in found] == [("approved", None)] * 2


def test_two_people_and_a_revision_that_was_seen(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(TWO)
    env = {"FLEET_ROLES_OF": "ann=owner,ben=owner+operator", "FLEET_APPROVAL_RULES": str(tmp_path / "rules.toml")}
    fleet.deps.parts["approval_rules"] = rule_file.load(tmp_path / "rules.toml")
    request = propose(fleet, resource="page")
    assert "1 of 2 have approved" in cli("approvals", "approve", short(request), "--as", "ann", **env).stdout
    assert "pending 1/2" in cli("approvals", "list", **env).stdout
    approving.edit(fleet.deps, request.id, {"text": "Otherwise."}, Person("ben", frozenset({"owner"})))
    cli("approvals", "approve", short(request), "--as", "ben", "--revision", "1", code=4, **env)
    cli("approvals", "approve", short(request), "--as", "ben", "--revision", "2", **env)
    assert "Approved" in cli("approvals", "approve", short(request), "--as", "ann", **env).stdout


def test_a_request_is_taken_back_after_a_question(cli: Cli, fleet: Fleet) -> None:
    request = short(propose(fleet))
    assert "--yes" in cli("approvals", "withdraw", request, "--reason", "gone", code=2).stderr
    assert "Withdrawn" in cli("approvals", "withdraw", request, "--reason", "gone", "-y").stdout
    assert [one["state"] for one in cli.json("approvals", "list", "--all")["items"]] == ["withdrawn"]


def test_lists_filter_and_go_down_by_key(cli: Cli, fleet: Fleet) -> None:
    agent = fleet.agent(username="ann_1")
    made = [propose(fleet, agent_id=agent if number else None) for number in range(3)]
    other = propose(fleet, resource="listing")
    first = cli("approvals", "list", "--limit", "2")
    cursor = first.stderr.partition("--cursor ")[2].split()[0]
    assert [one["id"] for one in cli.json("approvals", "list", "--cursor", cursor)["items"]] == [
        str(made[1].id), str(made[0].id)
    ]  # fmt: skip
    assert len(cli.json("approvals", "list", "--agent", "ann_1")["items"]) == 2
    assert [one["id"] for one in cli.json("approvals", "list", "--resource", "listing")["items"]] == [str(other.id)]
    assert cli.json("approvals", "list", "--state", "approved")["items"] == []


def test_keys_are_stable_and_hostile_words_are_only_words(cli: Cli, fleet: Fleet) -> None:
    request = propose(fleet, summary=HOSTILE, payload={HOSTILE: HOSTILE}, before={HOSTILE: "x\x1b[2J"})
    assert set(cli.json("approvals", "list")["items"][0]) == REQUEST_KEYS
    whole = cli.json("approvals", "show", short(request))
    assert set(whole) == REQUEST_KEYS | {
        "payload", "before", "current", "changed", "arguments", "collect_at", "used_at", "outdated", "facts",
        "diff", "record"
    }  # fmt: skip
    for output in (cli("approvals", "list").stdout, cli("approvals", "show", short(request)).stdout):
        assert not {"\x1b", "\x07", "\u202e"} & set(output)
        assert "[red]" in output


def test_rules_are_shown_and_checked_without_servers(cli: Cli, tmp_path: Path) -> None:
    nowhere = Cli("", "")
    lines = nowhere("approvals", "rules", "check").stdout.splitlines()
    assert "drafts" in lines[1]
    assert max(map(len, lines)) <= 80
    path = tmp_path / "rules.toml"
    path.write_text(TWO + "auto_approve=[{field='confidence', op='ge', value=0.9}]\n")
    shown = nowhere("approvals", "rules", "check", "--file", str(path)).stdout
    assert "2 of owner" in shown
    assert "confidence ge 0.9" in shown
    assert nowhere.json("approvals", "rules", "check", "--file", str(path))["items"][0]["min_approvals"] == 2
    path.write_text("[[rule]]\nname='x'\n")
    assert "rule.1.resource" in nowhere("approvals", "rules", "check", "--file", str(path), code=2).stderr
    assert "rule.1.resource" in cli("approvals", "list", code=2, FLEET_APPROVAL_RULES=str(path)).stderr


def test_a_payload_is_edited_by_name_as_text_or_as_data(cli: Cli, fleet: Fleet) -> None:
    request = propose(fleet, resource="page", payload={"text": "Old.", "size": 3, "more": None})
    told = cli("approvals", "edit", short(request), "--set", "text=12", "--set", "size=12", "--set", "more=a=b")
    assert "Revision 2 waits" in told.stdout
    assert approving.show(fleet.deps, short(request))[0].payload == {"text": "12", "size": 12, "more": "a=b"}
    assert "says that already" in cli("approvals", "edit", short(request), "--set", "text=12").stderr
    assert "as JSON" in cli("approvals", "edit", short(request), "--set", "size=twelve", code=2).stderr
    assert "NAME=VALUE" in cli("approvals", "edit", short(request), "--set", "text", code=2).stderr
    cli("approvals", "edit", short(request), "--set", "text=x", "--revision", "1", code=4)
    cli("approvals", "edit", short(request), "--set", "text=x", "--as", "eve", code=4)


def test_drafts_that_cannot_be_edited_or_regenerated_give_the_reason(cli: Cli, fleet: Fleet) -> None:
    retry = propose(fleet, resource="job", action="retry")
    assert "cannot be edited" in cli("approvals", "edit", short(retry), "--set", "x=1", code=4).stderr
    assert "cannot be revised" in cli("approvals", "revise", short(retry), "otherwise", code=4).stderr


def test_a_draft_is_edited_and_sent_back_by_its_request_too(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    name = str(draft.request_id)[:13]
    cli("approvals", "edit", name, "--set", "text=The slate  is\u200b wet.")
    assert drafting.show(fleet.deps, str(draft.id))[0].row.content["text"] == "The slate is wet."
    assert "no mood" in cli("approvals", "edit", name, "--set", "mood=glad", code=2).stderr
    assert "Sent back: Say to Zoe" in cli("approvals", "revise", name, "shorter").stdout
    assert [job.payload["instructions"] for job in fleet.jobs(kind="revise_draft")] == ["shorter"]
