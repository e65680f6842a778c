"""Limits of supervised agents: undecided drafts, time to decide, users in rules; and what scans leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet.access import Actor, Role, Via, acting
from fleet.cli.frame import paths
from fleet.cli.frame.check_result import CheckLevel
from fleet.core.errors import Conflict, InvalidInput
from fleet.engine.agents import lookup
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.features.agents import commands as agent_commands
from fleet.features.approvals import checks, rule_file
from fleet.features.approvals.ruleset import rule_users
from fleet.features.approvals.service import rules_of
from fleet.features.drafts import commands as drafting
from fleet.features.drafts import limits
from fleet.features.users import service as accounts
from fleet.llm.scan_request import Idea, ScanAnswer, ScanRequest
from tests.factories import Fleet, make_fleet
from tests.features.agents.test_cli import Cli, cli
from tests.features.drafts.test_scan import POST, drafts, post, proposing, scan, supervised
from tests.web_client import PASSWORD

__all__ = ["cli"]


@pytest.fixture
def make(database_url: str) -> Iterator[Callable[..., Fleet]]:
    made: list[Fleet] = []

    def build(**settings: Any) -> Fleet:
        made.append(make_fleet(database_url, **settings))
        return made[-1]

    yield build
    for fleet in made:
        fleet.deps.close()


def rules(tmp_path: Path, *tables: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text("".join(f"[[rule]]\nresource = 'draft'\naction = 'publish'\n{table}\n" for table in tables))
    return path


def reacting(request: ScanRequest) -> ScanAnswer:
    return ScanAnswer(tuple(Idea("reaction", item.ref, type="like") for item in request.items))


# Undecided drafts


def full(fleet: Fleet, **changes: Any) -> Any:
    """Create an agent with as many undecided drafts as it may have, by scans of two posts each."""
    fleet.words.proposals = reacting
    agent = supervised(fleet, **changes)
    for number in range(2):
        fleet.surface.posts = [post(f"{number}{letter}") for letter in "ab"]
        scan(fleet, agent)
    return agent


def test_a_scan_makes_no_more_drafts_than_may_wait_and_the_next_one_is_not_made(make: Callable[..., Fleet]) -> None:
    fleet = make(undecided_drafts=3)
    agent = full(fleet)
    assert len(drafts(fleet)) == 3
    assert fleet.jobs(kind="scan_feed")[-1].result["dropped"] == {"too many undecided drafts": 1}
    asked = fleet.words.calls
    fleet.surface.posts = [post("new")]
    jobs = len(fleet.jobs())
    scan(fleet, agent)
    assert (len(fleet.jobs()), fleet.words.calls) == (jobs, asked)
    thoughts = fleet.sql("SELECT outcome->>'thought' FROM ticks ORDER BY tick_no").scalars().all()
    assert thoughts[-1] == (
        "Nothing to do: 3 drafts of mine wait for a decision, and that is the limit. Decide about some (`fleet drafts"
        f" list --agent {fleet.row(agent).username}`), or raise FLEET_UNDECIDED_DRAFTS."
    )


def test_a_scan_that_was_asked_for_before_the_limit_was_reached_asks_no_model(make: Callable[..., Fleet]) -> None:
    fleet = make(undecided_drafts=3)
    agent = full(fleet)
    job = fleet.jobs(kind="scan_feed")[-1].id
    fleet.sql("UPDATE jobs SET state = 'ready', checkpoint = '{}', result = NULL, finished_at = NULL,"
              " next_attempt_at = clock_timestamp() WHERE id = :id", id=job)  # fmt: skip
    asked = fleet.words.calls
    perform(fleet.deps, job)
    assert (fleet.job(job).state, fleet.words.calls) == (JobState.SKIPPED, asked)
    assert "that is the limit" in str(fleet.job(job).error)
    assert fleet.row(agent).status == "running"


def test_decisions_and_a_limit_of_nothing_let_it_scan_again(make: Callable[..., Fleet]) -> None:
    fleet = make(undecided_drafts=3)
    agent = full(fleet)
    fleet.sql("UPDATE drafts SET status = 'rejected', decided_at = clock_timestamp() WHERE target = '0a'")
    assert limits.room(fleet.deps, agent) == 1
    fleet.surface.posts = [post("new")]
    scan(fleet, agent)
    assert len(drafts(fleet)) == 4
    assert limits.room(make(undecided_drafts=0).deps, agent) is None


def test_people_see_a_full_agent_and_the_fix(make: Callable[..., Fleet], cli: Cli) -> None:
    fleet = make(undecided_drafts=3)
    full(fleet, username="ann_1", name="Ann")
    env = {"FLEET_UNDECIDED_DRAFTS": "3"}
    fix = "Decide about some (`fleet drafts list --agent ann_1`), or raise FLEET_UNDECIDED_DRAFTS."
    shown = " ".join(cli("agents", "show", "ann_1", columns=300, **env).stdout.split())
    assert f"3 undecided of at most 3: no scan is made. {fix}" in shown
    assert cli.json("agents", "show", "ann_1")["drafts"]["undecided"] == 3
    refused = cli("scan", "ann_1", **env, code=Conflict.exit_code).stderr
    assert "Ann has 3 undecided drafts" in refused and "FLEET_UNDECIDED_DRAFTS" in refused
    assert fix in " ".join(cli("drafts", "list", columns=300, **env).stderr.split())
    assert "too many" not in cli("drafts", "list").stderr, "the usual limit is 20"
    with pytest.raises(Conflict):
        drafting.scan(fleet.deps, "ann_1", by="t")


# What scans leave out


def test_a_scan_counts_what_it_left_out_by_reason(make: Callable[..., Fleet], cli: Cli) -> None:
    fleet = make()
    agent = supervised(fleet, username="ann_1")
    fleet.words.proposals = reacting
    fleet.surface.posts = [post("a")]
    scan(fleet, agent)
    fleet.surface.posts = [
        post("a"), post("b"), post("c", "bot", by_agent=True), post("d", "bot", by_agent=True), post("e", "ann_1")
    ]  # fmt: skip
    job = fleet.job(scan(fleet, agent))
    assert job.result["left_out"] == {"seen": 1, "agents": 2, "own": 1}
    words = "1 draft from 1 new post; 4 posts left out: 1 seen before, 2 written by agents, 1 its own"
    assert job.result["text"] == words
    newest = cli.json("agents", "decisions", "ann_1")["items"][0]
    assert newest["scan"]["left_out"] == {"seen": 1, "agents": 2, "own": 1}
    assert words in " ".join(cli("agents", "decisions", "ann_1", columns=400).stdout.split())
    assert cli.json("drafts", "stats")["scans"]["left_out"] == {"agents": 2, "own": 1, "seen": 1}
    assert "written by agents 2" in cli("drafts", "stats", columns=300).output


def test_a_scan_that_finds_only_agents_says_so(make: Callable[..., Fleet]) -> None:
    fleet = make()
    fleet.surface.posts = [post("c", "bot", by_agent=True)]
    job = fleet.job(scan(fleet, supervised(fleet)))
    assert job.result["text"] == "0 drafts from 0 new posts; 1 post left out: 1 written by agents"
    assert fleet.words.calls == 0


@pytest.mark.parametrize("sandbox", [True, False])
def test_agents_made_for_the_gallery_in_the_box_heed_agents_and_no_others(
    make: Callable[..., Fleet], sandbox: bool
) -> None:
    fleet = make(sandbox=sandbox)
    seeded = agent_commands.seed(fleet.deps, count=1, by="t")
    for persona in (None, "ai_artist"):
        name = f"made_{persona}".lower()
        agent_commands.create(
            fleet.deps, agent_commands.draft(fleet.deps, username=name, name="A", persona_id=persona, by="t")
        )
    for name in (*seeded, "made_none", "made_ai_artist"):
        assert (lookup.agent(fleet.deps.db, name).config == {"heeds_agents": True}) is sandbox


def test_commands_in_another_terminal_know_that_the_gallery_is_the_one_in_the_box(tmp_path: Path) -> None:
    paths.store(tmp_path, paths.HomeSettings("fst_x", 20.0, True))
    assert paths.stored(tmp_path) == paths.HomeSettings("fst_x", 20.0, True)
    (tmp_path / "settings.json").write_text('{"service_token": "fst_x", "tempo": 20}')
    assert paths.stored(tmp_path) == paths.HomeSettings("fst_x", 20.0, False), "as an earlier version wrote it"


# Time to decide


@pytest.mark.parametrize(
    ("minutes", "draft_days", "life"),
    [(60, 7, timedelta(hours=1)), (20_160, 7, timedelta(days=7)), (20_160, 30, timedelta(days=14))],
)
def test_a_draft_waits_for_the_shorter_of_its_rules_time_and_its_agents(
    make: Callable[..., Fleet], tmp_path: Path, cli: Cli, minutes: int, draft_days: int, life: timedelta
) -> None:
    path = rules(tmp_path, f"name = 'd'\napprovers = ['role:owner']\nexpiration_minutes = {minutes}")
    fleet = make(approval_rules=path)
    agent = supervised(fleet, username="ann_1", config={"draft_days": draft_days})
    fleet.surface.posts, fleet.words.proposals = [post("a")], proposing(POST)
    scan(fleet, agent)
    [draft] = drafts(fleet)
    request = drafting.show(fleet.deps, str(draft.id))[0].request
    assert request is not None
    for found in (draft, request):
        assert abs(found.expires_at - found.created_at - life) < timedelta(seconds=5)
    env = {"FLEET_APPROVAL_RULES": str(path)}
    span = {1 / 24: "60 min", 7: "7 d", 14: "14 d"}[life / timedelta(days=1)]
    assert f"drafts wait {span}" in " ".join(cli("agents", "show", "ann_1", columns=200, **env).stdout.split())
    told = fleet.sql("SELECT payload->>'expiresAt' FROM events WHERE subject = 'agent.draft.post.created'").scalar()
    assert told[:16] == draft.expires_at.isoformat()[:16]


def test_where_the_rule_depends_on_the_draft_both_times_are_shown(make: Callable[..., Fleet], tmp_path: Path) -> None:
    likes = "name = 'likes'\napprovers = ['role:owner']\nexpiration_minutes = 60\n" \
        "when = [{ field = 'kind', op = 'eq', value = 'reaction' }]"  # fmt: skip
    fleet = make(approval_rules=rules(tmp_path, likes, "name = 'd'\napprovers = ['role:owner']\n"))
    assert limits.limits(fleet.deps, fleet.row(supervised(fleet))).waits == "60 min to 24 h"


def test_the_shipped_rule_leaves_an_agent_the_longest_time_that_it_may_set(make: Callable[..., Fleet]) -> None:
    fleet = make()
    assert limits.limits(fleet.deps, fleet.row(supervised(fleet, config={"draft_days": 90}))).waits == "90 d"


# Users whom rules name

WHO = "name = 'big'\napprovers = ['role:owner', 'user:ann']"


def test_a_rule_with_an_unknown_or_unpermitted_approver_is_refused_with_the_fix(
    make: Callable[..., Fleet], tmp_path: Path, cli: Cli
) -> None:
    path = rules(tmp_path, WHO, "name = 'e'\napprovers = ['role:owner']\n"
                 "escalate = { after_minutes = 5, to = ['user:Ben'] }")  # fmt: skip
    fleet = make(approval_rules=path)
    found = rule_file.load(path)

    def refused(words: str, fix: str) -> None:
        with pytest.raises(InvalidInput, match=words) as error:
            rule_users.refuse(fleet.deps.db, fleet.deps.settings, found)
        assert fix in str(error.value.fix)
        told = cli("approvals", "rules", "check", "--file", str(path), code=2, columns=300).stderr
        assert words in " ".join(told.split())

    refused("'big' names user:ann, and there is no such account", "fleet users create ann --role reviewer")
    accounts.create_user(fleet.deps, "ann", Role.VIEWER, PASSWORD)
    accounts.create_user(fleet.deps, "ben", Role.REVIEWER, PASSWORD)
    refused("user:ann, whose role may not decide", "fleet users role ann reviewer")
    accounts.change_role(fleet.deps, "ann", Role.REVIEWER)
    refused("'e' names user:Ben, and there is no such account", "Did you mean user:ben?")
    path.write_text(path.read_text().replace("Ben", "ben"))
    rule_users.refuse(fleet.deps.db, fleet.deps.settings, rule_file.load(path))
    assert "big" in cli("approvals", "rules", "check", "--file", str(path)).stdout


def test_a_name_with_roles_at_the_command_line_needs_no_account(make: Callable[..., Fleet], tmp_path: Path) -> None:
    fleet = make(approval_rules=rules(tmp_path, WHO), roles_of="ann=owner")
    rule_users.refuse(fleet.deps.db, fleet.deps.settings, rules_of(fleet.deps))


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_a_user_who_loses_the_permission_later_is_a_warning_and_stops_nothing(
    make: Callable[..., Fleet], tmp_path: Path, how: str
) -> None:
    fleet = make(approval_rules=rules(tmp_path, WHO))
    with acting(Actor("ada", "owner", Via.TERMINAL)):
        accounts.create_user(fleet.deps, "ann", Role.REVIEWER, PASSWORD)
        if how == "demoted":
            accounts.change_role(fleet.deps, "ann", Role.VIEWER)
        else:
            accounts.remove_user(fleet.deps, "ann")
    rule_users.refuse(fleet.deps.db, fleet.deps.settings, rules_of(fleet.deps))
    [finding] = checks.users(fleet.deps.settings)
    assert (finding.level, "user:ann" in finding.message) == (CheckLevel.WARN, True)


def test_fleet_check_fails_for_a_user_who_never_was(make: Callable[..., Fleet], tmp_path: Path) -> None:
    fleet = make(approval_rules=rules(tmp_path, WHO))
    [finding] = checks.users(fleet.deps.settings)
    assert finding.level is CheckLevel.FAIL
