"""The shop's settings: a frozen value, read once from FLEET_SHOP_* variables.

Called by the entry points (`__main__`, `fleet up`, tests). No other module of the shop reads the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa
from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from fleet.core import logs
from fleet.core.errors import InvalidInput
from fleet.sandbox.gallery.faults import FaultRule
from fleet.sandbox.shop.store.hooks import HookHabits

DEFAULT_PORT = 8650
TOKEN_PREFIX = "shp_"  # noqa: S105 - how tokens begin, not a token


@dataclass(frozen=True, slots=True)
class ShopConfig:
    """The settings of a shop. Port 0 means any free port; `public_url` is the base of the addresses of its pages."""

    database_url: str = field(repr=False)
    token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    title: str = "The Corner Shop"
    currency: str = "EUR"
    has_catalogue: bool = False
    """Whether a new shop begins with the invented catalogue."""
    orders_per_hour: float = 0.0
    """How many orders simulated customers place in an hour at tempo 1; 0: none."""
    tempo: float = 1.0
    seed: int = 0
    honour_keys: bool = True
    """Whether a creation with a known Idempotency-Key returns the first response and creates nothing."""
    habits: HookHabits = field(default_factory=HookHabits)
    faults: tuple[FaultRule, ...] = ()
    pool_size: int = 10
    names: tuple[str, ...] = ()
    """Accepted host names, besides those of this machine and of `public_url`."""

    @property
    def base_url(self) -> str:
        """Return `public_url`, or the address on which the shop listens."""
        anywhere = self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
        host = "localhost" if anywhere else f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    def __post_init__(self) -> None:
        if not self.token.startswith(TOKEN_PREFIX) or len(self.token) < len(TOKEN_PREFIX) + 8:
            raise InvalidInput(
                "The shop has no token, or a malformed one.",
                fix="Set FLEET_SHOP_TOKEN to shp_ and at least eight more characters.",
            )
        _check_database_url(self.database_url)
        if not 0 <= self.port <= 65_535:
            raise InvalidInput(f"{self.port} is not a port.", fix="Set FLEET_SHOP_PORT to 0 (any) or up to 65535.")


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FLEET_SHOP_", extra="ignore")

    database_url: str = ""
    token: SecretStr = SecretStr("")
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    catalogue: bool = True
    orders_per_hour: float = Field(6.0, ge=0, le=100_000)
    seed: int = 0
    honour_keys: bool = True
    names: str = ""
    tempo: float = Field(1.0, gt=0, le=1000, validation_alias=AliasChoices("FLEET_SHOP_TEMPO", "FLEET_TEMPO"))


VARIABLES = frozenset(f"FLEET_SHOP_{name.upper()}" for name in _Environment.model_fields)


def from_environment() -> ShopConfig:
    """Read the FLEET_SHOP_* variables. Raises InvalidInput that names the variable."""
    try:
        env = _Environment()
    except ValidationError as error:
        problems = "; ".join(f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        raise InvalidInput(f"The shop's settings are wrong: {problems}.") from None
    return ShopConfig(
        database_url=env.database_url, token=env.token.get_secret_value(), host=env.host, port=env.port,
        public_url=env.public_url, has_catalogue=env.catalogue, orders_per_hour=env.orders_per_hour, tempo=env.tempo,
        seed=env.seed, honour_keys=env.honour_keys,
        names=tuple(part.strip() for part in env.names.split(",") if part.strip()),
    )  # fmt: skip


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else "settings"
    return name if name.startswith("FLEET_") else f"FLEET_SHOP_{name.upper()}"


def _check_database_url(url: str) -> None:
    fix = "Set FLEET_SHOP_DATABASE_URL, as postgresql+psycopg://user:password@host:5432/shop."
    if not url:
        raise InvalidInput("The shop has no database.", fix=fix)
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"The shop's database address cannot be read ({logs.mask(url)}).", fix=fix) from None
    if not parsed.drivername.startswith("postgresql") or not parsed.database:
        raise InvalidInput("The shop's database address names no PostgreSQL database.", fix=fix)
