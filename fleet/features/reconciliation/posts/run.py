"""The job `reconcile_posts`: read an account's posts anew, page by page, and store what differs from the ledger.

Each page is stored with the run's cursor in the transaction that proves the lease, so a kill at any line goes on with
the page that is not stored. It writes nothing outside. Every call takes room in the account's limits, which leave room
to writes, and a pause of the account ends the reading after the page.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from fleet.accounts.models import AccountRow
from fleet.adapters import base
from fleet.adapters.base import Account, Vanished
from fleet.adapters.social import OwnPost, OwnPostsAdapter
from fleet.core import events
from fleet.core import text as texts
from fleet.core.db import Tx
from fleet.core.failpoints import Point, reach
from fleet.core.masking import mask
from fleet.engine.attempts import reserve
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.reconciliation.compare import findings, missing
from fleet.features.reconciliation.compare.findings import ComparedAccount, FoundDiscrepancy, Thing
from fleet.features.reconciliation.compare.run import fail, go_on_later
from fleet.features.reconciliation.models import DiscrepancyRow, ReconciliationRow
from fleet.features.reconciliation.posts import ledger, rules
from fleet.features.reconciliation.posts.ledger import PostsAccount
from fleet.features.reconciliation.posts.rules import LedgerPost, PostFinding
from fleet.features.reconciliation.rules import Context, Moved, PostDifference
from fleet.features.reconciliation.settings import ReconciliationSettings

RECONCILE = "reconcile_posts"
THING, TEXT = "post", "text"
STEPS = ("listed", "unseen", "foreign")
"""Compare what the account's list shows; read posts by their ids that it lacks; then foreign posts that it lacks."""
AGAIN = "again"
"""The one step of a run that reads posts a second time that were missed once."""
COUNTS = ("read", "compared", "found", "new", "settled", "matched", "missed", "unread", "waiting")
_PAGE = 100
_MOST_PAGES = 200
_LEAST_LEFT_S = 30.0
_SETTLES = timedelta(minutes=2)
"""Younger posts are not read by their ids: indexes of networks lag behind."""
_MOST_TRIES = 3
_ABOUT = 120
_WAITS = (base.Throttled, base.SurfaceBudgetSpent, base.SurfacePaused)


@dataclass(slots=True)
class _Run:
    id: uuid.UUID
    part: int
    step: str
    at: dict[str, Any]
    counts: dict[str, int]
    tallies: dict[str, int]
    started_at: datetime
    is_over: bool = False


@dataclass(slots=True)
class _Compared:
    """What a transaction made of a page, and where the run goes on; None: it is over."""

    following: tuple[str, dict[str, Any]] | None
    found: list[FoundDiscrepancy] = field(default_factory=list)
    compared: set[Thing] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)


class _Over(Exception):
    """The run was ended by somebody else."""


class _NotBelieved(Exception):
    """So many posts are missing that none is believed to be."""


def prepare(work: Work) -> Done | Skipped:
    """Go on with the run of a job until it is over or the lease ends. Raises an AdapterError that waits."""
    run_id, part = uuid.UUID(str(work.claim.payload["run"])), int(work.claim.payload["part"])
    with work.deps.db.transaction() as tx:
        row = tx.session.get(ReconciliationRow, run_id)
        if row is None or row.state != "running" or row.part != part:
            return Skipped("this part of the comparison is over")
        run = _Run(row.id, row.part, row.step or STEPS[0], json.loads(row.cursor) if row.cursor else {},
                   dict(row.counts), dict(row.tallies), row.started_at)  # fmt: skip
        where = PostsAccount(row.account_id, str(work.claim.payload["store"]), work.claim.surface)
        organisation = row.organisation_id
        authors = ledger.authors(tx, where)
        added_at = tx.session.get_one(AccountRow, row.account_id).created_at
    adapter = work.gateway.adapter
    if not isinstance(adapter, OwnPostsAdapter):
        return _fail(work, where, run, "this network gives no list of an account's posts")
    settings = work.settings.of(ReconciliationSettings)
    since = rules.compared_since(
        run.started_at, days=settings.reconcile_posts_days, retention_days=work.settings.retention_days,
        added_at=added_at,
    )  # fmt: skip
    steps = _Steps(work, where, organisation, adapter, run, authors, since)
    try:
        while not run.is_over:
            is_short = work.lease.left_s() < min(_LEAST_LEFT_S, work.deps.settings.lease_s / 3)
            if is_short or reserve.stopped(work) is not None:
                return go_on_later(work, run.id, run.part, run.counts)
            _store(work, steps, steps.read())
    except _WAITS:
        raise
    except base.AdapterError as error:
        is_final = isinstance(error, base.Refused | base.Vanished | base.AccountMissing | base.TokenRefused)
        if not is_final and work.claim.attempts + 1 < _MOST_TRIES:
            raise
        done = _fail(work, where, run, texts.cut(texts.clean(mask(str(error))), 300))
        if isinstance(error, base.TokenRefused):  # it stops the account
            _end(work, done)
            raise
        return done
    except _NotBelieved as error:
        return _fail(work, where, run, str(error))
    except _Over:
        return Skipped("the comparison was cancelled")
    return Done(result={"store": where.name, **run.counts})


