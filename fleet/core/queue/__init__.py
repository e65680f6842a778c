"""The doorbell: Celery messages that carry ids and nothing else.

Postgres holds the truth, so a message that is lost costs a delay (the sweep rings again) and a message that comes
twice finds nothing to claim. `workers` builds its app from here; `fleet.engine` publishes through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import RedisError, ResponseError

from fleet.core import logs
from fleet.core.errors import InvalidInput, Unavailable
from fleet.core.group_commit import GroupCommit
from fleet.core.workarounds import celery as celery_message
from fleet.core.workarounds import kombu
from fleet.core.workarounds.celery import Args, MessageTemplate, TaskParent

QUEUES = ("critical", "high", "normal", "ticks", "low")
"""In the order in which a free worker takes messages.

Jobs come before ticks: when workers cannot keep up, agents wake later instead of piling up decisions that wait for
workers.
"""

_BATCH = 500


class Message(NamedTuple):
    """One ring of the bell: which task, with which ids, on which queue."""

    task: str
    args: tuple[str | int, ...]
    queue: str


def make_app(broker_url: str) -> Celery:
    """Build the Celery app with the settings that the engine relies on (docs/adr/001)."""
    if not broker_url:
        raise InvalidInput("No broker is set.", fix="Set FLEET_BROKER_URL, or start the embedded one with `fleet up`.")
    try:
        _ = [urlsplit(one).port for one in broker_url.split(";")]  # sentinels are named side by side
    except ValueError:  # whose message may quote a part of a password
        fix = "Write it as redis://:password@host:6379/0; a password's / is %2F there."
        raise InvalidInput("FLEET_BROKER_URL is no address of a broker.", fix=fix) from None
    app = Celery("fleet", broker=broker_url, set_as_current=False)
    app.conf.update(
        # Redis deletes a message when it delivers it: the ledger decides what is done, and the sweep publishes again.
        # Acknowledging to Redis as well costs more than all other work for a message (docs/adr/008).
        task_queues=[Queue(name, Exchange(""), routing_key=name, no_ack=_is_redis(broker_url)) for name in QUEUES],
        task_default_queue="normal",
        task_create_missing_queues=False,
        # Other brokers redeliver what is not acknowledged; there a message is acknowledged after its task has ended.
        task_acks_late=True,
        task_retry_on_worker_lost=True,
        task_default_retry_delay=1,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # The backlog stays in the broker, where it is visible, instead of in one worker's memory.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_eta_task_limit=100,
        # A new child of a prefork pool has Postgres plan all statements anew.
        worker_max_tasks_per_child=10_000,
        # Flower and `inspect` rely on these. No event says that a message was sent: that would double the messages, and
        # the broker knows how many wait, the ledger why.
        worker_send_task_events=True,
        task_send_sent_event=False,
        task_track_started=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        accept_content=["json"],
        enable_utc=True,
        timezone="UTC",
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=_transport_options(broker_url),
        task_publish_retry_policy={
            "max_retries": 2,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
        },
    )
    return app


def _is_redis(broker_url: str) -> bool:
    return broker_url.startswith(("redis", "valkey"))


def _transport_options(broker_url: str) -> dict[str, Any]:
    if not _is_redis(broker_url):
        return {}
    return {
        "queue_order_strategy": "priority",
        "socket_timeout": 15,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 20,
        # A broker that is away is given up after half a second; by default kombu waits for 2 s, then 4 s. The sweep
        # publishes again.
        "max_retries": 2,
        "interval_start": 0.1,
        "interval_step": 0.3,
    }


class Publisher:
    """Sends messages in batches. One a process."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._templates: dict[tuple[str, str], MessageTemplate | None] = {}
        # A broker that does not answer costs each turn its timeouts: waiting callers share the next turn.
        self._group = GroupCommit(most=_BATCH)

    def publish(self, messages: Sequence[Message]) -> None:
        """Send messages, together with those of other threads (`fleet.core.group_commit`).

        Raises Unavailable when the broker is away; rows stay marked as unsent, so nothing is lost.
        """
        if messages:
            self._group.run(self._publish_all, (messages, celery_message.parent_of(self._app)))

    def _publish_all(self, items: list[tuple[Sequence[Message], TaskParent]], _: int) -> Sequence[None]:
        kinds: dict[tuple[str, str], list[tuple[Args, TaskParent]]] = {}
        for messages, parent in items:
            for message in messages:
                kinds.setdefault((message.task, message.queue), []).append((message.args, parent))
        with _reached(), self._app.producer_or_acquire() as producer:
            for kind, alike in kinds.items():
                template = self._template(producer, *kind)
                if template is None:
                    self._send_each(producer, *kind, alike)
                    continue
                for start in range(0, len(alike), _BATCH):
                    template.push(producer.channel, alike[start : start + _BATCH])
        return [None] * len(items)

    def _template(self, producer: Any, task: str, queue: str) -> MessageTemplate | None:
        """Return the template of a kind of message, made at its first use; None if each message must be sent by
        itself.
        """
        if not celery_message.is_supported(producer):
            return None
        if (task, queue) not in self._templates:
            self._templates[task, queue] = celery_message.template_for(self._app, producer, task, queue)
        return self._templates[task, queue]

    def _send_each(self, producer: Any, task: str, queue: str, alike: Sequence[tuple[Args, TaskParent]]) -> None:
        with producer.batch(max_size=_BATCH):
            for args, parent in alike:
                self._app.send_task(
                    task, args=args, queue=queue, producer=producer, root_id=parent.root_id, parent_id=parent.task_id
                )  # fmt: skip

    def depths(self) -> dict[str, int]:
        """Return how many messages wait in each queue. Raises Unavailable."""
        if _is_redis(self._app.conf.broker_url):  # a new connection costs more than the rest of a sweep
            with _reached(), self._app.producer_or_acquire() as producer:
                return self._depths(producer.channel)
        with _reached(), self._app.connection_for_read(connect_timeout=3) as connection:
            return self._depths(connection.default_channel)

    def _depths(self, channel: Any) -> dict[str, int]:
        return {name: kombu.queue_size(channel, name) for name in QUEUES}

    def version(self) -> str | None:
        """Return the name and version of the broker, such as `Valkey 8.1.4`; None if it gives none. Raises
        Unavailable.
        """
        with _reached(), self._app.connection_for_read(connect_timeout=3) as connection:
            channel: Any = connection.default_channel
            try:
                told = channel.client.info("server")
            except (AttributeError, ResponseError):
                return None
        name = str(told.get("server_name", "redis"))
        number = told.get(f"{name}_version") or told.get("redis_version")
        return f"{name.capitalize()} {number}" if number else None


