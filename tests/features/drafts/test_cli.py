"""`fleet drafts` and `fleet scan` as people type them."""

from __future__ import annotations

import re
import uuid

import pytest

from fleet.cli.frame.context import Door
from fleet.core import ids
from fleet.engine.attempts.perform import perform
from fleet.features.drafts import commands as drafting
from tests import ROOT
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli, cli
from tests.features.drafts.test_drafts import ANN, proposed
from tests.features.drafts.test_scan import ASK, COMMENT, LOVE, POST, post, proposing, supervised

__all__ = ["cli"]


def short(draft_id: uuid.UUID) -> str:
    return str(draft_id)[:8]


def test_what_waits_is_listed_and_an_empty_list_says_so(cli: Cli, fleet: Fleet) -> None:
    assert "No drafts." in cli("drafts", "list").stderr
    made = proposed(fleet, COMMENT, POST, LOVE, ASK)
    listed = cli("drafts", "list", columns=100).stdout
    for draft in made:
        assert short(draft.id) in listed
    assert max(len(line) for line in cli("drafts", "list").stdout.splitlines()) <= 80
    assert [one["kind"] for one in cli.json("drafts", "list", "--kind", "comment")["items"]] == ["comment"]
    assert "2 drafts. More: --cursor " in cli("drafts", "list", "--limit", "2").stderr


def test_on_a_narrow_terminal_a_draft_still_says_what_it_is_about(cli: Cli, fleet: Fleet) -> None:
    proposed(fleet, COMMENT)
    lines = cli("drafts", "list", columns=40).stdout.splitlines()
    assert any(line.startswith("What") and "Zoe" in " ".join(lines) for line in lines), lines
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(("columns", "beside"), [(100, True), (120, True), (99, False), (80, False)])
def test_the_post_in_question_stands_beside_the_proposal_where_there_is_room(
    cli: Cli, fleet: Fleet, columns: int, beside: bool
) -> None:
    (draft,) = proposed(fleet, COMMENT)
    lines = cli("drafts", "show", short(draft.id), columns=columns).stdout.splitlines()
    titles = [line for line in lines if "Zoe's post" in line or "comment proposed" in line]
    assert len(titles) == (1 if beside else 2)
    assert max(len(line) for line in lines) <= columns
    shown = "\n".join(lines)
    assert "brass lamp" in shown
    assert "slate holds" in shown


