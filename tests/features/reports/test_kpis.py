"""Own figures: four operations over named figures, and nothing that runs."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.errors import InvalidInput
from fleet.features.reports import kpis, sections, service
from fleet.features.reports.kpis import Kpi, parse
from fleet.features.reports.rules import Cadence
from tests.factories import make_fleet

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda one: round(one, 3))
FIGURES = {"posts": 4.0, "likes": 20.0, "nothing": 0.0, "unknown": None}


def formulas() -> st.SearchStrategy[str]:
    leaves = NUMBERS.map(lambda one: f"({one:.3f})") | st.sampled_from([*FIGURES, "strange"])
    return st.recursive(
        leaves,
        lambda part: st.tuples(part, st.sampled_from("+-*/"), part).map(lambda of: f"({of[0]} {of[1]} {of[2]})"),
        max_leaves=8,
    )


@given(formulas())
def test_a_formula_has_the_value_that_python_gives_or_none(formula: str) -> None:
    found = Kpi("a", formula).value(FIGURES)
    try:
        expected = eval(formula, {"__builtins__": {}}, {name: one for name, one in FIGURES.items() if one is not None})
    except (ZeroDivisionError, NameError):
        expected = None
    if expected is not None and (not math.isfinite(expected) or abs(expected) > 1e15):
        expected = None
    assert found is expected or found == pytest.approx(expected)


def test_a_line_has_a_name_a_formula_and_perhaps_a_goal() -> None:
    kpi = parse("engagement = likes / posts >= 5")
    assert (kpi.name, kpi.formula, kpi.goal, kpi.at_least, kpi.goal_text) == (
        "engagement",
        "likes / posts",
        5,
        True,
        ">= 5",
    )
    assert (kpi.value(FIGURES), kpi.is_met(5.0), kpi.is_met(4.9), kpi.is_met(None)) == (5.0, True, False, None)
    cost = parse("cost_per_like = -(0 - posts) / likes <= 0.5")
    assert (cost.value(FIGURES), cost.is_met(0.2), cost.is_met(0.6)) == (0.2, True, False)
    assert parse("a = likes").is_met(3) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("engagement", "NAME = FORMULA"), ("Ü = 1", "NAME = FORMULA"), ("a = likes +", "character"),
        ("a = __import__('os').system('true')", "character 1"), ("a = likes ** 9999999", "only numbers"),
        ("a = likes if posts else 1", "only numbers"), ("a = likes.real", "only numbers"), ("a = 'x' * 3", "only"),
        ("a = True", "only numbers"), ("a = 1e999", "only numbers"), ("a = likes >= many", "a number"),
        ("a = likes >= nan", "a number"),
        ("a = " + "1+" * 40 + "1", "too many"), ("a = " + "1" * 300, "at most"), ("a = likes > 3", "only numbers"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_place(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(line)


def test_names_are_given_once() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        kpis.parse_all(("a = 1", "a = 2"))


def test_a_report_has_the_kpis_of_its_organisation_and_no_cost_by_a_detour(database_url: str) -> None:
    lines = ("dead = dead_letters <= 0", "spent = cost * 2", "done = jobs_done / 0 >= 1")
    fleet = make_fleet(database_url, report_kpis=lines)
    made = service.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:ann", reason="")
    with fleet.deps.db.transaction() as tx:
        *_, section = service.get(tx, made).document["sections"]
    assert section["tables"][0]["rows"] == [
        ["dead", "dead_letters", 0.0, "<= 0", "yes"], ["spent", "cost * 2", None, "", ""],
        ["done", "jobs_done / 0", None, ">= 1", ""],
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="FLEET_REPORT_KPIS"):
        make_fleet(database_url, report_kpis=("dead = exit()",))
    fleet.deps.close()


def test_goals_that_were_not_reached_lead_the_notice_of_the_report(database_url: str) -> None:
    lines = ("busy = jobs_done >= 5", "dead = dead_letters <= 0", "spent = cost <= 0")
    fleet = make_fleet(database_url, report_kpis=lines)
    service.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:ann", reason="")
    (payload,) = fleet.sql("SELECT payload FROM events WHERE subject = 'report.built'").scalars()
    assert payload["missed"] == ["busy 0 (>= 5)"]
    assert payload["said"].startswith("Goals not reached: busy 0 (>= 5). Posts 0")
    fleet.deps.close()


def test_a_missed_goal_has_its_whole_value() -> None:
    own = kpis.parse_all(("busy = posts >= 2000000", "rate = posts / 9000000 >= 1"))
    document = {"sections": [asdict(kpis.section(own, {"posts": 1_234_567}))]}
    assert kpis.missed(document) == ["busy 1,234,567 (>= 2,000,000)", "rate 0.1371741111 (>= 1)"]


def test_a_cost_is_divided_by_what_was_counted_and_unknown_without_any() -> None:
    found = sections.unit_costs({"cost": 3.0, "posts": 4.0, "interactions": 0.0, "clicks": None, "jobs_done": 9.0})
    assert found is not None and found.permission == "costs.view"
    assert {one.name: one.value for one in found.figures} == {
        "cost_per_post": 0.75, "cost_per_interaction": None, "cost_per_click": None,
    }  # fmt: skip
    assert sections.unit_costs({"cost": 3.0}) is None and sections.unit_costs({"posts": 1.0}) is None
