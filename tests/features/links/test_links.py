"""Short links: where they lead, what they count, and conversions that count once."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.access import organisations
from fleet.accounts.sealing import new_key
from fleet.core.db import visibility
from fleet.core.errors import InvalidInput, NotFound
from fleet.features.links import report_section, rules, service
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.inbound.service import SourceFields
from fleet.features.webhooks.signatures import Scheme
from tests.factories import Fleet, make_fleet
from tests.web_client import Web

PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, links_sources=("shop",), links_url="https://go.example.com/", secret_keys=new_key())
    yield made
    made.deps.close()


def made(fleet: Fleet, target: str = "https://example.com/lamp", **more: str) -> service.ShortLink:
    return service.create(fleet.deps, target, by="web:ann", **more)


@pytest.mark.parametrize(
    "target",
    ["", "example.com", "/lamp", "//example.com", "javascript:alert(1)", "data:text/html,x", "ftp://example.com/a",
     "https://", "https://ann:word@example.com/", "https://example.com@evil.example/", "https://exa mple.com/",
     "https://example.com/\r\nset-cookie: a=b", "https://example.com\\\\@evil.example", "https://[::1", "https://a:b:c",
     "https://bücher.example/", "https://example.com/" + "x" * 2000, "https://example.com:99999/"],
)  # fmt: skip
def test_a_link_leads_to_plain_addresses_alone(fleet: Fleet, target: str) -> None:
    with pytest.raises(InvalidInput, match="no target"):
        made(fleet, target)


@given(
    st.text(max_size=60),
    st.sampled_from(["https://example.com/a", "http://[::1]:8/?q=1#part", "https://e.test/?utm_source=x"]),
)
def test_tags_keep_the_address_and_what_it_has(campaign: str, target: str) -> None:
    tagged = rules.with_campaign(target, campaign)
    assert rules.checked_target(tagged) == tagged
    assert tagged.split("?")[0].split("#")[0] == target.split("?")[0].split("#")[0]
    assert tagged.count("utm_source") == 1 and ("q=1" in tagged) == ("q=1" in target)


def test_tags_that_make_an_address_too_long_are_refused(fleet: Fleet) -> None:
    with pytest.raises(InvalidInput, match="2,200 is the most"):
        service.create(
            fleet.deps, "https://example.com/" + "x" * 1900, campaign="\N{OLD KEY}" * 100, is_tagged=True, by="web:ann"
        )


def test_links_are_listed_newest_first_page_by_page(fleet: Fleet) -> None:
    codes, cursor = [made(fleet).code for _ in range(7)], None
    found: list[str] = []
    with fleet.deps.db.transaction() as tx:
        while page := service.listed(fleet.deps, tx, limit=2, below=cursor):
            found, cursor = [*found, *(one.code for one in page)], page[-1].id
    assert found == codes[::-1]


def test_telephones_are_no_crawlers() -> None:
    agent = "Mozilla/5.0 (Linux; Android 15; CUBOT KINGKONG 9) Chrome/140.0 Mobile Safari/537.36"
    assert rules.is_counted({"user-agent": agent}) and not rules.is_counted({"user-agent": f"{agent} Googlebot/2.1"})


def test_visits_of_people_are_counted_and_nothing_of_them_is_stored(fleet: Fleet) -> None:
    link, web = made(fleet, campaign="Lamps"), Web(fleet).anonymous()
    assert link.address == f"https://go.example.com/l/{link.code}"
    answer = web.get(f"/l/{link.code}", headers=PERSON, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://example.com/lamp")
    assert "set-cookie" not in answer.headers and answer.headers["cache-control"] == "no-store"
    for headers in (
        {"user-agent": "Slackbot-LinkExpanding 1.0"},
        {"user-agent": ""},
        PERSON | {"sec-purpose": "prefetch"},
    ):
        assert web.get(f"/l/{link.code}", headers=headers, follow_redirects=False).status_code == 302
    assert web.head(f"/l/{link.code}", headers=PERSON, follow_redirects=False).status_code == 302
    found = service.get(fleet.deps, link.code)
    assert (found.clicks, found.clicks_day) == (1, 1)
    assert [clicks for _, clicks, _ in service.hours(fleet.deps, found)] == [1]
    fleet.sql("UPDATE link_hours SET hour = hour - interval '2 days'")
    assert service.get(fleet.deps, link.code).clicks_day == 0
    service.remove(fleet.deps, link.code, by="web:ann")
    for code in (link.code, "nothing", "%2e%2e", "a" * 20):
        assert web.get(f"/l/{code}", headers=PERSON, follow_redirects=False).status_code == 404
    assert service.get(fleet.deps, link.code).clicks == 1


def test_visits_at_once_are_all_counted(fleet: Fleet) -> None:
    link = made(fleet)
    visits = [threading.Thread(target=service.follow, args=(fleet.deps, link.code), kwargs={"is_counted": True})
              for _ in range(8)]  # fmt: skip
    for one in visits:
        one.start()
    for one in visits:
        one.join()
    assert service.get(fleet.deps, link.code).clicks == 8


def convert(fleet: Fleet, code: str, event: str, value: str = "9.90") -> bool:
    with fleet.deps.db.transaction() as tx:
        return service.convert(tx, code, event, Decimal(value), by="api")


def test_a_conversion_counts_once_for_its_event(fleet: Fleet) -> None:
    link, other = made(fleet), made(fleet)
    assert convert(fleet, link.code, "one")
    assert not convert(fleet, link.code, "one", "5") and not convert(fleet, other.code, "one")
    assert convert(fleet, link.code, "two", "0.000001")
    found = service.get(fleet.deps, link.code)
    assert (found.conversions, found.value) == (2, Decimal("9.900001"))
    with pytest.raises(NotFound):
        convert(fleet, "nothing", "three")
    with fleet.deps.db.transaction() as tx:
        now = tx.now()
        section = report_section.section(tx, now - timedelta(days=1), now + timedelta(seconds=1))
        assert {one.name: one.value for one in section.figures}["conversions"] == 2
        assert service.prune(tx, days=0, limit=1) == 1
    assert service.get(fleet.deps, link.code).conversions == 2


def post(fleet: Fleet, secret: str, body: bytes, *, signed: bytes | None = None) -> int:
    signature = hmac.new(secret.encode(), signed or body, hashlib.sha256).hexdigest()
    answer = Web(fleet).anonymous().post("/hooks/in/shop", content=body, headers={"x-signature": signature})
    return int(answer.status_code)


def test_a_signed_webhook_reports_a_conversion_once(fleet: Fleet) -> None:
    link = made(fleet)
    fields = SourceFields("shop", Scheme("plain", "x-signature"), id_path="id")
    secret = receiving.create(fleet.deps, fields, by="web:ann")
    body = json.dumps({"id": "order-1", "code": link.code, "value": "9.90"}).encode()
    assert [post(fleet, secret, body), post(fleet, secret, body)] == [202, 200]
    assert post(fleet, secret, body, signed=b"other") == 401
    for wrong in ({"id": "2"}, {"id": "2", "code": "none"}, {"id": "2", "code": link.code, "value": "-1"},
                  {"id": "2", "code": link.code, "value": "NaN"}, {"id": "2", "code": 7}, [1]):  # fmt: skip
        assert post(fleet, secret, json.dumps(wrong).encode()) == 422
    assert post(fleet, secret, json.dumps({"id": "2", "code": link.code, "value": 1.5}).encode()) == 202
    found = service.get(fleet.deps, link.code)
    assert (found.conversions, found.value) == (2, Decimal("11.4"))
    assert fleet.sql("SELECT count(*) FROM hook_received").scalar_one() == 2


def test_members_see_and_convert_links_of_their_organisation_alone(fleet: Fleet) -> None:
    with fleet.deps.db.transaction() as tx:
        two = organisations.create(tx, "Two")
    link, own = made(fleet), made(fleet, organisation="Two")
    with visibility.restricted(frozenset({two.id})), fleet.deps.db.transaction() as tx:
        assert [one.code for one in service.listed(fleet.deps, tx, limit=9)] == [own.code]
        with pytest.raises(NotFound):
            service.convert(tx, link.code, "one", Decimal(1), by="api")
    with visibility.restricted(frozenset({two.id})):
        assert service.follow(fleet.deps, link.code, is_counted=True) == link.target


def test_a_form_that_is_refused_keeps_what_was_typed(fleet: Fleet) -> None:
    browser = Web(fleet).browser()
    assert browser.post("/links", target="javascript:alert(1)", campaign="Lamps").headers["location"] == "/links"
    page = browser.get("/links").text
    assert 'value="javascript:alert(1)"' in page and 'value="Lamps"' in page and "no target" in page
    made_at = browser.post("/links", target="https://example.com/?a=<b>", campaign="<b>").headers["location"]
    assert "<b>" not in browser.get(made_at).text.replace("<body", "")
