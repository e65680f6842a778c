"""A helper process: a fork that calls functions for us, so that the modules they import do not stay in our memory.

Used by `fleet up`, which stays small for as long as the fleet lives. The helper ends with `close`, or with us.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from io import BufferedRWPair
from typing import Any

from fleet.core.errors import FleetError

Call = Callable[..., Any]
"""`call("package.module:function", *args, **kwargs)` returns what the function returns, and raises what it raises."""


def call_here(ref: str, /, *args: object, **kwargs: object) -> Any:
    """Call a function in this process."""
    module, _, name = ref.partition(":")
    return getattr(importlib.import_module(module), name)(*args, **kwargs)


class Helper:
    """Forks at the first call, and again after `close`. For processes with one thread."""

    def __init__(self) -> None:
        self._pid = 0
        self._channel: BufferedRWPair | None = None

    def call(self, ref: str, /, *args: object, **kwargs: object) -> Any:
        """Call a function in the helper. Raises the FleetError that it raises, RuntimeError for any other error."""
        channel = self._channel or self._fork()
        pickle.dump((ref, args, kwargs), channel)
        channel.flush()
        try:
            answer, error = pickle.load(channel)  # noqa: S301 - our own child wrote it
        except EOFError:
            self.close()
            raise FleetError(f"The process that was to call {ref} has ended.") from None
        if error is not None:
            raise error
        return answer

    def close(self) -> None:
        """End the helper, in the middle of a call too; harmless when there is none."""
        if self._channel is None:
            return
        channel, self._channel = self._channel, None
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        with suppress(OSError):  # for data that was not sent yet
            channel.close()

    def _fork(self) -> BufferedRWPair:
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _serve(theirs)
        theirs.close()
        with ours:
            channel = self._channel = ours.makefile("rwb")
        return channel


def _serve(connection: socket.socket) -> None:
    """Answer calls until the other side is gone; never returns."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # signals of the terminal are for our parent, which ends us
    code = 1
    try:
        with connection.makefile("rwb") as channel:
            while True:
                ref, args, kwargs = pickle.load(channel)  # noqa: S301 - our own parent wrote it
                channel.write(_answer(ref, args, kwargs))
                channel.flush()
    except (EOFError, OSError):
        code = 0
    finally:
        os._exit(code)


def _answer(ref: str, args: tuple[object, ...], kwargs: dict[str, object]) -> bytes:
    try:
        return pickle.dumps((call_here(ref, *args, **kwargs), None))
    except FleetError as error:
        return pickle.dumps((None, error))
    except Exception:  # noqa: BLE001 - its class may be one that the other process must not import
        return pickle.dumps((None, RuntimeError(f"{ref} failed:\n{traceback.format_exc()}")))
