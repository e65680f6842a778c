"""Liveness by progress: a worker that is connected and does not consume ends itself, so that another one takes over.

Added in `workers.app` as two bootsteps. `inspect ping` does not help: such a worker answers it. The check has a thread
of its own, since the main thread may hang. It never ends a worker whose slots are all busy, that has no messages to
take, or whose broker is down.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery import bootsteps
from celery.worker import state

from fleet import app as features
from fleet.core import clock, logs, queue

EXIT_CODE = os.EX_TEMPFAIL
"""75 (EX_TEMPFAIL): a restart may help."""

_LOOK_EVERY_S = 5.0
_LAST_WORDS_S = 10.0
_RECONNECT_S = 60.0
"""Extra time for a reconnect: Celery waits up to 30 s between two attempts, and each has its own timeouts."""

log = logs.get(__name__)


@dataclass(slots=True)
class Progress:
    """Counters of the consumer. Written by the main thread, read by the liveness check."""

    taken: int = 0
    turns: int = 0
    connected: bool = False
    taken_at_s: float = field(default_factory=clock.monotonic_s)

    def took_message(self) -> None:
        """Count a message that the broker delivered."""
        self.taken += 1
        self.taken_at_s = clock.monotonic_s()

    def turned(self) -> None:
        """Count a second in which the consumer's loop ran."""
        self.turns += 1


PROGRESS = Progress()


@dataclass(frozen=True, slots=True)
class Look:
    """The state of the worker at one moment.

    `depths` is None while the broker is down, and empty if the look did not ask it; `connected` means the consumer to
    it; `busy` slots run a task.
    """

    at_s: float
    depths: Mapping[str, int] | None
    busy: int
    slots: int
    taken: int
    turns: int
    connected: bool = True

    @property
    def could_take(self) -> bool:
        """Whether a message waits while a slot is free and the consumer is connected."""
        return self.connected and self.busy < self.slots and sum((self.depths or {}).values()) > 0


class Judge:
    """Decides after each look whether the worker has made no progress for too long. Its only state is earlier looks."""

    def __init__(self, *, after_s: float, every_s: float) -> None:
        self._after_s = after_s
        # A longer gap means that the whole process was suspended: count at most this much of it.
        self._longest_step_s = 2 * every_s
        self._last: Look | None = None
        self._idle_s = 0.0
        self._silent_s = 0.0

    def verdict(self, look: Look) -> str | None:
        """Return why the worker should end, or None while it may live."""
        last, self._last = self._last, look
        if last is None:
            return None
        step_s = min(look.at_s - last.at_s, self._longest_step_s)
        self._idle_s = self._idle_s + step_s if look.could_take and look.taken == last.taken else 0.0
        # The time of a reconnect does not count against the loop that runs after it.
        same = (look.turns, look.connected) == (last.turns, last.connected)
        stands = look.depths is not None and same
        self._silent_s = self._silent_s + step_s if stands else 0.0
        if self._idle_s >= self._after_s:
            return "messages wait, slots are free, and none was taken"
        if self._silent_s >= self._after_s + (0.0 if look.connected else _RECONNECT_S):
            return "the consumer's loop stands still"
        return None


class LoopCounter(bootsteps.StartStopStep):
    """Counts the seconds in which the consumer's loop ran. Starts again after each reconnect."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        """Start to count; the consumer now listens to its queues."""
        PROGRESS.connected = True
        self._entry = consumer.timer.call_repeatedly(1.0, PROGRESS.turned)

    def stop(self, consumer: Any) -> None:
        """Stop counting; the loop ends or reconnects."""
        PROGRESS.connected = False
        if self._entry is not None:
            consumer.timer.cancel(self._entry)
            self._entry = None

    shutdown = stop


class LivenessCheck(bootsteps.StartStopStep):
    """Checks the worker every few seconds in a thread of its own, and ends it when it makes no progress."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        config = features.settings()
        self.enabled = config.liveness_s > 0
        self._after_s, self._lease_s = config.liveness_s, config.lease_s
        self._every_s = min(_LOOK_EVERY_S, config.liveness_s / 10)
        self._closing = threading.Event()

    def start(self, worker: Any) -> None:
        """Start the check. It uses the queues at the start: one cancelled later still counts as this worker's."""
        served = frozenset(worker.app.amqp.queues.consume_from)
        threading.Thread(target=self._watch, args=(worker, served), name="liveness", daemon=True).start()

    def close(self, _worker: Any) -> None:
        """Stop the check: a worker that shuts down takes no messages."""
        self._closing.set()

    def stop(self, _worker: Any) -> None:
        """Stop the check."""
        self._closing.set()

    def _watch(self, worker: Any, served: frozenset[str]) -> None:
        judge = Judge(after_s=self._after_s, every_s=self._every_s)
        look: Look | None = None
        while not self._closing.wait(self._every_s):
            look = _look(worker, served, look)
            why = judge.verdict(look)
            if why is not None:
                self._leave(why, look)

    def _leave(self, why: str, look: Look) -> None:
        """Shut down warmly, so that running tasks end within their lease. If the main thread hangs, exit at once."""
        log.error(
            "worker_makes_no_progress", why=why, after_s=self._after_s, depths=look.depths, busy=look.busy,
            slots=look.slots, taken=look.taken, last_message_age_s=round(look.at_s - PROGRESS.taken_at_s, 1),
        )  # fmt: skip
        state.should_stop = EXIT_CODE  # type: ignore[assignment]
        deadline_s = clock.monotonic_s() + self._lease_s
        while state.active_requests and clock.monotonic_s() < deadline_s:
            time.sleep(0.1)
        time.sleep(_LAST_WORDS_S)
        log.error("worker_ended_at_once", busy=len(state.active_requests))
        os._exit(EXIT_CODE)


def _look(worker: Any, served: frozenset[str], last: Look | None) -> Look:
    taken, turns, connected = PROGRESS.taken, PROGRESS.turns, PROGRESS.connected
    moves = last is not None and taken != last.taken and turns != last.turns
    depths = {} if moves else _depths(worker, served)  # the verdict on a worker that moves does not depend on them
    # Running tasks, not reserved messages: a leak in the count of reserved ones is one way to stop consuming.
    busy, slots = len(state.active_requests), worker.pool.num_processes
    return Look(clock.monotonic_s(), depths, busy, slots, taken, turns, connected)


def _depths(worker: Any, served: frozenset[str]) -> dict[str, int] | None:
    try:
        return {name: size for name, size in queue.Publisher(worker.app).depths().items() if name in served}
    except Exception as error:  # noqa: BLE001 - any error of the broker's library means that the depths are unknown
        log.debug("liveness_without_broker", error=str(error))
        return None
