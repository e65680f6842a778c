"""Faults that the nemesis causes, one function an act, by target. Each returns what it really hit.

Called by `nemesis` with the drawn parameters. An act undoes its settings before it returns or raises; the world
restarts what dies.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.chaos.acts import database, gallery, messages, network, operations, workers
from fleet.chaos.acts.struck import Struck
from fleet.chaos.plan import Planned
from fleet.chaos.world import World

ACTS: dict[str, Callable[[World, Planned], Struck]] = {
    "worker.kill": workers.kill,
    "worker.kill-at-point": workers.kill_at_point,
    "worker.stop-at-point": workers.stop_at_point,
    "worker.kill-child": workers.kill_child,
    "worker.deploy": operations.deploy,
    "beat.kill": workers.kill_beat,
    "beat.stop": workers.stop_beat,
    "broker.flush": messages.flush,
    "broker.kill": messages.kill,
    "broker.pause": messages.pause,
    "broker.duplicate": messages.duplicate,
    "broker.reorder": messages.reorder,
    "broker.delay": messages.delay,
    "database.kill": database.kill,
    "database.kill-backend": database.kill_backend,
    "database.terminate": database.terminate,
    "database.cut-commit": database.cut_commit,
    "database.disk-full": database.disk_full,
    "gallery.errors": gallery.errors,
    "gallery.throttle": gallery.throttle,
    "gallery.budget": gallery.budget,
    "gallery.paused": gallery.paused,
    "gallery.slow": gallery.slow,
    "gallery.lost-reply": gallery.lost_reply,
    "gallery.twice": gallery.twice,
    "gallery.like-twice": gallery.like_twice,
    "gallery.kill": gallery.kill,
    "gallery.disk-full": gallery.disk_full,
    "network.errors": network.errors,
    "network.throttle": network.throttle,
    "network.slow": network.slow,
    "network.lost-reply": network.lost_reply,
    "network.twice": network.twice,
    "network.cut": network.cut,
    "network.token": network.expire_tokens,
    "network.lies": network.lie,
    "network.media": network.lose_media,
    "network.kill": network.kill,
    "network.pause": network.pause,
    "network.takedown": network.take_down,
    "web.kill": operations.kill_web,
    "fleet.kill-switch": operations.kill_switch,
    "fleet.migrate": operations.migrate,
}

__all__ = ["ACTS", "Struck"]
