"""Serve the metrics to Prometheus at one HTTP address; each scrape measures. Called by `fleet metrics`.

A scrape is answered within its deadline even while Postgres or the broker hang: a server that does not answer counts
as down, and its samples are left out rather than repeated from memory.
"""

from __future__ import annotations

import queue as queues
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fleet import __version__
from fleet.core import clock, logs, queue
from fleet.core.db import Database
from fleet.core.net import serving
from fleet.core.net.connections import ConnectionLimits
from fleet.core.settings import Settings
from fleet.engine.metrics import MetricFamily, Samples
from fleet.features.monitoring import metrics

log = logs.get(__name__)

_LEDGER_S = metrics.LEDGER_S + 1.0
_BROKER_S = 3.0
_LIMITS = ConnectionLimits(connections=100, per_address=100)


class _Deadline:
    """Calls a function that may hang in a thread, and waits for its result up to a deadline.

    A suspended server keeps its connections and never answers: no timeout of the driver ends that.
    """

    def __init__(self, ask: Callable[[], Samples], within_s: float, otherwise: Samples) -> None:
        self._ask, self._within_s, self._otherwise = ask, within_s, otherwise
        self._one_at_a_time = threading.Lock()

    def answer(self) -> Samples:
        """Return the result, or `otherwise` when none comes in time."""
        deadline_s = clock.monotonic_s() + self._within_s
        if not self._one_at_a_time.acquire(timeout=self._within_s):  # the call before still hangs
            return self._otherwise
        answers: queues.SimpleQueue[Samples] = queues.SimpleQueue()
        threading.Thread(target=self._run, args=(answers,), name="metrics", daemon=True).start()
        try:
            return answers.get(timeout=max(0.0, deadline_s - clock.monotonic_s()))
        except queues.Empty:
            return self._otherwise

    def _run(self, answers: queues.SimpleQueue[Samples]) -> None:
        try:
            answers.put(self._ask())
        except Exception:
            log.exception("reading_failed")
            answers.put(self._otherwise)
        finally:
            self._one_at_a_time.release()


class FleetCollector(Collector):
    """Measures at each scrape. Every family is always there; its samples only while they can be read."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily, at the first scrape. Raises InvalidInput for unusable addresses."""
        self._database = Database(settings.database_url, pool_size=1)
        ledger = metrics.Ledger(self._database)
        publisher = queue.Publisher(queue.make_app(settings.broker_url))
        self._sources = (
            _Deadline(ledger.read, _LEDGER_S, {("fleet_database_up", ()): 0.0}),
            _Deadline(lambda: metrics.read_broker(publisher), _BROKER_S, {("fleet_broker_up", ()): 0.0}),
        )

    def collect(self) -> Iterator[Metric]:
        """Read ledger and broker, and return their metrics."""
        began_s = clock.monotonic_s()
        samples: Samples = {}
        for source in self._sources:
            samples |= source.answer()
        samples["fleet_build_info", (__version__,)] = 1.0
        samples["fleet_scrape_seconds", ()] = clock.monotonic_s() - began_s
        found = {name: _metric(family) for name, family in metrics.families().items()}
        for (name, labels), value in samples.items():
            found[name].add_metric(labels, value)
        yield from found.values()

    def describe(self) -> Iterator[Metric]:
        """Return the families without measuring; the registry asks once."""
        return (_metric(family) for family in metrics.families().values())

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _metric(family: MetricFamily) -> Any:
    make = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    return make(family.name, family.help + ".", labels=family.labels)


class Exporter:
    """Answers scrapes in threads of its own until it is closed."""

    def __init__(self, settings: Settings) -> None:
        """Prepare without listening. Raises InvalidInput."""
        self._collector = FleetCollector(settings)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        self._serving = ExitStack()

    def text(self) -> str:
        """Measure once and return the text of a scrape."""
        return generate_latest(self._registry).decode()

    def serve(self, host: str, port: int) -> str:
        """Listen, and return the address; port 0 takes any free one. Raises InvalidInput for a port that is taken."""
        listener = serving.bound("exporter", host, port, setting="FLEET_METRICS")
        server = serving.Server(
            _app(self._registry), listener, "exporter", close=lambda: None, limits=_LIMITS, lifespan="off"
        )  # fmt: skip
        return f"{self._serving.enter_context(server.in_a_thread())}/metrics"

    def close(self) -> None:
        """Stop listening and close the connections."""
        self._serving.close()
        self._collector.close()


def _app(registry: CollectorRegistry) -> Starlette:
    async def scrape(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        names = request.query_params.getlist("name[]")
        asked: Any = registry.restricted_registry(names) if names else registry
        return Response(await run_in_threadpool(encode, asked), headers={"content-type": content_type})

    return Starlette(routes=[Route("/{path:path}", scrape)], middleware=[Middleware(GZipMiddleware)])
