"""The sandbox gallery's pages: labels, escaping, visitors' deeds, pictures, and what to do when a page is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.sandbox.gallery.gallery_world import World

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}'


@pytest.fixture
def world(fresh_database: str, tmp_path: Path) -> Iterator[World]:
    made = World(fresh_database, tmp_path / "images")
    made.invite("bright_1")
    made.invite("pixel_2")
    with made.http:
        yield made


def page(world: World, path: str, status: int = 200) -> str:
    answer = world.http.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def say(world: World, post_id: str, words: str, name: str = "", **headers: str) -> int:
    answer = world.http.post(
        f"/p/{post_id}/comments", data={"content": words, "name": name}, headers=headers or SAME_SITE,
        follow_redirects=False,
    )  # fmt: skip
    return answer.status_code


def test_an_empty_gallery_says_what_will_happen(world: World) -> None:
    assert "The walls are still bare" in page(world, "/")


def test_the_first_page_leads_to_a_form_for_comments(world: World) -> None:
    """Symptom: visitors were welcome to join in, and nothing said how."""
    world.invite("ada")
    world.posted("ada")
    way = re.search(r'<a href="(/p/[^"#]+)#(\w+)">comment on', page(world, "/"))
    assert way
    assert f'<form class="say" id="{way[2]}"' in page(world, way[1])


def test_every_agent_is_labelled_wherever_it_is_named(world: World) -> None:
    post_id = world.posted("bright_1")
    world.comment("pixel_2", post_id, "Lovely.")
    for path, labels in (("/", 1), (f"/p/{post_id}", 2), ("/u/bright_1", 2)):
        html = page(world, path)
        assert html.count('class="badge agent"') == labels, path
        assert "are automated" in html
    assert "Automated account." in page(world, "/u/bright_1")


def test_an_account_without_a_bio_still_says_who_runs_it(world: World) -> None:
    world.invite("vivid_3", bio="")
    assert "Automated account run by the operator of this fleet on Fleet." in page(world, "/u/vivid_3")


def test_machine_made_pictures_carry_a_mark_and_a_description(world: World) -> None:
    [url] = world.execute("pixel_2").json()["imageUrls"]
    world.post("pixel_2", "A lamp", imageUrl=url, altText="A lamp in pixels")
    html = page(world, "/")
    assert "AI-made" in html
    assert 'alt="A lamp in pixels"' in html
    assert 'width="32" height="32"' in html


class Elements(HTMLParser):
    """The elements of a page as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_text_of_accounts_is_never_markup(world: World) -> None:
    world.invite("vivid_3", name=HOSTILE[:100], bio=HOSTILE)
    post_id = world.post("vivid_3", HOSTILE, altText=HOSTILE).json()["showcaseItem"]["id"]
    made = world.comment("vivid_3", post_id, HOSTILE).json()["comment"]["id"]
    say(world, post_id, HOSTILE, HOSTILE)
    for path in ("/", f"/p/{post_id}", "/u/vivid_3", f"/p/{post_id}/card", f"/c/{made}", f"/{HOSTILE}"):
        html = world.http.get(path).text
        for tag, attributes in Elements(html).found:
            assert not any(name.startswith("on") for name in attributes), path
            assert tag != "script" or (attributes["src"] or "").startswith("/static/gallery.js"), path
            assert attributes.get("src") != "x", path
        assert "{{7*7}}" in html or "alert" not in html, path


def test_pages_allow_no_scripts_but_their_own(world: World) -> None:
    post_id = world.posted("bright_1")
    for path in ("/", f"/p/{post_id}", "/u/bright_1", "/missing"):
        answer = world.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", answer.text), path
        assert all(src.startswith("/static/") for src in re.findall(r'<script[^>]*src="([^"]+)"', answer.text))


def test_a_missing_page_says_where_to_go(world: World) -> None:
    for path in ("/p/nonsense", "/u/nobody", "/missing", f"/images/{'0' * 32}.png"):
        html = page(world, path, 404)
        assert "There is nothing on this wall" in html, path
        assert 'href="/"' in html, path


def test_more_pictures_come_in_parts_without_gaps_or_doubles(world: World) -> None:
    made = {world.posted("bright_1", f"number {n}") for n in range(30)}
    seen: list[str] = []
    path: str | None = "/"
    while path:
        html = page(world, path)
        seen += re.findall(r'data-post="([0-9a-f-]{36})"', html)
        world.posted("pixel_2", "in between")
        following = re.search(r'href="([^"]+)" rel="next"', html)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(seen) == len(set(seen))
    assert made <= set(seen)


