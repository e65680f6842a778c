"""Effects: the arithmetic against known values, and simulations with an effect planted and with none."""

from __future__ import annotations

import math
import random
import statistics
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.engine.points.effect_size import (
    LEAST_FOR_AN_INTERVAL,
    EffectVerdict,
    Sample,
    compare,
    student_t,
    welch,
)
from fleet.features.experiments.variants import Dimension, Experiment, Variant, pick, unit_of_tick

SAMPLES = st.builds(
    Sample, st.integers(LEAST_FOR_AN_INTERVAL, 10_000), st.floats(0, 1000), st.floats(0.001, 10_000)
)  # fmt: skip
THREE = Experiment(
    "simulated", "?", Dimension.CAPTION_STYLE, tuple(Variant(name) for name in ("plain", "same", "better"))
)  # fmt: skip
AGENTS = [uuid.UUID(int=number) for number in range(12)]


@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [
        (0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.975, 5, 2.57058), (0.995, 10, 3.16927), (0.95, 30, 1.69726),
        (0.975, 60, 2.00030), (0.9875, 120, 2.26987), (0.975, 1e9, 1.959964), (0.5, 7, 0.0),
    ],
)  # fmt: skip
def test_quantiles_of_t_are_those_of_the_tables(probability: float, degrees: float, value: float) -> None:
    assert student_t(probability, degrees) == pytest.approx(value, rel=2e-5, abs=1e-9)


def test_welchs_interval_is_that_of_the_textbook() -> None:
    """By hand: s = sqrt(4/40 + 9/50) = 0.529150, 85.63 degrees of freedom, t = 1.98805."""
    interval = welch(Sample(40, 10.0, 4.0), Sample(50, 11.0, 9.0), 0.95)
    assert interval is not None
    assert interval.difference == 1.0
    assert interval.high - interval.difference == pytest.approx(0.529150 * 1.98805, rel=1e-4)


@given(SAMPLES, SAMPLES, st.floats(0.5, 0.99))
def test_intervals_hold_the_difference_turn_with_the_question_and_widen_with_confidence(
    first: Sample, other: Sample, level: float
) -> None:
    there, back, wider = welch(first, other, level), welch(other, first, level), welch(first, other, level + 0.005)
    assert there is not None
    assert back is not None
    assert wider is not None
    assert there.low <= there.difference <= there.high
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=1e-9, abs=1e-9)
    assert wider.high - wider.low >= there.high - there.low


@given(st.lists(SAMPLES, min_size=2, max_size=6), st.integers(LEAST_FOR_AN_INTERVAL, 20_000))
def test_more_comparisons_ask_for_more_and_verdicts_agree_with_intervals(samples: list[Sample], enough: int) -> None:
    together, alone = compare(samples, enough=enough), compare(samples[:2], enough=enough)
    assert together[0].verdict is EffectVerdict.REFERENCE
    assert together[1].interval is not None
    assert alone[1].interval is not None
    assert together[1].interval.low <= alone[1].interval.low + 1e-9
    for sample, one in zip(samples[1:], together[1:], strict=True):
        assert one.interval is not None
        assert (one.verdict is EffectVerdict.NOT_ENOUGH) == (min(sample.units, samples[0].units) < enough)
        assert one.verdict is not EffectVerdict.MORE or one.interval.low > 0
        assert one.verdict is not EffectVerdict.LESS or one.interval.high < 0


def test_little_data_says_nothing_however_large_the_difference() -> None:
    few, many = Sample(LEAST_FOR_AN_INTERVAL - 1, 0.0, 1.0), Sample(500, 9.0, 1.0)
    assert [one.interval for one in compare([few, many], enough=30)] == [None, None]
    (_, early) = compare([Sample(60, 0.0, 1.0), Sample(60, 9.0, 1.0)], enough=100)
    assert early.verdict is EffectVerdict.NOT_ENOUGH, "an interval is shown, and no verdict before the planned number"
    assert early.interval is not None
    nobody = Sample(500, 0.0, 0.0)
    assert compare([nobody, nobody], enough=30)[1].verdict is EffectVerdict.NOT_ENOUGH
    assert compare([], enough=30) == []


def likes(dice: random.Random, mean: float) -> int:
    """Draw what a post got: most get little and a few much (geometric), which is the hardest case for a mean."""
    return int(math.log(1 - dice.random()) / math.log(mean / (1 + mean)))


def simulated(dice: random.Random, posts_each: int, gets: Callable[[str], float]) -> list[Sample]:
    """Let agents post for a while, assigned as in life, and return what each variant's posts got."""
    got: dict[str, list[int]] = {variant.name: [] for variant in THREE.variants}
    start = dice.randrange(10**9)
    for number in range(posts_each * len(THREE.variants)):
        agent = AGENTS[number % len(AGENTS)]
        variant = pick(THREE, agent, unit_of_tick(start + number)).name
        own = 0.5 + (agent.int % 4) / 2  # some agents are better liked than others
        got[variant].append(likes(dice, own * gets(variant)))
    return [Sample(len(one), statistics.mean(one), statistics.variance(one)) for one in got.values()]


@pytest.mark.long
def test_a_planted_effect_is_found_and_its_interval_holds_it() -> None:
    dice, found, held = random.Random(11), 0, 0
    for _ in range(100):
        samples = simulated(dice, 400, lambda variant: 1.8 if variant == "better" else 1.0)
        _, same, better = compare(samples, enough=300)
        assert better.interval is not None
        assert same.interval is not None
        found += better.verdict is EffectVerdict.MORE
        held += (
            better.interval.low <= 1.25 * 0.8 <= better.interval.high and same.interval.low <= 0 <= same.interval.high
        )
    assert found >= 97
    assert held >= 90, "95 of 100 expected for both together"


@pytest.mark.long
def test_where_there_is_no_effect_hardly_one_is_found() -> None:
    dice, found = random.Random(12), 0
    for _ in range(300):
        verdicts = {one.verdict for one in compare(simulated(dice, 120, lambda _: 1.0), enough=60)}
        found += bool(verdicts & {EffectVerdict.MORE, EffectVerdict.LESS})
    assert found <= 24, "15 of 300 expected: that is what 95 % mean"
