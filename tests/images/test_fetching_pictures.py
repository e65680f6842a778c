"""Pictures are fetched from public addresses alone, whatever somebody writes, redirects to or answers for a name.

The hostile addresses are data: tests/data/hostile_urls.yaml. The network is a test's own: one public server, which is a
real one on this machine, and a canary, which stands for everything that must never be called.
"""

from __future__ import annotations

import gzip
import io
import itertools
import ssl
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from fleet.images.addresses import Rules
from fleet.images.errors import FetchError, ForbiddenAddress, OutOfReach, Unusable
from fleet.images.fetch import FetchLimits, fetch_picture
from tests import TESTS, picture_server
from tests.picture_server import PUBLIC, Internet, PictureServer

HOSTILE: list[dict[str, Any]] = yaml.safe_load((TESTS / "data" / "hostile_urls.yaml").read_text(encoding="utf-8"))
OPEN = Rules(plain_http=True)
PLACE = "http://pictures.example"
QUICK = FetchLimits(total_s=10)


def picture(size: tuple[int, int] = (80, 60), format: str = "PNG", **how: Any) -> bytes:
    """Return the file of a picture that shows something."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(out, format, **how)
    return out.getvalue()


@pytest.fixture
def server() -> Iterator[PictureServer]:
    """The public server."""
    with picture_server.running() as running:
        yield running


@pytest.fixture
def canary() -> Iterator[PictureServer]:
    """A server on loopback that shows a picture to whoever comes; nobody must."""
    with picture_server.running() as running:
        running.show("/", picture())
        yield running


@pytest.fixture
def internet(server: PictureServer) -> Internet:
    """The network, in which all names lead to the public server."""
    return Internet(server.port)


def fetch(internet: Internet, url: str, rules: Rules = OPEN, limits: FetchLimits = QUICK) -> Any:
    return fetch_picture(url, rules=rules, limits=limits, network=internet.network)


def set_names(internet: Internet, case: dict[str, Any]) -> str:
    """Let the case's host lead to where it says; return the URL."""
    url: str = case["url"].replace("{long}", "a" * 2000)
    if "leads_to" in case:
        host = url.split("/")[2]
        internet.names[host] = [[a.replace("{public}", PUBLIC) for a in answer] for answer in case["leads_to"]]
    return url


