"""Scores of networks: bounded, monotone, and silent about nothing that is missing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleet.features.leader.scores import LOWEST, WEIGHTS, Band, NetworkFigures, Part, band_of, score
from fleet.features.platforms.networks import NETWORKS

BANDS = st.sampled_from([one.bands for one in NETWORKS.values()])
PERCENT = st.none() | st.floats(0, 200, allow_nan=False)
FIGURES = st.builds(
    NetworkFigures, engagement_percent=PERCENT, measured_posts=st.integers(0, 1000),
    growth_percent=st.none() | st.floats(-100, 500, allow_nan=False), done=st.integers(0, 1000),
    failed=st.integers(0, 1000), posts=st.integers(0, 500), planned=st.floats(0, 300, allow_nan=False),
)  # fmt: skip
MORE = st.floats(0, 50, allow_nan=False)


@given(FIGURES, BANDS)
def test_a_score_is_between_0_and_100_and_there_unless_all_data_is_missing(figures, bands):
    found = score(figures, bands)
    assert {one.part: one.most for one in found.parts} == dict(WEIGHTS)
    assert all(one.points is None or 0 <= one.points <= one.most for one in found.parts)
    assert found.covered == sum(one.most for one in found.parts if one.points is not None)
    assert (found.points is None) == (len(found.missing) == len(Part)) == (found.covered == 0)
    assert found.points is None or 0 <= found.points <= 100
    assert all(one.words for one in found.parts)


@given(FIGURES, BANDS, MORE, MORE, st.integers(0, 50), st.integers(0, 50))
def test_more_of_any_figure_never_lowers_a_score(figures, bands, engagement, growth, done, posts):
    better = [replace(figures, posts=figures.posts + posts)]
    if figures.done + figures.failed:
        better.append(replace(figures, done=figures.done + done))
        better.append(replace(figures, failed=max(0, figures.failed - done) if figures.done else figures.failed))
    if figures.engagement_percent is not None:
        better.append(replace(figures, engagement_percent=figures.engagement_percent + engagement))
    if figures.growth_percent is not None:
        better.append(replace(figures, growth_percent=figures.growth_percent + growth))
    before = score(figures, bands).points
    for one in better:
        after = score(one, bands).points
        assert (before is None) == (after is None)
        assert before is None or after is None or after >= before


def test_a_network_at_its_best_has_all_points_and_a_part_without_data_is_left_out():
    bands = NETWORKS["x"].bands
    best = NetworkFigures(3.0, 12, 5.0, 40, 0, 28, 28)
    assert score(best, bands).points == 100 and score(best, bands).covered == 100
    unmeasured = score(NetworkFigures(done=9, failed=1, posts=14, planned=28), bands)
    assert (unmeasured.points, unmeasured.covered, unmeasured.band) == (80.0, 40, None)
    assert [one.part for one in unmeasured.missing] == [Part.ENGAGEMENT, Part.GROWTH]
    assert unmeasured.missing[0].words == "no engagement was measured in this period"
    nothing = score(NetworkFigures(), bands)
    assert nothing.points is None and nothing.covered == 0


def test_bands_are_those_of_the_network_and_begin_at_their_least_engagement():
    found = [band_of(percent, NETWORKS["facebook"].bands) for percent in (5, 4.9, 3, 1.5, 0.5, 0.49, 0)]
    assert found == [Band.EXCELLENT, Band.GOOD, Band.GOOD, Band.AVERAGE, Band.POOR, LOWEST, LOWEST]
    assert band_of(5, NETWORKS["tiktok"].bands) is Band.AVERAGE
    assert band_of(None, NETWORKS["x"].bands) is None
