"""Many messages of one kind for the price of one: Celery renders the first, the others are copies with their own ids.

Called by `fleet.core.queue` on a Redis broker. The mould is cast once from what Celery and kombu themselves would
push, so headers and key prefix are theirs; whatever is not plainly one LPUSH of JSON (another broker or serializer,
compression, events, somebody's hook on publishing) gives no mould, and the caller sends message by message. It must
never invent a field.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from celery import Celery, signals
from kombu import Producer
from kombu.transport.redis import Channel

Args = tuple[str | int, ...]

_TASK_ID, _ROOT, _PARENT, _ARG = "@task-id@", "@root@", "@parent@", "@arg@"
_ARGS_JSON, _ARGS_REPR = json.dumps([_ARG]), json.dumps(repr((_ARG,)))[1:-1]


@dataclass(frozen=True, slots=True)
class Family:
    """The running task and the first of its line, which Celery writes into what it sends; None outside of any."""

    root: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Mould:
    """One kind of message with holes where the ids go."""

    key: str
    envelope: str
    body: str

    def push(self, channel: Channel, messages: Iterable[tuple[Args, Family]]) -> None:
        """Send a message for each tuple of ids and what it comes from, all in one command. Raises RedisError."""
        # Not `channel.client`, which costs less: that one is made for the worker's loop, and a connection of its pool
        # that had been idle answered a health check with something else.
        with channel.conn_or_acquire() as client:
            client.lpush(self.key, *(self.fill(args, family) for args, family in messages))

    def fill(self, args: Args, family: Family) -> str:
        """Return the envelope of one message. Ids are short, and nothing in them needs escaping."""
        task_id = _random_id()
        written = ", ".join([f'"{one}"' if isinstance(one, str) else str(one) for one in args])
        return self.envelope % {
            "task_id": task_id,
            "delivery_tag": _random_id(),
            "root": f'"{family.root or task_id}"',
            "parent": "null" if family.parent is None else f'"{family.parent}"',
            "args_repr": repr(args),
            "body": b64encode((self.body % f"[{written}]").encode()).decode(),
        }


def _random_id() -> str:
    """Return what `str(uuid4())` returns, for a third of its price."""
    drawn = os.urandom(16).hex()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}"


def family_of(app: Celery) -> Family:
    """Return what a message that is sent now has to say of where it comes from."""
    task = app.current_worker_task
    return Family() if task is None else Family(task.request.root_id or task.request.id, task.request.id)


def suits(producer: Producer) -> bool:
    """Say whether messages may be moulded: on Redis, and nobody wants to see each one as it is published."""
    hooks = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
    return isinstance(producer.channel, Channel) and not any(hook.receivers for hook in hooks)


def cast(app: Celery, producer: Producer, task: str, queue: str) -> Mould | None:
    """Return a mould for messages of a task to a queue; None when they must be sent one by one."""
    channel: Any = producer.channel
    tap: Any = _Tap(channel)
    app.send_task(
        task, args=(_ARG,), queue=queue, task_id=_TASK_ID, root_id=_ROOT, parent_id=_PARENT, add_to_parent=False,
        producer=Producer(tap),
    )  # fmt: skip
    match tap.commands:
        case [("lpush", key, str(text))]:
            return _mould(key, text)
    return None


def _mould(key: str, text: str) -> Mould | None:
    """Cut the holes. Every mark must stand where Celery 5.7 puts it, or this is a message that we do not know."""
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
    return Mould(key, envelope, body.replace("%", "%%").replace(_ARGS_JSON, "%s"))


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
