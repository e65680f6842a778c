"""`fleet up`: a whole fleet in one terminal. The command and its options; the run itself is in `run`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import PathType

F = TypeVar("F", bound=Callable[..., Any])
_FILE = PathType(dir_okay=False, path_type=Path)


def _port(*names: str, of: str, envvar: str | Sequence[str]) -> Callable[[F], F]:
    """Add an option that names a port; 0 asks for any free one, as leaving it out does."""
    return click.option(*names, type=click.IntRange(0, 65_535), callback=lambda _ctx, _param, port: port or None,
                        envvar=envvar, help=f"Port of {of}; 0 or none: any free port.")  # fmt: skip


@click.command(cls=FleetCommand)
@click.option("--agents", type=click.IntRange(0, 100_000), default=12, show_default=True,
              help="Minimum number of agents; missing ones are created and started.")  # fmt: skip
@click.option("--tempo", type=click.FloatRange(0, 1000, min_open=True), envvar="FLEET_TEMPO",
              help="How many times faster than real time the fleet runs; 1 is real time.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
@click.option("--concurrency", type=click.IntRange(1, 500), default=8, show_default=True, help="Threads per worker.")
@click.option("--seed", "seed_no", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True,
              help="The same seed makes the same agents.")  # fmt: skip
@_port("--port", "--gallery-port", "gallery_port", of="the gallery", envvar="FLEET_GALLERY_PORT")
@_port("--shop-port", of="the sandbox shop", envvar="FLEET_SHOP_PORT")
@_port("--web-port", of="the dashboard", envvar="FLEET_WEB_PORT")
@_port("--flower-port", of="Flower", envvar="FLEET_FLOWER_PORT")
@_port("--metrics-port", of="the metrics", envvar="FLEET_METRICS_PORT")
@_port("--postgres-port", of="the embedded database", envvar="FLEET_POSTGRES_PORT")
@_port("--broker-port", "valkey_port", of="the embedded broker", envvar=["FLEET_BROKER_PORT", "FLEET_VALKEY_PORT"])
@click.option("--gallery-database-url", envvar="FLEET_GALLERY_DATABASE_URL", default="", metavar="URL",
              help="URL of the gallery's database; by default a database beside Fleet's.")  # fmt: skip
@click.option("--with-shop", is_flag=True,
              help="Also run the sandbox shop, with an account to it, to try out stores.")  # fmt: skip
@click.option("--web/--no-web", "with_web", default=True, help="Also serve the dashboard.")
@click.option("--flower/--no-flower", "with_flower", default=True, help="Also run Flower.")
@click.option("--metrics/--no-metrics", "with_metrics", default=True, help="Also serve metrics for Prometheus.")
@click.option("--record", "llm_record", type=_FILE, metavar="FILE", envvar="FLEET_LLM_RECORD",
              help="Append every written text to this file.")  # fmt: skip
@click.option("--replay", "llm_replay", type=_FILE, metavar="FILE", envvar="FLEET_LLM_REPLAY",
              help="Take every text from a recorded file; call no model.")  # fmt: skip
@click.option("--faults", default="", metavar="SPEC",
              help="Faults of the gallery, e.g. error=0.05,drop=0.02; docs/cli.md lists them.")  # fmt: skip
@pass_door
def up(door: Door, /, *, tempo: float | None, llm_record: Path | None, llm_replay: Path | None, **options: Any) -> None:
    """Run a whole fleet in this terminal, until Ctrl-C.

    Database and broker are embedded unless FLEET_DATABASE_URL and FLEET_BROKER_URL are set; the sandbox gallery runs
    unless FLEET_GALLERY_URL is set. A second `up` continues the same fleet; stopped agents stay stopped.
    A second Ctrl-C ends everything at once.
    """
    door.refuse_server()
    from fleet.cli.commands.up.process_list import UpOptions
    from fleet.cli.commands.up.run import Run

    said = {"tempo": tempo, "llm_record": llm_record, "llm_replay": llm_replay}
    code = Run(door, UpOptions(**options), {name: value for name, value in said.items() if value is not None}).live()
    click.get_current_context().exit(code)
