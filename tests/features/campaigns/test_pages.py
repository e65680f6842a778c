"""The forms of campaigns: what they create and change, and that a refused form keeps what was typed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fleet.accounts.sealing import new_key
from fleet.features.campaigns import queries, service
from fleet.features.campaigns.values import ItemTarget, NewCampaign
from tests.factories import make_fleet
from tests.features.campaigns.test_pipeline import Network, agent, come_due, rows, work
from tests.web_client import Web

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }}"


@pytest.fixture
def web(database_url: str) -> Iterator[Web]:
    fleet = make_fleet(
        database_url, systems={"x": Network("x"), "linkedin": Network("linkedin")}, secret_keys=new_key()
    )
    for name in ("x", "linkedin"):
        fleet.account(name, adapter=name)
    yield Web(fleet)
    fleet.deps.close()


def wall(days: float = 3) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT09:00}"


def test_an_item_is_composed_edited_moved_duplicated_and_cancelled_by_forms(web: Web) -> None:
    ana, poster = web.browser("operator"), agent(web.fleet, "x")
    assert "Compose an item" in ana.get(f"/content-items/new?at={wall()}&zone=Asia/Tokyo").text
    made = ana.post(
        "/content-items/new", target=poster, message="A brass lamp.", hashtags="#lamps, brass", at=wall(),
        zone="Asia/Tokyo", link="https://lamps.test/", link_title="Lamps", brand="fleet",
    )  # fmt: skip
    assert made.status_code == 303, made.text
    work(web.fleet)
    (row,) = rows(web.fleet)
    assert (row.message, row.hashtags, row.link["title"]) == ("A brass lamp.", ["lamps", "brass"], "Lamps")
    assert row.scheduled_at == datetime.fromisoformat(f"{wall()}+09:00") and row.is_fixed
    own = f"/content-items/{row.id}"
    assert ana.post(f"{own}/edit", part="A dark slate.", link="https://slate.test/").status_code == 303
    assert ana.post(f"{own}/move", at=wall(4), zone="UTC").status_code == 303
    assert ana.post(f"{own}/duplicate", at="", zone="UTC").status_code == 303
    work(web.fleet)
    found = {one.id: one for one in rows(web.fleet)}
    copy = next(one for one in found.values() if one.id != row.id)
    now = found[row.id]
    assert (now.parts, now.link["url"], now.revision) == (["A dark slate."], "https://slate.test/", 2)
    assert now.scheduled_at == datetime.fromisoformat(f"{wall(4)}+00:00")
    assert (copy.parts, copy.is_fixed, copy.state) == (now.parts, False, "scheduled")
    assert ana.post(f"{own}/cancel").status_code == 303
    assert {one.state for one in rows(web.fleet) if one.id == row.id} == {"cancelled"}
    assert ana.post(f"{own}/move", at=wall(5), zone="UTC").headers["location"] == own
    assert "The item is cancelled." in ana.get(own).text


def test_a_campaign_is_created_for_the_agents_that_are_checked_or_typed(web: Web) -> None:
    ana, first, second = web.browser("operator"), agent(web.fleet, "x"), agent(web.fleet, "linkedin")
    assert f'value="{first}"' in ana.get("/campaigns/new").text
    made = ana.post(
        "/campaigns/new", name="Lamps", message="Brass lamps\r\nare back.", target=first,
        targets=f"{second}\n{first}\n", hashtags="lamps", starts_at=wall(), zone="UTC",
    )  # fmt: skip
    assert made.status_code == 303, made.text
    with web.fleet.deps.db.transaction() as tx:
        row = queries.campaign(tx, uuid.UUID(made.headers["location"].rpartition("/")[2]))
        assert (row.name, row.message, len(row.targets)) == ("Lamps", "Brass lamps\nare back.", 2)
    work(web.fleet)
    assert {one.surface for one in rows(web.fleet)} == {"x", "linkedin"}
    assert "Compose an item" in ana.get(made.headers["location"]).text
    assert ana.post(f"{made.headers['location']}/cancel").status_code == 303
    assert {one.state for one in rows(web.fleet)} == {"cancelled"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"target": "nobody_9"}, "nobody_9"), ({"message": " "}, "there is no text"),
        ({"link": "javascript:alert(1)"}, "no address of the web"), ({"link": "http://["}, "no address of the web"),
        ({"at": "2020-01-01T09:00"}, "is past"), ({"at": "tomorrow"}, "is no time"),
        ({"zone": "Atlantis/X"}, "Atlantis/X"),
        ({"at": "9999-01-01T09:00"}, "not in the calendar"),
    ],
)  # fmt: skip
def test_a_refused_form_names_the_problem_and_keeps_what_was_typed(
    web: Web, changes: dict[str, str], problem: str
) -> None:
    ana = web.browser("operator")
    typed = {"target": agent(web.fleet, "x"), "message": HOSTILE, "hashtags": "kept_tag", "zone": "UTC", "at": wall(),
             "alt_text": "kept words", **changes}  # fmt: skip
    page = ana.post("/content-items/new", **typed)
    assert page.status_code == 422 and problem in page.text.replace("&#39;", "'")
    assert 'role="alert"' in page.text and "<script>alert" not in page.text and "<img src=x" not in page.text
    assert 'value="kept_tag"' in page.text and ">kept words</textarea>" in page.text
    assert rows(web.fleet) == []
    campaign = ana.post("/campaigns/new", name="kept name", targets="nobody_9", message="kept message")
    assert campaign.status_code == 422 and 'value="kept name"' in campaign.text and "nobody_9" in campaign.text


def test_a_preview_shows_each_network_and_stores_nothing(web: Web) -> None:
    ana = web.browser("viewer")
    poster = agent(web.fleet, "linkedin")
    long = " ".join(["Brass lamps and wet slate in a quiet harbour."] * 12)
    shown = ana.post("/content-items/new/preview", message=long, link="http://[", picture_prompt="a lamp").text
    assert all(f'id="preview-{name}"' in shown for name in ("x", "atproto", "mastodon", "instagram", "tiktok"))
    assert "thread of" in shown and shown.lstrip().startswith(("{#", "<div", "\n", "<"))
    only = ana.post("/content-items/new/preview", message=HOSTILE, target=poster).text
    assert 'id="preview-linkedin"' in only and 'id="preview-x"' not in only and "<script>" not in only
    for path in ("/campaigns/new", "/content-items/new"):
        assert ana.get(path).status_code == 403
        assert ana.post(path, name="x", message="y").status_code == 403
    assert rows(web.fleet) == []


def test_a_refused_edit_keeps_the_words_and_an_empty_part_is_removed(web: Web) -> None:
    ana, poster = web.browser("operator"), agent(web.fleet, "x")
    ana.post("/content-items/new", target=poster, message="A brass lamp.", zone="UTC")
    work(web.fleet)
    own = f"/content-items/{rows(web.fleet)[0].id}"
    refused = ana.post(f"{own}/edit", part=["kept words", ""], link="nowhere")
    assert refused.status_code == 422 and "kept words" in refused.text and "no address of the web" in refused.text
    assert ana.post(f"{own}/edit", part=["", " "]).status_code == 422
    preview = ana.post(f"{own}/preview", part=["first part", "second part"]).text
    assert "Part 2" in preview
    assert ana.post(f"{own}/edit", part=["new words", ""]).status_code == 303
    assert rows(web.fleet)[0].parts == ["new words"]


def test_the_page_of_a_campaign_says_why_its_plan_failed(web: Web) -> None:
    ana = web.browser("operator")
    made = ana.post("/campaigns/new", name="Lamps", message="Lamps.", target=agent(web.fleet, "x"))
    page = made.headers["location"].partition("?")[0]
    assert "A job plans them." in ana.get(page).text
    web.fleet.sql(
        "UPDATE jobs SET state = 'dead', dead_reason = 'permanent', error = 'no <b>room</b>', "
        "finished_at = clock_timestamp()"
    )
    assert 'failed: <span class="wrap">no &lt;b&gt;room&lt;/b&gt;</span>' in ana.get(page).text


def test_a_campaign_is_stopped_and_resumed_on_its_page_by_those_who_may_pause(web: Web) -> None:
    ana, viewer = web.browser("operator"), web.browser("viewer", name="vic")
    new = NewCampaign(name="Lamps", message="Brass lamps.", targets=[ItemTarget(agent(web.fleet, "x"))])
    campaign = service.create(web.fleet.deps, new, by="ana")
    work(web.fleet)
    page = f"/campaigns/{campaign.id}"
    assert viewer.post(f"{page}/stop", reason="no").status_code == 403
    assert ana.post(f"{page}/stop", reason=HOSTILE).status_code == 303
    shown = ana.get(page).text
    assert "Resume the campaign" in shown and "alert(1)" in shown and "<script>alert(1)" not in shown
    assert "Stop the campaign" not in shown and "Resume the campaign" not in viewer.get(page).text
    come_due(web.fleet)
    assert [one.state for one in rows(web.fleet)] == ["scheduled"]
    assert ana.post(f"{page}/resume").status_code == 303
    assert "Stop the campaign" in ana.get(page).text
    come_due(web.fleet)
    assert [one.state for one in rows(web.fleet)] == ["published"]
    api = ana.get(f"/api/v1{page}").json()
    assert api["stopped_at"] is None


def test_several_pictures_are_published_in_one_post_in_their_order_or_refused_where_they_are_too_many(web: Web) -> None:
    ana, poster = web.browser("operator"), agent(web.fleet, "x")
    long = ana.post("/content-items/new", target=poster, message="Lamps.", picture_prompt="l" * 2001)
    assert long.status_code == 422 and 'id="picture_prompt-problem"' in long.text
    for number in (3, 5):
        form = {"picture_prompt": "\n".join(f"lamp {one}" for one in range(number)),
                "alt_text": "\n".join(f"Lamp {one}." for one in range(number))}  # fmt: skip
        text = "Three lamps on a shelf." if number == 3 else "Five kettles under the stairs."
        assert ana.post("/content-items/new", target=poster, message=text, **form).status_code == 303
    work(web.fleet)
    few, many = sorted(rows(web.fleet), key=lambda row: len(row.media))
    assert many.state == "rejected" and "5 pictures, 4 allowed" in str(many.reasons)
    come_due(web.fleet)
    (write,) = web.fleet.deps.outside.systems["x"].writes  # type: ignore[attr-defined]
    shown = write.payload.pictures
    assert [one.alt_text for one in shown] == ["Lamp 0.", "Lamp 1.", "Lamp 2."]
    assert all(one.url.startswith("data:image/") for one in shown)
    assert {one.id: one.state for one in rows(web.fleet)}[few.id] == "published"
