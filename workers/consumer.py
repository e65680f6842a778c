"""Celery's consumer, except that a message it cannot read neither ends the worker nor is lost.

Celery decodes a message's body late, in the pool, or fails on it in its main loop and ends the worker; the broker
would then hand the same message to the next one. Named by `worker_consumer` in `workers.app`. The undocumented methods
that it overrides are listed in `fleet.core.workarounds.celery.CONSUMER_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

from fleet.core.workarounds import kombu
from workers import liveness

_EVENTS_EVERY_S = 1.0
_EVENTS_AT_ONCE = 300

kombu.install()


class Consumer(CeleryConsumer):
    """Reads each message before it is worked on; `workers.app` keeps those that cannot be read."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return Celery's handler behind a look at the body (about a hundred bytes: they carry ids alone)."""
        handle = super().create_task_handler(*args, **kwargs)
        unacknowledged = all(queue.no_ack for queue in self.app.amqp.queues.values())

        def on_message(message: Any) -> None:
            liveness.PROGRESS.took_message()
            if unacknowledged:
                kombu.skip_acknowledgement(message)
            try:
                _check(message.decode())
                handle(message)
            except self.connection_errors:  # type: ignore[attr-defined]
                raise
            except Exception as error:  # noqa: BLE001 - Celery fails in many ways on headers of the wrong type
                self.on_decode_error(message, error)

        return on_message

    def register_with_event_loop(self, hub: Any) -> None:
        """Send what Flower shows once a second: by itself Celery sends it in every round of its loop."""
        super().register_with_event_loop(hub)
        self._dispatcher.buffer_limit = _EVENTS_AT_ONCE
        hub.call_repeatedly(_EVENTS_EVERY_S, self._send_events)

    def on_send_event_buffered(self) -> Any:
        """Wait for the next round of events."""

    def _send_events(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.flush()

    @property
    def _dispatcher(self) -> Any:
        return self.event_dispatcher  # type: ignore[attr-defined]

    def shutdown(self) -> None:
        """Send the last events, then end."""
        self._send_events()
        super().shutdown()

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Keep a message that cannot be read as a dead letter, then acknowledge it. Celery would only log it."""
        from workers.app import keep_unreadable

        liveness.PROGRESS.took_message()
        keep_unreadable(message, exc)
        message.ack()


def _check(body: Any) -> None:
    """Raise unless a body is what Celery sends, in either protocol: arguments, keywords and options."""
    if isinstance(body, dict):
        if not isinstance(body.get("args", []), list) or not isinstance(body.get("kwargs", {}), dict):
            raise TypeError("the body holds no arguments")
        return
    match body:
        case [list(), dict(), dict() | None]:
            return
    raise ValueError("the body is no task's")
