"""Celery: send many messages of one kind for the price of one; and the parts that other files override or set.

Incident: a dispatcher spent four fifths of its time in `send_task`, which builds every message anew (docs/adr/007).
Here Celery renders the first of a kind, and the others are copies with their own ids; no field is invented. A message
that is not plainly one LPUSH of JSON (another broker or serializer, compression, events, a hook on publishing) gives
no template. Private parts: `Channel.basic_publish(_publish_batch=)`, `CONSUMER_METHODS`, `worker.request.datetime`.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import Celery, signals
from kombu import Producer
from kombu.transport.redis import Channel

CONSUMER_METHODS = (
    "create_task_handler", "register_with_event_loop", "on_send_event_buffered", "on_decode_error", "shutdown",
)  # fmt: skip
"""Undocumented methods of `celery.worker.consumer.Consumer` that `workers.consumer` overrides."""

Args = tuple[str | int, ...]

RANDOM_BYTES = 32
"""How many random bytes the ids of one message take."""
_TASK_ID, _ROOT, _PARENT, _ARG = "@task-id@", "@root@", "@parent@", "@arg@"
_ARGS_JSON, _ARGS_REPR = json.dumps([_ARG]), json.dumps(repr((_ARG,)))[1:-1]


@dataclass(frozen=True, slots=True)
class TaskParent:
    """The running task and the root of its chain, which Celery writes into each message; None outside of a task."""

    root_id: str | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """One kind of message with holes where the ids go."""

    key: str
    envelope: str
    body: str

    def push(self, channel: Channel, messages: Sequence[tuple[Args, TaskParent]]) -> None:
        """Send a message for each tuple of ids and its parent, all in one command. Raises RedisError."""
        drawn = os.urandom(RANDOM_BYTES * len(messages))  # built first: each Redis call lets another thread run
        envelopes = [
            self.fill(args, parent, drawn[number * RANDOM_BYTES : (number + 1) * RANDOM_BYTES])
            for number, (args, parent) in enumerate(messages)
        ]
        # Not `channel.client`, which costs less: it belongs to the worker's loop, and an idle connection of its pool
        # once answered a health check with another reply.
        with channel.conn_or_acquire() as client:
            client.lpush(self.key, *envelopes)

    def fill(self, args: Args, parent: TaskParent, drawn: bytes) -> str:
        """Return the JSON of one message, with its own ids from `RANDOM_BYTES` random bytes.

        The ids in `args` are short, and nothing in them needs escaping.
        """
        task_id = _random_id(drawn[:16])
        written = ", ".join([f'"{one}"' if isinstance(one, str) else str(one) for one in args])
        return self.envelope % {
            "task_id": task_id,
            "delivery_tag": _random_id(drawn[16:]),
            "root": f'"{parent.root_id or task_id}"',
            "parent": "null" if parent.task_id is None else f'"{parent.task_id}"',
            "args_repr": repr(args),
            "body": b64encode((self.body % f"[{written}]").encode()).decode(),
        }


def _random_id(drawn: bytes) -> str:
    """Return a random UUID as text, from 16 random bytes."""
    digits = drawn.hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def parent_of(app: Celery) -> TaskParent:
    """Return the parent of a message that is sent now."""
    task = app.current_worker_task
    return TaskParent() if task is None else TaskParent(task.request.root_id or task.request.id, task.request.id)


def is_supported(producer: Producer) -> bool:
    """Return whether a template may be used: on Redis, and with no signal handler that needs each message."""
    hooks = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    return isinstance(producer.channel, Channel) and not any(hook.receivers for hook in hooks)


def template_for(app: Celery, producer: Producer, task: str, queue: str) -> MessageTemplate | None:
    """Return a template for messages of a task to a queue; None when they must be sent one by one."""
    channel: Any = producer.channel
    tap: Any = _Tap(channel)
    app.send_task(
        task, args=(_ARG,), queue=queue, task_id=_TASK_ID, root_id=_ROOT, parent_id=_PARENT, add_to_parent=False,
        producer=Producer(tap),
    )  # fmt: skip
    match tap.commands:
        case [("lpush", key, str(text))]:
            return _template(key, text)
    return None


def _template(key: str, text: str) -> MessageTemplate | None:
    """Cut the template at its marks. Each must be where Celery 5.7 puts it; None for an unknown message."""
    message = json.loads(text)
    encoded, properties = message["body"], message["properties"]
    if properties.get("body_encoding") != "base64" or message["content-type"] != "application/json":
        return None
    body = b64decode(encoded).decode(errors="replace")
    once = (_ARGS_REPR, f'"{_ROOT}"', f'"{_PARENT}"')
    if body.count(_ARGS_JSON) != 1 or _TASK_ID in body or any(text.count(mark) != 1 for mark in once):
        return None
    holes = {
        _TASK_ID: "task_id", f'"{_ROOT}"': "root", f'"{_PARENT}"': "parent", properties["delivery_tag"]: "delivery_tag",
        _ARGS_REPR: "args_repr", encoded: "body",
    }  # fmt: skip
    envelope = text.replace("%", "%%")
    for mark, name in holes.items():
        envelope = envelope.replace(mark, f"%({name})s")
    return MessageTemplate(key, envelope, body.replace("%", "%%").replace(_ARGS_JSON, "%s"))


class _Tap:
    """A channel that captures the Redis push instead of sending it. Stands in for kombu's batch of commands."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.commands: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def basic_publish(self, message: Any, **where: Any) -> None:
        self._channel.basic_publish(message, _publish_batch=self, **where)

    def add(self, *command: Any) -> None:
        self.commands.append(command)


def set_request_clock(clock: type[datetime]) -> None:
    """Replace the `datetime` by which a worker finds a message expired. Celery reads it without a parameter."""
    from celery.worker import request

    if not hasattr(request, "datetime"):
        raise RuntimeError("celery.worker.request no longer reads the time through `datetime`")
    vars(request)["datetime"] = clock
