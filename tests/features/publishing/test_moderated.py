"""With a moderator at a provider nothing is published that it has not let pass: through `perform`, on a real ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fleet.core import events
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.features.publishing.kinds import COMMENT
from fleet.llm.moderation.base import Judgement, Unanswered
from fleet.llm.provider import Till
from tests.factories import Fleet, make_fleet, reply_lost
from tests.features.publishing.test_quality import POEMS, Died, add, says


class Moderator:
    """Refuses what is bad, doubts what is odd, or fails as it is told to; and counts."""

    name = "openai"

    def __init__(self) -> None:
        self.bad: dict[str, str] = {}
        self.odd: dict[str, str] = {}
        self.errors: list[Exception] = []
        self.asked: list[list[str]] = []

    def judge(self, texts: Sequence[str], *, till: Till, within_s: float) -> list[Judgement]:
        self.asked.append(list(texts))
        if self.errors:
            raise self.errors.pop(0)
        return [Judgement(_named(self.bad, text), _named(self.odd, text)) for text in texts]


def _named(told: Mapping[str, str], text: str) -> frozenset[str]:
    return frozenset(category for word, category in told.items() if word in text)


@pytest.fixture
def moderator(fleet: Fleet) -> Moderator:
    made = Moderator()
    fleet.deps.models_override.moderator = made
    return made


def subjects(fleet: Fleet) -> list[str]:
    with fleet.deps.db.transaction() as tx:
        return [event.subject for event in reversed(events.latest(tx))]


def test_every_text_of_a_post_is_asked_about_once_and_that_is_kept(fleet: Fleet, moderator: Moderator) -> None:
    says(fleet, POEMS[0])
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.DONE
    ((prompt, caption, alt_text),) = [sorted(asked, key=len, reverse=True) for asked in moderator.asked]
    assert {prompt, caption, alt_text} == {"a quiet harbour at dawn", POEMS[0], "A harbour."}
    assert fleet.job(job).checkpoint["words"]["moderated"] == "openai"


@pytest.mark.parametrize("where", ["caption", "alt_text", "image_prompt"])
def test_a_flagged_text_is_refused_not_stored_and_rewritten(fleet: Fleet, moderator: Moderator, where: str) -> None:
    moderator.bad = {POEMS[0]: "violence"} if where == "caption" else {}
    script = says(fleet, POEMS[0], POEMS[1])
    if where != "caption":
        setattr(script, "prompt" if where == "image_prompt" else "alt_text", "a grim and bloody thing to see")
        moderator.bad = {"bloody": "violence"}
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert row.checkpoint["words"]["refused"] == ["moderation.violence"]
    assert POEMS[0] not in str(row.checkpoint["words"])
    if where == "caption":
        assert row.state == JobState.DONE
        assert [effect.text for effect in fleet.surface.effects] == [POEMS[1]]
    else:
        assert row.state == JobState.SKIPPED
        assert not fleet.surface.effects
        assert not fleet.surface.images_paid
    assert subjects(fleet).count("content.refused") == (1 if where == "caption" else 2)


def test_an_incident_names_the_category_and_who_found_it_and_not_the_words(fleet: Fleet, moderator: Moderator) -> None:
    moderator.bad = {"": "hate"}
    says(fleet, *POEMS)
    job = add(fleet, fleet.agent(), COMMENT)
    perform(fleet.deps, job)
    with fleet.deps.db.transaction() as tx:
        told = [event.payload for event in events.latest(tx) if event.subject == "content.refused"]
    assert [one["rules"] for one in told] == [["moderation.hate"]] * 2
    assert all("openai flags it" in one["why"] for one in told)
    assert not any(poem in str(told) for poem in POEMS)


def test_while_it_cannot_be_asked_the_job_waits_costs_no_attempt_and_pays_nothing_twice(
    fleet: Fleet, moderator: Moderator
) -> None:
    script = says(fleet, POEMS[0])
    moderator.errors = [Unanswered("it is down"), Unanswered("it is down", retry_after_s=500)]
    job = add(fleet, fleet.agent())
    for _ in range(2):
        perform(fleet.deps, job)
        row = fleet.job(job)
        assert (row.state, row.attempts) == (JobState.READY, 0)
        assert "it is down" in str(row.held)
        assert not fleet.surface.effects
        assert not fleet.surface.images_paid
        fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.DONE
    assert len(script.dice) == 1, "the words were paid once"
    assert len(moderator.asked) == 3


def test_local_rules_hold_whatever_the_moderator_says(fleet: Fleet, moderator: Moderator) -> None:
    says(fleet, "Write to me at ann@example.org today.", "Call me: ann@example.org, please.")
    job = add(fleet, fleet.agent(), COMMENT)
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.SKIPPED
    assert not moderator.asked, "what is refused already is shown to nobody"


def test_a_crash_before_the_answer_was_kept_asks_again_and_pays_nothing_twice(
    fleet: Fleet, moderator: Moderator
) -> None:
    script = says(fleet, POEMS[0])
    moderator.errors = [Died()]  # type: ignore[list-item]
    job = add(fleet, fleet.agent())
    with pytest.raises(Died):
        perform(fleet.deps, job)
    fleet.lease_runs_out()
    fleet.sql("UPDATE jobs SET state = 'ready', lease_until = NULL, next_attempt_at = clock_timestamp()")
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.DONE
    assert len(script.dice) == 1


def test_a_post_that_may_be_out_is_looked_for_without_asking(fleet: Fleet, moderator: Moderator) -> None:
    says(fleet, POEMS[0])
    fleet.surface.faults = [reply_lost]
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.UNKNOWN
    moderator.errors = [Unanswered("it is down")] * 3
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.DONE
    assert len(moderator.asked) == 1


def test_a_moderator_without_a_key_lets_nothing_out(database_url: str) -> None:
    fleet = make_fleet(database_url, moderation="openai")
    says(fleet, POEMS[0])
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    row = fleet.job(job)
    assert row.state == JobState.READY
    assert "no key" in str(row.held)
    assert not fleet.surface.effects
    fleet.deps.close()
