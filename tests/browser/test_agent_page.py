"""The page of an agent in a real browser: its latest posts come first, as links to its surface, with their pictures."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.features.experiments import engagement
from fleet.images.placeholder import render_jpeg
from tests.browser import axe
from tests.browser.conftest import Dashboard
from tests.browser.inhabited import act, new_agent
from tests.browser.person import Person, expect
from tests.factories import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
WIDTHS = ((1280, 800), (390, 844))


def an_agent_that_posts(fleet: Fleet) -> list[Any]:
    """Have an agent post three pictures; the oldest post was measured. Return the posts' jobs, newest first."""
    ada = new_agent(fleet.deps, "Ada Bright", "ada_1", "ai_artist")
    done = []
    for scene in ("a brass lamp at dusk", "wet slate", "a harbour at dawn"):
        fleet.surface.picture, fleet.surface.picture_type = render_jpeg(scene, "ai_artist"), "image/jpeg"
        fleet.sql("UPDATE jobs SET sending_at = sending_at - interval '2 h' WHERE sending_at IS NOT NULL")
        done.append(act(fleet, ada, "post"))
    jobs = [fleet.job(one) for one in reversed(done)]
    oldest = jobs[-1]
    with fleet.deps.db.transaction() as tx:
        engagement.keep(tx, engagement.Reading(
            oldest.id, 24, oldest.agent_id, "floimg", str(oldest.remote_id), oldest.finished_at, 3, 1,
        ))  # fmt: skip
    return jobs


def top_px(who: Person, css: str) -> float:
    box = who.page.locator(css).first.bounding_box()
    assert box is not None
    return float(box["y"])


def test_an_agents_page_begins_with_its_latest_posts(dashboard: Dashboard, fleet: Fleet) -> None:
    jobs = an_agent_that_posts(fleet)
    for width, height in WIDTHS:
        for scheme in ("light", "dark"):
            ana = dashboard.person("viewer", viewport={"width": width, "height": height}, color_scheme=scheme)
            ana.go("/agents/ada_1")
            cards = ana.page.locator("#agent-posts li")
            expect(cards).to_have_count(len(jobs))
            for card, job in zip(cards.all(), jobs, strict=True):
                link = card.get_by_role("link", name="Open on floimg")
                expect(link).to_have_attribute("href", f"http://127.0.0.1:8640/post/ada_1/{job.remote_id}")
                expect(link).to_have_attribute("rel", "noopener noreferrer")
                expect(card.locator("img")).to_have_attribute("alt", job.result["alt_text"])
                card.scroll_into_view_if_needed()
                expect(card.locator("img")).to_have_js_property("complete", True)
                assert card.locator("img").evaluate("one => one.naturalWidth") > 0
            expect(cards.last).to_contain_text("3 likes, 1 comment")
            assert top_px(ana, "#agent-posts") < top_px(ana, "#agent-head") < height
            assert ana.overflow_px() == 0
            assert axe.grave_findings(ana.page) == []


def test_a_published_thing_links_to_itself_in_feed_jobs_and_job(dashboard: Dashboard, fleet: Fleet) -> None:
    newest = an_agent_that_posts(fleet)[0]
    ana = dashboard.person("viewer", viewport={"width": 1280, "height": 800})
    address = f"http://127.0.0.1:8640/post/ada_1/{newest.remote_id}"
    for path in ("/", "/activity", "/jobs", f"/jobs/{newest.id}", "/agents/ada_1?tab=jobs",
                 "/agents/ada_1?tab=activity"):  # fmt: skip
        ana.go(path)
        expect(ana.page.locator(f'a[href="{address}"][rel="noopener noreferrer"]').first).to_be_visible()
        if path not in ("/jobs", "/agents/ada_1?tab=jobs"):
            expect(ana.page.locator(f'main img[src="/media/{newest.result["picture"]}"]').first).to_be_visible()
        assert axe.grave_findings(ana.page) == [], path
