"""Refuse connections to closed addresses while a notice goes to an address that a user chose.

apprise and the libraries below it resolve names themselves. The resolver of this process asks the rule of the current
context, so that exactly the addresses that were checked are called: DNS rebinding and redirects have no effect.
"""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

Admit = Callable[[str, int, Sequence[str]], None]
"""`admit(host, port, addresses)` raises a FleetError when one of the addresses must not be called."""

_rule: ContextVar[Admit | None] = ContextVar("fleet_notify_admit", default=None)


@contextlib.contextmanager
def admitting(admit: Admit) -> Iterator[None]:
    """Check every name that this context resolves, in threads to which the context is copied, too."""
    _install()
    token = _rule.set(admit)
    try:
        yield
    finally:
        _rule.reset(token)


@functools.cache
def _install() -> None:
    """Wrap the resolver of this process, once; without a rule in the context it does what it did."""
    resolve = socket.getaddrinfo

    @functools.wraps(resolve)
    def checked(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        found = resolve(host, port, *args, **more)
        admit = _rule.get()
        if admit is not None:
            name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
            admit(name.lower().rstrip("."), int(found[0][4][1]), [str(entry[4][0]) for entry in found])
        return found

    socket.getaddrinfo = checked