@dataclass(frozen=True, slots=True)
class _Steps:
    work: Work
    where: PostsAccount
    organisation_id: uuid.UUID
    adapter: OwnPostsAdapter
    run: _Run
    authors: Collection[str]
    since: datetime

    def read(self) -> Callable[[Tx], _Compared]:
        """Read a page; return what compares it with the ledger in a transaction. Raises an AdapterError."""
        steps: Mapping[str, Callable[[], Callable[[Tx], _Compared]]] = {
            "listed": self._listed, "unseen": self._unseen, "foreign": self._foreign, AGAIN: self._again,
        }  # fmt: skip
        return steps[self.run.step]()

    def _listed(self) -> Callable[[Tx], _Compared]:
        at, run = self.run.at, self.run
        cursor, pages = at.get("cursor"), int(at.get("pages", 0)) + 1
        me = Account(str(self.work.agent.id), self.where.name, self.where.name, None)
        page = self.adapter.own_posts(me, authors=self.authors, cursor=cursor, limit=_PAGE)
        times = [one.created_at for one in page.items if one.created_at is not None]
        oldest = page.oldest or min(times, default=None)
        is_last = page.cursor is None or page.cursor == cursor or (oldest is not None and oldest < self.since)
        following: tuple[str, dict[str, Any]] = ("listed", {"cursor": page.cursor, "pages": pages})
        if is_last:
            following = ("unseen", {})
        elif pages >= _MOST_PAGES:  # posts below are not read one by one
            following = ("unseen", {"floor": (oldest or run.started_at).isoformat()})
        shown = [one for one in page.items if one.created_at is None or one.created_at >= self.since]

        def store(tx: Tx) -> _Compared:
            now = tx.now()
            first = min((one.created_at for one in shown if one.created_at is not None), default=run.started_at)
            last = max((one.created_at for one in shown if one.created_at is not None), default=now)
            around = ledger.effects(
                tx, self.where, [one.id for one in shown], since=first - rules.CLOCKS_APART,
                until=last + rules.CLOCKS_APART, floor=self.since - rules.CLOCKS_APART,
            )  # fmt: skip
            done = rules.compare(self.where.adapter, shown, around, now=now)
            ledger.note_seen(tx, run.id, {one.remote_id for one in done.seen})
            known = {one.remote_id for one in done.seen}
            ledger.note_seen(tx, run.id, {one.id for one in shown} - known, is_known=False)
            self._alive(tx, [one.job_id for one in done.seen])
            compared = {place for one in done.seen for place in _places(one)}
            compared |= {(THING, one.id, "") for one in shown}
            return _Compared(following, [_found(one) for one in done.found], compared, {
                "read": len(shown), "matched": len(done.matched), "waiting": done.waiting})  # fmt: skip

        return store

    def _unseen(self) -> Callable[[Tx], _Compared]:
        run, at = self.run, self.run.at
        after = (datetime.fromisoformat(at["at"]), uuid.UUID(at["job"])) if "job" in at else None
        with self.work.deps.db.transaction() as tx:
            until = run.started_at - _SETTLES / self.work.deps.settings.tempo
            floor = datetime.fromisoformat(at["floor"]) if "floor" in at else self.since
            found = ledger.unseen(tx, self.where, run.id, since=max(self.since, floor), until=until, after=after)
            alive = ledger.count_seen(tx, run.id)
        following: tuple[str, dict[str, Any]] = ("foreign", {})
        if len(found) == ledger.BATCH:
            following = ("unseen", {**at, "at": found[-1].at.isoformat(), "job": str(found[-1].job_id)})
        return self._by_id(found, following, alive=alive)

    def _again(self) -> Callable[[Tx], _Compared]:
        with self.work.deps.db.transaction() as tx:
            found = ledger.missed(tx, self.where, self.since)
        return self._by_id(found, None, alive=None)

    def _by_id(
        self, effects: Sequence[LedgerPost], following: tuple[str, dict[str, Any]] | None, *, alive: int | None
    ) -> Callable[[Tx], _Compared]:  # fmt: skip
        """Read posts by their ids. `alive`: the posts that this run has seen; None where missing ones are believed."""
        shown, gone, unread = self._read(effects)
        if alive is not None and not rules.is_believed(gone=len(gone), alive=alive + len(shown)):
            raise _NotBelieved(
                f"none of {len(gone)} posts is there any more: the network may have suspended the account"
            )

        def store(tx: Tx) -> _Compared:
            where, now, tempo = self.where, tx.now(), self.work.deps.settings.tempo
            before = ledger.missed_at(tx, where.account_id, [one.job_id for one in gone])
            sure = [one for one in gone if rules.is_gone_for_good(before.get(one.job_id), now, tempo)]
            again = [one.job_id for one in gone if one.job_id not in before]
            ledger.miss(tx, where.account_id, self.organisation_id, again, now)
            self._alive(tx, [one.job_id for one, _ in shown])
            ledger.note_seen(tx, self.run.id, {one.remote_id for one, _ in shown})
            if following is None:
                ledger.forget_old_missed(tx, where.account_id, self.since)
            changed = [rules.changed_text(where.adapter, effect, post) for effect, post in shown]
            found = [*(rules.deleted(one) for one in sure), *(one for one in changed if one is not None)]
            compared = {place for one in (*sure, *(effect for effect, _ in shown)) for place in _places(one)}
            ledger.forget_missed(tx, where.account_id, [one.job_id for one in sure])
            return _Compared(following, [_found(one) for one in found], compared, {
                "read": len(shown), "missed": len(gone) - len(sure), "unread": unread})  # fmt: skip

        return store

    def _read(self, effects: Sequence[LedgerPost]) -> tuple[list[tuple[LedgerPost, OwnPost]], list[LedgerPost], int]:
        """Return the posts that are there, those that are not, and how many the network refuses to show."""
        with self.work.deps.db.transaction() as tx:
            readers = ledger.readers(tx, self.where, {one.agent_id for one in effects if one.agent_id is not None})
        shown, gone, unread = [], [], 0
        for effect in effects:
            reader = readers.get(effect.agent_id) if effect.agent_id else None
            try:
                post = self.adapter.own_post(reader or Account("", effect.author, "", None), effect.remote_id)
            except Vanished:
                gone.append(effect)
            except (base.Refused, base.AccountMissing):  # it may be there: a refusal is no evidence
                unread += 1
            else:
                shown.append((effect, post))
        return shown, gone, unread

    def _foreign(self) -> Callable[[Tx], _Compared]:
        """Settle foreign posts that are gone, and what is no longer found of lost outcomes."""
        row, run = DiscrepancyRow, self.run
        after = str(run.at.get("after", ""))
        with self.work.deps.db.transaction() as tx:
            query = sa.select(row.key).where(
                row.account_id == self.where.account_id, row.thing == THING, row.state.in_(("open", "proposed")),
                row.type == PostDifference.FOREIGN_POST, row.key > after,
                sa.or_(row.run_id.is_(None), row.run_id != run.id),
            ).order_by(row.key).limit(ledger.BATCH)  # fmt: skip
            keys = list(tx.session.scalars(query))
        _, gone, _ = self._read([_foreign_effect(one, run.started_at) for one in keys])
        following = ("foreign", {"after": keys[-1]}) if len(keys) == ledger.BATCH else None

        def store(tx: Tx) -> _Compared:
            compared: set[Thing] = {(THING, one.remote_id, "") for one in gone}
            if following is None:
                lost = sa.select(row.key, row.field).where(
                    row.account_id == self.where.account_id, row.thing == THING, row.state == "open",
                    row.type == PostDifference.OUTCOME_FOUND, row.run_id != run.id)  # fmt: skip
                compared |= {(THING, key, name) for key, name in tx.execute(lost).tuples()}
                ledger.forget_old_missed(tx, self.where.account_id, self.since)
            return _Compared(following, [], compared)

        return store

    def _alive(self, tx: Tx, jobs: Collection[uuid.UUID]) -> None:
        ledger.forget_missed(tx, self.where.account_id, jobs)


