"""Addresses: one reading of a URL, and no network but the public one, whatever an address looks like."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.images.addresses import Endpoint, Rules, admit, follow, read, why_closed
from fleet.images.errors import ForbiddenAddress

OPEN = Rules(plain_http=True)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://Pictures.Example/a.png", "https://pictures.example/a.png"),
        ("https://pictures.example", "https://pictures.example/"),
        ("https://pictures.example.:443/a#b", "https://pictures.example/a"),
        ("http://pictures.example:80/?q=1", "http://pictures.example/?q=1"),
        ("http://pictures.example:443/", "http://pictures.example:443/"),
        ("https://pictures.example/ä ö".replace(" ", ""), "https://pictures.example/%C3%A4%C3%B6"),
        ("https://pictures.example/a%20b?c=%2F", "https://pictures.example/a%20b?c=%2F"),
        ("https://93.184.216.34/a", "https://93.184.216.34/a"),
        ("https://[2606:2800:220:1:0:0:0:1]/a", "https://[2606:2800:220:1::1]/a"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
    ],
)
def test_an_address_has_one_form(url: str, form: str) -> None:
    assert read(url, OPEN).url == form
    assert read(form, OPEN).url == form


KNOWN = Rules.of(["127.0.0.1:8640"], hosts=["Pictures.example"])


def test_only_hosts_that_are_named_are_called_redirects_too() -> None:
    place = read("https://pictures.example/a", KNOWN)
    assert read("http://127.0.0.1:8640/a", KNOWN).allowed
    for url in ("https://theirs.example/a", "https://theirs.pictures.example/a", "https://93.184.216.34/a"):
        with pytest.raises(ForbiddenAddress, match="none of the hosts"):
            read(url, KNOWN)
        with pytest.raises(ForbiddenAddress, match="none of the hosts"):
            follow(place, url, KNOWN)
        assert read(url, Rules.of([], hosts=["pictures.example", "*"])).url == url


ANYTHING = st.text(st.characters(), max_size=40)  # halves of characters too: JSON can bring them


@pytest.mark.parametrize("path", ["\ud800", "a" * 2000, "ä" * 700])
def test_what_has_no_short_plain_form_is_refused(path: str) -> None:
    with pytest.raises(ForbiddenAddress):
        read(f"https://pictures.example/{path}", OPEN)


@given(ANYTHING, ANYTHING)
def test_reading_never_fails_but_by_refusing_and_what_it_accepts_reads_the_same_again(host: str, rest: str) -> None:
    try:
        place = read(f"https://{host}/{rest}", OPEN)
    except ForbiddenAddress:
        return
    assert read(place.url, OPEN) == place
    assert place.url.isascii() and place.target.startswith("/")


@given(ANYTHING)
def test_following_never_fails_but_by_refusing(location: str) -> None:
    try:
        place = follow(read("https://pictures.example/a", OPEN), location, OPEN)
    except ForbiddenAddress:
        return
    assert place.scheme in ("http", "https")


@given(st.ip_addresses())
def test_no_address_is_open_that_python_knows_to_be_closed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if why_closed(address) is None:
        assert address.is_global
        assert not (address.is_multicast or address.is_loopback or address.is_private or address.is_link_local)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_address_opens_nothing(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    teredo = (0x20010000 << 96) | (number << 64) | (number ^ 0xFFFFFFFF)
    for outer in (number, 0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80, teredo):
        assert why_closed(ipaddress.IPv6Address(outer)) is not None


@given(
    st.ip_addresses(v=4),
    st.sampled_from([str, lambda a: f"{int(a)}", lambda a: f"0x{int(a):x}", lambda a: f"0{int(a):o}"]),
)
def test_a_number_is_an_address_in_its_plain_form_alone(address: ipaddress.IPv4Address, form: object) -> None:
    text = form(address)  # type: ignore[operator]
    try:
        place = read(f"https://{text}/", OPEN)
    except ForbiddenAddress:
        assert text != str(address) or why_closed(address) is not None
    else:
        assert place.host == str(address) and why_closed(address) is None


PUBLIC = st.sampled_from(["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])


@given(st.lists(PUBLIC, min_size=1), st.data())
def test_one_closed_answer_among_open_ones_closes_them_all(answers: list[str], data: st.DataObject) -> None:
    place = Endpoint("https", "pictures.example", 443, "/")
    assert [str(one) for one in admit(place, answers)] == list(dict.fromkeys(answers))
    closed = data.draw(st.sampled_from(["127.0.0.1", "10.0.0.1", "::1", "fe80::1%1", "169.254.169.254", "x"]))
    at = data.draw(st.integers(0, len(answers)))
    with pytest.raises(ForbiddenAddress):
        admit(place, [*answers[:at], closed, *answers[at:]])


def test_a_refusal_tells_no_token_of_the_address() -> None:
    for url in ("https://me:sesame@pictures.example/", "https://127.0.0.1/?sig=sesame", "ftp://x/?sesame"):
        with pytest.raises(ForbiddenAddress) as caught:
            read(url, OPEN)
        assert "sesame" not in str(caught.value)


def test_an_allowed_address_is_itself_alone() -> None:
    rules = Rules.of(["127.0.0.1:8640", "[::1]:8640", "LOCALHOST:1"])
    for url in ("http://127.0.0.1:8640/a", "http://[::1]:8640/", "http://localhost:1/"):
        assert read(url, rules).allowed
    for url in ("http://127.0.0.2:8640/", "http://127.0.0.1:8641/", "http://127.0.0.1/", "http://localhost:8640/"):
        with pytest.raises(ForbiddenAddress):
            read(url, rules)
    with pytest.raises(ForbiddenAddress):
        admit(Endpoint("http", "127.0.0.1", 8640, "/", allowed=True), ["127.0.0.2"])
