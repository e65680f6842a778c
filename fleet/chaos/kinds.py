"""The kinds of acts of the nemesis: parameters, how they are drawn, and descriptions for people. Pure.

`plan` draws from this table; `acts` executes the drawn acts; `page` prints the descriptions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fleet.core.errors import InvalidInput

Detail = dict[str, Any]


def _nothing(_: random.Random) -> Detail:
    return {}


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault. `draw` draws the parameters of one act; `times` is its number of acts in a round."""

    name: str
    about: str
    draw: Callable[[random.Random], Detail] = _nothing
    times: int = 1
    points: int = 0
    """How many failpoints one act strikes at; they go round, so that every point has its turn."""


def _for(least_s: float, most_s: float) -> Callable[[random.Random], Detail]:
    return lambda dice: {"for_s": round(dice.uniform(least_s, most_s), 2)}


def _rate(least: float, most: float, **more: Any) -> Callable[[random.Random], Detail]:
    return lambda dice: {
        "for_s": round(dice.uniform(3, 6), 2), "rate": round(dice.uniform(least, most), 2), **more,
    }  # fmt: skip


def _kill_at(dice: random.Random) -> Detail:
    return {"folder": dice.choices(("threads", "forked"), (3, 1))[0]}


def _stop_at(dice: random.Random) -> Detail:
    return {"folder": dice.choice(("threads", "forked")), "past_lease_s": round(dice.uniform(0.5, 3), 2)}


def _broker_pause(dice: random.Random) -> Detail:
    """Most pauses are short of the socket timeout of 15 s, every fourth is beyond it."""
    return {"for_s": round(dice.uniform(16, 18) if dice.random() < 0.25 else dice.uniform(2, 7), 2)}


def _throttle(dice: random.Random) -> Detail:
    return {**_rate(0.3, 0.9)(dice), "retry_after_s": dice.randint(1, 3)}


def _slow(dice: random.Random) -> Detail:
    return {**_rate(0.2, 0.6)(dice), "reads_only": dice.random() < 0.5, "beyond_lease_s": dice.randint(1, 3)}


def _messages(dice: random.Random) -> Detail:
    return {"for_s": round(dice.uniform(2, 4), 2), "recent": dice.randint(30, 120)}


