"""Charts: well-formed, labelled, true to their figures, and inert whatever stands in their words."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.web.drawing import charts
from fleet.web.drawing.charts import Column

HOSTILE = '"><script>alert(1)</script>{0}{label}&'
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 10**12))
COUNTS = st.dictionaries(st.sampled_from(["post", "like", "browse"]), st.integers(0, 10**9))
SERIES = {"post": "Posts", "like": "Likes", "browse": "Looks"}


def drawn(markup: str) -> ElementTree.Element:
    """Read a chart as a page would."""
    return ElementTree.fromstring(f"<div>{markup}</div>")


def numbers(root: ElementTree.Element) -> list[float]:
    """Return every number of the drawing."""
    spelled = [one.get(name, "") for one in root.iter() for name in ("x", "y", "width", "height", "points", "x1", "y1")]
    return [float(found) for text in spelled for found in re.findall(r"-?[\w.]+", text)]


@given(st.lists(NUMBERS, max_size=60), st.text(max_size=40))
def test_a_sparkline_of_anything_is_drawn_within_its_frame(values: list[float | None], label: str) -> None:
    root = drawn(charts.sparkline(values, re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", label)))
    assert all(math.isfinite(number) and -1 <= number <= 121 for number in numbers(root))


def test_a_sparkline_has_a_gap_where_nothing_is_known() -> None:
    root = drawn(charts.sparkline([1, 2, None, 4, 3, 5], "Actions"))
    lines = [one.get("points", "").split() for one in root.iter("polyline")]
    assert [len(line) for line in lines] == [2, 3]
    assert lines[1][-1] == "120.0,2.0"
    assert next(root.iter("svg")).get("aria-label") == "Actions"


@given(st.lists(st.one_of(st.none(), COUNTS), max_size=30))
def test_bars_are_as_high_as_their_figures_and_stay_in_the_plot(found: list[dict[str, int] | None]) -> None:
    columns = [Column(f"{place:02}:00", values) for place, values in enumerate(found)]
    root = drawn(charts.stacked(columns, SERIES, "By hour"))
    assert all(math.isfinite(number) and -1 <= number <= 721 for number in numbers(root))
    marks = [one for one in root.iter("rect") if "mark" in one.get("class", "")]
    assert len(marks) == sum(bool(value) for values in found if values for value in values.values())
    cells = [one.text for one in root.iter("td")]
    assert cells == [
        "–" if values is None else f"{values.get(name, 0):,}" for values in found for name in SERIES
    ]  # fmt: skip


def test_a_bar_twice_as_high_is_drawn_twice_as_high() -> None:
    root = drawn(charts.stacked([Column("a", {"post": 100}), Column("b", {"post": 50})], SERIES, "By hour"))
    high, low = (float(one.get("height", "")) for one in root.iter("rect") if "mark" in one.get("class", ""))
    assert high / low == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize(
    ("used", "limit", "expected", "kind", "width"),
    [
        (25, 100, 50, "good", "25.00"), (85, 100, None, "warn", "85.00"), (30, 100, 120, "warn", "30.00"),
        (130, 100, 130, "bad", "100.00"), (0, 0, None, "bad", "100.00"),
    ],
)  # fmt: skip
def test_a_meter_warns_before_the_limit_is_reached(
    used: float, limit: float, expected: float | None, kind: str, width: str
) -> None:
    root = drawn(charts.meter(used, limit, "Budget", expected=expected))
    assert next(root.iter("svg")).get("class") == f"meter {kind}"
    assert next(one for one in root.iter("rect") if one.get("class") == "used").get("width") == width


@given(st.lists(st.tuples(st.sampled_from(["running", "idle"]), st.integers(0, 10**6)), max_size=4))
def test_shares_fill_the_bar_and_no_more(parts: list[tuple[str, int]]) -> None:
    root = drawn(charts.shares(parts, "Agents"))
    ends = [float(one.get("x", 0)) + float(one.get("width", "")) for one in root.iter("rect")]
    assert max(ends) <= 100.01


def test_words_in_charts_are_inert() -> None:
    made = [
        charts.sparkline([1, 2], HOSTILE), charts.meter(1, 2, HOSTILE), charts.shares([("idle", 1)], HOSTILE),
        charts.stacked([Column(HOSTILE, {"post": 3})], {"post": HOSTILE}, HOSTILE),
    ]  # fmt: skip
    for markup in made:
        assert "<script" not in markup
        assert "{0}{label}&amp;" in markup
        assert not re.search(r"\sstyle=|\son\w+=|href=", markup)
        drawn(markup)
