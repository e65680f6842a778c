"""The event bus: installed packages that handle events, in order, each at least once.

A distribution names an object in the entry point group `fleet.events`: with `name`, `subjects` and `handle(event)`. The
webhook agent finds waiting events and adds a job; `hand_on` is that job. An event that fails is retried with the
ledger's backoff, then parked, so that it does not block those behind it; so is one with which the process died
repeatedly.
"""

from __future__ import annotations

import functools
import re
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, Protocol

from fleet.access import audit
from fleet.core import events, logs, masking
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.events import Event, Position
from fleet.core.subjects import is_pattern, matches
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.events import positions
from fleet.engine.events.positions import Reader
from fleet.engine.jobs.outcomes import Done, Retry, Skipped
from fleet.features.webhooks import sources
from fleet.features.webhooks.outbound import delivery
from fleet.features.webhooks.outbound import positions as webhook_positions
from fleet.features.webhooks.received_states import ReceivedState

GROUP = "fleet.events"
MOST_HANDLED = 500
"""Events in one job; the next one follows at once where more waits."""
MOST_LOST = 5
"""After so many workers were lost with one job, its first event is taken for the cause."""
_PAGE = 100
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}", re.A)
log = logs.get(__name__)


class Subscriber(Protocol):
    """The object of an entry point, or a class that makes one."""

    name: str
    subjects: Sequence[str]

    def handle(self, event: Event) -> None:
        """Handle an event. It may come again; an exception means: try again later."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A subscriber that this process can call."""

    name: str
    subjects: tuple[str, ...]
    handle: Callable[[Event], Any]

    def wants(self, event: Event) -> bool:
        """Say whether an event is for it."""
        return any(matches(event.subject, one) for one in self.subjects)


@functools.cache
def subscribers() -> tuple[Installed, ...]:
    """Return the installed subscribers, by name. A broken one is logged and left out."""
    found: dict[str, Installed] = {}
    for entry in metadata.entry_points(group=GROUP):
        try:
            one = _checked(entry.load())
        except Exception as error:  # noqa: BLE001 - other people's code must not end ours
            reason = f"{type(error).__name__}: {error}"[:300]
            log.error("subscriber_is_broken", entry_point=entry.name, reason=reason)  # noqa: TRY400 - not our trace
            continue
        if one.name in found:
            log.error("subscriber_is_there_twice", subscriber=one.name, entry_point=entry.name)
            continue
        found[one.name] = one
    return tuple(found[name] for name in sorted(found))


def _checked(loaded: Any) -> Installed:
    made = loaded() if isinstance(loaded, type) else loaded
    name, subjects = str(made.name), tuple(map(str, made.subjects))
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no name: lower case letters, digits, dots, dashes")
    if not subjects or not all(is_pattern(one) for one in subjects):
        raise ValueError("its subjects are no patterns like job.done, job.* or *")
    if not callable(made.handle):
        raise TypeError("handle cannot be called")
    return Installed(name, subjects, made.handle)


def installed(name: str) -> Installed | None:
    """Return a subscriber by name; None if this process has none of that name."""
    return next((one for one in subscribers() if one.name == name), None)


def prepare(work: Work) -> Done | Retry | Skipped:
    """Job handler: hand on waiting events, until there are no more, an event fails, or half of the lease is over."""
    subscriber = installed(str(work.claim.target))
    if subscriber is None:
        return Skipped("no subscriber of this name is installed here any more")
    return hand_on(work, subscriber)


def hand_on(work: Work, subscriber: Installed) -> Done | Retry:
    """Hand on events from the subscriber's position; each success advances it.

    A failing event affects itself only: those before it are done, those behind it wait until it succeeds or is parked.
    """
    half_s = work.deps.settings.lease_s / 2
    stood = read = _standing(work.deps, subscriber)
    handled, page = 0, deque[Event]()
    while handled < MOST_HANDLED and work.lease.left_s() > half_s:
        page = page or deque(_page(work.deps, read))
        if not page:
            break
        event = page.popleft()
        if subscriber.wants(event) and not delivery.is_own(event, work.claim.agent_id):
            deadly = _deadly(work) if handled == 0 else None
            failure = deadly or _try(work, subscriber, event)
            if failure is not None and not deadly and not _is_last_try(work, handled):
                return _stumbled(failure, handled)
            handled += 1
            if not _settle(work, subscriber, stood, event, failure) or deadly:
                # A replay was requested meanwhile: the next job begins there. Or the event behind a deadly one has a
                # job of its own, with which no worker was lost.
                return _ended(handled)
            stood = event.position
        read = event.position
    _pass_over(work.deps, subscriber, stood, read)
    return _ended(handled)


def _is_last_try(work: Work, handled: int) -> bool:
    """Say whether an event that failed just now is to be parked. Attempts count for the first event of a job alone."""
    return handled == 0 and work.claim.attempts + 1 >= work.claim.max_attempts


