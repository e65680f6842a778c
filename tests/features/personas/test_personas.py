"""Persona files: the shipped values, and what a person is told when a file is wrong."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.schedule import Schedule
from fleet.features.personas import library as personas
from fleet.features.personas.library import TickInterval

MON_TO_FRI = frozenset({1, 2, 3, 4, 5})
ALL_DAYS = frozenset(range(7))

# Facts 1.1: (prefix, vibe, post/comment/like, tier, interval, share), week, workflow types, name templates.
FACTS: dict[str, tuple[Any, ...]] = {
    "product_photographer": (
        ("studio_", "professional", (0.7, 0.4, 0.8), "regular", (60, 300), 1.5),
        Schedule("America/New_York", MON_TO_FRI, ((9, 12), (13, 17)), (), 2.0, 0.3),
        ("background_removal", "shadow_add", "resize_batch", "color_correction"),
        ("{adj} Studio", "{adj} Lens Co", "Pack Shot {noun}"),
    ),
    "social_marketer": (
        ("social_", "trendy", (0.8, 0.6, 0.9), "power", (30, 90), 1.3),
        Schedule("America/Los_Angeles", ALL_DAYS, ((7, 9), (12, 14), (18, 22)), (), 2.5, 0.5),
        ("caption_add", "resize_stories", "filter_apply", "format_convert"),
        ("{adj} Media", "Viral {noun}", "{adj} Content Co"),
    ),
    "indie_game_dev": (
        ("pixel_", "creative", (0.5, 0.5, 0.7), "regular", (60, 300), 1.0),
        Schedule("America/Chicago", frozenset({5, 6, 0}), ((18, 24), (0, 2)), (), 3.0, 0.4),
        ("sprite_generation", "tileset_create", "resize_pixel", "palette_apply"),
        ("Pixel {noun}", "{adj} Games", "8bit {noun}"),
    ),
    "data_viz": (
        ("data_", "analytical", (0.4, 0.3, 0.6), "casual", (300, 900), 0.8),
        Schedule("Europe/London", MON_TO_FRI, ((8, 12), (14, 18)), (), 2.0, 0.2),
        ("chart_generate", "annotation_add", "format_export", "resize_presentation"),
        ("{adj} Analytics", "Chart {noun}", "Data {noun}"),
    ),
    "ai_artist": (
        ("ai_", "experimental", (0.9, 0.7, 0.9), "power", (30, 90), 1.2),
        Schedule("UTC", ALL_DAYS, ((20, 24), (0, 4)), (), 2.0, 0.7),
        ("ai_generate", "upscale", "style_transfer", "variations", "inpaint"),
        ("{adj} Dreams", "Neural {noun}", "AI {noun}"),
    ),
    "ux_designer": (
        ("ux_", "minimal", (0.5, 0.4, 0.7), "regular", (60, 300), 1.0),
        Schedule("America/Los_Angeles", MON_TO_FRI, ((9, 12), (14, 18)), (), 2.0, 0.3),
        ("screenshot_annotate", "device_frame", "resize_devices", "component_export"),
        ("{adj} UX", "Design {noun}", "Interface {noun}"),
    ),
}

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of one good persona that a test may spoil."""
    folder = tmp_path / "my personas"
    folder.mkdir()
    shutil.copy(personas.SHIPPED / "data_viz.yaml", folder)
    return folder


def rewrite(folder: Path, change: Spoil) -> tuple[str, ...]:
    """Change the persona's content and return the problems that are then reported."""
    file = folder / "data_viz.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return personas.check(folder)


@pytest.mark.parametrize("persona_id", FACTS)
def test_shipped_persona_has_the_values_of_the_facts(persona_id: str) -> None:
    (prefix, vibe, weights, tier, interval, share), schedule, types, templates = FACTS[persona_id]
    persona = personas.load().get(persona_id)
    assert (persona.username_prefix, persona.character.vibe, persona.tier, persona.share) == (prefix, vibe, tier, share)
    assert tuple(persona.weights[name] for name in ("post", "comment", "like")) == weights
    assert persona.interval == TickInterval(*interval)
    assert persona.schedule == schedule
    assert persona.workflow_types == types
    assert persona.name_templates == templates


def test_shipped_personas_are_the_six_in_a_stable_order() -> None:
    library = personas.load()
    assert library.ids == tuple(sorted(FACTS))
    assert [persona.id for persona in library] == list(library.ids)
    assert len(library) == 6
    assert "ai_artist" in library


def test_every_shipped_persona_also_browses_and_has_its_own_voice() -> None:
    library = personas.load()
    assert all(persona.weights["browse"] > 0 for persona in library)
    assert all(6 <= len(persona.character.interests) <= 7 for persona in library)
    assert len({persona.character.personality for persona in library}) == 6
    assert personas.check() == ()


