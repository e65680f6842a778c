"""The Celery app of processes that run no task: beat and Flower. It loads the broker and the schedule only.

`fleet beat`, `fleet flower` and `fleet up` set the three variables that it reads, from the settings.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from fleet.core import logs, queue
from workers.beat import BEAT


def _make_app() -> Celery:
    made = queue.make_app(os.environ.get("FLEET_BROKER_URL", ""))
    made.conf.update(BEAT)
    made.set_default()
    return made


app = _make_app()


@signals.setup_logging.connect
def _configure_logs(**_: Any) -> None:
    as_json = os.environ.get("FLEET_LOG_JSON", "").lower()
    logs.configure(os.environ.get("FLEET_LOG_LEVEL", "INFO"), json=as_json == "true" if as_json else None)
