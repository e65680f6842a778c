"""Logging: structlog, JSON in production and colours on a terminal.

Each entry point sets it up once. Event names are static strings, data goes in as keywords, ids rather than objects.
Values of keys that look like secrets are masked here, in every log line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, TextIO, cast

from fleet.core.masking import mask, mask_all
from fleet.core.workarounds.structlog import load

if TYPE_CHECKING:
    import structlog
else:
    structlog = load()

__all__ = ["configure", "get", "mask"]

_SECRET_KEY = re.compile(r"token|secret|password|authorization|api_key|cookie", re.IGNORECASE)
_NOT_SECRET = frozenset({"lease_token", "input_tokens", "output_tokens"})


def _mask_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if _SECRET_KEY.search(key) and key not in _NOT_SECRET:
            event[key] = "***"
        else:
            event[key] = mask_all(value)
    return event


def configure(level: str = "INFO", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send Fleet's and the libraries' logs to `stream` or standard error; JSON unless standard error is a terminal."""
    as_json = (not sys.stderr.isatty()) if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last += [structlog.processors.format_exc_info, _mask_values, structlog.processors.JSONRenderer()]
    else:
        last += [structlog.processors.format_exc_info, _mask_values, structlog.dev.ConsoleRenderer()]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    # Where a line cannot be written (a closed stream, a full disk) the default prints the exception in hand, unmasked.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "anthropic",
        "openai",
        "alembic.runtime.migration",
        "kombu",
        "amqp",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(name))


def bind(**values: object) -> None:
    """Add these values to each line that this thread logs from now on, in place of those before."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**values)
