"""Every page of the dashboard in a real browser: for everybody's eyes and hands, on a phone, and with hostile words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from fleet.core import events
from fleet.web.app import create_app
from tests.browser import axe, foreign, rounds
from tests.browser.conftest import Dashboard
from tests.browser.inhabited import Inhabited, lived, say_everywhere
from tests.browser.person import Person, expect
from tests.browser.rounds import Stop
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SAYINGS = [one["text"] for one in yaml.safe_load((Path(__file__).parents[1] / "data/xss.yaml").read_text("utf-8"))]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
STILL = {"reduced_motion": "reduce"}  # a colour that is fading in has no contrast yet


def visited(who: Person, world: Inhabited, *, also: tuple[str, ...] = ()) -> Iterator[Stop]:
    """Let somebody look at every page, one after another; what is no page for a browser to show is left out."""
    extra = [Stop(path, path) for path in also]
    for stop in [*rounds.stops(create_app(world.fleet.deps), world.names), *extra]:
        answer = who.context.request.get(who.url + stop.path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            who.go(stop.path)
            yield stop


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody(dashboard: Dashboard, fleet: Fleet, scheme: str) -> None:
    world = lived(fleet)
    ana = dashboard.person(color_scheme=scheme, **STILL)
    found = {
        stop.route: grave
        for stop in visited(ana, world, also=("/nowhere", "/jobs?q=nothing-like-this"))
        if (grave := axe.grave_findings(ana.page))
    }
    bob = dashboard.stranger(color_scheme=scheme, **STILL).go("/login")
    found["/login by a stranger"] = axe.grave_findings(bob.page)
    assert {where: what for where, what in found.items() if what} == {}
    assert ana.script_errors == ana.policy_errors == []


def test_pages_of_an_empty_fleet_can_be_used_by_everybody_too(dashboard: Dashboard, fleet: Fleet) -> None:
    ana = dashboard.person(**STILL)
    world = Inhabited(fleet)
    found = {}
    for path in (stop.path for stop in _without_parameters(world)):
        if ana.context.request.get(ana.url + path).headers.get("content-type", "").startswith("text/html"):
            ana.go(path)
            expect(ana.page.get_by_role("heading", level=1)).to_have_count(1)
            found[path] = axe.grave_findings(ana.page)
    assert {where: what for where, what in found.items() if what} == {}


def _without_parameters(world: Inhabited) -> list[Stop]:
    world.names.update(dict.fromkeys(rounds.THINGS, "-"))
    return [stop for stop in rounds.stops(create_app(world.fleet.deps), world.names) if "{" not in stop.route]


def test_every_page_fits_on_a_phone(dashboard: Dashboard, fleet: Fleet) -> None:
    world = lived(fleet)
    say_everywhere(world, ["Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2, "ein Wort"])
    ana = dashboard.person(**PHONE)
    too_wide = {stop.path: wide for stop in visited(ana, world) if (wide := ana.overflow_px()) > 0}
    assert too_wide == {}


def test_nothing_in_a_page_is_made_of_hostile_words(dashboard: Dashboard, fleet: Fleet) -> None:
    world = lived(fleet)
    say_everywhere(world, SAYINGS)
    ana = dashboard.person()
    found = {stop.path: tags[:3] for stop in visited(ana, world) if (tags := foreign.in_page(ana.page))}
    for echo in world.echoes[::8]:
        ana.go(f"/agents?q={echo['agent']}")
        assert foreign.plain(echo["saying"][:100]) in foreign.plain(ana.page.locator("main").inner_text())
        if tags := foreign.in_page(ana.page):
            found[echo["saying"]] = tags
    assert found == {}
    assert ana.alerts == ana.policy_errors == ana.script_errors == []


def test_hostile_words_that_arrive_live_are_shown_as_they_are(dashboard: Dashboard, fleet: Fleet) -> None:
    ana = dashboard.person().go("/")
    expect(ana.page.get_by_text("Live", exact=True)).to_be_visible()
    ana.mark()
    main, hidden = ana.page.get_by_role("main"), []
    for some in batched(SAYINGS, 8):
        with fleet.deps.db.transaction() as tx:
            for saying in (*some, f"and then {some[0]}"):
                events.emit(tx, "job.done", agent=saying, persona=saying, kind="comment", to="Zoe", text=saying)
        expect(main).to_contain_text("and then")
        expect(main).to_contain_text(f"and then {some[0][:20]}")
        shown = foreign.plain(main.inner_text())
        hidden += [one for one in some if foreign.plain(one)[:40] not in shown]
        assert foreign.in_page(ana.page) == []
    assert hidden == []
    assert ana.is_same_page
    assert ana.alerts == ana.policy_errors == ana.script_errors == []


def batched(words: Sequence[str], number: int) -> Iterator[Sequence[str]]:
    """Return the words in groups."""
    return (words[at : at + number] for at in range(0, len(words), number))
