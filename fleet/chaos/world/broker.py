"""The broker for the nemesis: wiped, emptied, and refilled with duplicated, delayed or reordered messages.

The only file of the harness that uses Redis commands. Waiting messages are lists, one a queue, newest at the left.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from fleet.core.queue import QUEUES

Messages = Mapping[str, list[bytes]]


class BrokerControl:
    """A client with short timeouts: callers know that the server may be down, and get False or nothing then."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), retries=0)
        )

    def answers(self) -> bool:
        """Tell whether the server serves."""
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def flush(self) -> bool:
        """Wipe it; False when it cannot be reached."""
        try:
            return bool(self._client.flushall())
        except redis.RedisError:
            return False

    def waiting(self) -> dict[str, list[Any]]:
        """Return the messages that wait now."""
        try:
            return {queue: self._client.lrange(queue, 0, -1) for queue in QUEUES}
        except redis.RedisError:
            return {}

    def take(self) -> dict[str, list[bytes]]:
        """Take the messages that wait now out of the broker."""
        taken: dict[str, list[bytes]] = {}
        try:
            for queue in QUEUES:
                with self._client.pipeline(transaction=True) as both:
                    both.lrange(queue, 0, -1)
                    both.delete(queue)
                    taken[queue] = list(both.execute()[0])
        except redis.RedisError:
            return taken
        return taken

    def put(self, messages: Messages, dice: random.Random) -> int:
        """Put messages behind those that wait, in a random order; return how many."""
        number = 0
        try:
            for queue, bodies in messages.items():
                if bodies:
                    self._client.lpush(queue, *dice.sample(bodies, len(bodies)))
                    number += len(bodies)
        except redis.RedisError:
            return number
        return number

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def version(self) -> str:
        """Return the server's version; empty if it gives none."""
        try:
            told = self._client.info("server")
        except redis.RedisError:
            return ""
        return str(told.get("valkey_version") or told.get("redis_version") or "")
