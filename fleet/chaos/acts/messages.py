"""Acts on the broker and its messages. The ledger holds the truth, so all of it may cost a delay and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable

import sqlalchemy as sa

from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.world import World
from fleet.core import clock, queue
from fleet.core.errors import Unavailable
from fleet.core.queue import Message

_TARGET = "Valkey"
_SOCKET_TIMEOUT_S = 15


def flush(world: World, planned: Planned) -> Struck:  # noqa: ARG001 - every act is called alike
    """Wipe the broker."""
    return Struck(_TARGET, hit=world.broker.flush())


def kill(world: World, planned: Planned) -> Struck:  # noqa: ARG001
    """SIGKILL the broker; it comes back empty."""
    pid = world.servers.kill_valkey(empty=True)
    return Struck(_TARGET, {"pid": pid}, hit=pid > 0)


def pause(world: World, planned: Planned) -> Struck:
    """Suspend the broker."""
    if not world.servers.valkey.is_running():
        return Struck(_TARGET, hit=False)
    pid = world.servers.pause_valkey()
    try:
        world.wait(planned.detail["for_s"])
    finally:
        world.servers.pause_valkey(resume=True)
    return Struck(_TARGET, {"pid": pid, "beyond_socket_timeout": planned.detail["for_s"] > _SOCKET_TIMEOUT_S})


def duplicate(world: World, planned: Planned) -> Struck:
    """Duplicate every waiting message, and publish recent ones again."""
    dice, seen = random.Random(planned.dice), set[bytes]()

    def copy() -> int:
        new = {name: [body for body in bodies if body not in seen] for name, bodies in world.broker.waiting().items()}
        seen.update(body for bodies in new.values() for body in bodies)
        return world.broker.put(new, dice)

    copied = _keep_on(world, planned.detail["for_s"], copy)
    again = _ring_again(world, planned, dice)
    return Struck(_TARGET, {"copied": copied, "rung_again": again}, hit=copied + again > 0)


def reorder(world: World, planned: Planned) -> Struck:
    """Reorder the waiting messages, and publish recent ones in any order."""
    dice, moved = random.Random(planned.dice), set[bytes]()

    def shuffle() -> int:
        taken = world.broker.take()
        moved.update(body for bodies in taken.values() for body in bodies)
        return world.broker.put(taken, dice)

    again = _ring_again(world, planned, dice)
    _keep_on(world, planned.detail["for_s"], shuffle)
    return Struck(_TARGET, {"moved": len(moved), "rung_again": again}, hit=len(moved) + again > 0)


def delay(world: World, planned: Planned) -> Struck:
    """Take messages out as they come, and put them back much later."""
    dice, held = random.Random(planned.dice), dict[str, list[bytes]]()

    def take() -> int:
        taken = world.broker.take()
        for name, bodies in taken.items():
            held.setdefault(name, []).extend(bodies)
        return sum(map(len, taken.values()))

    number = _keep_on(world, planned.detail["for_s"], take)
    world.wait(planned.detail["late_s"])
    back = world.broker.put(held, dice)
    return Struck(_TARGET, {"taken": number, "put_back": back}, hit=number > 0)


def _keep_on(world: World, for_s: float, do: Callable[[], int]) -> int:
    """Repeat something for a while; return the sum of its counts."""
    total, end_s = 0, clock.monotonic_s() + for_s
    while clock.monotonic_s() < end_s:
        total += do()
        world.wait(0.02)
    return total


def _ring_again(world: World, planned: Planned, dice: random.Random) -> int:
    """Send the messages of the newest jobs and ticks once more, finished ones too; return how many."""
    recent = {"n": planned.detail["recent"]}
    try:
        with world.deps.db.transaction() as tx:
            query = "SELECT id, kind, priority FROM jobs WHERE agent_id IS NOT NULL ORDER BY created_at DESC LIMIT :n"
            jobs = tx.execute(sa.text(query), recent).all()
            ticks = tx.execute(
                sa.text("SELECT agent_id, tick_no FROM ticks ORDER BY due_at DESC LIMIT :n"), recent
            ).all()
        messages = [Message(f"fleet.{job.kind}", (str(job.id),), job.priority) for job in jobs]
        messages += [Message("fleet.tick", (str(tick.agent_id), tick.tick_no), queue.QUEUES[3]) for tick in ticks]
        dice.shuffle(messages)
        world.deps.publisher.publish(messages)
    except Unavailable:
        return 0
    return len(messages)