def test_there_are_enough_hostile_addresses_and_each_is_another() -> None:
    assert len({case["id"] for case in HOSTILE}) == len(HOSTILE) >= 60
    assert len({(case["url"], str(case.get("leads_to"))) for case in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case["id"])
def test_a_hostile_address_is_refused_before_anything_is_called(internet: Internet, case: dict[str, Any]) -> None:
    url = set_names(internet, case)
    with pytest.raises(ForbiddenAddress, match=case["because"]):
        fetch(internet, url)
    assert internet.dialled == []


@pytest.mark.parametrize(
    ("case", "status"),
    zip(HOSTILE, itertools.cycle([301, 302, 303, 307, 308]), strict=False),
    ids=[case["id"] for case in HOSTILE],
)
def test_a_redirect_to_a_hostile_address_is_refused(
    server: PictureServer, internet: Internet, case: dict[str, Any], status: int
) -> None:
    url = set_names(internet, case).replace("\r\n", "").replace("\0", "%00")

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 %d Elsewhere\r\nLocation: %b\r\n\r\n" % (status, url.encode()))

    server.pages["/hop"] = redirect
    with pytest.raises(FetchError):
        fetch(internet, f"{PLACE}/hop")
    assert set(internet.dialled) == {PUBLIC}
    assert "/hop" in server.asked


def test_a_picture_comes_from_the_address_that_was_checked_though_its_name_changes_its_mind(
    server: PictureServer, canary: PictureServer, internet: Internet
) -> None:
    server.show("/a.png", picture())
    internet.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch(internet, "http://rebind.example/a.png").width == 80
    assert (internet.asked, internet.dialled, canary.asked) == (["rebind.example"], [PUBLIC], [])


def test_a_name_that_rebinds_between_a_redirect_and_the_next_is_refused(
    server: PictureServer, internet: Internet
) -> None:
    server.redirect("/a.png", "http://rebind.example/b.png")
    internet.names["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(ForbiddenAddress, match="loopback"):
        fetch(internet, "http://rebind.example/a.png")
    assert internet.dialled == [PUBLIC]


def test_this_machine_is_called_only_under_the_name_and_port_that_are_allowed(
    canary: PictureServer, internet: Internet
) -> None:
    internet.names["sandbox"] = [["127.0.0.1"]]
    rules = Rules.of([f"sandbox:{canary.port}"])
    assert fetch(internet, f"http://sandbox:{canary.port}/", rules).width == 80
    for url in (f"http://127.0.0.1:{canary.port}/", "http://sandbox/", f"http://other.example:{canary.port}/"):
        with pytest.raises(ForbiddenAddress):
            fetch(internet, url, rules)
    assert len(canary.asked) == 1


@pytest.mark.parametrize("answer", ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"])
def test_an_allowed_name_leads_to_this_machine_and_to_nothing_else_inside(internet: Internet, answer: str) -> None:
    internet.names["sandbox"] = [[answer]]
    with pytest.raises(ForbiddenAddress):
        fetch(internet, "http://sandbox:8640/", Rules.of(["sandbox:8640"]))


def test_a_redirect_from_an_allowed_server_is_held_to_the_rules(canary: PictureServer, internet: Internet) -> None:
    canary.redirect("/", "http://169.254.169.254/latest/meta-data/")
    with pytest.raises(ForbiddenAddress, match="metadata"):
        fetch(internet, f"http://127.0.0.1:{canary.port}/", Rules.of([f"127.0.0.1:{canary.port}"]))


def test_plain_http_is_refused_unless_the_owner_wants_it(internet: Internet) -> None:
    with pytest.raises(ForbiddenAddress, match="https"):
        fetch(internet, f"{PLACE}/a.png", Rules())


def test_a_redirect_may_not_leave_https(tmp_path: Path) -> None:
    certificate = picture_server.certificate_of("pictures.example", tmp_path)
    with picture_server.running(certificate) as server:
        server.redirect("/a.png", "http://pictures.example/a.png")
        trusting = Internet(server.port, tls=ssl.create_default_context(cafile=str(certificate)))
        with pytest.raises(ForbiddenAddress, match="https"):
            fetch(trusting, "https://pictures.example/a.png", Rules())


def test_the_certificate_must_be_of_the_name_though_an_address_is_called(tmp_path: Path) -> None:
    certificate = picture_server.certificate_of("pictures.example", tmp_path)
    with picture_server.running(certificate) as server:
        server.show("/a.png", picture())
        trusting = Internet(server.port, tls=ssl.create_default_context(cafile=str(certificate)))
        assert fetch(trusting, "https://pictures.example/a.png", Rules()).width == 80
        with pytest.raises(OutOfReach):
            fetch(trusting, "https://other.example/a.png", Rules())
        with pytest.raises(OutOfReach):
            fetch(Internet(server.port), "https://pictures.example/a.png", Rules())
        assert server.asked == ["/a.png"]


def test_redirects_are_followed_three_times_and_no_more(server: PictureServer, internet: Internet) -> None:
    for number in range(4):
        server.redirect(f"/{number}", f"/{number + 1}")
    server.show("/4", picture())
    assert fetch(internet, f"{PLACE}/1").width == 80
    server.asked.clear()
    with pytest.raises(Unusable, match="more than 3 times"):
        fetch(internet, f"{PLACE}/0")
    assert server.asked == ["/0", "/1", "/2", "/3"]


def test_fetching_a_picture_sends_no_credentials_and_uses_no_proxy(
    server: PictureServer, canary: PictureServer, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    server.redirect("/a.png?token=sesame", "/b.png")
    server.show("/b.png", picture())
    fetch(internet, f"{PLACE}/a.png?token=sesame#part")
    assert server.asked == ["/a.png?token=sesame", "/b.png"]
    for headers in server.headers:
        assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}
        assert headers["Host"] == "pictures.example"
    assert canary.asked == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, Unusable), (403, Unusable), (410, Unusable), (206, Unusable), (204, Unusable), (304, Unusable),
     (300, Unusable), (408, OutOfReach), (429, OutOfReach), (500, OutOfReach), (503, OutOfReach)],
)  # fmt: skip
def test_the_answer_says_whether_to_ask_again(
    server: PictureServer, internet: Internet, status: int, error: type[FetchError]
) -> None:
    server.pages["/a.png"] = (status, {"Retry-After": "30"}, b"")
    with pytest.raises(error, match=str(status)) as caught:
        fetch(internet, f"{PLACE}/a.png")
    assert caught.value.retryable is (error is OutOfReach)
    assert getattr(caught.value, "retry_after_s", 30) == 30


@pytest.mark.parametrize("location", [b"", b"\xff\xfe"])
def test_a_redirect_to_nowhere_is_an_answer_without_a_picture(
    server: PictureServer, internet: Internet, location: bytes
) -> None:
    server.pages["/a.png"] = lambda handler: handler.wfile.write(
        b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    )
    with pytest.raises(Unusable, match="nowhere"):
        fetch(internet, f"{PLACE}/a.png")


