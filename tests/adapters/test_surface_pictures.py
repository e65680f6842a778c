"""A surface says where its pictures are; a worker calls its origin and FLEET_IMAGE_HOSTS, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fleet.adapters import base
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.gateway import Lease, NotAllowed, PictureGateway, Policy
from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine.surface_pictures import fetcher
from tests import picture_server
from tests.factories import a_picture
from tests.picture_server import PUBLIC, Internet, PictureServer


@pytest.fixture
def surface() -> Iterator[PictureServer]:
    with picture_server.running() as running:
        running.show("/1.jpg", a_picture())
        yield running


@pytest.fixture
def canary() -> Iterator[PictureServer]:
    """Another server on loopback. Nobody may call it."""
    with picture_server.running() as running:
        running.show("/1.jpg", a_picture())
        yield running


def gateway(url: str, internet: Internet | None = None, **settings: Any) -> PictureGateway:
    config = Settings(gallery_url=url, **settings)
    network = {} if internet is None else {"network": internet.network}
    maker = FloImgPictures(url, "fst_secret")
    fetch = fetcher(maker, config, **network)
    return PictureGateway(maker, Policy(), lambda: None, fetch=fetch)


def fetch(door: PictureGateway, url: str) -> bytes:
    return door.fetch(url, Lease(clock.monotonic_s() + 20)).data


def test_a_picture_comes_from_the_surfaces_own_host_and_port_as_it_is_and_without_the_token(
    surface: PictureServer,
) -> None:
    own = f"http://127.0.0.1:{surface.port}"
    assert fetch(gateway(own), f"{own}/1.jpg") == a_picture()
    assert surface.asked == ["/1.jpg"]
    assert not [name for name in surface.headers[0] if name.lower() in ("authorization", "cookie", "referer")]


ELSEWHERE = [
    "http://127.0.0.1:{other}/1.jpg", "http://localhost:{other}/1.jpg", "http://[::1]:{other}/1.jpg",
    "http://[::ffff:127.0.0.1]:{other}/1.jpg", "http://[::ffff:7f00:1]:{own}/1.jpg", "http://[0:0:0:0:0:0:0:1]:{own}/1.jpg",
    "http://localhost:{own}/1.jpg", "http://127.0.0.2:{own}/1.jpg", "http://0.0.0.0:{other}/1.jpg",
    "http://127.1:{other}/1.jpg", "http://0x7f000001:{other}/1.jpg", "http://2130706433:{other}/1.jpg",
    "http://0177.0.0.1:{other}/1.jpg", "http://127.0.0.1:{own}@127.0.0.1:{other}/1.jpg",
    "http://127.0.0.1:{own}\\@127.0.0.1:{other}/1.jpg", "http://127.0.0.1:{other}#@127.0.0.1:{own}/1.jpg",
    "http://127.0.0.1:{other}?@127.0.0.1:{own}/1.jpg", "http://127.0.0.1%3a{own}@127.0.0.1:{other}/1.jpg",
    "https://127.0.0.1:{own}/1.jpg", "http://127.0.0.1/1.jpg", "http:127.0.0.1:{other}/1.jpg",
    "//127.0.0.1:{other}/1.jpg",
    "file:///etc/passwd", "gopher://127.0.0.1:{other}/1.jpg", "http://127.0.0.1:{other}\r\n/1.jpg",
    "http://inside.example:{other}/1.jpg",
    "http://127.0.0.1.:{other}/1.jpg", "http://\u2460\u2461\u2466.0.0.1:{other}/1.jpg",
    "http://169.254.169.254/latest/meta-data", "",
]  # fmt: skip


@pytest.mark.parametrize("url", ELSEWHERE)
def test_another_port_of_this_machine_is_never_called(surface: PictureServer, canary: PictureServer, url: str) -> None:
    """Symptom: the host was compared by name alone, and loopback was allowed, so any port of a worker's machine was."""
    internet = Internet(surface.port, names={"inside.example": [["127.0.0.1"]], "localhost": [["127.0.0.1"]]})
    with pytest.raises((NotAllowed, base.Refused)):
        fetch(gateway(f"http://127.0.0.1:{surface.port}", internet), url.format(own=surface.port, other=canary.port))
    assert (internet.dialled, surface.asked, canary.asked) == ([], [], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:{other}/1.jpg", "//localhost:{other}/1.jpg", "https://127.0.0.1:{own}/1.jpg"]
)
def test_a_redirect_is_held_to_the_same_places(
    surface: PictureServer, canary: PictureServer, place: str, status: int
) -> None:
    own = f"http://127.0.0.1:{surface.port}"
    surface.redirect("/hop", place.format(own=surface.port, other=canary.port), status)
    with pytest.raises(NotAllowed, match="FLEET_IMAGE_HOSTS"):
        fetch(gateway(own), f"{own}/hop")
    assert (surface.asked, canary.asked) == (["/hop"], [])


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["192.168.0.1"], ["fd00::1"],
     [PUBLIC, "127.0.0.1"], ["0.0.0.0"], ["64:ff9b::7f00:1"]],
)  # fmt: skip
def test_a_surfaces_own_name_may_not_lead_inside(surface: PictureServer, answers: list[str]) -> None:
    internet = Internet(surface.port, names={"hostile.example": [answers]})
    with pytest.raises(base.Refused, match="leads to"):
        fetch(gateway("http://hostile.example", internet), "http://hostile.example/1.jpg")
    assert (internet.dialled, surface.asked) == ([], [])


