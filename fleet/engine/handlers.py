"""One file a kind of job: how its action is prepared. Called by `fleet.engine.perform`.

A handler returns the action to write, or an outcome when there is nothing to write. It never writes itself, and each
paid step goes through `Work.step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleet.adapters.base import Action
from fleet.engine.jobs.outcomes import Dead, Done, Held, Retry, Skipped
from fleet.engine.jobs.policy import JobKind
from fleet.engine.work import Work
from fleet.features.drafts import revise
from fleet.features.drafts.scanning import handler
from fleet.features.experiments import handlers as measure
from fleet.features.notices import handlers as notify
from fleet.features.publishing.handlers import account, browse, comment, connect, like, post, react
from fleet.features.webhooks import handlers as deliver
from fleet.features.webhooks import subscriber_handler

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
    JobKind.SCAN_FEED: handler.prepare,
    JobKind.REVISE_DRAFT: revise.prepare,
    JobKind.NOTIFY: notify.prepare,
    JobKind.DELIVER: deliver.prepare,
    JobKind.HANDLE: subscriber_handler.prepare,
}
