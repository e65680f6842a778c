"""Ctrl-C, SIGTERM and a closed terminal, as `fleet up` wants them: the first asks, the second insists.

Children are started in the main thread between two looks at them, so while the fleet runs a signal only sets a flag;
while it starts or stops, a signal interrupts whatever is being waited for.
"""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def restore_ctrl_c() -> None:
    """Let SIGINT end this process, also where it was started with SIGINT ignored: a shell does that to what it runs in
    the background, and `kill -INT` would do nothing."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Interrupts:
    """Takes the signals over while it is entered. `asked` tells that somebody wants an end."""

    def __init__(self) -> None:
        self.asked = False
        self._may_interrupt = True
        self._before: dict[signal.Signals, Any] = {}

    def only_ask(self) -> None:
        """From now on a signal sets `asked` and nothing else."""
        self._may_interrupt = False

    def interrupt(self) -> None:
        """From now on a signal raises KeyboardInterrupt."""
        self._may_interrupt = True

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self.asked = True
        if self._may_interrupt:
            raise KeyboardInterrupt
