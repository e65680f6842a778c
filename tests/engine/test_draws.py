"""What Hypothesis draws without chance is the same in every run, whatever the tests before have loaded."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def drawn() -> list[int]:
    found: list[int] = []

    @settings(max_examples=300, derandomize=True, database=None)
    @given(st.integers())
    def look(number: int) -> None:
        found.append(number)

    look()
    return found


def test_a_module_that_is_loaded_in_between_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = drawn()
    path = tmp_path / "of_ours.py"
    path.write_text("".join(f"N{number} = {987_654_321_000 + number}\n" for number in range(200)))
    spec = importlib.util.spec_from_file_location("of_ours", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "of_ours", module)
    spec.loader.exec_module(module)
    assert drawn() == before