def test_shipped_names_are_those_of_the_facts() -> None:
    names = personas.load().names
    assert names.adjectives == (
        "Bright",
        "Clear",
        "Crisp",
        "Sharp",
        "Vivid",
        "Bold",
        "Fresh",
        "Clean",
        "Dynamic",
        "Prime",
    )
    assert names.nouns == ("Pro", "Studio", "Lab", "Works", "Hub", "Forge", "Craft", "House", "Space", "Zone")


def test_unknown_persona_is_answered_with_the_nearest_and_all_known() -> None:
    with pytest.raises(NotFound) as caught:
        personas.load().get("social_media_marketer")
    assert "social_media_marketer" in str(caught.value)
    assert "Did you mean 'social_marketer'?" in str(caught.value)
    assert "ux_designer" in str(caught.value)


def test_days_may_be_names_or_numbers(folder: Path) -> None:
    file = folder / "data_viz.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("[mon, tue, wed, thu, fri]", "[1, Tuesday, WED, thurs, 5]"),
        encoding="utf-8",
    )
    assert personas.load(folder).get("data_viz").schedule.active_days == MON_TO_FRI


def test_sleep_hours_are_optional_and_reach_the_schedule(folder: Path) -> None:
    file = folder / "data_viz.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(
            "  peak_multiplier: 2.0", "  sleep_hours: [[23, 6]]\n  peak_multiplier: 2"
        ),
        encoding="utf-8",
    )
    persona = personas.load(folder).get("data_viz")
    assert persona.schedule.sleep == ((23, 6),)
    assert persona.schedule.peak_multiplier == 2


def test_folder_without_names_uses_the_shipped_ones(folder: Path) -> None:
    assert personas.load(folder).names == personas.load().names


def test_names_of_the_folder_win_and_keep_their_script(folder: Path) -> None:
    (folder / "names.yaml").write_text("adjectives: [Čirý, 明るい]\nnouns: [Dílna]\n", encoding="utf-8")
    assert personas.load(folder).names == personas.Names(("Čirý", "明るい"), ("Dílna",))


def _set(*path: str | int, to: Any) -> Spoil:
    def change(content: dict[str, Any]) -> None:
        place: Any = content
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_set("schedule", "timezone", to="Amerika/Chicago"), "schedule.timezone: .*'America/Chicago'"),
        (_set("schedule", "timezone", to=0), "schedule.timezone: should be text.*quotes"),
        (_set("schedule", "active_days", to=["someday"]), r"schedule.active_days\[0\]: 'someday' is not a day"),
        (_set("schedule", "active_days", to=["mon", 1]), "schedule.active_days: 1 occurs more than once"),
        (_set("schedule", "active_days", to=[]), "schedule.active_days: "),
        (_set("schedule", "peak_hours", to=[[9, 25]]), r"schedule.peak_hours\[0\]\[1\]: .*24"),
        (_set("schedule", "peak_hours", to=[[9, 9]]), r"schedule.peak_hours\[0\]: .*\[0, 24\]"),
        (_set("schedule", "peak_hours", to=[["9am", 12]]), r"schedule.peak_hours\[0\]\[0\]: .*'9am'"),
        (_set("schedule", "sleep_hours", to=[[0, 24]]), "schedule: .*awake"),
        (_set("schedule", "peak_multiplier", to=-1), "schedule.peak_multiplier: "),
        (_set("schedule", "off_peak_multiplier", to=float("inf")), "schedule.off_peak_multiplier: "),
        (_set("share", to=0), "share: .*greater than 0"),
        (_set("share", to=float("nan")), "share: .*finite"),
        (_set("share", to="a lot"), "share: should be a valid number, not 'a lot'"),
        (_set("weights", "post", to=-0.1), "weights.post: "),
        (_set("weights", "post", to=float("nan")), "weights.post: .*finite"),
        (_set("weights", to={"post": 0, "comment": 0, "like": 0, "browse": 0}), "weights: all weights are 0"),
        (_set("weights", "dance", to=1), "weights: 'dance' is not an action; actions: post, comment, like, browse"),
        (_set("weights", "posts", to=1), "weights: 'posts' is not an action; did you mean 'post'"),
        (_set("interval_seconds", to=[90, 30]), "interval_seconds: the least wait, 90, is above the most, 30"),
        (_set("interval_seconds", to=[0, 30]), r"interval_seconds\[0\]: "),
        (_set("interval_seconds", to=[30]), "interval_seconds: "),
        (_set("tier", to="whale"), "tier: .*'casual'"),
        (_set("intrests", to=["x"]), "intrests: is not a field; did you mean 'interests'?"),
        (_set("schedule", "peek_hours", to=[]), "schedule.peek_hours: is not a field; did you mean 'peak_hours'?"),
        (_set("name_templates", to=["{adj} {name}"]), r"name_templates\[0\]: .*\{adj\} and \{noun\}"),
        (_set("username_prefix", to="Data-"), "username_prefix: 'Data-' is no name here"),
        (_set("id", to="Data Viz"), "id: 'Data Viz' is no name here"),
        (_set("personality", to="  \u200b "), "personality: is empty"),
        (_set("emoji", to=False), "emoji: should be text, and YAML reads it as False; put it in quotes"),
        (_set("grammar", "c_tail", 0, to="{mood}."), r"grammar.c_tail: \{mood\} is not defined"),
        (_set("grammar", "c_tail", 0, to="{choice."), r"grammar.c_tail\[0\]: a brace"),
        (_set("grammar", "chart", 0, to="{subject}"), "grammar.(chart|subject): the rule contains itself"),
        (_set("grammar", "shared", to=["subject", "topic"]), "grammar.shared: 'topic' must come before 'subject'"),
        (_set("grammar", "extra", to=["nobody calls"]), "grammar.extra: no text uses this rule"),
        (_set("grammar", "praise", to=[]), "grammar.praise: no alternatives"),
    ],
)  # fmt: skip
def test_wrong_value_is_named_by_file_field_and_fix(folder: Path, change: Spoil, expected: str) -> None:
    problems = rewrite(folder, change)
    assert any(re.match(f"my personas/data_viz.yaml: (?:{expected})", problem) for problem in problems), problems
    with pytest.raises(InvalidInput, match="fleet persona check"):
        personas.load(folder)


