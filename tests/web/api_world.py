"""A fleet with something of everything in it, for tests that ask the API about it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from fleet.engine.jobs.states import DeadReason
from fleet.features.approvals import service as approving
from fleet.features.approvals.approver import Person
from fleet.features.controls import commands as fleetwide
from fleet.features.costs import commands as money
from fleet.features.drafts import commands as drafting
from fleet.features.drafts.models import LessonRow
from fleet.features.media.service import objects_of
from fleet.llm.base import Usage
from fleet.spending import ledger
from fleet.spending.budgets import Period, Scope, Spender
from tests.engine.test_perform import add
from tests.factories import Fleet, a_picture
from tests.features.drafts.test_drafts import proposed
from tests.features.drafts.test_scan import COMMENT, LOVE, POST, supervised
from tests.features.jobs.test_cli import dead


@dataclass(frozen=True)
class World:
    """What is in it: ids and names by the parameter of a path that stands for them."""

    names: dict[str, list[str]]


def world(fleet: Fleet) -> World:
    """Fill a database."""
    ada = fleet.agent(username="ada_1", persona_id="ai_artist")
    fleet.agent(username="bob_1", running=False)
    eve = supervised(fleet, username="eve_1")
    jobs = [add(fleet, ada, "post"), add(fleet, fleet.agent(), "like", target="p1")]
    letters = [
        dead(
            fleet,
            fleet.agent(),
            target=f"t{number}",
            kind="comment",
            reason=reason,
            error="said fst_abcdefgh12345",
        )
        for number, reason in enumerate((*DeadReason, *DeadReason))
        if reason != DeadReason.UNREADABLE
    ]
    drafts = [*proposed(fleet, COMMENT, POST, LOVE, agent=eve), *proposed(fleet, LOVE, agent=eve)]
    drafts += [
        one for number in range(3) for one in proposed(fleet, LOVE, agent=supervised(fleet, username=f"eva_{number}"))
    ]
    drafting.reject(fleet.deps, [str(drafts[0].id)], Person("web:zoe", frozenset({"owner"})), "too short")
    money.set_budget(fleet.deps, Scope.FLEET, None, Period.DAY, 5_000_000, by="test")
    money.set_budget(fleet.deps, Scope.AGENT, "ada_1", Period.MONTH, 0, by="test")
    with fleet.deps.db.transaction() as tx:
        ledger.record(tx, Spender(ada, "ai_artist", None, "post"), [Usage("test", "1", input_tokens=5, microusd=70)])
        lessons = list(tx.session.scalars(sa.select(LessonRow.id)))
    fleetwide.pause(fleet.deps, "persona", "data_viz", by="test", reason="a test")
    picture = objects_of(fleet.deps).put(a_picture(), "image/jpeg").split("/")
    requests = [one.id for one in approving.page(fleet.deps, approving.RequestFilter(), limit=50)]
    return World({
        "name": ["ada_1", "bob_1", "eve_1", str(ada)], "tick_no": ["1", "2", "3"],
        "job_id": [str(one) for one in (*jobs, *letters)], "draft_id": [str(one.id) for one in drafts],
        "request_id": [str(one) for one in requests], "lesson_id": [str(one) for one in lessons],
        "persona_id": ["ai_artist"], "experiment": ["caption_question"], "scope": ["fleet", "agent"],
        "key": ["*", "ada_1"], "period": ["day", "month"], "shelf": picture[:1], "file": picture[1:],
    })  # fmt: skip
