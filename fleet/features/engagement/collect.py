"""Read the counts of an account and its posts from its network: the job `measure_account`, and what begins with a post.

A reading writes nothing outside, and its rows are stored batch by batch: after a kill the next attempt goes on with the
posts that are still due. Limits of networks leave half of their room to writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fleet.accounts.service import AccountKey
from fleet.adapters import registry as adapters
from fleet.adapters.base import (
    Account,
    AdapterError,
    Refused,
    SurfaceBudgetSpent,
    SurfacePaused,
    Throttled,
    TokenRefused,
    Unreachable,
    Vanished,
)
from fleet.adapters.manifest import Capability
from fleet.adapters.social import MeasuringAdapter, PostMetrics
from fleet.core import text
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.core.masking import mask
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.engagement import rules, store
from fleet.features.engagement.rules import DuePost, Measurement

_LEAST_LEFT_S = 20.0
"""Of the lease, before another batch is begun."""
_MOST_BATCHES = 200
_WAITS = (Throttled, SurfaceBudgetSpent, SurfacePaused)
_SUSPICIOUS = 3
"""So many posts that are all gone at once look like a suspended account."""


def measures(surface: str) -> bool:
    """Return whether the network of an adapter gives counts, as far as this process has its adapter."""
    if surface not in adapters.names():
        return False
    return adapters.get(surface).operation("metrics").capability is not Capability.UNSUPPORTED


def follow_post(tx: Tx, work: Work, done: Done) -> None:
    """Have a post measured that was just published."""
    claim = work.claim
    if done.remote_id is not None and measures(claim.surface):
        store.add_post(
            tx, post_job=claim.job_id, agent_id=claim.agent_id, account_id=claim.account_id, surface=claim.surface,
            remote_id=done.remote_id, posted_at=claim.sending_at or tx.now(), tempo=work.deps.settings.tempo,
        )  # fmt: skip


def prepare(work: Work) -> Done | Skipped:
    """Measure the account that a job names. Raises TokenRefused, which stops the account, and errors that wait."""
    try:
        found = work.deps.accounts.get(uuid.UUID(work.target))
    except NotFound:
        return Skipped("the account was removed")
    with work.calling(found.key):
        adapter = work.deps.gateway(found.key.id).adapter
        if not isinstance(adapter, MeasuringAdapter):
            return Skipped("its network gives no counts")
        reader = _Reader(work, found.key, found.adapter, adapter)
        try:
            return Done(result={"account": found.key.name, **reader.measure()})
        except _WAITS:
            raise
        except AdapterError as error:
            reader.fail(error)
            if isinstance(error, TokenRefused):
                raise
            return Skipped(f"{found.key.name} cannot be measured: {_words(error)}")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Measures one account within one attempt."""

    work: Work
    key: AccountKey
    surface: str
    adapter: MeasuringAdapter

    @property
    def _account(self) -> Account:
        return Account(str(self.work.agent.id), self.key.name, self.key.name, None)

    @property
    def _tempo(self) -> float:
        return self.work.deps.settings.tempo

    def measure(self) -> dict[str, int]:
        """Read followers once a day, and posts until none is due or the lease ends. Raises AdapterError."""
        deps, posts, gone = self.work.deps, 0, 0
        now = deps.now()
        with deps.db.transaction() as tx:
            row = store.begin(tx, self.key.id, now, self._tempo)
            followers, followers_at, failures = row.followers, row.followers_at, row.failures
        if rules.is_day_over(followers_at, now, self._tempo):
            found = self.adapter.account_metrics(self._account)
            followers = found.followers if found.followers is not None else followers
            with deps.db.transaction() as tx:
                store.save_account(tx, self.key.id, self.surface, found, at=now, job_id=self.work.claim.job_id)
        size = adapters.get(self.surface).operation("metrics").batch
        for _ in range(_MOST_BATCHES):
            if self.work.lease.left_s() < _LEAST_LEFT_S:
                break
            now = deps.now()
            with deps.db.transaction() as tx:
                due = store.due_posts(tx, self.key.id, now, limit=size)
            if not due:
                break
            readings = self._read(due, now, failures)
            with deps.db.transaction() as tx:
                gone += store.save_posts(tx, self.key, readings, followers=followers, at=now,
                                         job_id=self.work.claim.job_id)  # fmt: skip
            posts += len(due)
            self._suspect(readings)
        with deps.db.transaction() as tx:
            store.succeed(tx, self.key, at=deps.now())
        return {"posts": posts, "gone": gone}

    def _read(self, due: Sequence[DuePost], now: datetime, failures: int) -> dict[DuePost, Measurement]:
        """Return readings of a batch. A post that its network refuses to count does not fail the others."""
        try:
            answer = self.adapter.post_metrics(self._account, [one.remote_id for one in due])
        except (Refused, Vanished) as error:
            if len(due) == 1:
                return {due[0]: rules.failed(due[0], _words(error), now, self._tempo)}
            return {post: reading for one in due for post, reading in self._read([one], now, failures).items()}
        except (*_WAITS, TokenRefused, Unreachable):
            raise
        except AdapterError as error:
            if failures >= rules.MOST_FAILURES:  # these posts may be the reason: the others have their turn
                self._save_failed(due, error, now)
            raise
        found = {one.id: one for one in answer}
        return {one: self._judge(one, found.get(one.remote_id), now) for one in due}

    def _judge(self, post: DuePost, found: PostMetrics | None, now: datetime) -> Measurement:
        if found is None:
            return rules.failed(post, "the answer of its network lacks it", now, self._tempo)
        return rules.measured(post, found, now, self._tempo)

    def _save_failed(self, due: Sequence[DuePost], error: AdapterError, now: datetime) -> None:
        readings = {one: rules.failed(one, _words(error), now, self._tempo) for one in due}
        with self.work.deps.db.transaction() as tx:
            store.save_posts(tx, self.key, readings, followers=None, at=now, job_id=self.work.claim.job_id)

    def _suspect(self, readings: dict[DuePost, Measurement]) -> None:
        """Raise Refused if all posts of a batch have vanished at once: the reason is shown with the account."""
        missing = [one for post, one in readings.items() if one.gone_seen_at is not None and post.gone_seen_at is None]
        if len(missing) >= _SUSPICIOUS and len(missing) == len(readings):
            raise Refused(f"none of {len(missing)} posts is there any more: the network may have suspended the account")

    def fail(self, error: AdapterError) -> None:
        """Note why the account could not be measured."""
        with self.work.deps.db.transaction() as tx:
            store.fail(tx, self.key, _words(error), at=tx.now(), tempo=self._tempo)


def _words(error: AdapterError) -> str:
    return text.cut(text.clean(mask(str(error))), 300)