def test_missing_start_rule_is_named(folder: Path) -> None:
    problems = rewrite(folder, lambda content: content["grammar"].pop("comment"))
    assert any("grammar.comment: this rule is missing" in problem for problem in problems)


def test_broken_yaml_gives_line_and_column(folder: Path) -> None:
    (folder / "broken.yaml").write_text("id: x\nvibe: [unclosed\nshare: 1\n", encoding="utf-8")
    (problem,) = personas.check(folder)
    assert problem.startswith("my personas/broken.yaml: line 3, column ")


def test_key_written_twice_is_refused(folder: Path) -> None:
    with (folder / "data_viz.yaml").open("a", encoding="utf-8") as file:
        file.write("\nshare: 3\n")
    (problem,) = personas.check(folder)
    assert "the key 'share' occurs twice here" in problem
    assert "line " in problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "holds no fields"),
        (b"- a\n- b\n", "holds no fields"),
        (b"id: \xff\xfe\n", "not UTF-8"),
        (b"id: \x00\n", "not YAML"),
        (b"id: 2024-99-99\n", "not YAML"),
        (b"id: " + b"[" * 5000 + b"\n", "nested too deeply|line |not YAML"),
        (b"#" * 1_000_001, "larger than"),
    ],
)
def test_file_that_is_no_persona_is_one_clear_problem(folder: Path, content: bytes, expected: str) -> None:
    (folder / "other.yaml").write_bytes(content)
    (problem,) = personas.check(folder)
    assert re.match(f"my personas/other.yaml: .*({expected})", problem), problem


def test_all_problems_of_all_files_are_reported_at_once(folder: Path) -> None:
    (folder / "a.yaml").write_text("id: [\n", encoding="utf-8")
    (folder / "names.yaml").write_text("adjectives: []\nnouns: [Lab, Lab]\n", encoding="utf-8")
    content = yaml.safe_load((folder / "data_viz.yaml").read_text(encoding="utf-8"))
    content["share"], content["tier"] = -1, "x"
    (folder / "data_viz.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        personas.load(folder)
    said = str(caught.value)
    assert "5 problems" in said
    for part in ("a.yaml: line", "names.yaml: adjectives", "names.yaml: nouns", "share: ", "tier: "):
        assert part in said


def test_two_files_with_one_id_are_refused(folder: Path) -> None:
    shutil.copy(folder / "data_viz.yaml", folder / "twin.yaml")
    (problem,) = personas.check(folder)
    assert problem == "my personas/twin.yaml: id: 'data_viz' is also the id of data_viz.yaml; give each persona its own"


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no folder of personas.*FLEET_PERSONAS_DIR"):
        personas.load(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="holds no persona"):
        personas.load(tmp_path)


def test_weights_and_personas_cannot_be_changed_after_loading() -> None:
    library = personas.load()
    persona = library.get("ai_artist")
    with pytest.raises(AttributeError):
        persona.share = 9.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        library.personas["x"] = persona  # type: ignore[index]
    with pytest.raises(TypeError):
        persona.weights["post"] = 1.0  # type: ignore[index]


def test_the_file_in_the_documentation_is_a_good_one(tmp_path: Path) -> None:
    document = (personas.SHIPPED.parent / "docs" / "personas.md").read_text(encoding="utf-8")
    (tmp_path / "documented.yaml").write_text(document.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert personas.check(tmp_path) == ()
