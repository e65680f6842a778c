"""`fleet chaos`: break a fleet on purpose and see what it keeps of its promises. The run itself is in `fleet.chaos`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet.cli.frame.command import FleetCommand
from fleet.cli.frame.context import Door, pass_door
from fleet.cli.frame.options import OutputPathType, PathType
from fleet.core.errors import InvalidInput

if TYPE_CHECKING:
    from fleet.chaos.report import Report
    from fleet.chaos.world.words import SurfaceWords

_DOCS = Path("docs")


@click.command(cls=FleetCommand)
@click.option("--minutes", type=click.FloatRange(0.1, 24 * 60), default=10.0, show_default=True,
              help="Minutes of faults; start and checks take extra time.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="The same seed draws the same faults.")
@click.option("--agents", type=click.IntRange(1, 5000), default=60, show_default=True, help="Number of agents.")
@click.option("--surface", type=click.Choice(["gallery", "atproto"]), default="gallery", show_default=True,
              help="The surface: the sandbox gallery, or a network that `make platforms` installs.")  # fmt: skip
@click.option("--faults", default="all", show_default=True, metavar="KINDS",
              help="Kinds or groups, separated by commas: gallery.twice,broker; docs/cli.md lists them.")  # fmt: skip
@click.option("--in-folder", "folder", type=PathType(file_okay=False, path_type=Path),
              help="Empty folder for the run; a temporary folder by default.")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the folder of a successful run too.")
@click.option("--json", "json_path", type=OutputPathType(dir_okay=False, path_type=Path), metavar="PATH",
              help="Write the report as JSON.")  # fmt: skip
@click.option(
    "--write-docs",
    is_flag=True,
    help="Write docs/reliability.md, or reliability-atproto.md, of the current folder from this run.",
)
@pass_door
def chaos(door: Door, /, *, minutes: float, seed: int | None, agents: int, surface: str, faults: str,
          folder: Path | None, keep: bool, json_path: Path | None, write_docs: bool) -> None:  # fmt: skip
    """Inject faults into a fleet of its own, and check that nothing is lost or doubled.

    Starts Postgres, Valkey, the surface, two beats and several workers in a temporary folder. Kills, suspends, floods
    and disconnects them by a plan that the seed determines. Waits until every job has ended, then compares the ledger
    with what the surface itself holds. Exit code 1 when a promise was broken; then it keeps the folder with all logs.
    """
    import secrets

    from fleet.chaos.kinds import chosen
    from fleet.chaos.report import RunOptions
    from fleet.chaos.run import Chaos, RunScreen
    from fleet.cli.commands.chaos.screen import ChaosScreen
    from fleet.cli.frame.interrupts import Interrupts

    if write_docs and not _DOCS.is_dir():
        raise InvalidInput(f"There is no folder {_DOCS} here.", fix="Call it in the folder of the source.")
    for name in [name for name in os.environ if name.startswith("FLEET_")]:
        del os.environ[name]  # settings of another fleet are none of this world's
    wanted = RunOptions(minutes, secrets.randbelow(2**31) if seed is None else seed, agents, faults, surface)
    kinds = chosen(faults, surface)
    screen = ChaosScreen(door)
    with Interrupts():
        run = Chaos(wanted, kinds, RunScreen(screen.step, screen.deed), home=folder)
        _log_to(run.world.logs_dir / "harness.log")
        try:
            report = run.live()
        except BaseException:
            door.note(f"The run ended early. Its logs and acts are in {run.home}.")
            raise
    screen.report(report)
    _write(door, report, run.world.surface.words, json_path, write_docs=write_docs)
    if report.clean and not keep:
        run.forget()
    else:
        door.say(f"Logs, acts and data are kept in {run.home}.")
    click.get_current_context().exit(0 if report.clean else 1)


def _log_to(path: Path) -> None:
    """Keep our own log beside the others', away from the lines on the screen."""
    import logging

    from fleet.core import logs

    logs.configure("INFO", json=True)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(path.open("a", encoding="utf-8"))


def _write(door: Door, report: Report, words: SurfaceWords, json_path: Path | None, *, write_docs: bool) -> None:
    if json_path is not None:
        json_path.write_text(json.dumps(report.to_data(), indent=1) + "\n", encoding="utf-8")
        door.say(f"The report is in {json_path}.")
    if write_docs:
        from fleet.chaos.page import page

        path = Path(words.path)
        path.write_text(page(report, words), encoding="utf-8")
        door.say(f"{path} is written.")
