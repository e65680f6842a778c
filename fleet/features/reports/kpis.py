"""Own figures of reports (KPIs): formulas over the figures of all sections, with goals. Pure.

`engagement = interactions / posts >= 5` is a name, a formula, and a goal if there is one. A formula has numbers, names
of figures, + - * / and brackets, and nothing else: it is parsed by `ast` and never run as Python. What divides by zero,
or needs a figure that is unknown, is unknown.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.engine.points.report_sections import ReportFigure, ReportSection, ReportTable

LONGEST_CHARS = 200
MOST = 30
_SECTION = "kpis"
_LARGEST = 1e15
_DEEPEST = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_GOAL = re.compile(r"(.*?)(>=|<=)(.*)")
_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of one's own. `at_least` tells the direction of the goal."""

    name: str
    formula: str
    goal: float | None = None
    at_least: bool = True

    def value(self, figures: Mapping[str, float | None]) -> float | None:
        """Return its value; None where it is unknown."""
        found = _value(_parsed(self.formula), figures)
        return found if found is not None and math.isfinite(found) and abs(found) <= _LARGEST else None

    def is_met(self, value: float | None) -> bool | None:
        """Say whether a value reaches the goal; None without a goal or a value."""
        if self.goal is None or value is None:
            return None
        return value >= self.goal if self.at_least else value <= self.goal

    @property
    def goal_text(self) -> str:
        """The goal as it is written; empty without one."""
        return "" if self.goal is None else f"{'>=' if self.at_least else '<='} {self.goal:,.10g}"


def parse(line: str) -> Kpi:
    """Return a KPI from its line. Raises ValueError that says what is wrong, and where."""
    if len(line) > LONGEST_CHARS:
        raise ValueError(f"a KPI has at most {LONGEST_CHARS} characters")
    name, equals, rest = (part.strip() for part in line.partition("="))
    if not equals or not _NAME.fullmatch(name):
        raise ValueError(f"{line[:60]!r}: write NAME = FORMULA, such as engagement = interactions / posts >= 5")
    goal = _GOAL.fullmatch(rest)
    formula, limit = (goal[1].strip(), _number(goal[3], line)) if goal else (rest, None)
    _check(_parsed(formula), formula)
    return Kpi(name, formula, limit, goal is None or goal[2] == ">=")


def parse_all(lines: tuple[str, ...]) -> tuple[Kpi, ...]:
    """Return KPIs, each name once. Raises ValueError."""
    if len(lines) > MOST:
        raise ValueError(f"there are at most {MOST} KPIs")
    found = tuple(parse(line) for line in lines)
    if len({one.name for one in found}) < len(found):
        raise ValueError("each KPI has a name of its own")
    return found


def section(own: tuple[Kpi, ...], figures: Mapping[str, float | None]) -> ReportSection:
    """Return the section of a report."""
    values = [(one, one.value(figures)) for one in own]
    words = {True: "yes", False: "no", None: ""}
    return ReportSection(
        name=_SECTION, title="KPIs",
        figures=tuple(ReportFigure(name=f"kpi.{one.name}", title=one.name, value=value) for one, value in values),
        tables=(
            ReportTable(
                title="Goals", columns=("KPI", "Formula", "Value", "Goal", "Reached"),
                rows=tuple((one.name, one.formula, value, one.goal_text, words[one.is_met(value)])
                           for one, value in values),
            ),
        ),
    )  # fmt: skip


def missed(document: Mapping[str, Any]) -> list[str]:
    """Return the goals that a report did not reach, as `name value (goal)`."""
    (table,) = next((one["tables"] for one in document["sections"] if one["name"] == _SECTION), ({"rows": ()},))
    return [f"{name} {value:,.10g} ({goal})" for name, _, value, goal, reached in table["rows"] if reached == "no"]


def _number(written: str, line: str) -> float:
    try:
        found = float(written)
    except ValueError:
        raise ValueError(f"{line[:60]!r}: the goal is a number") from None
    if not math.isfinite(found) or abs(found) > _LARGEST:
        raise ValueError(f"{line[:60]!r}: the goal is a number")
    return found


def _parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{formula[:60]!r}: not a formula at character {error.offset or 1}") from None
    except (ValueError, MemoryError, RecursionError):
        raise ValueError(f"{formula[:60]!r}: not a formula") from None


def _check(node: ast.expr, formula: str, depth: int = 0) -> None:
    """Refuse everything but numbers, names, the four operations and signs."""
    match node:
        case _ if depth > _DEEPEST:
            raise ValueError(f"{formula[:60]!r}: too many brackets")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, formula, depth + 1)
            _check(right, formula, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, formula, depth + 1)
        case ast.Name(id=name) if _NAME.fullmatch(name):
            pass
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool) and number <= _LARGEST:
            pass
        case _:
            at = node.col_offset + 1
            raise ValueError(f"{formula[:60]!r}: only numbers, names of figures, + - * / and brackets (character {at})")


def _value(node: ast.expr, figures: Mapping[str, float | None]) -> float | None:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _value(left, figures), _value(right, figures)
            if one is None or other is None or (isinstance(op, ast.Div) and other == 0):
                return None
            return float(_BINARY[type(op)](one, other))
        case ast.UnaryOp(operand=operand):
            found = _value(operand, figures)
            return None if found is None else -found
        case ast.Name(id=name):
            known = figures.get(name)
            return None if known is None else float(known)
        case ast.Constant(value=int() | float() as number):
            return float(number)
    return None
