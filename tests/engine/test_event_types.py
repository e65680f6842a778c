"""Types of events: each subject that the source emits is registered, once, by the feature that emits it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleet.core.errors import InvalidInput
from fleet.core.events import Event, Position
from fleet.core.subjects import is_pattern, refuse_unknown
from fleet.engine import registry
from fleet.engine.events import event_text
from fleet.engine.registry import EventType, Feature, Registry
from tests import ROOT, source_files

SUBJECT = re.compile(r"[a-z_]+(?:\.[a-z_]+)+")
EMITTERS = {"emit", "_tell", "_move"}
OF_THE_ENGINE = {"agents", "jobs"}
"""The features that show the events of agents, ticks, jobs and sweeps; others emit some of these too."""
LOWER_FLOORS = ("engine", "accounts", "spending")


def _texts(node: ast.AST) -> Iterator[str]:
    """Return the subjects that an expression can be; parts of a text that is put together are none."""
    parts = {id(value) for one in ast.walk(node) if isinstance(one, ast.JoinedStr) for value in one.values}
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and id(one) not in parts and SUBJECT.fullmatch(str(one.value)):
            yield str(one.value)


def _emitted(path: Path) -> Iterator[str]:
    for call in source_files.calls(path, EMITTERS):
        for argument in call.args:
            yield from _texts(argument)
    for node in source_files.nodes(path, r"[\"']subject[\"']"):
        if isinstance(node, ast.Dict):  # a row of `emit_many`
            row = {key.value: value for key, value in zip(node.keys, node.values, strict=True)
                   if isinstance(key, ast.Constant)}  # fmt: skip
            if {"subject", "agent_id", "job_id"} <= row.keys():
                yield from _texts(row["subject"])


def _folder(path: Path) -> str:
    """Return the feature that a file belongs to; empty for the floors below."""
    parts = path.relative_to(ROOT / "fleet").parts
    return parts[1] if parts[0] == "features" else ""


OWNERS = {event.subject: one.name for one in registry.current() for event in one.events if not event.kind}


def test_every_emitted_subject_is_registered_by_the_feature_that_emits_it() -> None:
    emitted = {
        (_folder(path), subject)
        for path in (ROOT / "fleet").rglob("*.py")
        if path.name != "feature.py"
        for subject in _emitted(path)
    }
    assert len(emitted) > 40
    assert {(folder, subject) for folder, subject in emitted if subject not in OWNERS} == set()
    elsewhere = {
        (folder, subject)
        for folder, subject in emitted
        if folder and OWNERS[subject] != folder and OWNERS[subject] not in OF_THE_ENGINE
    }
    assert elsewhere == set()


def test_every_registered_subject_is_emitted() -> None:
    below = "".join(source_files.text(path) for room in LOWER_FLOORS for path in (ROOT / "fleet" / room).rglob("*.py"))
    everything = "".join(source_files.text(path) for path in (ROOT / "fleet/features").glob("*/[!fe]*.py"))
    source_of = dict.fromkeys(OF_THE_ENGINE, below + everything)
    for owner in {*OWNERS.values()} - OF_THE_ENGINE:
        files = (ROOT / "fleet/features" / owner).rglob("*.py")
        own = "".join(source_files.text(path) for path in files if path.name not in ("feature.py", "event_text.py"))
        source_of[owner] = below + own
    for subject, owner in OWNERS.items():
        source = source_of[owner]
        assert is_pattern(subject) and subject.rpartition(".")[2] in source, subject


def test_a_subject_is_registered_once() -> None:
    one = Feature(name="a", events=(EventType(subject="x.done"), EventType(subject="x.done", kind="post")))
    assert Registry([one]).subjects == {"x.done"}
    with pytest.raises(InvalidInput, match=r"register the event 'x\.done'"):
        assert Registry([one, Feature(name="b", events=(EventType(subject="x.done"),))]).events


def test_what_a_type_names_exists() -> None:
    signs = (ROOT / "fleet/web/static/signs.svg").read_text(encoding="utf-8")
    for event in registry.current().events.values():
        assert f'<symbol id="{event.icon}"' in signs, event
        assert event.describe is None or callable(registry.load(event.describe)), event
        assert not (event.words and event.describe), event
        assert not event.kind or (event.subject == "job.done" and event.kind in registry.current().jobs), event


def test_the_kind_in_the_payload_chooses_among_types_of_one_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    words = EventType(subject="x.done", words="did {thing:6}{quote}", reason=("why",), sign="★", tone="red")
    of_a_kind = EventType(subject="x.done", kind="tea", words="made tea for {to}")
    monkeypatch.setattr(registry, "_active", Registry([Feature(name="a", events=(words, of_a_kind))]))

    def described(**payload: object) -> tuple[str, str]:
        event = Event(Position(1, 1), datetime.now(UTC), "x.done", None, None, payload)
        found = event_text.describe(event)
        assert found is not None
        return found.sign, found.words

    assert described(thing="a\nlong thing", text="Ah.", why="fun") == ("★", "did a lon…: “Ah.”: fun")
    assert described(kind="tea", to="Ada", why="fun") == ("", "made tea for Ada")
    assert described(kind="soup") == ("★", "did ")


@pytest.mark.parametrize("name", sorted({*OWNERS.values()} - OF_THE_ENGINE))
def test_a_fleet_without_a_feature_does_not_know_its_subjects(name: str) -> None:
    left = Registry(replace(one, needs=()) for one in registry.current() if one.name != name)
    gone = {subject for subject, owner in OWNERS.items() if owner == name}
    assert not gone & left.subjects
    assert all(left.event(subject) is None for subject in gone)
    for subject in gone:
        with pytest.raises(InvalidInput, match=f"No event has the subject {subject!r}"):
            refuse_unknown([subject], left.subjects)
