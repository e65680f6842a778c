"""How many deliveries each receiver gets at a time, and which are next. Pure.

A receiver that failed gets one delivery at a time, and none while it is paused. Failing receivers share half of all
running deliveries, so that they do not displace the others.
"""

from __future__ import annotations

import uuid
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.features.webhooks.outbound import answers


@dataclass(frozen=True, slots=True)
class Lane:
    """A receiver: its failures in a row, and how many of its deliveries are published or running."""

    key: str
    failures: int
    last_failure_at: datetime | None
    out: int


def rooms(lanes: Sequence[Lane], now: datetime, *, most: int) -> Mapping[str, int]:
    """Return how many more deliveries each receiver may get now; receivers without room are left out.

    `most` is how many deliveries may be under way in all; half of them, rounded up, may go to one receiver.
    """
    half = (most + 1) // 2
    found = {}
    for lane in lanes:
        rest = answers.rests_until(lane.failures, lane.last_failure_at)
        limit = half if lane.failures == 0 else 1 if rest is None or now >= rest else 0
        if limit > lane.out:
            found[lane.key] = limit - lane.out
    return found


def choose(
    waiting: Sequence[tuple[str, uuid.UUID]], lanes: Sequence[Lane], room: Mapping[str, int], *, most: int
) -> list[uuid.UUID]:
    """Return the next deliveries, at most `most`: one of each receiver in turn, healthy ones first.

    `waiting` are the due deliveries by receiver, each receiver's in order. Of the failing receivers the one that was
    tried longest ago comes first.
    """
    queues: dict[str, deque[uuid.UUID]] = defaultdict(deque)
    for key, job_id in waiting:
        if len(queues[key]) < room.get(key, 0):
            queues[key].append(job_id)
    in_trouble = sorted((lane for lane in lanes if lane.failures), key=_last_tried)
    total = max(0, most) + sum(lane.out for lane in lanes)
    probes_left = max(0, max(1, total // 2) - sum(lane.out for lane in in_trouble))
    probes = [queues[lane.key][0] for lane in in_trouble if queues.get(lane.key)][:probes_left]
    healthy = [queues[lane.key] for lane in lanes if not lane.failures and queues.get(lane.key)]
    # Some room stays for probes: otherwise a receiver that is up again would wait while others are busy.
    chosen = _in_turn(healthy, max(0, most) - min(len(probes), 1))
    return [*chosen, *probes[: max(0, most) - len(chosen)]]


def _last_tried(lane: Lane) -> float:
    return lane.last_failure_at.timestamp() if lane.last_failure_at else 0.0


def _in_turn(queues: Sequence[deque[uuid.UUID]], most: int) -> list[uuid.UUID]:
    found: list[uuid.UUID] = []
    while len(found) < most and any(queues):
        for queue in queues:
            if queue and len(found) < most:
                found.append(queue.popleft())
    return found


def room_to_wait(failures: int, waiting: int, *, most: int) -> int:
    """Return how many more deliveries of a subscription may be added: a tenth of `most` in all while it fails.

    Further events wait until there is room: the position of the subscription stays behind.
    """
    limit = most if failures < answers.PATIENCE else max(1, most // 10)
    return max(0, limit - waiting)
