"""The switch of the organisation in the frame: it narrows what pages show to one, and widens it again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from fleet.access import Role
from fleet.accounts.sealing import new_key
from fleet.features.organisations import service
from tests.factories import Fleet, make_fleet
from tests.web_client import Web


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    """A fleet with an agent in each of two organisations."""
    made = make_fleet(database_url, secret_keys=new_key())
    made.agent(username="ours", name="Ours")
    yield made
    made.deps.close()


def second(fleet: Fleet) -> str:
    made = service.create(fleet.deps, "Client Two")
    fleet.agent(username="theirs", name="Theirs")
    service.move_agent(fleet.deps, "Client Two", "theirs")
    return str(made.id)


def test_whoever_sees_everything_looks_at_one_organisation_and_back(web: Web, fleet: Fleet) -> None:
    browser = web.browser()
    assert '"/organisations/switch"' not in browser.get("/").text
    client = second(fleet)
    web.app.state.stats.forget()
    page = browser.get("/agents").text
    assert '<option value="">The whole fleet</option>' in page and "Ours" in page and "Theirs" in page
    assert browser.post("/organisations/switch", organisation=client).status_code == 303
    page = browser.get("/agents").text
    assert f'value="{client}" selected' in page and "Theirs" in page and "Ours" not in page
    assert f'data-at="{client}"' in page
    for fleetwide in ("/users", "/organisations", "/audit"):
        assert browser.get(fleetwide).status_code == 403, fleetwide
    assert browser.post("/agents/ours/pause", reason="no").status_code == 404
    assert "Ours" in web.browser(name="other").get("/agents").text, "another session sees the whole fleet"
    assert browser.post("/organisations/switch", organisation="").status_code == 303
    assert browser.get("/organisations").status_code == 200


def test_a_member_of_several_looks_at_one_of_them_and_at_no_other(web: Web, fleet: Fleet) -> None:
    client = second(fleet)
    third = service.create(fleet.deps, "Client Three")
    fleet.agent(username="others", name="Others")
    service.move_agent(fleet.deps, "Client Three", "others")
    mara = web.browser(Role.OPERATOR, name="mara")
    service.add_member(fleet.deps, "Client Two", "mara")
    assert '"/organisations/switch"' not in mara.get("/agents").text, "there is nothing to choose"
    service.add_member(fleet.deps, "default", "mara")
    web.app.state.stats.forget()
    page = mara.get("/agents").text
    assert "All of mine" in page and "Client Three" not in page and "Others" not in page
    mara.post("/organisations/switch", organisation=client)
    assert "Ours" not in mara.get("/agents").text
    for wrong in (str(third.id), str(uuid.uuid4()), "x\r\n"):
        mara.post("/organisations/switch", organisation=wrong)
        page = mara.get("/agents").text
        assert "Ours" in page and "Theirs" in page and "Others" not in page, wrong


def test_an_organisation_that_is_removed_while_somebody_looks_at_it_can_be_left(web: Web, fleet: Fleet) -> None:
    empty = str(service.create(fleet.deps, "Client Two").id)
    browser = web.browser()
    browser.post("/organisations/switch", organisation=empty)
    service.remove(fleet.deps, "Client Two", by="ada")
    web.app.state.stats.forget()
    page = browser.get("/agents").text
    assert f'<option value="{empty}" selected>a removed one</option>' in page and "Ours" not in page
    browser.post("/organisations/switch", organisation="")
    assert "Ours" in browser.get("/agents").text


def test_leaving_the_last_organisation_takes_a_tick_in_a_box(web: Web, fleet: Fleet) -> None:
    client = second(fleet)
    web.user(Role.ADMIN, "mara")
    service.add_member(fleet.deps, "Client Two", "mara")
    browser = web.browser()
    assert "mara then has their role everywhere" in browser.get("/organisations").text
    browser.post(f"/organisations/{client}/members/remove", user="mara")
    page = browser.get("/organisations").text
    assert "aria-invalid" in page and service.get(fleet.deps, client).organisation.members == ("mara",)
    browser.post(f"/organisations/{client}/members/remove", user="mara", everywhere="true")
    assert service.get(fleet.deps, client).organisation.members == ()
