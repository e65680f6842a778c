"""Attack one of our own servers with requests that never end, and measure what an honest visitor notices.

Run by hand: `python -m bench.half_sent http://127.0.0.1:8640/health --connections 600 --seconds 45`. Refuses every
address but loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

HALVES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1",
)
_DRIP_S = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Attack:
    """Connections that each hold half a request; every two seconds one more byte of a header is sent."""

    def __init__(self, host: str, port: int, *, drips: bool) -> None:
        self._address = (host, port)
        self._drips = drips
        self._open = selectors.DefaultSelector()
        self.refused = 0

    def begin(self, number: int) -> None:
        """Open that many connections."""
        for turn in range(number):
            try:
                peer = socket.create_connection(self._address, timeout=2)
                peer.sendall(HALVES[turn % len(HALVES)])
            except OSError:
                self.refused += 1
                continue
            peer.setblocking(False)
            self._open.register(peer, selectors.EVENT_READ)

    def still_open(self) -> int:
        """Return how many connections the server has not closed."""
        while ready := self._open.select(0):
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                with contextlib.suppress(OSError):
                    if key.fileobj.recv(4096):
                        continue
                self._open.unregister(key.fileobj)
                key.fileobj.close()
        return len(self._open.get_map())

    def drip(self) -> None:
        """Send one more byte on each connection."""
        for key in list(self._open.get_map().values()) if self._drips else ():
            assert isinstance(key.fileobj, socket.socket)
            with contextlib.suppress(OSError):
                key.fileobj.send(b"x")


def honest_ms(url: str) -> float | None:
    """Return how long a whole request takes; None where it is not answered within ten seconds."""
    parts = urlsplit(url)
    began_s = time.monotonic()
    asked = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as peer:
            peer.sendall(asked)
            if not peer.recv(4096).startswith(b"HTTP/1."):
                return None
    except OSError:
        return None
    return (time.monotonic() - began_s) * 1000


def main() -> int:
    """Attack, and print one line of JSON for each look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--connections", type=int, default=600)
    parser.add_argument("--seconds", type=int, default=45)
    parser.add_argument("--drips", action="store_true", help="send one more byte every two seconds")
    options = parser.parse_args()
    parts = urlsplit(options.url)
    if parts.hostname not in _LOOPBACK:
        parser.error("only loopback is attacked")
    attack = Attack(parts.hostname, parts.port or 80, drips=options.drips)
    print(json.dumps({"before": True, "honest_ms": honest_ms(options.url)}))
    began_s = time.monotonic()
    attack.begin(options.connections)
    while (at_s := time.monotonic() - began_s) < options.seconds:
        honest = honest_ms(options.url)
        look = {"at_s": round(at_s, 1), "open": attack.still_open(), "refused": attack.refused}
        print(json.dumps({**look, "honest_ms": None if honest is None else round(honest, 1)}), flush=True)
        attack.drip()
        time.sleep(_DRIP_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
