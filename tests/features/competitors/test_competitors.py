"""Competitors: what a CSV may say, imports that replace, periods, organisations apart, and own figures beside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from fleet import app
from fleet.access import organisations
from fleet.core import ids
from fleet.core.db import visibility
from fleet.core.errors import InvalidInput, NotFound
from fleet.features.competitors import report_section, rules, service
from fleet.features.competitors.rules import CompetitorDay
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

TODAY = date(2026, 11, 24)
HEAD = "competitor,network,date,followers,posts,interactions\n"


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url)
    yield made
    made.deps.close()


def day(fleet: Fleet, ago: int = 0) -> date:
    with fleet.deps.db.transaction() as tx:
        return tx.now().date() - timedelta(days=ago)


def load(fleet: Fleet, *lines: str, **more: str) -> service.ImportResult:
    return service.import_csv(fleet.deps, HEAD + "\n".join(lines), by="web:ann", **more)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "names no column competitor, network, date"),
        ("competitor,network,date\nA,x,2026-01-01", 1, "names none of followers"),
        ("competitor,network,date,follower\n", 1, "names none of followers"),
        ("competitor,network,date,posts,follower\n", 1, "there is no column 'follower'"),
        ("competitor,network,date,posts,posts\n", 1, "a column twice"),
        (HEAD, 1, "no line below"),
        (HEAD + "A,x,2026-01-01,1,2", 2, "5 cells for 6 columns"),
        (HEAD + "A,x,2026-01-01,,,", 2, "none of followers"),
        (HEAD + ",x,2026-01-01,1,,", 2, "competitor is a name"),
        (HEAD + "A,two words,2026-01-01,1,,", 2, "network is a name"),
        (HEAD + "A,x,01/02/2026,1,,", 2, "date is a day"),
        (HEAD + "A,x,20260102,1,,", 2, "date is a day"),
        (HEAD + "A,x,2026-11-25,1,,", 2, "to today"),
        (HEAD + "A,x,2026-01-01,1.5,,", 2, "followers is a whole number"),
        (HEAD + "A,x,2026-01-01,-1,,", 2, "followers is a whole number"),
        (HEAD + "A,x,2026-01-01,,1000001,", 2, "posts is a whole number"),
        (HEAD + "A,x,2026-01-01,1,,\n\nA , X,2026-01-01,2,,", 4, "line 2 is about the same"),
        (HEAD + '"A,x,2026-01-01,1,,', 2, "no CSV"),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int, why: str) -> None:
    (problem,) = rules.parse(text, today=TODAY).problems
    assert problem.line == line and why in problem.why


def test_all_lines_are_checked_and_separators_of_spreadsheets_are_read() -> None:
    text = "\ufeffDate;Competitor;Network;Posts\r\n2026-11-01;Lux & Sons;Mastodon;3\r\nx;A;x;1\r\n2026-11-02;A;x;y\r\n"
    found = rules.parse(text, today=TODAY)
    assert found.days == (CompetitorDay("Lux & Sons", "mastodon", date(2026, 11, 1), posts=3),)
    assert [one.line for one in found.problems] == [3, 4]


def test_growth_begins_with_the_count_before_and_unknown_is_never_nought() -> None:
    first, until = date(2026, 11, 8), date(2026, 11, 15)
    known = [
        CompetitorDay("A", "x", date(2026, 11, 5), followers=100, posts=9, interactions=90),
        CompetitorDay("A", "x", date(2026, 11, 10), followers=150, posts=2),
        CompetitorDay("A", "x", date(2026, 11, 14), posts=2, interactions=10),
        CompetitorDay("A", "x", date(2026, 11, 15), followers=999, posts=5),
        CompetitorDay("B", "x", date(2026, 10, 20), followers=10),
        CompetitorDay("B", "x", date(2026, 11, 9), followers=40),
    ]
    a, b = rules.summed(known, first=first, until=until)
    assert (a.followers, a.gained, a.growth, a.posts, a.interactions, a.per_post) == (150, 50, 50.0, 4, 10, 5.0)
    assert (b.followers, b.gained, b.growth, b.posts, b.per_post) == (40, None, None, None, None)


def test_an_import_stores_all_lines_or_none_and_replaces_the_same_day(fleet: Fleet) -> None:
    today = day(fleet)
    with pytest.raises(InvalidInput, match=r"line 3: .*followers"):
        load(fleet, f"Acme,mastodon,{today},10,,", f"Acme,x,{today},many,,")
    shown = load(fleet, f"Acme,mastodon,{today},10,,", f"Acme,x,{today},many,,", is_preview=True)
    assert [one.line for one in shown.problems] == [3]
    assert service.stored(fleet.deps) == []
    first = load(fleet, f"Acme,mastodon,{today},10,1,5", f"Acme,x,{today},7,,")
    again = load(fleet, f"Acme,mastodon,{today},12,,", f"Acme,x,{today},7,,", f"Acme,x,{day(fleet, 1)},6,,")
    assert (first.new, first.replaced, first.unchanged) == (2, 0, 0)
    assert (again.new, again.replaced, again.unchanged) == (1, 1, 1)
    stored = [one for _, one in service.listed(fleet.deps, limit=9)]
    assert CompetitorDay("Acme", "mastodon", today, followers=12) in stored and len(stored) == 3
    assert service.remove(fleet.deps, "Acme", network="x", day=today) == 1
    assert service.remove(fleet.deps, "Acme") == 2
    with pytest.raises(NotFound):
        service.remove(fleet.deps, "Acme")


def test_own_figures_stand_beside_those_of_competitors_in_reports(fleet: Fleet) -> None:
    agent, account, today = fleet.agent(), ids.new(), day(fleet)
    fleet.sql("INSERT INTO accounts (id, name, adapter) VALUES (:id, 'masto', 'mastodon')", id=account)
    fleet.sql("""INSERT INTO engagement_hours (agent_id, account_id, hour, surface, posts, measured, interactions)
                 VALUES (:agent, :account, date_trunc('hour', clock_timestamp()), 'mastodon', 3, 2, 30)""",
              agent=agent, account=account)  # fmt: skip
    for ago, followers in ((6, 100), (0, 120)):
        fleet.sql("""INSERT INTO account_days (account_id, day, surface, followers, measured_at) VALUES (:account,
                     current_date - :ago, 'mastodon', :followers, clock_timestamp() - :ago * interval '1 day')""",
                  account=account, ago=ago, followers=followers)  # fmt: skip
    load(fleet, f"Acme,mastodon,{today},500,4,20", f"Acme,x,{day(fleet, 40)},7,,")
    own, acme = service.compared(fleet.deps, days=7)
    assert own.is_own and (own.followers, own.gained, own.posts, own.per_post) == (120, 20, 3, 15.0)
    assert (acme.name, acme.network, acme.followers, acme.per_post) == ("Acme", "mastodon", 500, 5.0)
    assert [one.network for one in service.compared(fleet.deps, days=60, network="x")] == ["x", "x"]
    app.load(["-engagement"])
    try:
        assert [one.is_own for one in service.compared(fleet.deps, days=7)] == [False]
    finally:
        app.load()
    noon = datetime.combine(today, datetime.min.time(), tzinfo=UTC) + timedelta(hours=12)
    with fleet.deps.db.transaction() as tx:
        (table,) = report_section.section(tx, noon - timedelta(days=7), noon + timedelta(minutes=1)).tables
        assert [row[1] for row in table.rows] == ["this fleet", "Acme"]
        assert report_section.section(tx, noon - timedelta(days=7), noon).is_empty


def test_members_see_and_change_figures_of_their_organisation_alone(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
    line = f"Acme,mastodon,{day(fleet)},10,,"
    load(fleet, line)
    assert load(fleet, line.replace("10", "20"), organisation="Two").new == 1
    assert [one.followers for one in service.compared(fleet.deps, days=7) if not one.is_own] == [10]
    with visibility.restricted(frozenset({two.id})):
        assert [one.followers for one in service.compared(fleet.deps, days=7) if not one.is_own] == [20]
        assert service.remove(fleet.deps, "Acme") == 1
        with pytest.raises(NotFound):
            service.remove(fleet.deps, "Acme", organisation="default")
    assert len(service.stored(fleet.deps)) == 1


def test_a_person_previews_a_file_and_imports_it(fleet: Fleet) -> None:
    browser, line = Web(fleet).browser(), f"Acme & <b>,mastodon,{day(fleet)},10,,"
    page = browser.post("/competitors", csv=HEAD + line + "\nA,x,never,1,,", do="preview")
    assert page.status_code == 200 and "Line 3: " in page.text and "Acme &amp; &lt;b&gt;" in page.text
    assert service.stored(fleet.deps) == []
    refused = browser.post("/competitors", csv=HEAD + "A,x,never,1,,")
    assert refused.status_code == 422 and "Nothing was imported" in refused.text and "A,x,never" in refused.text
    assert browser.post("/competitors", csv="").status_code == 422
    assert browser.post("/competitors", csv=HEAD + line).headers["location"] == "/competitors"
    assert "Acme &amp; &lt;b&gt;" in browser.get("/competitors").text
    assert browser.post("/competitors/remove", competitor="Acme & <b>", network="mastodon").status_code == 303
    assert service.stored(fleet.deps) == []
    said = fleet.sql("SELECT action FROM audit WHERE action LIKE 'competitors.%' ORDER BY id").scalars().all()
    assert said == ["competitors.imported", "competitors.removed"]
