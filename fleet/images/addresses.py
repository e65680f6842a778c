"""Which URLs may be called: one strict parser, and the networks that are not the public internet.

Used before a connection is made (`fetch`, `fleet.features.webhooks`) and again on every DNS answer (`wire`). Pure.
There is no second parser: the host, port and target that are called are the parts that were checked here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from fleet.images.errors import ForbiddenAddress, NotNamed

LONGEST_URL = 2000
_PORTS = {"http": 80, "https": 443}
_UNSEEMLY = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
"""Blanks, control characters, backslashes and lone surrogates: URL parsers disagree about each of them."""
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?", re.A)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.A)
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".localdomain", ".onion")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Written out, with reasons: Python's `is_global` has changed within its minor versions.
_CLOSED = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"), ("10.0.0.0/8", "private"), ("100.64.0.0/10", "shared with a carrier (CGNAT)"),
        ("127.0.0.0/8", "loopback"), ("168.63.129.16/32", "a cloud's metadata"),
        ("169.254.0.0/16", "link-local, where clouds keep their metadata"), ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"), ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"), ("192.168.0.0/16", "private"), ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"), ("203.0.113.0/24", "for documentation"), ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"), ("::/128", "unspecified"), ("::1/128", "loopback"),
        ("::ffff:0:0/96", "an IPv4 address in disguise (mapped)"),
        ("::/96", "an IPv4 address in disguise (compatible)"),
        ("64:ff9b::/96", "an IPv4 address in disguise (NAT64)"),
        ("64:ff9b:1::/48", "an IPv4 address in disguise (local NAT64)"), ("100::/64", "a black hole"),
        ("2001::/32", "an IPv4 address in disguise (Teredo)"), ("2001:db8::/32", "for documentation"),
        ("2001::/23", "reserved for protocols"), ("2002::/16", "an IPv4 address in disguise (6to4)"),
        ("3fff::/20", "for documentation"), ("fc00::/7", "private"), ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"), ("ff00::/8", "multicast"),
    )
)  # fmt: skip
_PRIVATE = tuple(network for network, why in _CLOSED if why == "private")
_PUBLIC_SIX = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that has been assigned; the rest is reserved, whatever it will be used for."""


class Origin(NamedTuple):
    """A server: scheme, host (in lower case, without brackets) and port."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the owner allows beyond the public internet by https.

    `allowed` are (host, port) pairs for tests and sandboxes: a name there may lead to this machine, an IP address to
    itself, by http and on that port. Nothing else is opened by them.
    """

    allowed: frozenset[tuple[str, int]] = frozenset()
    plain_http: bool = False
    http_setting: str = ""
    """The setting that allows plain http, if there is one: shown in the error."""
    hosts: frozenset[str] | None = None
    """The only hosts of the internet that are called; None for all."""
    origins: frozenset[Origin] = frozenset()
    """Servers that the owner named with scheme and port, in a network of the owner's perhaps."""

    @classmethod
    def of(cls, entries: Iterable[str], *, plain_http: bool = False, http_setting: str = "",
           hosts: Iterable[str] = ("*",)) -> Rules:  # fmt: skip
        """Return the rules for entries like `127.0.0.1:8640` and `[::1]:80`; `*` among the hosts stands for all."""
        split = (entry.lower().rpartition(":") for entry in entries)
        allowed = frozenset((host.strip("[]"), int(port)) for host, _, port in split)
        only = frozenset(host.lower() for host in hosts)
        return cls(allowed, plain_http, http_setting, None if "*" in only else only)

    @classmethod
    def of_surface(cls, url: str, hosts: Iterable[str]) -> Rules:
        """Return the rules for the pictures of a surface: its own origin, and the hosts beside it, no other.

        A host is a name or an address, with a port if it is not that of the scheme. Plain http is allowed where the
        surface itself is called by it. Raises ForbiddenAddress for a URL or a host that cannot be read.
        """
        own = origin_of(url)
        schemes = ("https",) if own.scheme == "https" else ("https", "http")
        beside = (_origin(scheme, host) for host in hosts for scheme in schemes)
        return cls(hosts=frozenset(), origins=frozenset((own, *beside)))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a checked URL leads. `host` is in lower case, without brackets and without a last dot."""

    scheme: str
    host: str
    port: int
    target: str
    allowed: bool = False
    named: bool = False
    """Whether the owner named this server, and so the hosts that `Rules.origins` opens."""

    @property
    def authority(self) -> str:
        """The host as in URLs and in the Host header, with its port unless it is the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one form, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.target}"


