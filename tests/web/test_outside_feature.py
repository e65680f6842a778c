"""A feature from a package outside: its page, its templates and its place in the navigation, with no line of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest

import fleet as house_of_fleet
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.registry import Feature, NavItem, Registry
from fleet.web import rendering
from tests.factories import Fleet
from tests.web_client import Web

TIDES = NavItem(path="/tides/now", label="Tides", permission="fleet.view", group="Sea", icon="M3 12h18", order=5,
                tally="tides_of_tests.pages:tally", is_alarming=True)  # fmt: skip
FEATURE = Feature(name="tides", pages=("tides_of_tests.pages:router",), templates="tides_of_tests", nav=(TIDES,))
PAGES = """
from typing import Annotated
from fastapi import APIRouter, Request
from fastapi.responses import Response
from fleet.access import Permission
from fleet.web.auth import needs
from fleet.web.rendering import render

router = APIRouter()

@router.get("/tides/now", dependencies=[needs(Permission.FLEET_VIEW)])
def now(request: Request) -> Response:
    return render(request, "tides/now.html", height="2 m")

def tally(tx: object) -> int:
    return 7
"""
NOW = '{% extends "base.html" %}{% block main %}<h1>Tides</h1><p>{{ height }}</p>{% endblock %}'


@pytest.fixture
def tides(features: Callable[..., Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a page, beside all the features of ours."""
    package = tmp_path / "tides_of_tests"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pages.py").write_text(PAGES)
    (package / "templates/now.html").write_text(NOW)
    monkeypatch.syspath_prepend(tmp_path)
    registry.use(Registry([*features(), FEATURE]))


def test_a_feature_from_outside_has_a_page_in_the_navigation_with_a_tally(fleet: Fleet, tides: None) -> None:
    web = Web(fleet)
    page = web.browser("viewer").get("/tides/now")
    assert (page.status_code, "<p>2 m</p>" in page.text) == (200, True)
    assert page.text.index(">Sea</p>") < page.text.index(">Fleet</p>")
    assert '<span id="tally-tides-now"><span class="tally bad">7</span></span>' in page.text
    assert 'id="tally-tides-now"' in rendering.frame(web.app.state.stats.pulse())


def test_an_app_serves_the_features_that_are_loaded(
    fleet: Fleet, tides: None, features: Callable[..., Registry]
) -> None:
    assert Web(fleet).browser("viewer", "ana").get("/tides/now").status_code == 200
    features()
    ben = Web(fleet).browser("viewer", "ben")
    assert ben.get("/tides/now").status_code == 404
    assert "Tides" not in ben.get("/agents").text
    with pytest.raises(jinja2.TemplateNotFound):
        rendering.pages.get_template("tides/later.html")


def test_two_features_cannot_both_bring_the_feed() -> None:
    one = Feature(name="one", live_feed="a:b")
    with pytest.raises(InvalidInput, match="2 features register the feed"):
        _ = Registry([one, Feature(name="two", live_feed="c:d")]).live_feed


def test_every_template_of_ours_is_found_by_the_name_of_its_feature() -> None:
    house = Path(house_of_fleet.__file__).parent
    found = [f"{path.parts[-3]}/{path.name}" for path in house.glob("features/*/templates/*.html")]
    assert len(found) > 40
    for name in [*found, *(path.name for path in house.glob("web/templates/*.html"))]:
        assert rendering.pages.get_template(name).name == name
