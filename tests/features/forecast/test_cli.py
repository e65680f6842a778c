"""`fleet forecast`: files of sales and stock, and what is wrong with them."""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from fleet.features.forecast import salesfile
from tests.features.agents.test_cli import Cli, cli

__all__ = ["cli"]  # the fixture


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def days_of(product: str, units: int, days: int) -> list[str]:
    return [f"{date(2026, 4, 1) + timedelta(days=day)},{product},{units}" for day in range(days)]


def test_orders_come_of_sales_and_stock_and_hostile_names_are_only_names(cli: Cli, tmp_path: Path) -> None:
    lines = ["date,product,units", *days_of("lamp", 5, 140), *days_of('"=1+1, <b>"', 2, 100)]
    lines += [f"2026-08-18,new,{units}" for units in (1, 2)]
    sales = written(tmp_path / "sales.csv", *lines)
    stock = written(tmp_path / "stock.csv", "product,on_hand,on_order,lead_days,pack", "lamp,20,5,14,12", "sofa,1,,,",
                    '"=1+1, <b>",0,,7,', "new,0,,,")  # fmt: skip
    found = json.loads(cli("forecast", "reorder", sales, stock, "--json").stdout)
    assert (found["items"][0]["product"], found["items"][0]["units"]) == ("lamp", 84)  # 21 days of 5, less 25
    new = next(one for one in found["items"] if one["product"] == "new")
    assert (new["expected"], new["covers"]) == (42, None) and "too little is known" in new["reason"]
    assert found["without_sales"] == [{"product": "sofa", "location": ""}]
    items = json.loads(cli("forecast", "demand", sales, "--days", "7", "--json").stdout)["items"]
    assert {one["product"]: one["method"] for one in items} == {
        "lamp": "holt_winters", "=1+1, <b>": "tsb", "new": "mean",
    }  # fmt: skip
    assert "Without sales, so without a proposal: sofa." in cli("forecast", "reorder", sales, stock).output


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["product,units"], "no column date"), (["date,product,units"], "no line"),
        (["date,product,units", "2026-02-30,lamp,1"], "Line 2: '2026-02-30' is no date"),
        (["date,product,units", "2026-02-01,lamp,-1"], "Line 2: units is a whole number"),
        (["date,product,units", "2026-02-01,lamp,1", "2026-02-01,,1"], "Line 3: product and location"),
        (["date,product,units", "2026-02-01,lamp,1,2"], "Line 2: more cells"),
        (["date,product,units,out_of_stock", "2026-02-01,lamp,1,perhaps"], "Line 2: out_of_stock"),
        (["date,product,units", "0001-01-01,lamp,1", "2026-01-01,lamp,1"], "days"),
        (["\0\x01", "\0"], "no column date"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_line(cli: Cli, tmp_path: Path, lines: list[str], why: str) -> None:
    sales = written(tmp_path / "sales.csv", *lines)
    assert why in cli("forecast", "demand", sales, code=2).stderr


def test_a_file_that_needs_too_much_memory_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(salesfile, "MOST_CELLS", 20)
    lines = ["date,product,units", *days_of("lamp", 5, 10), *days_of("sofa", 5, 11)]
    sales = written(tmp_path / "sales.csv", *lines)
    assert "2 products over 11 days are too many" in cli("forecast", "demand", sales, code=2).stderr
    cli("forecast", "demand", written(tmp_path / "sales.csv", *lines[:-1]))


def test_without_the_extra_the_error_names_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert "fleet[forecast]" in cli("forecast", "backtest", code=2).stderr
