"""Refuse connections to closed addresses while a notice goes to an address that a user chose.

apprise and the libraries below it resolve names themselves: requests and smtplib, by `socket.getaddrinfo`, and connect
to what it returns. The resolver of this process asks the rule of the current context, so that what is called was
checked, whatever a name leads to next. Requests made meanwhile pass no proxy and follow no redirect.
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
    _check_resolved()
    _call_directly()
    token = _rule.set(admit)
    try:
        yield
    finally:
        _rule.reset(token)


@functools.cache
def _check_resolved() -> None:
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


@functools.cache
def _call_directly() -> None:
    """Wrap the requests of this process, once, as `_check_resolved` does: a proxy would resolve the names itself."""
    from requests import Session

    request = Session.request

    @functools.wraps(request)
    def direct(self: Session, *args: Any, **more: Any) -> Any:
        if _rule.get() is not None:
            self.trust_env = False  # no proxies of the environment, and no passwords of a .netrc
            more["allow_redirects"] = False
        return request(self, *args, **more)

    Session.request = direct  # type: ignore[method-assign]
