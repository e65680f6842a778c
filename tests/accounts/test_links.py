"""Addresses of what was published: only a surface's own host, or its public address, becomes a link."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.accounts import links
from fleet.adapters.base import SurfaceObject
from fleet.adapters.floimg.adapter import FloImg
from fleet.core.net import web_address
from tests.factories import Fleet

SURFACE = FloImg("http://gallery:8000", "t")
POST = SurfaceObject(action="post", id="p1", username="ada_1")


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "http://evil.example/p/1", "http://gallery:8001/p/1", "https://gallery:8000/p/1",
    "http://gallery:8000@evil.example/p/1", "http://gallery:8000\\@evil.example/", "http://gallery:8000/p/\x1b]8;;x",
    "http://gallery:8000/p/a b", 'http://gallery:8000/p/"onclick="x', "http://gallery:99999/p", "//gallery:8000/p", "",
    "http://gallery:8000/\u202e", "data:text/html,x",
])  # fmt: skip
def test_nothing_but_a_page_of_the_surface_becomes_a_link(url: str) -> None:
    assert links.public(url, SURFACE, ("http://gallery:8000=https://g.example",)) is None


@pytest.mark.parametrize(("addresses", "shown"), [
    ((), "http://gallery:8000/p/p1"),
    (("http://gallery:8000=https://g.example/",), "https://g.example/p/p1"),
    (("http://GALLERY:8000/=https://g.example/art",), "https://g.example/art/p/p1"),
    (("http://other:8000=https://g.example", "http://gallery:8000=http://localhost:9"), "http://localhost:9/p/p1"),
    (("http://gallery=https://g.example",), "http://gallery:8000/p/p1"),
])  # fmt: skip
def test_a_public_address_takes_the_place_of_the_apis(addresses: tuple[str, ...], shown: str) -> None:
    assert links.public(str(SURFACE.url_of(POST)), SURFACE, addresses) == shown


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["post", "comment", "like", "react", "provision"]))
def test_whatever_ids_a_surface_chooses_its_page_is_at_its_host(one: str, other: str, action: str) -> None:
    url = SURFACE.url_of(SurfaceObject(action=action, id=one, username=one, target=other))
    if url is not None:
        assert links.public(url, SURFACE, ()) == url
        parts = web_address.split(url)
        assert parts is not None and parts.netloc == "gallery:8000" and not parts.query


def test_the_setting_is_in_force_at_once_and_an_unknown_account_has_no_link(fleet: Fleet) -> None:
    here = fleet.deps.links.of(None, POST)
    assert here == "http://127.0.0.1:8640/post/ada_1/p1"
    fleet.set_setting("public_addresses", ["http://127.0.0.1:8640=https://g.example"])
    assert fleet.deps.links.of(None, POST) == "https://g.example/post/ada_1/p1"
    assert fleet.deps.links.of(uuid.uuid4(), POST) is None
    assert fleet.deps.links.of(None, replace(POST, id="x" * 2000)) is None