@contextmanager
def _reached() -> Iterator[None]:
    """Turn any library's error about a broker that is down into Unavailable."""
    try:
        yield
    except (KombuError, OperationalError, RedisError, OSError) as error:
        raise Unavailable(
            f"The broker cannot be reached ({logs.mask(str(error))}).",
            fix="Is it up? `fleet check` shows it.",
            plain="The broker cannot be reached.",
        ) from error


@dataclass(frozen=True, slots=True)
class BrokerInfo:
    """What the broker reports about itself.

    None where it reports nothing (another kind of server, or one that forbids it).
    """

    driver: str
    eviction: str | None = None
    append_only: bool | None = None


def describe(app: Celery) -> BrokerInfo:
    """Ask the broker for its version and whether it may lose messages. Raises Unavailable."""
    with _reached(), app.connection_for_read(connect_timeout=3) as connection:
        channel: Any = connection.default_channel
        driver = str(connection.transport.driver_type)
        try:
            told = {name: channel.client.config_get(name).get(name) for name in ("maxmemory-policy", "appendonly")}
        except (AttributeError, ResponseError):
            return BrokerInfo(driver)
    return BrokerInfo(driver, told["maxmemory-policy"], told["appendonly"] == "yes" if told["appendonly"] else None)


def workers(app: Celery, *, timeout_s: float, names: Sequence[str] = ()) -> list[str]:
    """Return the workers that answer: all, or the named ones; a worker that is busy in every thread answers too.

    A beat answers to its name (`celerybeat@host`) and is no worker.

    Waits the whole time for further answers unless every one of `names` has answered. Raises Unavailable.
    """
    with _reached():
        answers = app.control.ping(timeout=timeout_s, limit=len(names) or None, destination=list(names) or None) or []
    found = sorted(name for answer in answers for name in answer)
    return [name for name in found if names or not name.startswith("celerybeat@")]
