"""One file a kind of job: how its action is prepared. Called by `fleet.runtime.perform`.

A handler returns the action to write, or an outcome when there is nothing to write. It never writes itself, and each
paid step goes through `Work.step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleet.jobs.outcomes import Dead, Done, Held, Retry, Skipped
from fleet.jobs.policy import JobKind
from fleet.platforms.base import Action
from fleet.runtime.handlers import (
    account,
    browse,
    comment,
    connect,
    deliver,
    handle,
    like,
    measure,
    notify,
    post,
    react,
    revise,
    scan,
)
from fleet.runtime.work import Work

Prepared = Action | Done | Skipped | Held | Retry | Dead

PREPARE: Mapping[JobKind, Callable[[Work], Prepared]] = {
    JobKind.POST: post.prepare,
    JobKind.COMMENT: comment.prepare,
    JobKind.LIKE: like.prepare,
    JobKind.BROWSE: browse.prepare,
    JobKind.PROVISION: account.provision,
    JobKind.DEPROVISION: account.deprovision,
    JobKind.MEASURE: measure.prepare,
    JobKind.REACT: react.prepare,
    JobKind.CONNECT: connect.prepare,
    JobKind.SCAN_FEED: scan.prepare,
    JobKind.REVISE_DRAFT: revise.prepare,
    JobKind.NOTIFY: notify.prepare,
    JobKind.DELIVER: deliver.prepare,
    JobKind.HANDLE: handle.prepare,
}
