"""`fleet persona`: set from a file, edited in $EDITOR, exported, reset; wrong input loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture


def test_a_persona_from_its_export_to_its_end(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "keeper.yaml"
    content = yaml.safe_load(cli("persona", "export", "data_viz").stdout)
    file.write_text(yaml.safe_dump({**content, "id": "keeper", "vibe": "calm"}), "utf-8")
    assert "keeper is set." in cli("persona", "set", str(file), "--why", "a try").output
    assert cli.json("persona", "show", "keeper")["source"] == "run time"
    assert "keeper" in cli("persona", "list").output
    assert "a try" in cli("persona", "history", "keeper", columns=140).output
    assert "Nothing was changed." in cli("persona", "set", "-", stdin=cli("persona", "export", "keeper").stdout).output
    file.write_text("id: keeper\nid: other\n", "utf-8")
    assert "occurs twice" in cli("persona", "set", str(file), code=2).output
    bomb = "a: &a [1, 2]\nb: [*a, *a]\n"
    file.write_text(bomb, "utf-8")
    assert "has an alias" in cli("persona", "set", str(file), code=2).output
    assert "keeper is removed." in cli("persona", "reset", "keeper").output
    cli("persona", "show", "keeper", code=3)


def test_what_is_wrong_comes_back_into_the_editor_with_what_was_typed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.sh"
    seen = tmp_path / "seen"
    editor.write_text(
        f'#!/bin/sh\ncat "$1" >> {seen}\n'
        'if grep -q "^#! " "$1"; then sed -i "s/^tier: .*/tier: casual/" "$1"\n'
        'else sed -i "s/^tier: .*/tier: lazy/; s/^vibe: .*/vibe: calm/" "$1"; fi\n',
        "utf-8",
    )
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    assert "ai_artist is set." in cli("persona", "edit", "ai_artist", "--why", "a try").output
    assert "#! tier: should be 'casual', 'regular' or 'power', not 'lazy'" in seen.read_text("utf-8")
    found = cli.json("persona", "show", "ai_artist")
    assert (found["vibe"], found["tier"], found["source"]) == ("calm", "casual", "changed")
    monkeypatch.setenv("EDITOR", "true")
    assert "Nothing was changed." in cli("persona", "edit", "ai_artist").output
    assert "as its file says" in cli("persona", "reset", "ai_artist").output