def test_looking_makes_no_account_and_counts_as_a_view(world: World) -> None:
    post_id = world.posted("bright_1")
    page(world, "/")
    page(world, f"/p/{post_id}")
    page(world, f"/p/{post_id}")
    assert world.item(post_id)["viewCount"] == 2
    assert world.rows("SELECT 1 FROM users WHERE guest_key IS NOT NULL") == []


def test_a_visitor_likes_and_takes_it_back(world: World) -> None:
    post_id = world.posted("bright_1")
    page(world, "/")
    ask = {**SAME_SITE, "Accept": "application/json"}
    answers = [world.http.post(f"/p/{post_id}/like", headers=ask).json() for _ in range(3)]
    assert [(a["liked"], a["human_likes"], a["agent_likes"]) for a in answers] == [
        (True, 1, 0), (False, 0, 0), (True, 1, 0)
    ]  # fmt: skip
    assert 'aria-pressed="true"' in page(world, "/")
    world.http.cookies.clear()
    assert 'aria-pressed="true"' not in page(world, "/")


def test_a_visitor_comments_as_a_person_under_a_name_of_choice(world: World) -> None:
    post_id = world.posted("bright_1")
    page(world, f"/p/{post_id}")
    assert say(world, post_id, "Is this real?", "Ada") == 303
    assert say(world, post_id, "I like it.") == 303
    html = page(world, f"/p/{post_id}")
    assert html.count('class="badge person"') == 2
    assert re.findall(r'class="said">(.*?)</p>', html) == ["Is this real?", "I like it."]
    item = world.item(post_id)
    assert (item["humanCommentCount"], item["agentCommentCount"]) == (2, 0)
    assert world.call("GET", f"/api/showcase/{post_id}/comments").json()["comments"][0]["user"]["isAgent"] is False


def test_pages_elsewhere_cannot_act_for_a_visitor(world: World) -> None:
    post_id = world.posted("bright_1")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"X-Nothing": "at all"},
                    {"Origin": "https://evil.example"}, {"Origin": "null"}):  # fmt: skip
        assert world.http.post(f"/p/{post_id}/like", headers=headers).status_code == 403, headers
        assert say(world, post_id, "spam", **headers) == 403, headers
    item = world.item(post_id)
    assert (item["likeCount"], item["commentCount"]) == (0, 0)


def test_old_browsers_are_known_by_their_origin(world: World) -> None:
    post_id = world.posted("bright_1")
    assert say(world, post_id, "hello", Origin="http://127.0.0.1:8000") == 303


def test_comments_that_cannot_be_kept_are_refused(world: World) -> None:
    post_id = world.posted("bright_1")
    for words in ("", "   ", "x" * 1001, "nul \x00"):
        assert say(world, post_id, words) == 422, words
    assert world.item(post_id)["commentCount"] == 0


def test_an_agent_cannot_be_invited_under_a_visitors_name(world: World) -> None:
    post_id = world.posted("bright_1")
    say(world, post_id, "hello")
    [(username,)] = world.rows("SELECT username FROM users WHERE guest_key IS NOT NULL")
    answer = world.invite(username)
    assert (answer.status_code, answer.json()["code"]) == (409, "USERNAME_TAKEN")


def test_pictures_are_served_safely_and_for_ever(world: World) -> None:
    [url] = world.execute("pixel_2").json()["imageUrls"]
    name = url.rsplit("/", 1)[1]
    answer = world.http.get(f"/images/{name}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    preview = world.http.get(f"/images/{name.split('.')[0]}.preview.webp")
    assert (preview.status_code, preview.headers["content-type"]) == (200, "image/webp")


def test_no_address_leads_out_of_the_folder_of_pictures(world: World, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "images"):
        (place / "secret.png").write_bytes(b"not for everybody")
    for name in ("..%2f..%2fsecret.png", "%2e%2e/secret.png", "../secret.png", "....//secret.png", "secret.png",
                 "%00.png", ".env", "%5c..%5csecret.png"):  # fmt: skip
        answer = world.http.get(f"/images/{name}")
        assert answer.status_code == 404, name
        assert b"not for everybody" not in answer.content, name


def test_a_removed_agent_is_gone_from_the_pages(world: World) -> None:
    post_id = world.posted("bright_1")
    world.call("DELETE", f"/api/admin/users/{world.invite('bright_1').json()['id']}")
    page(world, f"/p/{post_id}", 404)
    page(world, "/u/bright_1", 404)
    assert "The walls are still bare" in page(world, "/")


def test_health_is_a_line_of_json(world: World) -> None:
    assert world.http.get("/health").json() == {"status": "ok"}
