"""How drafts fare: counted by agent, kind, topic and day, with what looks at feeds came to."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from fleet.core.errors import NotFound
from fleet.engine.sweep import prune
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.states import DraftsBy
from fleet.features.drafts.stats import queries as draft_stats
from fleet.features.drafts.stats.queries import Stats
from fleet.features.drafts.stats.scans import Scans
from fleet.features.drafts.stats.tally import DraftTally
from tests.factories import Fleet
from tests.features.drafts.test_drafts import ANN, approve, proposed
from tests.features.drafts.test_scan import ASK, COMMENT, LOVE, POST, post, proposing, scan, supervised

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def counted(
    fleet: Fleet, by: DraftsBy = DraftsBy.AGENT, *, since: datetime = LONG_AGO, agent: str | None = None
) -> Stats:
    return draft_stats.stats(fleet.deps, by, since=since, agent=agent)


@pytest.fixture
def two(fleet: Fleet) -> tuple[uuid.UUID, uuid.UUID]:
    """Ada, of whose four drafts one was approved, one edited and approved, one rejected, one waits; and Bob's one."""
    ada, bob = supervised(fleet, username="ada_1"), supervised(fleet, username="bob_1")
    comment, made, love, _ = proposed(fleet, COMMENT, POST, LOVE, ASK, agent=ada)
    drafting.edit(fleet.deps, str(comment.id), {"text": "In words of mine."}, ANN)
    approve(fleet, comment, made)
    drafting.reject(fleet.deps, [str(love.id)], ANN, "not now")
    proposed(fleet, LOVE, agent=bob)
    return ada, bob


def test_drafts_are_counted_by_what_became_of_them(fleet: Fleet, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    ada, bob = map(str, two)
    found = counted(fleet)
    assert list(found.items) == [
        DraftTally(ada, proposed=4, waiting=1, approved=2, edited=1, rejected=1),
        DraftTally(bob, proposed=1, waiting=1),
    ]
    assert found.total == DraftTally(None, proposed=5, waiting=2, approved=2, edited=1, rejected=1)
    assert [one.agreed for one in found.items] == [pytest.approx(2 / 3), None]


def test_they_are_counted_by_kind_topic_and_day(fleet: Fleet, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    assert {one.key: one.proposed for one in counted(fleet, DraftsBy.KIND).items} == {
        "reaction": 2, "comment": 1, "post": 1, "connection": 1
    }  # fmt: skip
    fleet.sql("UPDATE drafts SET topic = 'lamps' WHERE kind = 'reaction'")
    fleet.sql("UPDATE drafts SET topic = '' WHERE kind <> 'reaction'")
    assert {one.key: one.proposed for one in counted(fleet, DraftsBy.TOPIC).items} == {None: 3, "lamps": 2}
    fleet.sql("UPDATE drafts SET created_at = '2026-03-01T23:30:00-05:00' WHERE kind = 'post'")
    days = counted(fleet, DraftsBy.DAY).items
    assert [one.proposed for one in days] == [1, 4]
    assert days[0].key == "2026-03-02"  # of UTC


def test_of_one_agent_nothing_of_others_counts(fleet: Fleet, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    found = counted(fleet, DraftsBy.KIND, agent="bob_1")
    assert (found.total.proposed, found.scans.done) == (1, 1)
    assert [one.key for one in found.items] == ["reaction"]
    with pytest.raises(NotFound):
        counted(fleet, agent="nobody")


def test_only_what_was_proposed_since_counts(fleet: Fleet, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    fleet.sql("UPDATE drafts SET created_at = created_at - interval '10 d' WHERE kind <> 'reaction'")
    fleet.sql("UPDATE jobs SET created_at = created_at - interval '10 d' WHERE agent_id = :ada", ada=two[0])
    found = counted(fleet, since=datetime.now(UTC) - timedelta(days=7))
    assert (found.total.proposed, found.scans.done) == (2, 1)


def test_looks_at_feeds_are_counted_with_what_fell(fleet: Fleet) -> None:
    agent = supervised(fleet)
    fleet.surface.posts = [post("a"), post("b")]
    fleet.words.proposals = proposing(COMMENT, COMMENT, LOVE)
    scan(fleet, agent)
    scan(fleet, agent)  # nothing new
    failed = scan(fleet, agent)
    fleet.sql("UPDATE jobs SET state = 'dead', dead_reason = 'exhausted', result = NULL WHERE id = :id", id=failed)
    assert counted(fleet).scans == Scans(done=2, idle=1, failed=1, new_posts=2, drafts=2, dropped={"a duplicate": 1},
                                          left_out={"seen": 2})  # fmt: skip


def test_an_empty_fleet_has_counts_too(fleet: Fleet) -> None:
    found = counted(fleet)
    assert (list(found.items), found.total, found.scans) == ([], DraftTally(None), Scans())


def test_an_agent_knows_how_it_fares_and_when_it_last_looked(fleet: Fleet, two: tuple[uuid.UUID, uuid.UUID]) -> None:
    ada, _ = two
    before = datetime.now(UTC) - timedelta(minutes=5)
    faring = draft_stats.of_agent(fleet.deps, ada)
    assert (faring.total.proposed, faring.scans.done) == (4, 1)
    assert faring.looked_at is not None and faring.looked_at > before
    fleet.sql("UPDATE jobs SET finished_at = finished_at - interval '400 d' WHERE kind = 'scan_feed'")
    prune(fleet.deps)
    assert draft_stats.of_agent(fleet.deps, ada).looked_at is None
