"""Choose ports on loopback: the one that the user set, the one of the last run, or any free one.

Called by the embedded servers and at the start of the gallery and Flower. Another program may take a
free port a moment later, so callers retry unless the user set the port.
"""

from __future__ import annotations

import errno
import socket

from fleet.core.errors import InvalidInput

LOOPBACK = "127.0.0.1"


def choose(*, purpose: str, setting: str, named: int | None = None, preferred: int | None = None) -> int:
    """Return a port that is free now.

    `purpose` and `setting` are for the message: the user of the port and the setting for it. Raises
    InvalidInput when a named port is taken or not allowed; a preferred port is replaced silently.
    """
    if named is not None:
        _must_be_free(named, purpose, setting)
        return named
    if preferred is not None and _obstacle(preferred) is None:
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def taken(port: int, purpose: str, setting: str) -> InvalidInput:
    """Return the error for a named port on which another program listens."""
    return InvalidInput(
        f"Port {port}, named for {purpose}, is taken by another program.",
        fix=f"Set {setting} to another port, or leave it out and Fleet picks a free one.",
    )


def _must_be_free(port: int, purpose: str, setting: str) -> None:
    if not 1 <= port <= 65_535:
        raise InvalidInput(f"{port}, named for {purpose}, is not a port.", fix=f"Set {setting} to 1 to 65535.")
    obstacle = _obstacle(port)
    if obstacle == errno.EADDRINUSE:
        raise taken(port, purpose, setting)
    if obstacle is not None:
        raise InvalidInput(
            f"Port {port}, named for {purpose}, may not be used by this user.", fix=f"Set {setting} above 1023."
        )


def _obstacle(port: int) -> int | None:
    """Return the errno of an attempt to listen on a port, None if it succeeds."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Closed connections of an earlier server stay in TIME_WAIT. Servers set this option too, so it must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno
    return None
