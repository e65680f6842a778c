"""One line for each event, in words, whatever the event holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core import text
from fleet.core.events import Event, Position
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.agents.lookup import Named
from fleet.engine.events import event_text
from fleet.features.activity import cli_feed
from fleet.features.activity.agent_names import AgentNames

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
AGENT = uuid.uuid4()


def told(subject: str, *, verbose: bool = False, agent_id: uuid.UUID | None = AGENT, **payload: Any) -> str | None:
    """Return the line for an event, without its time."""
    found = event_text.describe(Event(Position(1, 1), AT, subject, agent_id, None, payload))
    event = {
        "subject": subject, "payload": payload, "occurred_at": AT.isoformat(), "name": payload.get("agent") or "",
        "emoji": "📷" if agent_id == AGENT else "", "words": found.words if found else None,
    }  # fmt: skip
    text = cli_feed.line(event, verbose=verbose)
    return None if text is None else text.plain[9:]


DONE = {"agent": "Bright Studio"}


@pytest.mark.parametrize(
    ("subject", "payload", "line"),
    [
        ("job.done", {**DONE, "kind": "post", "text": "A cup."}, "📷 Bright Studio 📸 posted “A cup.”"),
        ("job.done", {**DONE, "kind": "post"}, "📷 Bright Studio 📸 posted"),
        ("job.done", {**DONE, "kind": "comment", "to": "Neon Dreams", "text": "Lovely."},
         "📷 Bright Studio 💬 said to Neon Dreams: “Lovely.”"),
        ("job.done", {**DONE, "kind": "like", "to": "Neon Dreams"}, "📷 Bright Studio ❤ liked what Neon Dreams made"),
        ("job.done", {**DONE, "kind": "browse"}, "📷 Bright Studio 👀 looked around"),
        ("job.done", {**DONE, "kind": "provision"}, "📷 Bright Studio 👋 has an account now"),
        ("job.retrying", {**DONE, "kind": "post", "why": "500"}, "📷 Bright Studio ↻ will try again with a post: 500"),
        ("job.held", {**DONE, "kind": "like", "why": "cap"}, "📷 Bright Studio ⏸ waits with a like: cap"),
        ("job.dead", {**DONE, "kind": "post", "reason": "permanent", "why": "no"},
         "📷 Bright Studio ✖ gave up a post (permanent): no"),
        ("content.doubtful", {**DONE, "kind": "comment", "rules": ["moderation.medical"]},
         "📷 Bright Studio ✋ needs approval for a comment (moderation.medical)"),
        ("content.refused", {**DONE, "kind": "comment", "rules": ["links", "privacy.email"]},
         "📷 Bright Studio ✋ was kept from publishing a draft of a comment (links, privacy.email)"),
        ("picture.replaced", {**DONE, "why": "blank"}, "📷 Bright Studio 🖼 drew the picture itself: blank"),
        ("agent.paused", {**DONE, "reason": "budget", "until": (AT + timedelta(hours=3)).isoformat()},
         "📷 Bright Studio ⏸ rests for 3 h: budget"),
        ("control.kill_switch.thrown", {"by": "cli:root", "reason": "fire"}, "■ KILL SWITCH on, by cli:root: fire"),
        ("control.paused", {"scope": "fleet", "key": "*", "by": "ann"}, "⏸ the fleet is paused by ann"),
        ("control.paused", {"scope": "agent", "key": "0f7c", "agent": "Ada", "by": "b"}, "📷 Ada ⏸ is paused by b"),
        ("control.resumed", {"scope": "agent", "key": "0f7c", "agent": "Ada", "by": "b"}, "📷 Ada ▶ is resumed, by b"),
        ("job.discarded", {"number": 3, "by": "ann"}, "3 dead letters discarded by ann"),
    ],
)  # fmt: skip
def test_the_story_of_an_event(subject: str, payload: dict[str, Any], line: str) -> None:
    agent_id = AGENT if "agent" in payload else None
    assert told(subject, agent_id=agent_id, **payload) == line


def test_an_agent_that_a_budget_is_for_is_called_by_its_username_and_all_are_asked_for_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody, asked = uuid.uuid4(), []

    def names(_: object, ids: set[uuid.UUID]) -> Mapping[uuid.UUID, Named]:
        asked.append(ids)
        return {AGENT: Named("studio_bright_1", "Bright Studio", "product_photographer")}

    monkeypatch.setattr(lookup, "names", names)
    said = [
        ("budget.set", "agent", str(AGENT), "💰 agent studio_bright_1 may spend $1.00 a day, by ann"),
        ("control.paused", "agent", str(AGENT), "⏸ agent studio_bright_1 is paused by ann"),
        ("control.paused", "agent", str(nobody), f"⏸ agent {nobody} is paused by ann"),
        ("control.paused", "persona", str(AGENT), f"⏸ persona {AGENT} is paused by ann"),
        ("control.paused", "agent", "*", "⏸ agent * is paused by ann"),
        ("control.paused", "agent", None, "⏸ agent  is paused by ann"),
        ("control.paused", "agent", [1], "⏸ agent [1] is paused by ann"),
    ]
    payload = {"by": "ann", "microusd": 1_000_000, "period": "day"}
    events = [
        Event(Position(1, 1), AT, subject, None, None, {**payload, "scope": scope, "key": key})
        for subject, scope, key, _ in said
    ]
    names_of = AgentNames(SimpleNamespace(db=None))  # type: ignore[arg-type]
    names_of.load(events)
    names_of.load(events[:2])
    found = [names_of.describe(event) for event in events]
    assert [f"{one.sign} {one.words}" for one in found if one] == [line for *_, line in said]
    assert (asked, events[0].payload["key"]) == ([{AGENT, nobody}], str(AGENT))


def test_thoughts_are_shown_in_verbose_mode_only() -> None:
    assert told("agent.thought", agent="A", thought="Hm.") is None
    assert told("agent.thought", verbose=True, agent="A", thought="Hm.") == "📷 A 💭 Hm."


def test_an_event_of_an_unknown_type_is_shown() -> None:
    line = told("draft.approved", agent_id=None, by="ann", draft=7)
    assert line == "draft.approved by ann, draft 7"


def test_a_text_cannot_pretend_to_be_another_line_or_another_colour() -> None:
    line = told("job.done", agent="[red]A[/red]", kind="post", text="x\n12:00:00 Admin ■ KILL SWITCH\x1b[31m\x07\u202e")
    assert line is not None
    assert "\n" not in line
    assert not set("\x1b\x07\u202e") & set(line)
    assert "[red]A[/red]" in line


SUBJECTS = [*sorted(registry.current().subjects), "something.else"]
VALUES = st.one_of(st.none(), st.text(max_size=30), st.integers(), st.booleans(), st.lists(st.text(max_size=3)))
KEYS = ["agent", "kind", "text", "to", "why", "reason", "until", "by", "scope", "key", "number", "thought", "action"]


@given(st.sampled_from(SUBJECTS), st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_payload_breaks_a_line(subject: str, payload: Mapping[str, Any]) -> None:
    line = told(subject, verbose=True, **payload)
    assert line is not None
    assert "\n" not in line
    assert len(line) < 600


def test_of_what_somebody_said_without_measure_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symptom: a name of megabytes in one event, and each page and stream that told of it took half a minute."""
    cleaned, read = text.clean, list[int]()
    monkeypatch.setattr(text, "clean", lambda words: read.append(len(words)) or cleaned(words))
    payload = {"thought": "a " * 500_000, "agent": "ada", "name": "b" * 1_000_000}
    for subject in ("agent.thought", "something.else"):
        told = event_text.describe(Event(Position(1, 1), datetime.now(UTC), subject, None, None, payload))
        assert told is not None
        assert len(told.words) < 300
    assert read
    assert max(read) < 10_000
