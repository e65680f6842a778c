"""Celery's consumer, changed so that an unreadable message neither ends the worker nor is lost.

Celery decodes a message's body late, in the pool, or fails on it in its main loop and ends the worker; the broker
would then deliver the same message to the next worker. The setting `worker_consumer` in `workers.app` names it. The
undocumented methods that it overrides are listed in `fleet.core.workarounds.celery.CONSUMER_METHODS`.
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
    """Checks each message before its task runs; `workers.app` keeps the unreadable ones."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Wrap Celery's handler in a check of the body (about 100 bytes: it has only ids)."""
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
        """Send the events for Flower once a second; by default Celery sends them in every round of its loop."""
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
        """Keep an unreadable message as a dead letter, then acknowledge it. Celery would only log it."""
        from workers.app import keep_unreadable

        liveness.PROGRESS.took_message()
        keep_unreadable(message, exc)
        message.ack()


def _check(body: Any) -> None:
    """Raise unless a body has the format of one of Celery's protocols: arguments, keywords and options."""
    if isinstance(body, dict):
        if not isinstance(body.get("args", []), list) or not isinstance(body.get("kwargs", {}), dict):
            raise TypeError("the body holds no arguments")
        return
    match body:
        case [list(), dict(), dict() | None]:
            return
    raise ValueError("the body is no task's")
