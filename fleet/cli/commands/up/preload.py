"""What several processes of `fleet up` load: it is loaded once, in the process from which they are forked.

Nothing here connects, starts a thread or keeps a setting that could differ from one process to another.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from fleet import app
from fleet.engine import deps

_PACKAGES = ("fleet.adapters", "fleet.engine", "fleet.features", "fleet.web")
_OF_OTHERS = re.compile(r"\.(cli\w*|__main__)\b")
"""Commands of the terminal, and what runs when it is imported."""
_LIBRARIES = (
    "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.PpmImagePlugin",
    "anyio._backends._asyncio", "billiard.pool", "celery.app.amqp", "celery.app.control", "celery.app.events",
    "celery.app.log", "celery.app.routes", "celery.apps.worker", "celery.backends.base", "celery.bin.worker",
    "celery.concurrency.thread", "celery.events.receiver", "celery.fixups.django", "celery.worker.components",
    "celery.worker.consumer", "celery.worker.strategy", "encodings.idna", "kombu.pidbox", "kombu.transport.redis",
    "prometheus_client", "uvicorn.lifespan.on", "uvicorn.loops.asyncio",
)  # fmt: skip
"""Parts of libraries that they load by themselves only when a process begins to work."""


def load() -> None:
    """Load the features, what workers, dashboard and gallery use of libraries, and compile the statements."""
    app.load(app.chosen())
    for name in (*_LIBRARIES, "fleet.sandbox.gallery.server", *_modules()):
        importlib.import_module(name)
    deps.preload(app.settings())
    app.settings.cache_clear()  # each process reads its own


def _modules() -> Iterator[str]:
    for package in _PACKAGES:
        yield from _below(package)


def _below(package: str) -> Iterator[str]:
    """Yield the modules of a package. `pkgutil.walk_packages` would import packages before they could be left out."""
    for one in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if not _OF_OTHERS.search(one.name):
            yield one.name
            if one.ispkg:
                yield from _below(one.name)
