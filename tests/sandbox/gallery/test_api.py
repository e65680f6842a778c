"""The sandbox gallery's API: who may call, accounts, posts, likes and comments."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from fleet import images
from fleet.images import Format, Marks, PictureSource
from fleet.sandbox.gallery import art
from tests.sandbox.gallery.gallery_world import READER, TOKEN, World


@pytest.fixture
def world(fresh_database: str, tmp_path: Path) -> Iterator[World]:
    made = World(fresh_database, tmp_path / "images")
    made.invite("bright_1")
    made.invite("pixel_2")
    with made.http:
        yield made


# Who may call


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer fst_wrong_token", f"Basic {TOKEN}", f"Bearer  {TOKEN}x"])
def test_without_a_known_token_nothing_is_answered(world: World, header: str) -> None:
    for method, path in (("GET", "/api/showcase"), ("POST", "/api/admin/users/invite"), ("GET", "/api/sandbox/faults")):
        answer = world.http.request(method, path, headers={"Authorization": header} if header else {})
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


def test_a_token_does_only_what_its_scopes_allow(world: World) -> None:
    assert world.call("GET", "/api/showcase", token=READER).status_code == 200
    answer = world.call("POST", "/api/showcase", "bright_1", token=READER, json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "MISSING_SCOPE")


def test_calls_for_an_agent_need_one_that_was_invited(world: World) -> None:
    assert world.post("nobody_9").json()["code"] == "AGENT_UNKNOWN"
    assert world.call("GET", "/api/showcase", "nobody_9").status_code == 403
    post_id = world.posted("bright_1")
    assert world.like(None, post_id).json()["code"] == "AGENT_REQUIRED"
    assert world.execute(None).status_code == 400


# Accounts


def test_an_invitation_makes_an_account_once(world: World) -> None:
    first, again = world.invite("vivid_3"), world.invite("vivid_3")
    assert (first.status_code, first.json()["created"], first.json()["username"]) == (201, True, "vivid_3")
    assert (again.status_code, again.json()["created"], again.json()["id"]) == (200, False, first.json()["id"])
    assert world.rows("SELECT email FROM users WHERE username = 'vivid_3'") == [("vivid_3@agent.floimg.local",)]


def test_many_invitations_at_once_make_one_account(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.invite("vivid_3").json(), range(16)))
    assert len({answer["id"] for answer in answers}) == 1
    assert sum(answer["created"] for answer in answers) == 1


def test_a_known_name_is_adopted_by_a_new_agent_and_a_known_agent_renamed(world: World) -> None:
    first = world.invite("vivid_3").json()
    assert world.invite("vivid_3", agentId="another fleet's").json()["id"] == first["id"]
    renamed = world.invite("vivid_4", agentId="another fleet's").json()
    assert (renamed["id"], renamed["created"], renamed["username"]) == (first["id"], False, "vivid_4")


def test_a_removed_account_is_gone_with_all_it_made(world: World) -> None:
    mine, theirs = world.posted("bright_1"), world.posted("pixel_2")
    world.like("bright_1", theirs)
    world.like("pixel_2", theirs)
    world.comment("bright_1", theirs, "Lovely.")
    account = world.invite("bright_1").json()["id"]
    assert world.call("DELETE", f"/api/admin/users/{account}").status_code == 200
    assert world.call("DELETE", f"/api/admin/users/{account}").status_code == 404
    assert world.call("GET", f"/api/showcase/{mine}").status_code == 404
    left = world.item(theirs)
    assert (left["likeCount"], left["commentCount"]) == (1, 0)
    assert [item["id"] for item in world.call("GET", "/api/showcase").json()["items"]] == [theirs]
    assert world.post("bright_1").status_code == 403
    again = world.invite("bright_1").json()
    assert again["created"]
    assert again["id"] != account


def test_malformed_invitations_are_refused_with_the_field(world: World) -> None:
    for field, value in (("username", "a b"), ("username", "ab"), ("name", ""), ("name", None), ("isAgent", False),
                         ("bio", None), ("agentId", 7)):  # fmt: skip
        answer = world.invite("vivid_3", **{field: value})
        assert answer.status_code == 422, field
        assert [error["path"] for error in answer.json()["errors"]] == [field]


# Posts


def test_a_post_shows_the_picture_of_an_execution(world: World) -> None:
    [url] = world.execute("pixel_2").json()["imageUrls"]
    made = world.post("pixel_2", "Ünïcode ✨", imageUrl=url, altText="a lamp").json()["showcaseItem"]
    item = world.item(made["id"])
    assert item == made
    assert item["image"] == {"url": url, "width": 32, "height": 32, "sourceType": PictureSource.AI}
    assert item["title"] == "Ünïcode ✨"
    assert item["user"] == {**item["user"], "username": "pixel_2", "isAgent": True}
    assert datetime.fromisoformat(item["createdAt"]).tzinfo is not None


MALFORMED_POSTS = (
    ({"title": None}, "title"), ({"title": "x" * 201}, "title"), ({"title": "  "}, "title"), ({"title": 5}, "title"),
    ({"title": "nul \x00"}, "title"), ({"description": None}, "description"), ({"altText": None}, "altText"),
    ({"description": "x" * 2001}, "description"), ({"workflowId": None}, "workflowId"),
    ({"imageUrl": None}, "imageUrl"), ({"imageUrl": "ftp://x/y.png"}, "imageUrl"),
    ({"imageUrl": "javascript:alert(1)"}, "imageUrl"),
    ({"imageUrl": "/images/x.png"}, "imageUrl"), ({"imageUrl": "http://127.0.0.1:8000/images/x"}, "imageUrl"),
    ({"imageUrl": f"http://127.0.0.1:8000/images/{'0' * 32}.png"}, "imageUrl"),
    ({"imageUrl": "data:image/png;base64,AAAA"}, "imageUrl"), ({"imageUrl": "data:text/html;base64,AA"}, "imageUrl"),
    ({"imageUrl": "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()}, "imageUrl"),
)  # fmt: skip


def test_malformed_posts_are_refused_with_the_field(world: World) -> None:
    for change, path in MALFORMED_POSTS:
        answer = world.post("bright_1", **{"description": "", **change})
        assert answer.status_code == 422, change
        assert [error["path"] for error in answer.json()["errors"]] == [path], change
    assert world.rows("SELECT 1 FROM posts") == []


def test_a_body_that_is_not_json_is_refused(world: World) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent-Id": "bright_1", "Content-Type": "application/json"}
    answer = world.http.post("/api/showcase", headers=headers, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (400, "NOT_JSON")
    answer = world.http.post("/api/showcase", headers=headers, content=b'{"title": "' + b"x" * 9_000_000)
    assert answer.status_code == 413


def test_a_picture_elsewhere_is_kept_as_an_address_and_never_fetched(world: World) -> None:
    item = world.post("bright_1").json()["showcaseItem"]
    assert item["image"]["url"] == "https://pictures.example.org/1.png"
    assert item["image"]["width"] is None


def test_a_picture_in_a_data_url_is_kept_here_with_its_mark(world: World) -> None:
    image = art.render("dunes", "default", 90, 60)
    data = images.encode(image, Marks(PictureSource.FORMULA, "dunes"), Format.JPEG)
    url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    item = world.post("bright_1", imageUrl=url).json()["showcaseItem"]
    assert item["image"]["sourceType"] == PictureSource.FORMULA
    assert (item["image"]["width"], item["image"]["height"]) == (90, 60)
    assert world.http.get(item["image"]["url"].removeprefix("http://127.0.0.1:8000")).content == data


def test_lists_are_paged_and_newest_first(world: World) -> None:
    made = [world.posted("bright_1", f"number {n}") for n in range(5)]
    first = world.call("GET", "/api/showcase?limit=2").json()
    second = world.call("GET", "/api/showcase?limit=2&offset=2").json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[:0:-1]
    assert first["total"] == 5
    for query in ("limit=101", "limit=0", "offset=-1", "sort=best"):
        assert world.call("GET", f"/api/showcase?{query}").status_code == 422


def test_what_agents_like_lifts_no_post(world: World) -> None:
    by_people, by_agents = world.posted("bright_1"), world.posted("bright_1")
    world.like("pixel_2", by_agents)
    world.like("bright_1", by_agents)
    world.http.post(f"/p/{by_people}/like", headers={"Sec-Fetch-Site": "same-origin"})
    for sort in ("popular", "trending"):
        order = [item["id"] for item in world.call("GET", f"/api/showcase?sort={sort}").json()["items"]]
        assert order == [by_people, by_agents], sort
    counted = world.item(by_agents)
    assert (counted["likeCount"], counted["agentLikeCount"], counted["humanLikeCount"]) == (2, 2, 0)


@pytest.mark.parametrize("path", ["/api/showcase/nonsense", f"/api/showcase/{uuid.UUID(int=0)}", "/api/nothing"])
def test_what_is_not_there_is_404_as_json(world: World, path: str) -> None:
    answer = world.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


# Likes and comments


def test_liking_toggles(world: World) -> None:
    post_id = world.posted("bright_1")
    answers = [world.like("pixel_2", post_id).json() for _ in range(3)]
    assert [(a["success"], a["liked"], a["likeCount"]) for a in answers] == [
        (True, True, 1), (True, False, 0), (True, True, 1)
    ]  # fmt: skip


def test_counters_are_right_however_many_write_at_once(world: World) -> None:
    post_id = world.posted("bright_1")
    agents = [f"swarm_{n}" for n in range(6)]
    for agent in agents:
        world.invite(agent)

    def deed(n: int) -> int:
        agent = agents[n % 6]
        return world.like(agent, post_id).status_code if n % 2 else world.comment(agent, post_id, f"{n}").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(deed, range(48)))
    assert statuses == {200, 201}
    [(likes, comments)] = world.rows("SELECT (SELECT count(*) FROM likes), (SELECT count(*) FROM comments)")
    item = world.item(post_id)
    assert (item["likeCount"], item["commentCount"]) == (likes, comments)
    assert comments == 24


def test_comments_are_listed_oldest_first_in_pages(world: World) -> None:
    post_id = world.posted("bright_1")
    made = [world.comment("pixel_2", post_id, f"word {n}").json()["comment"] for n in range(4)]
    pages = [world.call("GET", f"/api/showcase/{post_id}/comments?limit=2&offset={o}").json() for o in (0, 2)]
    assert pages[0]["comments"] + pages[1]["comments"] == made
    assert made[0]["user"]["username"] == "pixel_2"
    assert world.item(post_id)["commentCount"] == 4
    assert world.comment("pixel_2", post_id, " ").status_code == 422
    assert world.comment("pixel_2", str(uuid.uuid4()), "hello").status_code == 404


def test_keys_of_posts_and_comments_are_ignored_unless_switched_on(world: World, tmp_path: Path) -> None:
    assert len({world.post("bright_1", key="k").json()["showcaseItem"]["id"] for _ in range(2)}) == 2
    honest = World(world.config.database_url, tmp_path / "more", honour_keys=True)
    first, again = honest.post("bright_1", key="k2"), honest.post("bright_1", key="k2")
    assert first.json() == again.json()
    assert honest.post("bright_1", "Another", key="k2").status_code == 422
    post_id = first.json()["showcaseItem"]["id"]
    said = [honest.comment("pixel_2", post_id, "Once.", key="c").json() for _ in range(2)]
    assert said[0] == said[1]
    assert honest.item(post_id)["commentCount"] == 1
    honest.engine.dispose()


# Database


def test_two_galleries_may_be_set_up_on_one_new_database_at_once(fresh_database: str, tmp_path: Path) -> None:
    url = sa.make_url(fresh_database)
    missing = url.set(database=f"{url.database}_new").render_as_string(hide_password=False)
    try:
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda n: World(missing, tmp_path / str(n)), range(4)))
        assert made[0].invite("bright_1").json()["created"]
        assert not made[1].invite("bright_1").json()["created"]
        for world in made:
            world.engine.dispose()
    finally:
        with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{url.database}_new" WITH (FORCE)'))
