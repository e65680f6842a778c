"""FloImg workflows: the steps for each persona, one more for the way to work; all of them run for real."""

from __future__ import annotations

import itertools

import pytest

from fleet.adapters.floimg import workflows
from fleet.features.personas.library import load
from fleet.sandbox.gallery.workflows import Workflow

LIBRARY = load()
WAYS = [(one, way) for one in LIBRARY.ids for way in ("", *LIBRARY.get(one).workflow_types)]


def told(persona_id: str, way: str = "") -> list[str]:
    return [str(step.get("operation", step["kind"])) for step in workflows.steps(persona_id, "a harbour", way)]


def test_each_persona_has_the_workflow_of_the_facts() -> None:
    steps = {one: workflows.steps(one, "a harbour") for one in [*LIBRARY.ids, "somebody_new"]}
    made = {one: (step[0]["params"]["size"], step[0]["params"]["quality"]) for one, step in steps.items()}
    standard = ("1024x1024", "standard")
    assert made == {
        "product_photographer": ("1024x1024", "hd"), "ai_artist": ("1792x1024", "hd"), "social_marketer": standard,
        "indie_game_dev": standard, "data_viz": standard, "ux_designer": standard, "somebody_new": standard,
    }  # fmt: skip
    assert {one: step[1]["params"] for one, step in steps.items() if len(step) > 2} == {
        "product_photographer": {"brightness": 1.05, "contrast": 1.1, "saturation": 1.1},
        "social_marketer": {"width": 1080, "height": 1080, "fit": "cover"},
        "indie_game_dev": {"width": 512, "height": 512, "fit": "contain", "kernel": "nearest"},
    }
    assert {step[-1]["destination"] for step in steps.values()} == {"cloud"}


@pytest.mark.parametrize(("persona_id", "way"), WAYS)
def test_every_way_to_work_is_a_workflow_that_the_gallery_accepts(persona_id: str, way: str) -> None:
    steps = workflows.steps(persona_id, "a harbour", way)
    assert Workflow.model_validate({"name": f"fleet-{persona_id}", "steps": steps})
    assert all(before["out"] == after["in"] for before, after in itertools.pairwise(steps)), "nothing made is left out"


def test_a_way_to_work_adds_one_step_to_the_personas_own() -> None:
    assert told("social_marketer") == ["generate", "resize", "save"]
    assert told("social_marketer", "filter_apply") == ["generate", "resize", "adjust", "save"]
    assert told("ai_artist", "upscale") == ["generate", "resize", "save"]
    assert told("ai_artist", "inpaint") == told("ai_artist") == ["generate", "save"]


def test_a_story_is_made_tall_and_not_cut_out_of_a_square() -> None:
    """Symptom: posters in stories lost both ends of their titles."""
    made = workflows.steps("social_marketer", "a kite", "resize_stories")
    assert made[0]["params"]["size"] == "1024x1792"
    assert [step["params"]["height"] for step in made if step.get("operation") == "resize"] == [1920]
