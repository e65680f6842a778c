"""`fleet experiments` from the command line: what a person reads at 80 columns, and what a program gets."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

import pytest

from fleet.core import clock
from fleet.engine.points.effect_size import EffectInterval
from fleet.features.experiments import cli_strip as effect_strip
from fleet.features.experiments import engagement
from fleet.features.experiments.engagement import Assignment, Reading
from tests.factories import Fleet
from tests.features.agents.test_cli import Cli

ON = {"FLEET_EXPERIMENTS": "prompt_light"}


@pytest.fixture
def cli(database_url: str, broker_url: str) -> Cli:
    return Cli(database_url, broker_url)


def measured(fleet: Fleet, posts: int, better: str = "soft", *, apart: bool = True) -> None:
    """Let so many posts of each variant have been read after a day; those of one get more likes of people."""
    dice, agent = random.Random(3), uuid.uuid4()
    with fleet.deps.db.transaction() as tx:
        for variant in ("as_usual", "soft", "hard"):
            for number in range(posts):
                post = uuid.uuid4()
                engagement.assign(tx, [Assignment("prompt_light", post, variant, agent, f"{variant} {number}")])
                people = dice.randrange(4) + 2 * (variant == better)
                engagement.keep(tx, Reading(post, 24, agent, "floimg", "p", clock.now(), people + 3, 0,
                                        3 if apart else None, 0 if apart else None))  # fmt: skip


def test_an_empty_fleet_shows_what_to_do(cli: Cli) -> None:
    listed = cli("experiments")
    assert listed.stdout == cli("experiments", "list").stdout
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == [
        "caption_question", "posting_window", "prompt_light"
    ]  # fmt: skip
    assert "fleet experiments start NAME" in listed.stderr
    shown = cli("experiments", "show", "prompt_light")
    assert "FLEET_EXPERIMENTS=prompt_light switches it on" in shown.stderr
    assert "Does the light in a picture change" in shown.stdout
    assert "the light is hard and low" in shown.stdout
    assert "from 18 to 22" in cli("experiments", "show", "posting_window").stdout
    assert "next posts will be" in cli("experiments", "show", "prompt_light", **ON).stderr


def test_what_came_of_it_is_drawn_within_eighty_columns(cli: Cli, fleet: Fleet) -> None:
    measured(fleet, 150)
    shown = cli("experiments", "show", "prompt_light", **ON)
    assert all(len(line) <= 80 for line in shown.stdout.splitlines()), shown.stdout
    lines = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    bars = {name: lines_of(shown.stdout, name)[0].count("█") for name in ("as_usual", "soft", "hard")}
    assert bars["soft"] == 24 > bars["as_usual"] > 0
    assert "prompt style, on" in lines["prompt_light"]
    assert "By people" in shown.stdout
    assert "By agents" in shown.stdout
    assert "3.00" in lines_of(shown.stdout, "hard")[0], "what agents gave is told apart"
    assert "soft: more." in shown.stdout
    assert "hard: no difference to be seen." in shown.stdout
    assert "├" in lines_of(shown.stdout, "soft")[1]
    assert "Welch, Bonferroni over 2 comparisons" in shown.stderr


def lines_of(told: str, variant: str) -> list[str]:
    return [line for line in told.splitlines() if line.split()[:1] == [variant]]


def test_little_data_is_called_little(cli: Cli, fleet: Fleet) -> None:
    measured(fleet, 10)
    shown = cli("experiments", "show", "prompt_light", **ON).stdout
    assert "soft: not enough yet, 10 of 120 posts each." in shown
    assert "├" not in shown
    assert "30 posts are assigned; none has been read after 72 h yet." in cli(
        "experiments", "show", "prompt_light", "--after", "72"
    ).stderr  # fmt: skip


def test_a_surface_that_does_not_tell_agents_apart_is_named(cli: Cli, fleet: Fleet) -> None:
    measured(fleet, 40, apart=False)
    shown = cli("experiments", "show", "prompt_light")
    assert "By everybody" in shown.stdout
    assert "By agents" not in shown.stdout
    assert "does not tell agents from people" in shown.stderr


def test_what_is_the_same_everywhere_tells_nothing(cli: Cli, fleet: Fleet) -> None:
    measured(fleet, 130)
    shown = cli("experiments", "show", "prompt_light", "--by", "agents").stdout
    assert "soft: all of them got the same; there is nothing to tell apart." in shown


def test_json_is_what_the_api_answers(cli: Cli, fleet: Fleet) -> None:
    measured(fleet, 150)
    items = {one["name"]: one for one in cli.json("experiments", "list", **ON)["items"]}
    assert (items["prompt_light"]["on"], items["caption_question"]["on"]) == (True, False)
    assert {one["variant"]: (one["assigned"], one["measured"]) for one in items["prompt_light"]["tallies"]} == {
        "as_usual": (150, 150), "soft": (150, 150), "hard": (150, 150)
    }  # fmt: skip
    page = cli.json("experiments", "list", "--limit", "1")
    assert page["next"] and len(cli.json("experiments", "list", "--cursor", page["next"])["items"]) == 2
    found = cli.json("experiments", "show", "prompt_light", **ON)
    assert (found["whose"], found["age_h"], found["confidence"], found["comparisons"]) == ("people", 24, 0.95, 2)
    usual, soft, hard = found["variants"]
    assert (soft["verdict"], hard["verdict"], usual["instruction"]) == ("more", "no_difference", None)
    assert (hard["part"], hard["hours"]) == ("image_prompt", None) and "light" in hard["instruction"]
    assert 0 < soft["interval"]["low"] < soft["interval"]["difference"] < soft["interval"]["high"]
    assert soft["got"]["everybody"]["mean"] == pytest.approx(
        soft["got"]["people"]["mean"] + soft["got"]["agents"]["mean"]
    )  # fmt: skip


def test_unknown_experiments_and_wrong_settings_are_errors(cli: Cli, fleet: Fleet, tmp_path: Path) -> None:
    assert "Did you mean 'prompt_light'?" in cli("experiments", "show", "prompt_lite", code=3).stderr
    assert "no experiment 'captions'" in cli("experiments", "list", code=2, FLEET_EXPERIMENTS="captions").stderr
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    told = cli("experiments", "list", code=2, FLEET_EXPERIMENTS=str(tmp_path / "mine.yaml")).stderr
    assert "variants: is missing" in told


def test_results_outlive_their_file(cli: Cli, fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        engagement.assign(tx, [Assignment("gone", uuid.uuid4(), "only", uuid.uuid4(), "tick 1")])
    assert "gone" in cli("experiments", "list").stdout
    assert "its file is gone" in cli("experiments", "show", "gone").stdout


@pytest.mark.parametrize(
    ("interval", "drawn"),
    [
        (EffectInterval(1.0, 0.5, 1.5), "············│···├───●───┤"),
        (EffectInterval(0.0, -1.5, 1.5), "├───────────●───────────┤"),
        (EffectInterval(-0.02, -0.03, -0.01), "···········●│············"),
        (EffectInterval(0.5, -0.5, 1.5), "········├───┼───●───────┤"),
    ],
)
def test_a_strip_shows_on_which_side_of_zero_an_interval_lies(interval: EffectInterval, drawn: str) -> None:
    assert effect_strip.draw(interval, 1.5).plain == drawn