def test_a_draft_is_approved_and_shows_what_became_of_it(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    assert f"Approved {short(draft.id)}: Say to Zoe" in cli("drafts", "approve", short(draft.id)).stdout
    perform(fleet.deps, ids.derived("publish", draft.id))
    shown = cli.json("drafts", "show", short(draft.id))
    assert (shown["status"], shown["outcome"], shown["remote_id"]) == ("approved", "published", "e1")
    assert "Already approved" in cli("drafts", "approve", short(draft.id)).stdout
    cli("drafts", "reject", short(draft.id), "--reason", "no", code=4)


def test_a_rejection_needs_a_reason_and_is_learnt_from_and_can_be_unlearnt(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    username = fleet.row(draft.agent_id).username
    cli("drafts", "reject", short(draft.id), code=2)
    assert "Rejected" in cli("drafts", "reject", short(draft.id), "--reason", "too clever").stdout
    (lesson,) = cli.json("drafts", "learned", username)["items"]
    assert "was rejected (too clever)" in lesson["explained"]
    assert "too clever" in cli("drafts", "learned", username).stdout
    cli("drafts", "unlearn", str(lesson["id"]))
    assert "Undone by" in cli("drafts", "learned", username, columns=200).stdout
    cli("drafts", "unlearn", str(lesson["id"]), code=4)
    cli("drafts", "unlearn", "99999", code=3)


def test_somebody_without_the_role_may_not_decide(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    cli("drafts", "approve", short(draft.id), "--as", "eve", code=4)
    cli("drafts", "approve", short(draft.id), "--as", "eve", FLEET_ROLES_OF="eve=owner")


def test_an_edit_and_a_revision_are_kept(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    assert "Revision 2" in cli("drafts", "edit", short(draft.id), "--text", "Wet slate, warm lamp.").stdout
    cli("drafts", "edit", short(draft.id), code=2)
    cli("drafts", "edit", short(draft.id), "--visibility", "friends", code=2)
    assert "Sent back" in cli("drafts", "revise", short(draft.id), "ask about the light").stdout
    shown = cli.json("drafts", "show", short(draft.id))
    assert [one["content"]["text"] for one in shown["revisions"]] == [COMMENT.text, "Wet slate, warm lamp."]


def test_only_what_was_seen_is_approved_where_its_revision_is_named(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    assert "--revision 1` approves these words" in cli("drafts", "show", short(draft.id), columns=120).stderr
    cli("drafts", "edit", short(draft.id), "--text", "Wet slate, warm lamp.", "--revision", "1")
    for late in (["approve"], ["reject", "--reason", "no"], ["edit", "--text", "Mine."]):
        told = cli("drafts", late[0], short(draft.id), *late[1:], "--revision", "1", code=4)
        assert "revision 2, not 1" in " ".join(told.stderr.split())
    assert "(revision 2) Wet slate" in cli("drafts", "list", columns=120).stdout
    assert "Say to Zoe: Wet slate" in cli("approvals", "list", columns=160).stdout
    said = cli("drafts", "approve", short(draft.id), "--revision", "2", columns=120).stdout
    assert f"Approved {short(draft.id)}: Say to Zoe: Wet slate, warm lamp." in said


def test_what_is_rewritten_while_a_person_is_asked_is_not_approved(
    cli: Cli, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment, love = proposed(fleet, COMMENT, LOVE)

    def rewritten_meanwhile(*_: object, **__: object) -> None:
        drafting.edit(fleet.deps, str(comment.id), {"text": "Other words."}, ANN)

    monkeypatch.setattr(Door, "confirm", rewritten_meanwhile)
    told = cli("drafts", "bulk", "approve", code=4)
    assert "revision 2, not 1" in " ".join(told.stderr.split())
    left = cli.json("drafts", "list")["items"]
    assert [one["id"] for one in left] == [str(comment.id)]
    assert cli.json("drafts", "show", short(love.id))["status"] == "approved"


def test_many_are_decided_with_one_command_that_asks_first(cli: Cli, fleet: Fleet) -> None:
    made = proposed(fleet, COMMENT, LOVE, POST)
    cli("drafts", "bulk", "approve", code=2)
    answers = cli.json("drafts", "bulk", "approve", "--kind", "reaction", "--yes")["items"]
    assert [(one["id"], one["decided"]["settled"]) for one in answers] == [(str(made[1].id), True)]
    cli("drafts", "bulk", "reject", "--yes", code=2)
    cli("drafts", "bulk", "reject", "--reason", "not today", "--yes")
    assert cli.json("drafts", "list")["items"] == []
    assert len(cli.json("drafts", "list", "--all")["items"]) == 3


def test_a_scan_is_asked_for_of_supervised_agents_only(cli: Cli, fleet: Fleet) -> None:
    fleet.surface.posts = [post("a")]
    fleet.words.proposals = proposing(COMMENT)
    username = fleet.row(fleet.agent()).username
    assert "--autonomy supervised" in cli("scan", username, code=4).stderr
    cli("agents", "edit", username, "--autonomy", "supervised", "--scan-every", "15m", "--draft-days", "3")
    cli("agents", "edit", username, "--scan-every", "17m", code=2)
    agent = cli.json("agents", "show", username)
    assert (agent["scan_interval_s"], agent["draft_days"], agent["scans"]) == (900, 3, True)
    assert "scans its feed now" in cli("scan", username).stdout
    assert "every 15 min" in cli("agents", "show", username).stdout


def test_an_unknown_draft_is_not_there(cli: Cli) -> None:
    cli("drafts", "show", "abcd1234", code=3)
    cli("drafts", "show", "x", code=2)
    cli("scan", "nobody", code=3)


def test_hostile_words_are_shown_and_not_obeyed(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    evil = "CAST(:evil AS text)"
    fleet.sql(
        f"UPDATE drafts SET about = about || jsonb_build_object('text', {evil}, 'author_name', {evil})",
        evil="\x1b[2J[red]x[/red]\u202e",
    )
    for arguments in (["list"], ["show", short(draft.id)], ["show", short(draft.id), "--json"]):
        shown = cli("drafts", *arguments, columns=120).output
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_the_manual_lists_the_keys_of_a_draft(cli: Cli, fleet: Fleet) -> None:
    proposed(fleet, COMMENT)
    manual = (ROOT / "docs" / "cli.md").read_text()
    (row,) = [line for line in manual.splitlines() if line.startswith("| `drafts list`")]
    assert set(cli.json("drafts", "list")["items"][0]) <= set(re.findall(r"[a-z_]+", row))


def test_the_feed_tells_of_drafts_in_words(cli: Cli, fleet: Fleet) -> None:
    (draft,) = proposed(fleet, COMMENT)
    cli("drafts", "approve", short(draft.id))
    supervised(fleet)
    shown = cli("activity", columns=160).stdout
    assert "proposes a comment" in shown
    assert "its comment was approved by" in shown
    assert "feedData" not in shown


def test_statistics_of_drafts_are_counted_and_shown(cli: Cli, fleet: Fleet) -> None:
    assert "0 proposed in 7 d" in cli("drafts", "stats").stderr
    comment, made, love = proposed(fleet, COMMENT, POST, LOVE, agent=supervised(fleet, username="ada_1"))
    drafting.approve(fleet.deps, [str(comment.id), str(made.id)], ANN)
    drafting.reject(fleet.deps, [str(love.id)], ANN, "not now")
    answer = cli("drafts", "stats", columns=120)
    (line,) = [line for line in answer.stdout.splitlines() if "ada_1" in line]
    assert line.split() == ["ada_1", "3", "0", "2", "0", "1", "0", "0", "67%"]
    assert "Agreed: 67%" in answer.stderr
    assert "New posts seen: 1." in answer.stderr
    told = cli.json("drafts", "stats", "--by", "kind", "--agent", "ada_1")
    assert {one["name"]: one["agreed"] for one in told["items"]} == {"comment": 1.0, "post": 1.0, "reaction": 0.0}
    assert (told["total"]["approved"], told["scans"]["done"], told["scans"]["drafts"]) == (2, 1, 3)
    assert "no agent" in cli("drafts", "stats", "--agent", "nobody", code=3).stderr.lower()
