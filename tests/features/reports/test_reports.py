"""Reports: periods, one report a period, versions for a reason, organisations apart, and exports that run nothing."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.access import organisations
from fleet.core.clock import VirtualClock
from fleet.core.db import visibility
from fleet.core.errors import InvalidInput, NotFound
from fleet.features.reports import rendering, rules, service
from fleet.features.reports.rules import Cadence, last_due
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


def test_a_week_is_due_on_monday_at_nine_of_the_zone() -> None:
    early = last_due(Cadence.WEEKLY, datetime(2026, 3, 30, 6, 59, tzinfo=UTC), "Europe/Berlin", 9)
    late = last_due(Cadence.WEEKLY, datetime(2026, 3, 30, 7, 0, tzinfo=UTC), "Europe/Berlin", 9)
    assert early.until == datetime(2026, 3, 22, 23, tzinfo=UTC)
    assert rules.first_day(early.until).isoformat() == "2026-03-23"
    assert late.since == early.until and late.until == datetime(2026, 3, 29, 22, tzinfo=UTC)  # 167 h: clocks change


@given(MOMENTS, st.sampled_from(Cadence), st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]))
def test_periods_follow_each_other_without_a_gap(now: datetime, cadence: Cadence, zone: str) -> None:
    newest = last_due(cadence, now, zone, 9)
    assert newest.since < newest.until <= now
    due = newest.until + timedelta(hours=9)
    earlier = last_due(cadence, due - timedelta(hours=2), zone, 9)
    assert earlier == rules.before(cadence, newest, zone)
    assert earlier.until == newest.since


def document(text: str, value: float | None = 4) -> dict[str, object]:
    figure = {"name": "posts", "title": "Posts", "value": value, "unit": ""}
    table = {"title": "Top", "columns": ["Text"], "rows": [[text]]}
    series = {"title": text, "points": [[text, 1.0], [text, -1.0]]}
    section = {"name": "a", "title": text, "figures": [figure], "series": [series], "tables": [table], "permission": ""}
    return {"since": "x", "until": "y", "sections": [section]}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", " =1", "<script>alert(1)</script>"])
def test_exports_of_hostile_text_run_nothing(text: str) -> None:
    page = rendering.html(text, document(text))
    assert "<script" not in page and "http" not in page
    rows = list(csv.reader(io.StringIO(rendering.as_csv(document(text)))))
    assert not [cell for row in rows for cell in row if cell.strip(" ").startswith(("=", "+", "@", "\t"))]


def test_changes_are_unknown_where_a_figure_is() -> None:
    (known,) = rules.compare(document("a", 6), document("a", 4))
    (unknown,) = rules.compare(document("a", None), document("a", 4))
    (zero,) = rules.compare(document("a", 6), document("a", 0))
    assert (known.change, known.percent) == (2, 50)
    assert (unknown.change, unknown.percent, zero.change, zero.percent) == (None, None, 6, None)


def age(fleet: Fleet) -> None:
    fleet.sql("UPDATE organisations SET created_at = now() - interval '400 d'")


def count(fleet: Fleet) -> int:
    return int(fleet.sql("SELECT count(*) FROM reports").scalar_one())


def test_each_period_is_reported_once_and_again_only_for_a_reason(fleet: Fleet) -> None:
    service.sweep(fleet.deps)
    assert count(fleet) == 0  # a new organisation has no period yet
    age(fleet)
    service.sweep(fleet.deps)
    service.sweep(fleet.deps)
    assert count(fleet) == 3
    assert fleet.sql("SELECT count(*) FROM events WHERE subject = 'report.built'").scalar_one() == 3
    with pytest.raises(InvalidInput):
        service.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:ann", reason=" ")
    made = service.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:ann", reason="late counts")
    with fleet.deps.db.transaction() as tx:
        row = service.get(tx, made)
        assert (row.version, row.reason) == (2, "late counts")
        assert {one["name"] for one in row.document["sections"]} >= {"actions", "cost", "engagement"}
        with pytest.raises(NotFound):
            service.before(tx, row)


def test_days_that_a_stopped_fleet_missed_are_reported_later(database_url: str) -> None:
    clock = VirtualClock(datetime(2026, 11, 2, 12, tzinfo=UTC))
    fleet = make_fleet(database_url, clock=clock, report_weekly=False, report_monthly=False)
    fleet.sql("UPDATE organisations SET created_at = '2026-01-01'")
    service.sweep(fleet.deps)
    assert count(fleet) == 1
    clock.advance(clock.now() + timedelta(days=4))
    service.sweep(fleet.deps)
    service.sweep(fleet.deps)
    days = fleet.sql("SELECT since FROM reports ORDER BY since").scalars()
    assert [one.astimezone(UTC).day for one in days] == [1, 2, 3, 4, 5]
    fleet.deps.close()


def test_reports_are_listed_newest_first_page_by_page(fleet: Fleet) -> None:
    build = lambda reason: service.build(fleet.deps, Cadence.DAILY, organisation=None, by="web:ann", reason=reason)  # noqa: E731
    made, cursor = [build(f"number {number}") for number in range(6)], None
    found: list[uuid.UUID] = []
    with fleet.deps.db.transaction() as tx:
        while page := service.listed(tx, cadence=None, limit=2, below=cursor):
            found, cursor = [*found, *(one.id for one in page)], page[-1].id
    assert found == made[::-1]


def test_members_see_reports_of_their_organisation_alone(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
    made = service.build(fleet.deps, Cadence.WEEKLY, organisation="Two", by="web:ann", reason="")
    service.build(fleet.deps, Cadence.WEEKLY, organisation=None, by="web:ann", reason="")
    with visibility.restricted(frozenset({two.id})), fleet.deps.db.transaction() as tx:
        assert [one.id for one in service.listed(tx, cadence=None, limit=9, below=None)] == [made]


def test_a_report_is_shown_beside_the_one_before_and_hostile_text_is_only_text(fleet: Fleet) -> None:
    age(fleet)
    web = Web(fleet)
    browser = web.browser()
    first = browser.post("/reports", cadence="daily").headers["location"]
    refused = browser.post("/reports", cadence="daily", reason=" ")
    assert refused.headers["location"] == "/reports"
    hostile = '<script>alert("x")</script>'
    own = document(hostile, value=6)
    for name, value, day in (("before", 4.0, 2), ("report", 6.0, 1)):
        fleet.sql(
            """INSERT INTO reports (id, organisation_id, cadence, since, until, version, built_by, document)
               SELECT gen_random_uuid(), organisation_id, 'weekly', since - :days * interval '1 day', until, 1, :name,
                      CAST(:document AS jsonb) FROM reports LIMIT 1""",
            days=day, name=name, document=json.dumps(own | {"sections": [own["sections"][0] | {"figures": [  # type: ignore[index]
                {"name": "posts", "title": "Posts", "value": value, "unit": ""}]}]}),
        )  # fmt: skip
    made = fleet.sql("SELECT id FROM reports WHERE built_by = 'report'").scalar_one()
    page = browser.get(f"/reports/{made}").text
    assert "alert(" in page and "<script>alert" not in page
    assert "+50 %" in page and "Before: " in page
    assert f'href="{first}"' in browser.get("/reports").text
    saved = browser.get(f"/reports/{made}/file?format=html")
    assert saved.headers["content-disposition"].startswith("attachment") and "<script" not in saved.text
    viewer = web.browser("viewer")
    assert "Build a report" not in viewer.get("/reports").text
    assert viewer.post("/reports", cadence="daily", reason="x").status_code == 403