def _foreign_effect(remote_id: str, at: datetime) -> LedgerPost:
    return LedgerPost(job_id=uuid.UUID(int=0), agent_id=None, author="", remote_id=remote_id, text="", at=at)


def _places(effect: LedgerPost) -> tuple[Thing, ...]:
    """Return where an effect can have discrepancies: it is there or not, and its text."""
    return (THING, str(effect.job_id), ""), (THING, str(effect.job_id), TEXT)


def _found(one: PostFinding) -> FoundDiscrepancy:
    """Return a finding of a post as a discrepancy: texts as both sides have them."""
    effect, post = one.effect, one.post
    sent, shown = None if effect is None else effect.text, None if post is None else post.text
    about = " ".join((sent or shown or "").split())
    versions = {"author": effect.author if effect else post.author if post else ""}
    if post is not None and post.created_at is not None:
        versions["at"] = post.created_at.isoformat()
    return FoundDiscrepancy(
        thing=THING, key=str(effect.job_id) if effect is not None else post.id if post is not None else "",
        field=TEXT if one.type is PostDifference.CHANGED_TEXT else "", type=one.type, severity=one.severity,
        moved=Moved.REMOTE, context=Context.QUIET, confidence=one.confidence, action=one.action, local=sent,
        remote=shown, about=f"post “{texts.cut(about, _ABOUT)}”" if about else "post without words",
        external_id=post.id if post is not None else effect.remote_id if effect is not None else "", versions=versions,
    )  # fmt: skip


