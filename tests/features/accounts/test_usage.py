"""Calls by credential and day, and reminders of credentials."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from fleet.accounts import usage
from fleet.accounts.models import SETTINGS_ACCOUNT
from fleet.adapters import registry as adapters
from fleet.adapters.base import Refused
from fleet.adapters.manifest import Limit
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.features.accounts import queries, reminders
from tests.factories import Fleet, Surface, make_fleet, raises
from tests.web_client import Web


@pytest.fixture
def _priced(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = adapters.get("floimg")
    operations = [replace(one, usd=0.015) if one.name == "like" else one for one in kind.operations]
    hourly = Limit(name="hourly", most=100, window=timedelta(hours=1), costs={"like": 3})
    changed = replace(kind, operations=tuple(operations), limits=(hourly,))
    monkeypatch.setattr(adapters, "get", lambda _: changed)


def like(fleet: Fleet) -> None:
    job = NewJob(uuid.uuid4(), fleet.agent(), "like", "floimg", target=str(uuid.uuid4()))
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform(fleet.deps, job.id)


@pytest.mark.usefixtures("_priced")
def test_calls_refusals_units_and_dollars_are_counted_for_each_credential(web: Web) -> None:
    fleet = web.fleet
    like(fleet)
    like(fleet)
    fleet.surface.faults.append(raises(Refused("no")))
    like(fleet)
    fleet.sql("UPDATE accounts SET version = version + 1 WHERE id = :id", id=SETTINGS_ACCOUNT)  # another token
    fleet.deps.accounts.expire()
    fleet.deps.refresh()
    like(fleet)
    found = [
        (one.version, one.calls, one.refused, one.units, one.microusd)
        for one in queries.usage_of(fleet.deps, "gallery")
        if one.operation == "like"
    ]
    assert found == [(2, 1, 0, 3, 15_000), (1, 3, 1, 9, 30_000)]
    items = web.program().get("/api/v1/accounts/gallery/usage?days=1").json()["items"]
    assert [one["calls"] for one in items if one["operation"] == "like"] == [1, 3]
    page = web.browser("owner").get("/accounts/gallery").text
    assert "Calls of the last 30 days" in page and "$0.030" in page
    fleet.sql("UPDATE account_usage SET day = day - 40")
    assert queries.usage_of(fleet.deps, "gallery") == []
    with fleet.deps.db.transaction() as tx:
        assert usage.prune(tx, days=30, limit=100) >= 2


def reminded(fleet: Fleet) -> list[str]:
    reminders.sweep(fleet.deps)
    rows = fleet.sql("SELECT payload FROM events WHERE subject = 'account.attention' ORDER BY id")
    return [f"{row.payload['account']}: {row.payload['why']}" for row in rows]


def test_old_credentials_are_told_of_once_a_week_until_they_are_replaced(
    database_url: str,
) -> None:
    fleet = make_fleet(database_url, systems={"old": Surface()})

    def age(days: int) -> None:
        aged = "UPDATE accounts SET credentials_at = clock_timestamp() - make_interval(days => :days)"
        fleet.sql(f"{aged} WHERE name = 'old'", days=days)

    fleet.account("old")
    age(89)
    assert reminded(fleet) == []
    age(91)
    (told,) = reminded(fleet)
    assert "91 days old" in told and len(reminded(fleet)) == 1
    fleet.sql("UPDATE accounts SET reminded_at = reminded_at - interval '8 days'")
    assert len(reminded(fleet)) == 2
    age(1)
    assert len(reminded(fleet)) == 2
    age(91)
    assert len(reminded(fleet)) == 3, "replaced, and old again: that is news"
    fleet.deps.close()
