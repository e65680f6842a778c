"""The gallery's settings: a frozen value, read once from FLEET_GALLERY_* variables.

Called by the entry points (`__main__`, `fleet up`, tests). No other module of the gallery reads the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet.core import logs
from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery.faults import FaultRule

DEFAULT_PORT = 8640
TOKEN_PREFIX = "fst_"  # noqa: S105 - how tokens begin, not a token


@dataclass(frozen=True, slots=True)
class GalleryBudgets:
    """Maximum executions in a calendar day or month (UTC); None is unlimited."""

    fleet_daily: int | None = None
    fleet_monthly: int | None = None
    agent_daily: int | None = None
    agent_monthly: int | None = None

    @property
    def any(self) -> bool:
        return any(v is not None for v in (self.fleet_daily, self.fleet_monthly, self.agent_daily, self.agent_monthly))


@dataclass(frozen=True, slots=True)
class GalleryConfig:
    """The settings of a gallery. Port 0 means any free port; `public_url` is the base of picture URLs.

    A service token may be followed by spaces and its scopes, as in `fst_x showcase:write`; without
    scopes it may do everything.
    """

    database_url: str = field(repr=False)
    images_dir: Path
    service_tokens: tuple[str, ...] = field(repr=False)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    budgets: GalleryBudgets | None = None
    """Initial budgets; None keeps those of the last run."""
    faults: tuple[FaultRule, ...] = ()
    honour_keys: bool = False
    """Whether a write with a known Idempotency-Key returns the first response and does not write; controls set it."""
    operator: str = "the operator of this fleet"
    pool_size: int = 20
    names: tuple[str, ...] = ()
    """Accepted host names, besides those of this machine and of `public_url`."""
    most_guests: int = 10_000
    guests_per_hour: int = 60
    deeds_per_minute: int = 60
    """Limits per address: new guests, and likes and comments; 0 means no limit."""
    most_streams: int = 500
    streams_per_address: int = 100

    @property
    def base_url(self) -> str:
        """Return the base of picture URLs: `public_url`, or the address on which the gallery listens."""
        anywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        host = "localhost" if anywhere else f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    def __post_init__(self) -> None:
        if not any(token.split() for token in self.service_tokens):
            raise InvalidInput("The gallery has no service token.", fix="Set FLEET_SERVICE_TOKEN to fst_ and a secret.")
        for token in self.service_tokens:
            if not token.startswith(TOKEN_PREFIX) or len(token.split()[0]) < len(TOKEN_PREFIX) + 8:
                raise InvalidInput(
                    "A service token of the gallery is malformed.",
                    fix="Tokens are fst_ and at least eight more characters.",
                )
        _check_database_url(self.database_url)
        if not 0 <= self.port <= 65_535:
            raise InvalidInput(f"{self.port} is not a port.", fix="Set FLEET_GALLERY_PORT to 0 (any) or up to 65535.")


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FLEET_GALLERY_", extra="ignore")

    database_url: str = ""
    images_dir: Path = Path(".fleet/gallery/images")
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    honour_keys: bool = False
    pool_size: int = Field(20, ge=2, le=200)
    names: str = ""
    most_guests: int = Field(10_000, ge=1, le=1_000_000)
    guests_per_hour: int = Field(60, ge=0, le=1_000_000)
    service_tokens: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("FLEET_GALLERY_SERVICE_TOKENS", "FLEET_SERVICE_TOKEN")
    )
    operator: str = Field(
        "the operator of this fleet", validation_alias=AliasChoices("FLEET_GALLERY_OPERATOR", "FLEET_OPERATOR")
    )
    fleet_daily: int | None = Field(None, ge=0)
    fleet_monthly: int | None = Field(None, ge=0)
    agent_daily: int | None = Field(None, ge=0)
    agent_monthly: int | None = Field(None, ge=0)


VARIABLES = frozenset(f"FLEET_GALLERY_{name.upper()}" for name in _Environment.model_fields)


def from_environment() -> GalleryConfig:
    """Read the FLEET_GALLERY_* variables. Raises InvalidInput that names the variable."""
    try:
        env = _Environment()
    except ValidationError as error:
        problems = "; ".join(f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        raise InvalidInput(f"The gallery's settings are wrong: {problems}.") from None
    budgets = GalleryBudgets(env.fleet_daily, env.fleet_monthly, env.agent_daily, env.agent_monthly)
    return GalleryConfig(
        database_url=env.database_url, images_dir=env.images_dir, host=env.host, port=env.port,
        service_tokens=_split(env.service_tokens.get_secret_value()), public_url=env.public_url,
        budgets=budgets if budgets.any else None, honour_keys=env.honour_keys, operator=env.operator,
        pool_size=env.pool_size, names=_split(env.names), most_guests=env.most_guests,
        guests_per_hour=env.guests_per_hour,
    )  # fmt: skip


def _split(entries: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in entries.split(",") if part.strip())


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.startswith("FLEET_") else f"FLEET_GALLERY_{name.upper()}"


def _check_database_url(url: str) -> None:
    fix = "Set FLEET_GALLERY_DATABASE_URL, as postgresql+psycopg://user:password@host:5432/gallery."
    if not url:
        raise InvalidInput("The gallery has no database.", fix=fix)
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"The gallery's database address cannot be read ({logs.mask(url)}).", fix=fix) from None
    if not parsed.drivername.startswith("postgresql") or not parsed.database:
        raise InvalidInput("The gallery's database address names no PostgreSQL database.", fix=fix)