def _store(work: Work, steps: _Steps, page: Callable[[Tx], _Compared]) -> None:
    """Store a page, and move the run behind it, in the transaction that proves the lease. Raises Fenced, _Over."""
    run, where = steps.run, steps.where
    moved: list[tuple[tuple[str, dict[str, Any]] | None, dict[str, int], dict[str, int]]] = []

    def also(tx: Tx) -> None:
        row = ReconciliationRow
        is_there = sa.select(row.id).where(row.id == run.id, row.state == "running").with_for_update()
        if tx.scalar(is_there) is None:
            raise _Over
        done = page(tx)
        place = ComparedAccount(where.account_id, steps.organisation_id, where.name, run.id)
        recorded = findings.record(work.deps, tx, place, done.found, done.compared)
        more = {"compared": len(done.compared), "found": len(done.found), "new": recorded.new,
                "settled": recorded.settled, **done.counts}  # fmt: skip
        counts = {name: run.counts.get(name, 0) + more.get(name, 0) for name in COUNTS}
        tallies = {name: run.tallies.get(name, 0) + recorded.tallies.get(name, 0)
                   for name in {*run.tallies, *recorded.tallies}}  # fmt: skip
        moved.append((done.following, counts, tallies))
        changes: dict[str, Any] = {"counts": counts, "tallies": tallies, "moved_at": tx.sql_now}
        told: dict[str, Any] = {"store": where.name, "run": str(run.id)}
        if done.following is None:
            changes |= {"state": "done", "ended_at": tx.sql_now}
            missing.forget_seen(tx, run.id)
            events.emit(tx, "reconciliation.done", agent_id=work.claim.agent_id, **told, page="/reconciliation",
                        organisation=str(steps.organisation_id), fixed=0,
                        **cast(dict[str, Any], counts))  # fmt: skip
        else:
            changes |= {"step": done.following[0], "cursor": json.dumps(done.following[1])}
            events.emit(tx, "reconciliation.moved", agent_id=work.claim.agent_id, **told, read=counts["read"],
                        step=run.step)  # fmt: skip
        tx.execute(sa.update(row).where(row.id == run.id).values(**changes)
                   .execution_options(synchronize_session=False))  # fmt: skip

    reach(Point.JOB_STEP_PAID)
    work.save("page", {"step": run.step}, also=also)
    reach(Point.JOB_STEP_SAVED)
    following, run.counts, run.tallies = moved[-1]
    if following is None:
        run.is_over = True
    else:
        run.step, run.at = following


def _fail(work: Work, where: PostsAccount, run: _Run, why: str) -> Skipped:
    work.also = lambda tx: fail(tx, where.name, work.claim.agent_id, run.id, why)
    return Skipped(f"the comparison failed: {why}")


def _end(work: Work, _: Skipped) -> None:
    """Record the failure now: the error that follows is recorded by the engine, without what the outcome adds."""
    also, work.also = work.also, None
    if also is not None:
        with work.deps.db.transaction() as tx:
            also(tx)
