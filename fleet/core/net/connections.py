"""Which connections a server keeps: limits of time and number, and the choice of one to close when there are too many.

Called by `serving` for every server of Fleet. A connection that waits for the rest of a request is closed before one
that is served, the oldest first: a flood of half-sent requests displaces itself, and visitors are still served.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fleet.core import clock, logs

log = logs.get(__name__)

_SAY_AGAIN_S = 60.0
_SITE_BITS = 64
"""A visitor with IPv6 can use any address of such a network."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of one server: durations of each phase of a connection, and numbers of connections.

    `per_address` does not hold for the addresses and networks in `proxies`, which forward many visitors.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    stalled_s: float = 20.0
    """Maximum time in which a client reads nothing of a response."""
    idle_s: int = 5
    connections: int = 1000
    per_address: int = 500
    proxies: Sequence[str] = ()


class Closable(Protocol):
    """A connection that can be closed at once."""

    def close_now(self) -> None: ...


class Connections:
    """The open connections of one server. Lives on the event loop."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self.most = limits.connections
        self._proxies = [ipaddress.ip_network(proxy) for proxy in limits.proxies]
        self._sites: dict[Closable, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: OrderedDict[Closable, None] = OrderedDict()
        self.counted: Counter[str] = Counter()
        """Counts of connections that were `refused`, `displaced` by newer ones, or closed as `late`, `stalled` or
        `malformed`.
        """
        self._said_at_s = float("-inf")

    def __len__(self) -> int:
        return len(self._sites)

    def admit(self, connection: Closable, address: str) -> bool:
        """Count a new connection, and close an older one if there are too many; False if the new one must be
        refused.
        """
        site = site_of(address)
        self._sites[connection] = site
        self._counts[site] += 1
        if self._counts[site] > self._limits.per_address and not self._is_proxy(address):
            fits = self._displace(site)
        else:
            fits = len(self._sites) <= self.most or self._displace(None)
        if not fits:
            self.forget(connection)
            self.count("refused")
            return False
        self._waiting[connection] = None
        return True

    def waits(self, connection: Closable) -> None:
        """Note that a connection waits for a request, from now on."""
        if connection in self._sites and connection not in self._waiting:
            self._waiting[connection] = None

    def works(self, connection: Closable) -> None:
        """Note that a connection has sent a whole request."""
        self._waiting.pop(connection, None)

    def forget(self, connection: Closable) -> None:
        """Forget a connection that is closed."""
        self._waiting.pop(connection, None)
        site = self._sites.pop(connection, None)
        if site is not None:
            self._counts[site] -= 1
            if not self._counts[site]:
                del self._counts[site]

    def count(self, what: str) -> None:
        """Count a connection that Fleet closed; it is logged at most once a minute."""
        self.counted[what] += 1
        if clock.monotonic_s() - self._said_at_s >= _SAY_AGAIN_S:
            self._said_at_s = clock.monotonic_s()
            log.warning("connections_closed", open=len(self), most=self.most, **self.counted)

    def _displace(self, site: str | None) -> bool:
        """Close the connection that has waited longest, of one site or of all; False if none waits."""
        oldest = next((one for one in self._waiting if site is None or self._sites[one] == site), None)
        if oldest is None:
            return False
        self.forget(oldest)
        self.count("displaced")
        oldest.close_now()
        return True

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)


def site_of(address: str) -> str:
    """Return the key of the limit per address: an IPv4 address, or the /64 network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _SITE_BITS), strict=False))