def test_a_name_that_rebinds_is_called_where_it_led_when_it_was_checked(surface: PictureServer) -> None:
    internet = Internet(surface.port, names={"hostile.example": [[PUBLIC], ["127.0.0.1"]]})
    assert fetch(gateway("http://hostile.example", internet), "http://hostile.example/1.jpg") == a_picture()
    assert (internet.asked, internet.dialled) == (["hostile.example"], [PUBLIC])


@pytest.mark.parametrize("address", ["127.0.0.1", "172.18.0.5", "192.168.1.9", "fd00::9"])
@pytest.mark.parametrize("name", ["gallery", "floimg.internal"])
def test_a_name_that_only_the_owners_network_knows_may_lead_there(
    surface: PictureServer, name: str, address: str
) -> None:
    internet = Internet(surface.port, names={name: [[address]]})
    with pytest.raises(base.Unreachable):  # nobody listens there in this test
        fetch(gateway(f"http://{name}:8000", internet), f"http://{name}:8000/1.jpg")
    assert internet.dialled == [address]


def test_a_name_of_the_owners_network_may_not_lead_to_a_clouds_metadata(surface: PictureServer) -> None:
    internet = Internet(surface.port, names={"gallery": [["169.254.169.254"]]})
    with pytest.raises(base.Refused, match="link-local"):
        fetch(gateway("http://gallery:80", internet), "http://gallery/latest")
    assert internet.dialled == []


def test_hosts_that_the_owner_names_are_called_too_by_their_port(surface: PictureServer, canary: PictureServer) -> None:
    own = f"http://127.0.0.1:{surface.port}"
    named = gateway(own, image_hosts=(f"127.0.0.1:{canary.port}",))
    assert fetch(named, f"http://127.0.0.1:{canary.port}/1.jpg") == a_picture()
    internet = Internet(surface.port)
    named = gateway("https://surface.example", internet, image_hosts=("cdn.example",))
    for url in ("http://cdn.example/1.jpg", "https://cdn.example:8443/1.jpg", "https://x.cdn.example/1.jpg"):
        with pytest.raises(NotAllowed):
            fetch(named, url)
    assert internet.dialled == []


@pytest.mark.parametrize("host", ["a b", "cdn.example/x@", "user@cdn.example", "127.1", "cdn.example:0"])
def test_a_host_that_cannot_be_read_is_a_matter_of_settings(host: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_IMAGE_HOSTS"):
        gateway("https://surface.example", image_hosts=(host,))


def test_a_picture_that_is_too_large_is_not_read_to_its_end(surface: PictureServer) -> None:
    own = f"http://127.0.0.1:{surface.port}"
    surface.show("/vast", b"x" * 20_000_000)
    with pytest.raises(base.Refused, match="more than"):
        fetch(gateway(own), f"{own}/vast")
