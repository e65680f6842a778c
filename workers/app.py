"""The Celery app of workers: `celery -A workers.app worker`. Beat and Flower use `workers.light`.

Connections are built on first use in the process that uses them, never before a fork. A message that no task can read
becomes a dead letter; a Redis broker would lose it.
"""

from __future__ import annotations

import gc
import json
import threading
import uuid
from typing import Any

from celery import Celery, signals

from fleet import app as features
from fleet.core import failpoints, logs, queue
from fleet.engine import deps as runtime_deps
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries
from workers import liveness
from workers.beat import BEAT

log = logs.get(__name__)


def _make_app() -> Celery:
    features.load(features.chosen())
    config = features.settings()
    made = queue.make_app(config.broker_url)
    made.conf.update(BEAT, include=["workers.tasks"], worker_consumer="workers.consumer:Consumer")
    made.steps["worker"].add(liveness.LivenessCheck)
    made.steps["consumer"].add(liveness.LoopCounter)
    if config.failpoints_dir is not None:
        failpoints.arm(failpoints.strikes_from(config.failpoints_dir))
    made.set_default()
    return made


app = _make_app()
_lock = threading.Lock()
_deps: Deps | None = None


def deps() -> Deps:
    """Return this process's connections, built on first use."""
    global _deps
    with _lock:
        if _deps is None:
            _deps = runtime_deps.build(features.settings())
        return _deps


def refreshed() -> Deps:
    """Return this process's connections with the settings in force now; attempts and ticks refresh them themselves."""
    found = deps()
    found.live.refresh()
    return found


@signals.setup_logging.connect
def _configure_logs(**_: Any) -> None:
    config = features.settings()
    logs.configure(config.log_level, json=config.log_json)


@signals.worker_init.connect
def _before_fork(**_: Any) -> None:
    """Load modules and data before the fork, so that no child of a prefork pool loads them again."""
    settings = features.settings()
    for name in settings.replaced:
        log.warning("setting_replaced", setting=f"FLEET_{name.upper()}", by="FLEET_CAPS")
    runtime_deps.preload(settings)


@signals.worker_process_init.connect
def _after_fork(**_: Any) -> None:
    """Drop connections of the parent: two processes cannot share a socket."""
    global _deps
    _deps = None


@signals.worker_process_init.connect
@signals.worker_ready.connect
def _spare_what_stays(**_: Any) -> None:
    """Exclude the objects that exist now from garbage collection.

    A full collection visits all of them, 200,000 objects, blocks every thread for 150 ms (measured) and frees
    nothing.
    """
    gc.freeze()


@signals.task_prerun.connect
def _bind_log_context(task: Any, args: Any, **_: Any) -> None:
    logs.bind(task=task.name, ids=list(args or ()))


@signals.task_unknown.connect
def _keep_unknown(message: Any, exc: Any, name: str = "", **_: Any) -> None:
    """Keep a message of an unknown task. A message of a job in the ledger is dropped: the job waits for its feature."""
    if _is_in_ledger(name, message):
        log.warning("job_waits_for_its_feature", task_name=name)
    else:
        keep(name or "?", _body_of(message), f"unknown task: {exc}")


def _is_in_ledger(name: str, message: Any) -> bool:
    try:
        job_id = uuid.UUID(json.loads(_body_of(message))[0][0])
        with deps().db.transaction() as tx:
            return f"fleet.{queries.get(tx, job_id).kind}" == name
    except Exception:  # noqa: BLE001 - wrong format, or no database: keep the message
        return False


@signals.task_rejected.connect
def keep_unreadable(message: Any, exc: Any, **_: Any) -> None:
    """Keep an unreadable message."""
    headers = message.headers or {}
    keep(str(headers.get("task", "?")), _body_of(message), f"unreadable message: {headers.get('problem', exc)}")


def _body_of(message: Any) -> str:
    return message.body if isinstance(message.body, str) else bytes(message.body or b"").decode(errors="replace")


def keep(task: str, body: str, why: str) -> None:
    """Keep an unreadable message as a dead letter, or in the log when the database is down."""
    log.error("message_not_understood", task_name=task, reason=why)
    try:
        with deps().db.transaction() as tx:
            queries.quarantine(tx, task=task, body=body, why=why)
    except Exception:
        log.exception("message_not_kept", task_name=task, body=body[:2000])