_COMMON = (
    FaultKind("worker.kill", "A worker gets SIGKILL at a random moment.", times=2),
    FaultKind(
        "worker.kill-at-point",
        "The first worker that reaches a failpoint gets SIGKILL there; three failpoints at once, each in turn.",
        _kill_at,
        times=5,
        points=3,
    ),
    FaultKind(
        "worker.stop-at-point",
        "The first worker that reaches a failpoint is suspended there until its lease expires, then resumes.",
        _stop_at,
        times=3,
        points=1,
    ),
    FaultKind("worker.kill-child", "A pool child of the prefork worker gets SIGKILL."),
    FaultKind("worker.deploy", "Every worker gets SIGTERM, finishes its running jobs, and is restarted."),
    FaultKind("beat.kill", "One beat process, or both, get SIGKILL.", lambda dice: {"both": dice.random() < 0.5}),
    FaultKind("beat.stop", "Both beat processes are suspended for a while.", _for(3, 8)),
    FaultKind("broker.flush", "The broker loses all messages (FLUSHALL)."),
    FaultKind("broker.kill", "The broker gets SIGKILL and comes back empty."),
    FaultKind(
        "broker.pause",
        "The broker is suspended, every fourth time for longer than the clients' socket timeout.",
        _broker_pause,
    ),
    FaultKind(
        "broker.duplicate",
        "Messages are delivered twice, also those of jobs and ticks of the last minutes.",
        _messages,
    ),
    FaultKind(
        "broker.reorder",
        "Waiting messages are reordered, and those of the last minutes are delivered again in random order.",
        _messages,
    ),
    FaultKind(
        "broker.delay",
        "Messages are taken out of the broker and put back later.",
        lambda dice: {"for_s": round(dice.uniform(1, 3), 2), "late_s": round(dice.uniform(3, 9), 2)},
    ),
    FaultKind("database.kill", "All of Postgres gets SIGKILL and recovers from its WAL."),
    FaultKind(
        "database.kill-backend",
        "One session's server process gets SIGKILL; Postgres then ends all sessions and recovers by itself.",
    ),
    FaultKind(
        "database.terminate",
        "Sessions are ended by pg_terminate_backend.",
        lambda dice: {"share": round(dice.uniform(0.2, 1), 2), "rounds": dice.randint(1, 3)},
    ),
    FaultKind(
        "database.cut-commit",
        "The connection of one worker is cut during COMMIT: before it arrives, right after, or "
        "when it is done and its response is on the way.",
        lambda dice: {"cuts": dice.randint(2, 6), "mode": dice.choice(("answer", "answer", "blind", "request"))},
        times=2,
    ),
    FaultKind(
        "database.disk-full",
        "Postgres cannot write, not even its WAL, panics and stops; then there is space again, and it is restarted.",
        _for(2, 4),
    ),
    FaultKind("web.kill", "The dashboard gets SIGKILL while a person decides about drafts through its API."),
    FaultKind("fleet.kill-switch", "A person turns the kill switch on under load, and off again.", _for(3, 6)),
    FaultKind(
        "fleet.migrate",
        "A person runs the migrations under load: Fleet's own, and a column and an index "
        "that are added to and removed from the busiest table.",
    ),
)
_GALLERY = (
    FaultKind("gallery.errors", "The surface responds with 500.", _rate(0.2, 0.8)),
    FaultKind("gallery.throttle", "The surface responds with 429 and Retry-After.", _throttle),
    FaultKind(
        "gallery.budget",
        "The surface responds that a budget is used up, of the fleet or of each agent, until a person raises it.",
        lambda dice: {"for_s": round(dice.uniform(3, 6), 2), "whole_fleet": dice.random() < 0.5},
    ),
    FaultKind("gallery.paused", "The surface's own kill switch is on for a while.", _for(3, 6)),
    FaultKind("gallery.slow", "The surface needs longer than a lease, for reads alone or for everything.", _slow),
    FaultKind(
        "gallery.lost-reply", "The surface performs the write and its response is lost.", _rate(0.3, 0.9), times=2
    ),
    FaultKind("gallery.twice", "Requests are delivered twice, to a surface that honours keys.", _rate(0.3, 0.9)),
    FaultKind(
        "gallery.like-twice",
        "Likes are delivered twice, to a surface that has no keys for likes and treats a second "
        "like as removal of the first.",
        _rate(0.2, 0.5),
    ),
    FaultKind("gallery.kill", "The surface gets SIGKILL and is restarted."),
    FaultKind("gallery.disk-full", "The surface cannot store pictures.", _for(3, 6)),
)
_NETWORK = (
    FaultKind("network.errors", "The server of the accounts (PDS) responds with 500.", _rate(0.2, 0.8)),
    FaultKind("network.throttle", "It responds with 429 and Retry-After, as if a limit were lower now.", _throttle),
    FaultKind("network.slow", "It needs longer than a lease, for reads alone or for everything.", _slow),
    FaultKind("network.lost-reply", "It performs the write and its response is lost.", _rate(0.3, 0.9), times=2),
    FaultKind("network.twice", "Writes are delivered twice.", _rate(0.3, 0.9)),
    FaultKind("network.cut", "Every connection to it is cut.", _for(2, 7)),
    FaultKind(
        "network.token", "It says of valid tokens that they have expired, also of those in flight.", _rate(0.2, 0.8)
    ),
    FaultKind(
        "network.lies", "It responds with 200 and an error inside, after it performed the call.", _rate(0.2, 0.7)
    ),
    FaultKind(
        "network.media", "It refuses posts because their pictures are gone, after it took them.", _rate(0.3, 0.8)
    ),
    FaultKind("network.kill", "It gets SIGKILL and is restarted over its data."),
    FaultKind("network.pause", "It is suspended for a while.", _for(3, 9)),
    FaultKind(
        "network.takedown", "Its administrators take an agent's account down, and restore it; a person resumes it.",
        _for(2, 5),
    ),
)  # fmt: skip
OF_SURFACE = {"gallery": (*_COMMON, *_GALLERY), "atproto": (*_COMMON, *_NETWORK)}
"""The kinds of each surface."""
KINDS = (*_COMMON, *_GALLERY, *_NETWORK)
BY_NAME = {kind.name: kind for kind in KINDS}


def chosen(names: str, surface: str = "gallery") -> tuple[FaultKind, ...]:
    """Return the kinds of a surface that a person named: `all`, or names and groups (`broker`) separated by commas.

    Raises InvalidInput for a name that is none.
    """
    kinds = OF_SURFACE[surface]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {*(kind.name for kind in kinds), *(kind.name.partition(".")[0] for kind in kinds), "all"}
    wrong = [name for name in wanted if name not in known]
    if wrong or not wanted:
        what = f"There is no fault {wrong[0]!r}." if wrong else "No fault is named."
        raise InvalidInput(
            what, fix=f"Faults: all, {', '.join(kind.name for kind in kinds)}; or groups of them, such as broker."
        )
    return tuple(
        kind for kind in kinds if {"all", kind.name, kind.name.partition(".")[0]} & set(wanted)
    )  # fmt: skip