def drip(head: bytes, piece: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return a page that begins, and then sends one piece after the other until the client leaves or the test ends."""

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        server: PictureServer = handler.server  # type: ignore[assignment]
        while not server.over.wait(0.02):
            handler.wfile.write(piece)

    return page


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n\x89PNG", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /", b"a"),
    ],
    ids=["status", "header", "headers", "hints", "body", "chunks", "redirect"],
)
def test_a_server_that_drips_is_left_in_time(
    server: PictureServer, internet: Internet, head: bytes, piece: bytes
) -> None:
    server.pages["/a.png"] = drip(head, piece)
    with pytest.raises(OutOfReach):
        fetch(internet, f"{PLACE}/a.png", limits=FetchLimits(total_s=0.3))


def test_a_server_that_says_nothing_is_left_in_time(server: PictureServer, internet: Internet) -> None:
    server.pages["/a.png"] = lambda handler: handler.server.over.wait() and None  # type: ignore[attr-defined]
    with pytest.raises(OutOfReach, match="too long"):
        fetch(internet, f"{PLACE}/a.png", limits=FetchLimits(total_s=2))


def test_all_redirects_together_have_the_time_of_one(server: PictureServer, internet: Internet) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        handler.server.over.wait(0.3)  # type: ignore[attr-defined]
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /a.png\r\nContent-Length: 0\r\n\r\n")

    server.pages["/a.png"] = slowly
    with pytest.raises(OutOfReach):
        fetch(internet, f"{PLACE}/a.png", limits=FetchLimits(total_s=0.5, max_redirects=50))


def test_a_name_server_that_hangs_is_left_in_time(internet: Internet) -> None:
    forever = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        forever.wait()
        return [PUBLIC]

    internet.resolve = hang  # type: ignore[method-assign]
    try:
        with pytest.raises(OutOfReach, match="look up"):
            fetch(internet, f"{PLACE}/a.png", limits=FetchLimits(total_s=0.1))
    finally:
        forever.set()


@pytest.mark.parametrize("answers", [[[]], [["198.51.99.1"]]], ids=["no address", "nobody there"])
def test_a_name_that_leads_nowhere_may_lead_somewhere_later(internet: Internet, answers: list[list[str]]) -> None:
    internet.names["pictures.example"] = answers
    with pytest.raises(OutOfReach):
        fetch(internet, f"{PLACE}/a.png")


def test_a_second_address_is_tried_when_the_first_is_dead(server: PictureServer, internet: Internet) -> None:
    server.show("/a.png", picture())
    internet.names["pictures.example"] = [["198.51.99.1", PUBLIC]]
    assert fetch(internet, f"{PLACE}/a.png").width == 80


def test_a_body_larger_than_it_says_or_than_allowed_is_not_read_to_its_end(
    server: PictureServer, internet: Internet
) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not handler.server.over.is_set():  # type: ignore[attr-defined]
            handler.wfile.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            sent += 65536

    server.pages["/a.png"] = endless
    with pytest.raises(Unusable, match="more than 1,000,000 bytes"):
        fetch(internet, f"{PLACE}/a.png", limits=FetchLimits(max_bytes=1_000_000))
    server.pages["/b.png"] = lambda handler: handler.wfile.write(
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + bytes(3_000_000)
    )
    with pytest.raises(Unusable, match="more than"):
        fetch(internet, f"{PLACE}/b.png", limits=FetchLimits(max_bytes=1_000_000))
    assert sent < 100_000_000


def test_a_packed_answer_is_not_unpacked(server: PictureServer, internet: Internet) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server.show("/a.png", bomb, Content_Encoding="gzip")
    with pytest.raises(Unusable, match="packed"):
        fetch(internet, f"{PLACE}/a.png")


def test_a_body_that_is_cut_off_is_asked_for_again(server: PictureServer, internet: Internet) -> None:
    server.show("/a.png", picture(), Content_Length="999999")
    with pytest.raises(OutOfReach):
        fetch(internet, f"{PLACE}/a.png")


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(20_000_000))
    return out.getvalue()


def vast() -> bytes:
    """Return the head of a PNG of 50,000 x 50,000, whose pixels would take ten gigabytes."""
    small = bytearray(picture())
    small[16:24] = (50_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


NO_PICTURES = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://169.254.169.254/"/></svg>',
    "svg-xml": b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "html": b"<!doctype html><img src=x onerror=alert(1)>",
    "javascript": b"alert(1)",
    "pdf": b"%PDF-1.7 ...",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run",
    "zip": zipped(),
    "empty": b"",
    "bmp": b"BM" + bytes(60),
    "tiff": b"II*\0" + bytes(60),
    "truncated": picture((400, 400))[:900],
    "truncated-jpeg": picture((400, 400), "JPEG")[:900],
    "only-magic": b"\x89PNG\r\n\x1a\n",
    "html-behind-magic": b"GIF89a<script>alert(1)</script>",
    "vast": vast(),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused_whatever_the_server_calls_it(
    server: PictureServer, internet: Internet, name: str
) -> None:
    server.show("/a.png", NO_PICTURES[name], "image/png")
    with pytest.raises(Unusable) as caught:
        fetch(internet, f"{PLACE}/a.png")
    assert not caught.value.retryable


def test_the_bytes_say_what_a_picture_is_and_not_the_server(server: PictureServer, internet: Internet) -> None:
    server.show("/a.html", picture(format="JPEG"), "text/html")
    assert fetch(internet, f"{PLACE}/a.html").content_type == "image/jpeg"