def _deadly(work: Work) -> str | None:
    """Return why the first event of a job is not tried again: its workers were lost repeatedly."""
    lost = work.claim.claims - 1 - work.claim.attempts
    return None if lost < MOST_LOST else f"the worker was lost, or took longer than its lease, {lost} times in a row"


def _stumbled(why: str, handled: int) -> Done | Retry:
    """Return the outcome of a job at a failed event, whose own tries are counted by a job that begins with it."""
    return Retry(why) if handled == 0 else _ended(handled)


def _ended(handled: int) -> Done:
    return Done(result={"events": handled, "text": f"{handled} to a subscriber"})


def _standing(deps: Deps, subscriber: Installed) -> Position:
    with deps.db.transaction() as tx:
        return positions.standing(tx, webhook_positions.of_code(subscriber.name))


def _page(deps: Deps, at: Position) -> list[Event]:
    with deps.db.transaction() as tx:
        return events.read_after(tx, at, limit=_PAGE)


def _try(work: Work, subscriber: Installed, event: Event) -> str | None:
    """Have an event handled, outside of any transaction; return why it was not."""
    with work.deps.db.transaction() as tx:
        event = _with_body(tx, event)
        _mark(tx, event, ReceivedState.PROCESSING)
    try:
        subscriber.handle(event)
    except Exception as error:  # noqa: BLE001 - whatever it is, the event was not handled
        why = masking.mask(f"{type(error).__name__}: {error}")[:300]
        log.warning("event_not_handled", subscriber=subscriber.name, subject=event.subject, reason=why,
                    position=positions.written(event.position))  # fmt: skip
        return why
    return None


def _with_body(tx: Tx, event: Event) -> Event:
    """Return an event about a received event with its body, which no event contains."""
    received = _received(event)
    body = None if received is None else sources.body_of(tx, received)
    return event if body is None else replace(event, payload={**event.payload, "body": body.decode(errors="replace")})


def _received(event: Event) -> uuid.UUID | None:
    return uuid.UUID(str(event.payload["received"])) if event.subject == "hook.received" else None


def _mark(tx: Tx, event: Event, state: ReceivedState, why: str | None = None) -> None:
    received = _received(event)
    if received is not None:
        sources.move(tx, received, state, why=why)


def _settle(work: Work, subscriber: Installed, at: Position, event: Event, failure: str | None) -> bool:
    """Move past an event: it was handled, or failed so often that it is parked. False if the position was reset."""
    name = webhook_positions.of_code(subscriber.name)
    with work.deps.db.transaction() as tx:
        if failure is None:
            _mark(tx, event, ReceivedState.PROCESSED)
            return positions.advance(tx, name, at, event.position)
        if not positions.park(tx, name, at, event.position, failure):
            return False
        _mark(tx, event, ReceivedState.FAILED, failure)
        where = positions.written(event.position)
        events.emit(tx, "event.parked", agent_id=work.claim.agent_id, job_id=work.claim.job_id,
                    subscriber=subscriber.name, position=where, about=event.subject, why=failure)  # fmt: skip
    log.error("event_parked", subscriber=subscriber.name, position=where, subject=event.subject, reason=failure)
    return True


def _pass_over(deps: Deps, subscriber: Installed, stood: Position, read: Position) -> None:
    """Move past the last events, which were not for it."""
    if stood != read:
        with deps.db.transaction() as tx:
            positions.advance(tx, webhook_positions.of_code(subscriber.name), stood, read)


def replay(deps: Deps, name: str, to: Position, *, by: str) -> Position:
    """Reset a subscriber to a position, to hear again all that followed; return the old one. Raises NotFound."""
    with deps.db.transaction() as tx:
        try:
            stood = positions.reset(tx, webhook_positions.of_code(name), to)
        except NotFound as error:
            raise NotFound(f"No subscriber {name} has read events yet.", fix=error.fix) from error
        before, after = positions.written(stood), positions.written(to)
        events.emit(tx, "event.replayed", subscriber=name, by=by, before=before, after=after)
        audit.note(
            tx, "event.replayed", f"subscriber:{name}", before={"position": before}, after={"position": after}
        )  # fmt: skip
        return stood


@dataclass(frozen=True, slots=True)
class ListedSubscriber:
    """A subscriber for people: its subjects where it is installed, and its position if it has read."""

    name: str
    subjects: tuple[str, ...] | None
    reader: Reader | None


def listed(deps: Deps) -> list[ListedSubscriber]:
    """Return the subscribers that are installed here or have read before, by name."""
    here = {one.name: one for one in subscribers()}
    with deps.db.transaction() as tx:
        readers = {one.name.partition(":")[2]: one for one in positions.listed(tx) if one.name.startswith("code:")}
    return [
        ListedSubscriber(name, here[name].subjects if name in here else None, readers.get(name))
        for name in sorted(here.keys() | readers.keys())
    ]
