"""`fleet metrics`: serve the metrics to Prometheus until a signal ends it, or print them once."""

from __future__ import annotations

import signal
import threading

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.core.errors import InvalidInput

PORT = 9464


@click.command(cls=FleetCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=PORT, show_default=True, help="0 means any free port.")
@click.option("--once", is_flag=True, help="Print the metrics once and exit; counters begin at 0.")
@pass_door
def metrics(door: Door, /, *, host: str, port: int, once: bool) -> None:
    """Serve metrics for Prometheus, in the foreground.

    Each scrape reads the ledger and the broker, and gets a response even while both are down.
    """
    from fleet.features.monitoring.exporter import Exporter

    if not door.settings.broker_url:
        raise InvalidInput("No broker is set.", fix="Set FLEET_BROKER_URL, or run the whole fleet with `fleet up`.")
    exporter = Exporter(door.settings)
    try:
        if once:
            click.echo(exporter.text(), nl=False)
            return
        door.note(f"Metrics on {exporter.serve(host, port)}")
        _wait_for_sigterm()
    finally:
        exporter.close()


def _wait_for_sigterm() -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
