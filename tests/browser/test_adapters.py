"""The pages of adapters and of connecting an account, with a network's rules on them: light, dark, on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.factories import Fleet, Surface, make_fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
APP = json.dumps({"client_id": "app-1", "client_secret": "secret-of-the-app", "page_id": "5550001"})


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"brand": Surface()})
    made.account("brand", adapter="facebook", credentials=APP)
    yield made
    made.deps.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_of_adapters_and_connect_fit_and_are_accessible(
    dashboard: Dashboard, fleet: Fleet, scheme: str, width: int
) -> None:
    ana = dashboard.person(color_scheme=scheme, viewport={"width": width, "height": 844}, reduced_motion="reduce")
    for path in ("/adapters", "/adapters/facebook", "/adapters/tiktok", "/accounts/brand"):
        ana.go(path)
        assert axe.grave_findings(ana.page) == [], path
        assert ana.overflow_px() <= 0, path
        assert ana.script_errors == ana.policy_errors == [], path
    assert ana.page.get_by_role("button", name="Connect").count() == 1
