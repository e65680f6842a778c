"""The report: recovery in numbers, what repeats the run, and a page that says both."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from fleet.chaos import log
from fleet.chaos.judge.checker import JudgeResult, Violation
from fleet.chaos.judge.ledger import Numbers
from fleet.chaos.kinds import BY_NAME
from fleet.chaos.log import FaultRecord
from fleet.chaos.nemesis import FaultResult
from fleet.chaos.page import page
from fleet.chaos.report import Report, RunOptions, p99
from fleet.chaos.surfaces.gallery import WORDS

BROKEN = JudgeResult((Violation(1, "a comment stands twice", "a job", (5,)),), 1, 0)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def act(seq: int, kind: str, **detail: object) -> FaultRecord:
    return FaultRecord(seq, NOON, None, kind, "somebody", dict(detail))


NUMBERS = Numbers(
    ticks=900, jobs={"dead": 2, "done": 698}, effects={"comment": 200, "like": 300, "post": 100},
    dead={"exhausted": 2}, attempts=800, workers_lost=9, outcomes_unknown=31, adopted=12,
    server_versions={"PostgreSQL": "18.1"},
)  # fmt: skip
DEEDS = (
    FaultResult(act(1, "broker.flush"), hit=True, recovered_s=2.0),
    FaultResult(act(2, "broker.flush"), hit=True, recovered_s=9.0),
    FaultResult(act(3, "broker.flush"), hit=True),
    FaultResult(act(4, "broker.flush"), hit=False, failed="the broker was away"),
    FaultResult(
        act(5, "worker.kill-at-point", suffered={"job.sent": [11], "tick.claimed": [12]}), hit=True, recovered_s=4.0
    ),
    FaultResult(act(6, "worker.stop-at-point", suffered={"job.sent": [13]}), hit=True, stuck=("leases held: 3",)),
)
REPORT = Report(RunOptions(10, 42, 60, "all"), NOON, 700.0, 80, DEEDS, NUMBERS, 0, JudgeResult((), 0, 0))


def test_recovery_is_reported_by_kind_and_only_where_it_is_possible() -> None:
    by_kind = {row.kind: row for row in REPORT.rows()}
    row = by_kind["broker.flush"]
    assert (row.acts, row.missed, row.recovered, row.median_s, row.p99_s) == (3, 1, 2, 5.5, 9.0)
    assert (by_kind["worker.stop-at-point"].median_s, by_kind["worker.stop-at-point"].stuck) == (None, 1)


def test_the_table_keeps_the_order_of_the_catalogue() -> None:
    names = [row.kind for row in REPORT.rows()]
    assert names == [name for name in BY_NAME if name in names]


def test_the_percentile_of_few_is_the_longest_and_of_many_the_ninety_ninth() -> None:
    assert p99([]) is None
    assert p99([1.0, 2.0, 3.0]) == 3.0
    assert p99([float(number) for number in range(1, 201)]) == 198.0


def test_strikes_are_counted_by_line_of_the_protocol() -> None:
    assert REPORT.strikes() == {"job.sent": 2, "tick.claimed": 1}


def test_a_run_is_clean_only_without_violations_and_with_every_job_ended() -> None:
    assert REPORT.clean
    assert not dataclasses.replace(REPORT, left=1).clean
    assert not dataclasses.replace(REPORT, verdict=BROKEN).clean


def test_the_command_repeats_the_run() -> None:
    assert REPORT.wanted.command() == "fleet chaos --minutes 10 --seed 42 --agents 60"
    assert RunOptions(0.5, 1, 5, "beat").command().endswith("--minutes 0.5 --seed 1 --agents 5 --faults beat")


def test_the_data_are_json() -> None:
    told = json.loads(json.dumps(REPORT.to_data()))
    assert told["clean"] is True
    assert told["stuck"] == [{"seq": 6, "kind": "worker.stop-at-point", "ills": ["leases held: 3"]}]
    assert told["failed"][0]["why"] == "the broker was away"


def test_the_page_says_what_was_done_and_how_to_repeat_it() -> None:
    text = page(REPORT, WORDS)
    assert "Every promise was kept." in text
    assert "700 jobs caused 600 effects while 5 faults were injected" in text
    assert REPORT.wanted.command() in text
    assert "| `broker.flush` | The broker loses all messages (FLUSHALL). | 3 | 5.5 s | 9.0 s |" in text
    assert "| `job.sent` | 2 |" in text


def test_the_page_of_a_broken_promise_says_so() -> None:
    assert "promises were broken" in page(dataclasses.replace(REPORT, verdict=BROKEN), WORDS)


def test_the_log_of_acts_comes_back_as_it_was_written(tmp_path: Path) -> None:
    acts = [act(1, "broker.flush", pid=7), FaultRecord(2, NOON, NOON, "fleet.kill-switch", "fleet", {"for_s": 3.5})]
    for one in acts:
        log.write(tmp_path / "acts.jsonl", [one])
    assert list(log.read(tmp_path / "acts.jsonl")) == acts
    assert list(log.read(tmp_path / "nothing.jsonl")) == []
