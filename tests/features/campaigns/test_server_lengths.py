"""Items are adapted, previewed and reviewed by the length that the account's own server sets; pages call no server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from fleet.adapters.manifest import AccountAccess
from fleet.adapters.mastodon.adapter import Mastodon
from fleet.engine import system_agents, tick
from fleet.engine.attempts import perform
from fleet.engine.jobs.ticks import TickKey
from fleet.features.campaigns import service
from fleet.features.campaigns.values import ItemTarget, NewItem
from fleet.features.organisations import service as organisations
from tests.adapters.mastodon.contract_server import Server, served
from tests.factories import Fleet, make_fleet
from tests.features.campaigns.test_pipeline import agent, rows, work
from tests.web_client import Web

WORDS = " ".join(f"Harbour number {number} is quiet at dawn." for number in range(24))
assert 500 < len(WORDS) < 1000


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as made:
        yield made


@pytest.fixture
def fleet(database_url: str, server: Server) -> Iterator[Fleet]:
    adapter = Mastodon(AccountAccess(server.url, SecretStr("token"), 10.0))
    made = make_fleet(database_url, systems={"mastodon": adapter})
    made.account("mastodon", adapter="mastodon")
    yield made
    made.deps.close()
    adapter.close()


def composed(fleet: Fleet) -> list[str]:
    service.compose(fleet.deps, NewItem(target=ItemTarget(agent(fleet, "mastodon")), message=WORDS), by="ann")
    work(fleet)
    (row,) = rows(fleet)
    assert row.state == "scheduled", (row.state, row.reasons, row.error)
    return list(row.parts)


@pytest.mark.parametrize(("most", "is_thread"), [(1000, False), (120, True)])
def test_an_item_has_the_form_of_its_own_server(fleet: Fleet, server: Server, most: int, *, is_thread: bool) -> None:
    server.most_chars = most
    parts = composed(fleet)
    assert (len(parts) > 6) is is_thread and all(len(one) <= most for one in parts), parts
    (row,), calls = rows(fleet), len(server.calls)
    browser = Web(fleet).browser()
    shown = browser.get(f"/api/v1/content-items/{row.id}/preview").json()
    assert {one["most"] for one in shown["parts"]} == {most} and shown["problems"] == []
    username = fleet.row(row.agent_id).username
    for message, target in ((WORDS, username), (WORDS, "")):
        page = browser.post("/content-items/new/preview", message=message, target=target).text
        assert (f"of {most:,}" in page or f"/ {most:,}" in page) is bool(target), page
    assert len(server.calls) == calls, "no page calls the server"


def test_a_check_of_an_account_keeps_the_lengths_of_its_server(fleet: Fleet, server: Server) -> None:
    system_agents.staff(fleet.deps.db)

    server.most_chars = 1000
    agent = fleet.sql("UPDATE agents SET tick_no = tick_no + 1 WHERE username = 'fleet_health'"
                      " RETURNING id, tick_no").one()  # fmt: skip
    fleet.sql("INSERT INTO ticks (agent_id, tick_no, due_at) VALUES (:id, :no, clock_timestamp())",
              id=agent.id, no=agent.tick_no)  # fmt: skip
    tick.tick(fleet.deps, TickKey(agent.id, agent.tick_no))
    (job,) = fleet.jobs(kind="check_account", state="ready")
    perform.perform(fleet.deps, job.id)
    assert fleet.job(job.id).state == "done"
    stored = fleet.sql("SELECT text_lengths FROM accounts WHERE name = 'mastodon'").scalar_one()
    assert stored["post"] == {"most": 1000, "url_length": 23}


def test_programs_preview_by_accounts_of_their_own_scope(fleet: Fleet) -> None:
    fleet.sql("UPDATE accounts SET text_lengths = '{\"post\": {\"most\": 1000}}' WHERE name = 'mastodon'")
    account_id = str(fleet.sql("SELECT id FROM accounts WHERE name = 'mastodon'").scalar_one())
    fleet.account("shop", adapter="vendure")
    organisations.create(fleet.deps, "Client Two")
    web, at = Web(fleet), "/api/v1/content-items/preview"
    ours = web.program()
    body = {"networks": ["mastodon"], "accounts": ["mastodon", account_id], "message": WORDS}
    shown = ours.post(at, json=body).json()["previews"]
    assert [(one["account"], len(one["parts"]), one["parts"][0]["most"]) for one in shown] == [
        ("", 2, 500), ("mastodon", 1, 1000), ("mastodon", 1, 1000),
    ]  # fmt: skip
    for names, code in (([], 422), (["shop"], 422), (["nobody"], 404)):
        assert ours.post(at, json={"accounts": names, "message": WORDS}).status_code == code
    theirs = web.program(name="theirs")
    organisations.add_member(fleet.deps, "Client Two", "theirs")
    assert theirs.post(at, json={"accounts": [account_id], "message": WORDS}).status_code == 404


def test_a_silent_server_keeps_the_lengths_that_it_said_last(fleet: Fleet, server: Server) -> None:
    fleet.sql("""UPDATE accounts SET text_lengths = '{"post": {"most": 1000, "url_length": 23}, "poem": {"most": 9}}'
                 WHERE name = 'mastodon'""")
    server.answers += [(503, {}, {})] * 2
    assert composed(fleet) == [WORDS]
    assert server.answers == [], "the stages of adaptation and review have asked it"
