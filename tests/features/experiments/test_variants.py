"""Experiments: who gets which variant, what a file may say, and that writers follow the styles."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.core.yaml_file import read
from fleet.engine.schedule import week
from fleet.features.content import review
from fleet.features.content.checks.similar import RecentTexts
from fleet.features.content.review import Said
from fleet.features.content.surfaces import Kind
from fleet.features.experiments import experiment_file
from fleet.features.experiments.variants import (
    Dimension,
    Experiment,
    Variant,
    fits_every_day,
    pick,
    unit_of_day,
    unit_of_tick,
)
from fleet.features.personas.library import load
from fleet.llm import prompts
from fleet.llm.base import PostPart, PostRequest, Speaker, Style
from fleet.llm.offline.provider import OfflineProvider

AGENT = uuid.UUID("00000000-0000-0000-0000-00000000000a")
PERSONAS = load()
WEIGHTS = st.lists(st.integers(1, 1000), min_size=2, max_size=8)

GOOD = """
name: mine
question: Does it matter?
dimension: caption_style
variants:
  - name: plain
  - name: loud
    instruction: write it as if it were the last one.
"""


def experiment(name: str, *weights: int) -> Experiment:
    variants = tuple(Variant(f"v{number}", weight) for number, weight in enumerate(weights))
    return Experiment(name, "?", Dimension.CAPTION_STYLE, variants)


def test_the_same_post_gets_the_same_variant_in_every_process_and_year() -> None:
    """Golden: these were written down once. If they change, running experiments are mixed up."""
    three = experiment("golden", 1, 1, 1)
    assert [pick(three, AGENT, unit_of_tick(number)).name for number in range(12)] == GOLDEN
    assert pick(three, AGENT, unit_of_day(date(2026, 3, 1))).name == "v0"


GOLDEN = ["v1", "v2", "v1", "v0", "v2", "v2", "v2", "v0", "v0", "v1", "v2", "v2"]


@given(WEIGHTS, st.uuids(), st.integers(0, 2**40))
def test_everybody_gets_one_of_the_variants(weights: list[int], agent: uuid.UUID, tick_no: int) -> None:
    tried = experiment("any", *weights)
    assert pick(tried, agent, unit_of_tick(tick_no)) in tried.variants


@pytest.mark.parametrize("weights", [(1, 1), (1, 1, 1), (3, 1), (5, 2, 1, 2)])
def test_shares_are_those_of_the_weights_for_each_agent_and_over_all(weights: tuple[int, ...]) -> None:
    tried, dice = experiment("shares", *weights), random.Random(7)
    agents = [uuid.UUID(int=dice.getrandbits(128)) for _ in range(40)]
    counts = Counter(pick(tried, agent, unit_of_tick(n)).name for agent in agents for n in range(250))
    for variant in tried.variants:
        share = variant.weight / sum(weights)
        # Five standard deviations: one run in millions, and this one never changes.
        assert abs(counts[variant.name] - 10_000 * share) < 5 * (10_000 * share * (1 - share)) ** 0.5


def test_what_one_experiment_assigns_tells_nothing_about_another() -> None:
    one, other = experiment("one", 1, 1), experiment("other", 1, 1)
    both = Counter((pick(one, AGENT, f"tick {n}").name, pick(other, AGENT, f"tick {n}").name) for n in range(8000))
    assert all(abs(number - 2000) < 5 * 39 for number in both.values())
    assert len(both) == 4


def test_who_sleeps_through_a_window_takes_no_part_in_any() -> None:
    (window,) = (one for one in experiment_file.shipped() if one.dimension is Dimension.POSTING_HOUR)
    awake = [[1.0] * 24 for _ in range(7)]
    assert fits_every_day(window, awake)
    start, end = window.variants[0].hours or (0, 0)
    asleep = [0.0 if start <= hour < end else 1.0 for hour in range(24)]
    assert not fits_every_day(window, [*awake[:6], asleep])
    assert fits_every_day(window, [*awake[:6], [0.0] * 24]), "a day off is a day off in every variant"
    assert not fits_every_day(window, [[0.0] * 24] * 7)


def test_the_shipped_personas_take_part_in_the_shipped_hours() -> None:
    (window,) = experiment_file.chosen(["posting_window"])
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert all(fits_every_day(window, week(persona.schedule, now)) for persona in PERSONAS)


def test_shipped_experiments_are_sound_and_may_all_run_together() -> None:
    names = [one.name for one in experiment_file.shipped()]
    assert len(names) == 3
    assert {one.dimension for one in experiment_file.chosen(names)} == set(Dimension)
    assert all(one.name == file.stem for one, file in zip(
        experiment_file.shipped(), sorted(experiment_file.SHIPPED.glob("*.yaml")), strict=True
    ))  # fmt: skip


def test_an_own_file_is_named_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    (mine,) = experiment_file.chosen([str(file)])
    assert (mine.name, mine.enough, [one.weight for one in mine.variants]) == ("mine", 100, [1, 1])
    assert mine.variants[0].style is None
    assert mine.variants[1].style == Style(PostPart.CAPTION, "write it as if it were the last one.")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("name: mine", "name: Mine!"), "name: 'Mine!' is no name here"),
        (("caption_style", "font"), "dimension: 'font' is none"),
        (("question: Does it matter?", "question: ''"), "question: is empty"),
        (("name: loud", "name: plain"), "plain occurs more than once"),
        (("    instruction: write it as if it were the last one.", ""), "loud: needs an instruction"),
        (("    instruction", "    instructions"), "did you mean 'instruction'?"),
        (("name: loud", "name: loud\n    weight: 0"), "weight: "),
        (("name: loud", "name: loud\n    hours: [7, 9]"), "hours belong to a posting_hour"),
        (("name: plain", "name: plain\n    hours: [9, 7]"), "the earlier hour first"),
        (("name: plain", "name: plain\n    offline: {endings: [So there.]}"), "needs an instruction"),
        (("caption_style", "posting_hour"), "a posting_hour needs hours"),
        (("variants:", "enough: 10\nvariants:"), "enough: "),
        (("  - name: loud\n    instruction: write it as if it were the last one.\n", ""), "variants: "),
    ],
)
def test_the_error_of_a_wrong_file_names_each_field(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    assert change[0] in GOOD
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace(*change))
    with pytest.raises(InvalidInput) as raised:
        experiment_file.read(file)
    assert told in str(raised.value)
    assert str(file) in str(raised.value)


def test_unknown_names_and_clashing_pairs_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    with pytest.raises(InvalidInput, match="no experiment 'caption_questoin'") as unknown:
        experiment_file.chosen(["caption_questoin"])
    assert "Did you mean 'caption_question'?" in str(unknown.value.fix)
    with pytest.raises(InvalidInput, match="both vary the caption_style"):
        experiment_file.chosen(["caption_question", str(file)])
    with pytest.raises(InvalidInput, match="both called prompt_light"):
        experiment_file.chosen(["prompt_light", "prompt_light"])
    with pytest.raises(InvalidInput, match="cannot be read"):
        experiment_file.chosen([str(tmp_path / "none.yaml")])


def test_files_of_any_kind_share_one_reader(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("- a\n")
    assert read(file, experiment_file.ExperimentShape, page="docs/x.md")[1] == [
        "holds no fields (['a']); docs/x.md shows a whole file"
    ]


@cache
def speaker(persona_id: str) -> Speaker:
    one = PERSONAS.get(persona_id)
    return Speaker("Bo", one.id, one.character, one.workflow_types, one.grammar)


def styles(*names: str) -> tuple[Style, ...]:
    """Return the style of the second variant of each shipped experiment."""
    found = [one.variants[1].style for one in experiment_file.chosen(names)]
    return tuple(style for style in found if style is not None)


def test_the_prompt_has_the_style_after_all_foreign_texts() -> None:
    plain = prompts.post(PostRequest(speaker("ai_artist"), ("A brass lamp.",)), random.Random(1))
    (style,) = styles("caption_question")
    told = prompts.post(PostRequest(speaker("ai_artist"), ("A brass lamp.",), styles=(style,)), random.Random(1))
    assert (told.house, told.persona) == (plain.house, plain.persona), "what is cached stays the same"
    assert told.moment == f"{plain.moment}\n\nThe caption of this one: {style.instruction}"


@pytest.mark.long
@pytest.mark.parametrize("persona_id", PERSONAS.ids)
def test_the_offline_writer_follows_the_shipped_styles_and_is_let_pass(persona_id: str) -> None:
    both = styles("caption_question", "prompt_light")
    by, recent = review.standards(), RecentTexts(500)
    said: list[str] = []
    for number in range(60):
        request = PostRequest(speaker(persona_id), tuple(said[::-1][:12]), styles=both)
        words, _ = OfflineProvider().write_post(request, random.Random(number))
        assert words.caption.endswith(both[0].endings)
        assert words.image_prompt.endswith(both[1].endings)
        assert 40 <= len(words.image_prompt.split()) <= 80
        assert len(words.caption.split(". ")) <= 2
        assert review.review(words.image_prompt, Kind.PROMPT, "floimg", by).ok
        if review.review(words.caption, Kind.CAPTION, "floimg", by, Said("a", recent, str(number))).ok:
            recent.add(str(number), "a", words.caption)
            said.append(words.caption)
    assert len(said) >= 57, "endings that return do not make captions alike"


def test_without_a_style_the_offline_writer_writes_what_it_always_did() -> None:
    request = PostRequest(speaker("ux_designer"))
    style = Style(PostPart.CAPTION, "be yourself.")
    plain, _ = OfflineProvider().write_post(request, random.Random(5))
    styled, _ = OfflineProvider().write_post(PostRequest(speaker("ux_designer"), styles=(style,)), random.Random(5))
    assert plain == styled


@pytest.mark.parametrize("persona_id", PERSONAS.ids)
def test_the_offline_writer_keeps_captions_within_a_limit(persona_id: str) -> None:
    style = Style(PostPart.CAPTION, "at most ten words.", most_words=10)
    lengths = []
    for number in range(40):
        words, _ = OfflineProvider().write_post(
            PostRequest(speaker(persona_id), styles=(style,)), random.Random(number)
        )
        lengths.append(len(words.caption.split()))
    assert sum(length <= 10 for length in lengths) >= 36
