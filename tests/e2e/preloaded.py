"""What the process loads of which `forked` makes copies: the programs' modules, but none that reads settings."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re

import fleet
from fleet import app

_OF_CELERY = (
    "celery.app.amqp", "celery.app.control", "celery.app.log", "celery.apps.beat", "celery.apps.worker",
    "celery.bin.celery", "celery.concurrency.prefork", "celery.concurrency.thread", "celery.worker.consumer",
    "celery.worker.components", "kombu.transport.redis",
)  # fmt: skip
_OF_OTHER_PROGRAMS = re.compile(r"fleet\.(cli|chaos|web)\b|fleet\.features\.\w+\.(cli|api|pages)|.*\.__main__$")

app.load()
for name in (*_OF_CELERY, *(module.name for module in pkgutil.walk_packages(fleet.__path__, "fleet."))):
    if not _OF_OTHER_PROGRAMS.match(name):
        importlib.import_module(name)
gc.freeze()
