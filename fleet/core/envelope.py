"""Many messages of one kind for the price of one: Celery renders the first, the others are copies with their own ids.

Called by `fleet.core.queue` for batches on a Redis broker. The mould is cast anew for each batch from what Celery and
kombu themselves would push, so headers, key prefix and the parent task are theirs; whatever is not plainly one LPUSH
of JSON (another broker or serializer, compression, events, somebody's hook on publishing) gives no mould, and the
caller sends message by message. It must never invent a field.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from celery import Celery, signals
from kombu import Producer
from kombu.transport.redis import Channel

Args = tuple[str | int, ...]

_TASK_ID, _ARG = "@task-id@", "@arg@"
_ARGS_JSON, _ARGS_REPR = json.dumps([_ARG]), json.dumps(repr((_ARG,)))[1:-1]


@dataclass(frozen=True, slots=True)
class Mould:
    """One kind of message with holes where the ids go. Cast it and use it up within one batch."""

    channel: Channel
    key: str
    envelope: str
    body: str

    def push(self, many_args: Iterable[Args]) -> None:
        """Send a message for each tuple of ids, all in one command. Raises RedisError."""
        with self.channel.conn_or_acquire() as client:
            client.lpush(self.key, *map(self.fill, many_args))

    def fill(self, args: Args) -> str:
        """Return the envelope of one message. Arguments are ids: short, and nothing in them needs escaping."""
        return self.envelope % {
            "task_id": uuid4(),
            "delivery_tag": uuid4(),
            "args_repr": json.dumps(repr(args))[1:-1],
            "body": b64encode((self.body % json.dumps(args)).encode()).decode(),
        }


def cast(app: Celery, producer: Producer, task: str, queue: str) -> Mould | None:
    """Return a mould for messages of a task to a queue; None when they must be sent one by one."""
    channel = producer.channel
    if not isinstance(channel, Channel) or _somebody_listens():
        return None
    tap: Any = _Tap(channel)
    app.send_task(task, args=(_ARG,), queue=queue, task_id=_TASK_ID, add_to_parent=False, producer=Producer(tap))
    match tap.commands:
        case [("lpush", key, str(text))]:
            return _mould(channel, key, text)
    return None


def _mould(channel: Channel, key: str, text: str) -> Mould | None:
    """Cut the holes. Every mark must stand where Celery 5.7 puts it, or this is a message that we do not know."""
    message = json.loads(text)
    encoded, properties = message["body"], message["properties"]
    if properties.get("body_encoding") != "base64" or message["content-type"] != "application/json":
        return None
    body = b64decode(encoded).decode(errors="replace")
    if body.count(_ARGS_JSON) != 1 or _TASK_ID in body or text.count(_ARGS_REPR) != 1:
        return None
    holes = {_TASK_ID: "task_id", properties["delivery_tag"]: "delivery_tag", _ARGS_REPR: "args_repr", encoded: "body"}
    envelope = text.replace("%", "%%")
    for mark, name in holes.items():
        envelope = envelope.replace(mark, f"%({name})s")
    return Mould(channel, key, envelope, body.replace("%", "%%").replace(_ARGS_JSON, "%s"))


def _somebody_listens() -> bool:
    """Say whether publishing a task calls hooks, such as those of a tracer: each message must pass them then."""
    hooks = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    return any(hook.receivers for hook in hooks)


class _Tap:
    """The channel, except that what would be pushed to Redis is kept here. Stands in for kombu's batch of commands."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.commands: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def basic_publish(self, message: Any, **where: Any) -> None:
        self._channel.basic_publish(message, _publish_batch=self, **where)

    def add(self, *command: Any) -> None:
        self.commands.append(command)
