"""Feeds of campaigns over HTTP: asked for as feeds, and left out where they are closed, huge, broken or hostile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleet.features.campaigns import service
from fleet.features.campaigns.values import ItemTarget, NewCampaign
from tests import picture_server
from tests.factories import Fleet, make_fleet
from tests.features.campaigns.test_pipeline import Network, agent, rows, work
from tests.picture_server import PictureServer

RSS = "application/rss+xml"


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with picture_server.running() as running:
        yield running


@pytest.fixture
def private() -> Iterator[PictureServer]:
    """A server of the private network, which nothing may call."""
    with picture_server.running() as running:
        running.show("/", feed("secret figures"), RSS)
        yield running


@pytest.fixture
def fleet(database_url: str, server: PictureServer) -> Iterator[Fleet]:
    made = make_fleet(database_url, systems={"x": Network("x")}, media_allow=(f"127.0.0.1:{server.port}",))
    made.account("x", adapter="x")
    yield made
    made.deps.close()


def feed(*titles: str) -> bytes:
    items = "".join(f"<item><title>{one}</title></item>" for one in titles)
    return f"<rss><channel><title>News</title>{items}</channel></rss>".encode()


def test_topics_come_from_feeds_and_closed_huge_broken_and_hostile_ones_are_left_out(
    fleet: Fleet, server: PictureServer, private: PictureServer
) -> None:
    server.show("/feed", feed("Brass lamps return", "Slate is wet again"), RSS)
    server.redirect("/moved", "/feed")
    server.redirect("/inwards", f"http://127.0.0.1:{private.port}/")
    server.show("/huge", feed("Too much") + b" " * (2 * 1024 * 1024), RSS)
    server.show("/broken", b"<rss><item><title>Half", RSS)
    server.show("/page", b"<!doctype html><title>No feed</title>", "text/html")
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><item><title>&b;</title></item></rss>'
    server.show("/bomb", bomb, RSS)
    paths = ("inwards", "huge", "broken", "page", "bomb", "gone", "moved")
    addresses = [f"http://127.0.0.1:{server.port}/{path}" for path in paths]
    new = NewCampaign(name="News", targets=[ItemTarget(agent(fleet, "x"))], feeds=addresses)
    service.create(fleet.deps, new, by="ann")
    work(fleet)
    assert {one.brief for one in rows(fleet)} == {"Brass lamps return", "Slate is wet again"}
    assert server.asked == [f"/{path}" for path in paths] + ["/feed"]
    assert not private.asked
    assert all(one["Accept"].startswith(RSS) for one in server.headers)