def read(url: str, rules: Rules) -> Endpoint:
    """Return where a URL leads. Raises ForbiddenAddress if it shows already that it must not be called."""
    parts, origin = _read(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else ""
    allowed, named = (origin.host, origin.port) in rules.allowed, origin in rules.origins
    place = Endpoint(*origin, path + query, allowed, named)
    if len(place.url) > LONGEST_URL:  # escaped, it may have grown
        raise _too_long()
    _heed(place, rules)
    return place


def origin_of(url: str) -> Origin:
    """Return the server of a URL. Raises ForbiddenAddress if it cannot be read; does not check it."""
    return _read(url)[1]


def _read(url: str) -> tuple[SplitResult, Origin]:
    if len(url) > LONGEST_URL:
        raise _too_long()
    if _UNSEEMLY.search(url):
        raise ForbiddenAddress("The address has blanks, control characters or backslashes in it.")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ForbiddenAddress("The address cannot be understood.") from error
    if parts.scheme not in _PORTS or not url[len(parts.scheme) :].startswith("://"):
        raise ForbiddenAddress("The address must begin with https://.")
    return parts, _origin(parts.scheme, parts.netloc)


def _origin(scheme: str, netloc: str) -> Origin:
    host, port = _authority(netloc)
    return Origin(scheme, host, _PORTS[scheme] if port is None else port)


def follow(place: Endpoint, location: str, rules: Rules) -> Endpoint:
    """Return the target of a redirect, checked by the same rules as any URL. Raises ForbiddenAddress."""
    if _UNSEEMLY.search(location):
        raise ForbiddenAddress(
            f"{place.host} redirects to an address with blanks, control characters or backslashes in it."
        )
    try:
        joined = urljoin(place.url, location)
    except ValueError as error:
        raise ForbiddenAddress(f"{place.host} redirects to an address that cannot be understood.") from error
    return read(joined, rules)


def admit(place: Endpoint, answers: Iterable[str]) -> list[Address]:
    """Return the addresses of a place, in the given order and each once.

    Raises ForbiddenAddress if any of them is closed: a host with one public and one private address is not trusted
    with either.
    """
    admitted: dict[Address, None] = {}
    for answer in answers:
        address = _address(answer)
        why = "not an address" if address is None else why_closed(address)
        if address is None or (why is not None and not _excepted(place, address)):
            raise ForbiddenAddress(
                f"{place.host} leads to {answer[:60]}, which is {why}; only public addresses are called."
            )
        admitted[address] = None
    return list(admitted)


def why_closed(address: Address) -> str | None:
    """Return the kind of a non-public address; None if it is public."""
    for network, why in _CLOSED:
        if address.version == network.version and address in network:
            return why
    return "reserved" if address.version == 6 and address not in _PUBLIC_SIX else None


def _too_long() -> ForbiddenAddress:
    return ForbiddenAddress(f"The address is longer than {LONGEST_URL} characters.")


def _authority(netloc: str) -> tuple[str, int | None]:
    """Return host and port. Raises ForbiddenAddress for an ambiguous host."""
    if "@" in netloc:
        raise ForbiddenAddress("The address holds a user name; only open ones are called.")
    match = _AUTHORITY.fullmatch(netloc)
    if match is None:
        raise ForbiddenAddress(
            "The host of the address cannot be understood.",
            fix="Write names with other letters as xn--..., and addresses without zones.",
        )
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port < 65536:
        raise ForbiddenAddress(f"{port} is no port.")
    return _six(match["six"]) if match["six"] else _name(match["name"]), port


def _six(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise ForbiddenAddress("The host of the address is no IPv6 address.") from error


def _name(text: str) -> str:
    """Return a host's name or plain IPv4 address. Numbers in other forms are refused (127.1, 0x7f000001, 017.0.0.1)."""
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(0 < len(label) < 64 for label in labels):
        raise ForbiddenAddress("The host of the address is no name.")
    if _NUMBER.fullmatch(labels[-1]) and _address(name) is None:
        raise ForbiddenAddress("The host of the address is a number in disguise.")
    return name


def _heed(place: Endpoint, rules: Rules) -> None:
    is_opened = place.allowed or place.named
    if not is_opened and rules.hosts is not None and place.host not in rules.hosts:
        shown = place.authority if rules.origins else place.host
        raise NotNamed(f"{shown} is none of the hosts that may be called.")
    address = _address(place.host)
    if address is not None:
        admit(place, [place.host])
    if is_opened:
        return
    if place.scheme == "http" and not rules.plain_http:
        fix = f"Or set {rules.http_setting}=true." if rules.http_setting else None
        raise ForbiddenAddress("The address must begin with https://.", fix=fix)
    if place.port not in _PORTS.values():
        raise ForbiddenAddress(f"Only ports 80 and 443 are called, not {place.port}.")
    if address is None and _is_local(place.host):
        raise ForbiddenAddress(f"{place.host} is a name of a local network.")


def _excepted(place: Endpoint, address: Address) -> bool:
    """Return whether the owner opened this address: as itself, or as this machine under an allowed name.

    A named server may also be in a private network: under a name that only such a network resolves, or by https, where
    the certificate must match the name. Under any other name a stranger could choose its address.
    """
    literal = _address(place.host)
    if literal is not None:
        return (place.allowed or place.named) and address == literal
    if place.allowed and address.is_loopback:
        return True
    is_private = any(address.version == network.version and address in network for network in _PRIVATE)
    if place.named and _is_local(place.host):
        return address.is_loopback or is_private
    return place.named and place.scheme == "https" and is_private


def _is_local(name: str) -> bool:
    return "." not in name or name.endswith(_LOCAL_ENDINGS)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
