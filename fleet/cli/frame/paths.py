"""Where a fleet's servers are, for commands in another terminal: the environment first, then the home's running fleet.

`fleet up` leaves its decisions that are no addresses (service token, tempo) in `settings.json` of its home, private;
the addresses stand in the run file of `fleet.sandbox`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.sandbox import disk
from fleet.sandbox.processes.runfile import RunFile, RunInfo

_NAME = "settings.json"
_USUAL_WEB = "http://127.0.0.1:8630"
"""Where `fleet web` listens if nobody says otherwise."""

_NO_DATABASE, _NO_BROKER = "postgresql://nobody@127.0.0.1:1/none", "redis://127.0.0.1:1/0"


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """What a home remembers of its fleet beside the addresses."""

    service_token: str = field(repr=False)
    tempo: float = 1.0
    sandbox: bool = False


def store(home: Path, kept: HomeSettings) -> None:
    """Write down what the fleet of this home runs with. Raises FleetError."""
    disk.write_private(home / _NAME, json.dumps(asdict(kept)) + "\n")


def stored(home: Path) -> HomeSettings | None:
    """Return what was written down last; None when there is nothing to read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads((home / _NAME).read_text(encoding="utf-8"))
        return HomeSettings(str(data["service_token"]), float(data["tempo"]), bool(data.get("sandbox")))
    return None


def service_token(home: Path) -> str:
    """Return the token of this home's own gallery: the one of last time, or a new one."""
    kept = stored(home)
    return kept.service_token if kept is not None and kept.service_token else f"fst_{secrets.token_urlsafe(24)}"


def given(home: Path | None, /, **overrides: object) -> Settings:
    """Read the settings of the environment; a home named on the command line wins. Raises InvalidInput."""
    named = {} if home is None else {"home": home}
    return registry.load_settings(**named, **overrides)


def connected(home: Path | None, *, needs_database: bool = True) -> Settings:
    """Return settings that name a database. Raises InvalidInput when neither environment nor home knows one.

    Without `needs_database` they name one that nobody reaches then.

    A fleet that runs from the home lends only what the environment leaves open, and nothing at all when the
    environment names another database: agents of one fleet must not act on the gallery of another.
    """
    settings = given(home)
    running = RunFile.read(settings.home.absolute())
    if running is not None and settings.database_url in ("", running.database_url):
        return given(home, **_lent(settings, running))
    if not settings.database_url:
        if not needs_database:
            return given(home, database_url=_NO_DATABASE, broker_url=settings.broker_url or _NO_BROKER)
        raise InvalidInput(
            f"No fleet runs from {settings.home}, and no database is set.",
            fix="Start one with `fleet up`, name its folder with --home, or set FLEET_DATABASE_URL.",
        )
    return settings


def dashboard(settings: Settings) -> str:
    """Return where people reach the dashboard: as the settings say, else where the home's fleet serves it."""
    running = RunFile.read(settings.home.absolute())
    return settings.web_url or (running.urls.get("web", "") if running is not None else "") or _USUAL_WEB


def _lent(settings: Settings, running: RunInfo) -> Mapping[str, object]:
    kept = stored(settings.home.absolute())
    offers: dict[str, object] = {
        "database_url": running.database_url, "database_owner_url": running.database_owner_url,
        "broker_url": running.broker_url, "gallery_url": running.gallery_url,
    }  # fmt: skip
    if kept is not None:
        offers |= {"service_token": kept.service_token, "tempo": kept.tempo, "sandbox": kept.sandbox}
    return {name: value for name, value in offers.items() if value and _is_open(settings, name)}


def _is_open(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return name not in settings.model_fields_set or not (value.get_secret_value() if name == "service_token" else value)
