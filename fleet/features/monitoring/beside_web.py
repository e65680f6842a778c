"""Serve the metrics from the dashboard's process, at a port of their own, where FLEET_WEB_METRICS_PORT names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from fleet.core.errors import InvalidInput
from fleet.engine.deps import Deps


@contextmanager
def serve(deps: Deps) -> Iterator[None]:
    """Serve for as long as the block runs. Raises InvalidInput for a port that cannot be had."""
    port = os.environ.get("FLEET_WEB_METRICS_PORT", "")
    if not port:
        yield
        return
    if not port.isdecimal() or int(port) > 65_535:
        raise InvalidInput(f"FLEET_WEB_METRICS_PORT is no port: {port!r}.", fix="It is a number from 0 to 65535.")
    from fleet.features.monitoring.exporter import Exporter

    with closing(Exporter(deps.settings)) as exporter:
        exporter.serve(os.environ.get("FLEET_WEB_HOST", "127.0.0.1"), int(port))
        yield
