"""Serves the fleet's numbers to Prometheus: one HTTP address, measured when it is asked.

Called by `fleet metrics`. A scrape is answered within its deadline even while Postgres or the broker hang: who does
not answer counts as away, and what it would have told is left out rather than told from memory.
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
from fleet.features.monitoring import metrics
from fleet.features.monitoring.metrics import FAMILIES, Family, Samples

log = logs.get(__name__)

_LEDGER_S = metrics.LEDGER_S + 1.0
_BROKER_S = 3.0
_LIMITS = ConnectionLimits(connections=100, per_address=100)


class _Patience:
    """Asks something that may hang, in a thread of its own, and waits so long and no longer for the answer.

    A server that is suspended keeps its connections and never answers: no timeout of the driver's ends that.
    """

    def __init__(self, ask: Callable[[], Samples], within_s: float, otherwise: Samples) -> None:
        self._ask, self._within_s, self._otherwise = ask, within_s, otherwise
        self._one_at_a_time = threading.Lock()

    def answer(self) -> Samples:
        """Return the answer, or what is said when none comes in time."""
        deadline_s = clock.monotonic_s() + self._within_s
        if not self._one_at_a_time.acquire(timeout=self._within_s):  # the one before hangs still
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
    """Measures at each scrape. Every family is always told; its samples only while somebody knows them."""

    def __init__(self, settings: Settings) -> None:
        """Connect lazily: nothing is asked before the first scrape. Raises InvalidInput for unusable addresses."""
        self._database = Database(settings.database_url, pool_size=1)
        ledger = metrics.Ledger(self._database)
        publisher = queue.Publisher(queue.make_app(settings.broker_url))
        self._sources = (
            _Patience(ledger.read, _LEDGER_S, {("fleet_database_up", ()): 0.0}),
            _Patience(lambda: metrics.read_broker(publisher), _BROKER_S, {("fleet_broker_up", ()): 0.0}),
        )

    def collect(self) -> Iterator[Metric]:
        """Ask ledger and broker, and give what they said."""
        began_s = clock.monotonic_s()
        samples: Samples = {}
        for source in self._sources:
            samples |= source.answer()
        samples["fleet_build_info", (__version__,)] = 1.0
        samples["fleet_scrape_seconds", ()] = clock.monotonic_s() - began_s
        made = {name: _metric(family) for name, family in FAMILIES.items()}
        for (name, labels), value in samples.items():
            made[name].add_metric(labels, value)
        yield from made.values()

    def describe(self) -> Iterator[Metric]:
        """Name the families without measuring; the registry asks once."""
        return (_metric(family) for family in FAMILIES.values())

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _metric(family: Family) -> Any:
    sort = CounterMetricFamily if family.counter else GaugeMetricFamily
    return sort(family.name, family.help + ".", labels=family.labels)


class Exporter:
    """Answers scrapes from threads of its own until it is closed."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing listens yet. Raises InvalidInput."""
        self._collector = FleetCollector(settings)
        self._registry = CollectorRegistry()
        self._registry.register(self._collector)
        self._serving = ExitStack()

    def text(self) -> str:
        """Measure once and return what a scrape would get."""
        return generate_latest(self._registry).decode()

    def serve(self, host: str, port: int) -> str:
        """Listen, and return the address; port 0 takes any free one. Raises InvalidInput when that cannot be."""
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
