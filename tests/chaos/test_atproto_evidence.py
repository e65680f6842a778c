"""The evidence of the network: each record belongs to the job that determines its key, and to no other."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleet.adapters.atproto import keys
from fleet.chaos.judge.checker import judge
from fleet.chaos.judge.evidence import Evidence
from fleet.chaos.surfaces import network
from fleet.chaos.surfaces.atproto import WrittenRecord, effects_of
from fleet.chaos.world.writes import JobEvidence, SurfaceFinding
from fleet.core.errors import Unavailable

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
DID, AGENT = "did:plc:ada", uuid.UUID(int=7)


def job(number: int, kind: str, target: str | None = None, *, state: str = "done") -> JobEvidence:
    made, remote_id = uuid.UUID(int=number), None
    if kind in ("post", "comment"):
        remote_id = f"at://{DID}/{keys.POST}/{keys.of_job(str(made), NOON)}"
    return JobEvidence(made, AGENT, "ada", None, kind, state, None, target, remote_id, None, 1, NOON, NOON)


def record(collection: str, key: str, subject: str = "", *, by_hand: bool = False) -> WrittenRecord:
    value = {"text": "Lamp", "subject": subject if collection == keys.FOLLOW else {"uri": subject, "cid": "x"}}
    uri = f"at://{DID}/{collection}/{key}"
    return WrittenRecord("ada", uri, collection, value, NOON + timedelta(seconds=1), by_hand=by_hand)


def found(written: list[WrittenRecord], *jobs: JobEvidence, findings: tuple[SurfaceFinding, ...] = ()) -> list[str]:
    effects = effects_of(written, jobs, {})
    evidence = Evidence(jobs, (), effects, (), (), frozenset({"ada"}), 0, findings=findings)
    return [one.what for one in judge(evidence).violations]


def test_what_its_jobs_explain_breaks_no_promise() -> None:
    post, like, follow = job(1, "post"), job(2, "like", "at://x"), job(3, "follow", "did:plc:bea")
    written = [
        record(keys.POST, keys.of_job(str(post.id), NOON)),
        record(keys.LIKE, keys.of_subject("like", "at://x"), "at://x"),
        record(keys.FOLLOW, "3by-hand", "did:plc:bea", by_hand=True),  # the job found it there
        record(keys.FOLLOW, "3other", "did:plc:zoe", by_hand=True),
    ]
    assert found(written, post, like, follow) == []


def test_what_is_doubled_lost_or_of_nobody_is_found() -> None:
    post, like = job(1, "post"), job(2, "like", "at://x")
    kept = record(keys.POST, keys.of_job(str(post.id), NOON))
    (doubled,) = found([kept, record(keys.POST, keys.of_job("another", NOON))], post)
    assert "belongs to no job" in doubled
    assert found([], post) == ["the post is done and does not stand"]
    assert found([], like) == ["the like is done and does not stand"]
    twice = [record(keys.LIKE, key, "at://x") for key in ("a", "b")]
    assert found(twice, like) == ["the like is done, and 2 stand"]
    (stands,) = found([kept], job(1, "post", state="skipped"))
    assert "stands all the same" in stands


def test_findings_of_the_network_are_violations() -> None:
    finding = SurfaceFinding(9, "the account of ada does not say that it is automated")
    assert found([], findings=(finding,)) == [finding.what]


def test_without_the_network_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "INSTALLED", tmp_path)
    with pytest.raises(Unavailable) as caught:
        network.platforms()
    assert "make platforms" in f"{caught.value.fix}"
