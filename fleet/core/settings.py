"""Settings: read once at an entry point, from FLEET_* variables and an optional .env, and passed down as a value.

`Settings` has the settings of the whole fleet; features add models of their own (`composed`), which their code reads
through `Settings.of`. Nothing below the entry points reads the environment. Secrets are `SecretStr`, so printing
settings shows none, and every secret of this process is masked in all its output.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, to_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from fleet.core import masking
from fleet.core.errors import InvalidInput

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
P = TypeVar("P", bound=BaseModel)
HostAndPort = Annotated[str, StringConstraints(pattern=r"^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$")]


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


_AtCommas = BeforeValidator(_split)
CommaSeparated = Annotated[tuple[str, ...], NoDecode, _AtCommas]
Hours = Annotated[str, StringConstraints(pattern=r"^(?:1?[0-9]|2[0-4])-(?:1?[0-9]|2[0-4])$")]
CommaSeparatedHours = Annotated[tuple[Hours, ...], NoDecode, _AtCommas]
_ADDRESS = r"https?://(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
PublicAddress = Annotated[str, StringConstraints(pattern=rf"^{_ADDRESS}/?={_ADDRESS}(?:/[a-zA-Z0-9._~/-]*)?$")]
PublicAddresses = Annotated[tuple[PublicAddress, ...], NoDecode, _AtCommas]
CommaSeparatedHosts = Annotated[tuple[HostAndPort, ...], NoDecode, _AtCommas]


class SettingScope(StrEnum):
    """For whom a setting is set at run time, weakest first."""

    FLEET = "fleet"
    ORGANISATION = "organisation"
    PERSONA = "persona"
    ACCOUNT = "account"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class AtRunTime:
    """Metadata of a setting that people may change while the fleet runs: `Annotated[int, AtRunTime()] = Field(...)`.

    Never of a secret that the key store holds, nor of the address of a server.
    """

    scopes: tuple[SettingScope, ...] = (SettingScope.FLEET,)
    is_sealed: bool = False
    """Whether the value holds secrets: it is sealed with the keys of the key store, and shown as ***."""


FLEET_ONLY = AtRunTime()
_WHOLE = (SettingScope.FLEET, SettingScope.ORGANISATION)
FLEET_OR_AGENT = AtRunTime((*_WHOLE, SettingScope.AGENT))
FLEET_PERSONA_OR_AGENT = AtRunTime((*_WHOLE, SettingScope.PERSONA, SettingScope.AGENT))
ANY_SCOPE = AtRunTime((*_WHOLE, SettingScope.ACCOUNT, SettingScope.AGENT))


class CapSetting(BaseModel):
    """The cap that `FLEET_CAPS` sets for one action; None keeps the action's own cap."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gap_s: float | None = Field(None, ge=0, le=31_536_000, allow_inf_nan=False)
    per_day: int | None = Field(None, ge=0, le=1_000_000)


def _from_json(value: object) -> object:
    """Read an object from JSON; an empty variable is an empty object."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else {}
    except ValueError:
        raise ValueError('write it as JSON, such as {"post": {"gap_s": 1800, "per_day": 48}}') from None


def _vendors(name: str, default: object, description: str) -> Any:
    """Describe a setting that its vendor's tools know too, without our prefix; ours wins, also when it is empty."""
    names = AliasChoices(f"FLEET_{name.upper()}", name.upper())
    return Field(default, validation_alias=names, description=description)


class Settings(BaseSettings):
    """All settings. Durations end in `_s` (seconds)."""

    model_config = SettingsConfigDict(env_prefix="FLEET_", env_file=".env", extra="ignore", frozen=True,
                                      populate_by_name=True)  # fmt: skip

    database_url: str = Field("", description="Postgres, as postgresql+psycopg://user:password@host:port/name")
    database_owner_url: str = Field(
        "", description="the same database as its owner, for migrations; by default FLEET_DATABASE_URL"
    )
    broker_url: str = Field("", description="Celery broker, as redis://:password@host:port/0")
    secret_keys: SecretStr = Field(
        SecretStr(""), description="keys of the key store, the first one seals; by default those of the home's key file"
    )
    features: CommaSeparated = Field(
        (), description="optional features to load, or -NAME to leave one out, separated by commas; all if empty"
    )
    home: Path = Field(Path(".fleet"), description="folder of the embedded servers, logs and the run file")

    pinned: CommaSeparated = Field(
        (), description="settings that nobody may change at run time, separated by commas, e.g. dry_run,caps.post"
    )

    gallery_url: str = Field("", description="address of the FloImg surface, e.g. https://api.example.org")
    sandbox: bool = Field(False, description="whether the surface is the sandbox gallery; `fleet up` sets it")
    service_token: SecretStr = Field(SecretStr(""), description="service token of the surface (fst_...)")
    pictures_account: str = Field(
        "", description="account whose system makes all pictures; by default that of the post, else the first that can"
    )
    allowed_hosts: CommaSeparated = Field(
        LOOPBACK_HOSTS, description="hosts that agents may write to, optionally with a port, separated by commas"
    )
    public_addresses: Annotated[PublicAddresses, FLEET_ONLY] = Field(
        (),
        examples=["http://gallery:8000=https://gallery.example.org"],
        description="addresses of surfaces for people, where those of their APIs do not serve them, as API=PUBLIC, "
        "separated by commas",
    )
    dry_run: Annotated[bool, ANY_SCOPE] = Field(False, description="prepare everything, send nothing")
    operator: str = Field(
        "the operator of this fleet", description="person or company responsible for the agents (bio line)"
    )
    contact: str = Field("", description="address for people who want to reach the operator")
    label_agents: bool = Field(True, description="label accounts and pictures as made by AI")
    label_off_reason: str = Field(
        "", validate_default=True, description="why labels are off; only for your own surfaces"
    )

    llm_order: Annotated[CommaSeparated, FLEET_PERSONA_OR_AGENT] = Field(
        ("anthropic", "openai"),
        description="models to use, in this order, each if it has a key or an address of its own",
    )
    anthropic_api_key: SecretStr = _vendors("anthropic_api_key", SecretStr(""), "key of Anthropic's API")
    anthropic_model: Annotated[str, FLEET_PERSONA_OR_AGENT] = Field(
        "claude-haiku-5-5", min_length=1, description="its model"
    )
    anthropic_base_url: str = _vendors("anthropic_base_url", "", "address of a compatible gateway")
    openai_api_key: SecretStr = _vendors(
        "openai_api_key", SecretStr(""), "key of OpenAI's API, or of a compatible server"
    )
    openai_model: Annotated[str, FLEET_PERSONA_OR_AGENT] = Field("gpt-6-luna", min_length=1, description="its model")
    openai_base_url: str = _vendors(
        "openai_base_url", "", "address of a compatible server, e.g. http://127.0.0.1:11434/v1 for Ollama"
    )
    llm_effort: Annotated[str, FLEET_PERSONA_OR_AGENT] = Field(
        "low",
        pattern="^(none|low|medium|high|xhigh|max|)$",
        examples=["none, low, medium, high, xhigh, max"],
        description="thinking effort of models; empty: their default",
    )
    llm_timeout_s: Annotated[float, FLEET_ONLY] = Field(
        45.0, ge=1, le=600, description="time limit of one text over all tries and models"
    )
    llm_prices: Annotated[CommaSeparated, FLEET_ONLY] = Field(
        (), description="own prices, MODEL=INPUT/OUTPUT in dollars for a million tokens, separated by commas"
    )
    llm_when_spent: Annotated[Literal["grammar", "wait"], FLEET_ONLY] = Field(
        "grammar",
        description="when a budget is spent, use the personas' own grammar, or wait",
    )
    llm_batch: Annotated[bool, FLEET_PERSONA_OR_AGENT] = Field(
        False, description="write posts by the batch API: half the price, minutes to a day later"
    )
    llm_stream: Annotated[bool, FLEET_ONLY] = Field(
        False, description="stream responses; one that is cut short costs its actual tokens, not the maximum"
    )
    llm_record: Path | None = Field(None, description="file to which every text and its cost are appended")
    llm_replay: Path | None = Field(None, description="such a file, used instead of any model")

    tempo: float = Field(1.0, gt=0, le=1000, description="how many times faster than real time the fleet lives")

    agent_timezone: Annotated[str, FLEET_OR_AGENT] = Field(
        "", max_length=60, description="time zone of agents' hours, e.g. Europe/Berlin; by default their persona's"
    )
    agent_hours: Annotated[CommaSeparatedHours, FLEET_OR_AGENT] = Field(
        (),
        examples=["9-17 or 22-2"],
        description="local hours in which agents are awake, as 9-17, separated by commas; by default their persona's",
    )

    http_timeout_s: float = Field(30.0, gt=0, le=300, description="deadline of one call to a surface")
    lease_s: float = Field(120.0, ge=1, le=3600, description="how long a worker may hold a tick or a job")
    settle_s: float = Field(20.0, ge=0, le=3600, description="wait before an unknown outcome is probed")
    republish_s: float = Field(
        30.0, gt=0, le=3600, description="time after which an unclaimed message is published again"
    )
    liveness_s: float = Field(
        120.0, ge=0, le=86_400, description="time after which a worker without progress exits; 0: never"
    )
    dispatch_batch: int = Field(500, ge=1, le=10_000, description="agents woken by one dispatch transaction")
    retention_days: Annotated[int, FLEET_ONLY] = Field(
        30,
        ge=1,
        le=36_500,
        description="retention of decided ticks, finished jobs, events, calls to models and settled requests",
    )
    prune_batch: int = Field(5000, ge=100, le=50_000, description="rows that prune deletes in one transaction")

    caps: Annotated[dict[str, CapSetting], NoDecode, BeforeValidator(_from_json), ANY_SCOPE] = Field(
        {}, description="caps of one agent's actions, as JSON; an action that is not named keeps its own"
    )
    post_gap_s: float | None = Field(None, ge=0, le=31_536_000, description="now in FLEET_CAPS: post.gap_s")
    comment_gap_s: float | None = Field(None, ge=0, le=31_536_000, description="now in FLEET_CAPS: comment.gap_s")
    comments_per_day: int | None = Field(None, ge=0, le=1_000_000, description="now in FLEET_CAPS: comment.per_day")
    posts_per_day: int | None = Field(None, ge=0, le=1_000_000, description="now in FLEET_CAPS: post.per_day")
    likes_per_day: int | None = Field(
        None, ge=0, le=1_000_000, description="now in FLEET_CAPS: like.per_day and react.per_day"
    )
    connects_per_day: int | None = Field(None, ge=0, le=1_000_000, description="now in FLEET_CAPS: connect.per_day")
    ai_comment_lead: Annotated[int, ANY_SCOPE] = Field(
        3, ge=0, le=1_000_000, description="AI comments on a post beyond the human ones, at most"
    )
    surface_writes_per_minute: Annotated[int, FLEET_ONLY] = Field(
        100, ge=0, le=1_000_000, description="writes of the whole fleet to one surface; 0: no limit"
    )

    moderation: Annotated[Literal["local", "openai", "model"], FLEET_ONLY] = Field(
        "local", description="moderator after the local rules: none, OpenAI's moderation, or the model that writes"
    )
    moderation_model: Annotated[str, FLEET_ONLY] = Field(
        "omni-moderation-latest", min_length=1, description="model of OpenAI's moderation; `model` does not use it"
    )
    moderation_api_key: SecretStr = Field(
        SecretStr(""), description="key of OpenAI's moderation, if not that of OpenAI's models"
    )
    moderation_base_url: str = Field("", description="address of OpenAI's moderation, if not that of OpenAI's models")
    image_hosts: CommaSeparated = Field(
        (), description="hosts of the surface's pictures besides its own, as HOST or HOST:PORT, separated by commas"
    )
    c2pa_cert: Path | None = Field(None, description="certificates that sign pictures (PEM), the signer's first")
    c2pa_key: Path | None = Field(None, description="file of the private key that signs pictures (PEM)")
    c2pa_key_pem: SecretStr = Field(SecretStr(""), description="that key itself, best kept in the key store")

    local_token: SecretStr = Field(
        SecretStr(""), description="token of the command line in the run file of `fleet up`, which sets it"
    )
    web_url: str = Field(
        "",
        pattern="^(https?://[^/?#]+)?$",
        examples=["https://fleet.example.org"],
        description="public address of the dashboard, if a proxy serves it",
    )
    web_proxies: CommaSeparated = Field(
        (), description="addresses or networks of trusted proxies (X-Forwarded headers), separated by commas"
    )
    web_reads_per_minute: Annotated[int, FLEET_ONLY] = Field(
        600,
        ge=0,
        le=1_000_000,
        description="API reads of a user's programs, and of their browsers, in each process; 0: no limit",
    )
    web_writes_per_minute: Annotated[int, FLEET_ONLY] = Field(
        120, ge=0, le=1_000_000, description="API writes of the same; 0: no limit"
    )

    pool_size: int = Field(10, ge=1, le=200, description="database connections of one process")
    failpoints_dir: Path | None = Field(
        None, description="folder for strikes of the fault harness; never set it yourself"
    )
    log_level: str = Field(
        "INFO", pattern="(?i)^(debug|info|warning|error)$", examples=["debug, info, warning or error"]
    )
    log_json: bool | None = Field(None, description="JSON logs; by default only when not on a terminal")

    _from_file: frozenset[str] = PrivateAttr(frozenset())

    @field_validator("*", mode="before")
    @classmethod
    def _nothing_is_the_default(cls, value: object, info: ValidationInfo) -> object:
        """Read a variable that is set to nothing as the page of settings does; as a path it would be this folder."""
        field = cls.model_fields[str(info.field_name)]
        has_default = field.annotation in (Path, Path | None, bool | None)
        return field.default if has_default and isinstance(value, str) and not value.strip() else value

    @field_validator("*")
    @classmethod
    def _bare(cls, value: object) -> object:
        """Strip whitespace that a shell or a file adds to a secret: with a line break it fits into no header.

        A secret of several lines, a key in PEM, stays as it was written.
        """
        if not isinstance(value, SecretStr):
            return value
        bare = value.get_secret_value().strip()
        return value if "\n" in bare else SecretStr(bare)

    @field_validator("web_proxies")
    @classmethod
    def _addresses_of_proxies(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse invalid addresses, which the server would ignore silently, and `*`, with which any client could
        forge its address.
        """
        for entry in entries:
            try:
                ipaddress.ip_network(entry)
            except ValueError:
                raise ValueError(f"{entry[:60]!r} is no address and no network of a proxy") from None
        return entries

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _psycopg_driver(cls, value: str) -> str:
        """Accept the plain forms that hosting companies hand out; Fleet speaks through psycopg 3."""
        for plain in ("postgres://", "postgresql://"):
            if value.startswith(plain):
                return "postgresql+psycopg://" + value.removeprefix(plain)
        if value and not value.startswith("postgresql+"):
            raise ValueError("is no address of Postgres; write it as postgresql://user@host:5432/name")
        return value

    @field_validator("label_off_reason")
    @classmethod
    def _reason_for_no_label(cls, value: str, info: ValidationInfo) -> str:
        if not info.data.get("label_agents", True) and not value.strip():
            raise ValueError("say why FLEET_LABEL_AGENTS is off")
        return value

    @field_validator("pinned")
    @classmethod
    def _names_of_settings(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(entry.lower().removeprefix("fleet_") for entry in entries)

    def is_pinned(self, name: str) -> bool:
        """Return whether `pinned` names a setting, or the whole of which it is a part (`caps.post`, `caps`)."""
        return any(name == one or name.startswith(f"{one}.") for one in self.pinned)

    def is_from_file(self, name: str) -> bool:
        """Return whether a setting was read from `.env`."""
        return name in self._from_file

    def caps_given(self) -> dict[str, CapSetting]:
        """Return the caps that are set, by action: `caps`, completed by the older settings that it replaced."""
        given = {action: cap.model_dump(exclude_none=True) for action, cap in self.caps.items()}
        for name, places in REPLACED.items():
            value = getattr(self, name)
            for action, part in places if value is not None else ():
                given.setdefault(action, {}).setdefault(part, value)
        return {action: CapSetting(**parts) for action, parts in given.items()}

    @property
    def replaced(self) -> list[str]:
        """The settings that are set and that `caps` has replaced."""
        return [name for name in REPLACED if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _conceal_secrets(self) -> Self:
        for name in secrets_of(type(self)):
            value = getattr(self, name).get_secret_value()
            masking.conceal(*(value.split(",") if name == "secret_keys" else [value]))
        return self

    def of(self, model: type[P]) -> P:
        """Return the settings of one feature's model. Raises LookupError if the feature is left out."""
        if isinstance(self, model):
            return self
        raise LookupError(f"These settings have no {model.__name__}: its feature is left out.")


_OF_EVERY_MODEL = ("model_config", "_abc_impl")


@functools.lru_cache(maxsize=4)  # only tests choose features more than once in a process
def composed(*models: tuple[str, type[BaseModel]]) -> type[Settings]:
    """Return the settings of a fleet with these features, each with the model of its own settings.

    Raises InvalidInput for a setting, property or validator that two of them have: one would replace the other.
    """
    owners = dict.fromkeys((*Settings.model_fields, *dir(Settings)), "the fleet")
    for feature, model in models:
        own = [name for name in vars(model) if not name.startswith("__") and name not in _OF_EVERY_MODEL]
        for name in (*model.model_fields, *own):
            if name in owners:
                what = "setting" if name in model.model_fields else "property or validator of settings"
                raise InvalidInput(f"The feature {feature} registers the {what} {name}, which {owners[name]} has.")
            owners[name] = f"the feature {feature}"
    # pydantic takes the fields of the last base first
    bases: Any = (*(model for _, model in reversed(models)), Settings)
    return cast(type[Settings], create_model("FleetSettings", __base__=bases))


def secrets_of(model: type[Settings]) -> tuple[str, ...]:
    """Return the names of the settings that are secrets. The key store can hold any of them but its own keys."""
    return tuple(name for name, field in model.model_fields.items() if field.annotation is SecretStr)


REPLACED: dict[str, tuple[tuple[str, str], ...]] = {
    "post_gap_s": (("post", "gap_s"),),
    "comment_gap_s": (("comment", "gap_s"),),
    "comments_per_day": (("comment", "per_day"),),
    "posts_per_day": (("post", "per_day"),),
    "likes_per_day": (("like", "per_day"), ("react", "per_day")),
    "connects_per_day": (("connect", "per_day"),),
}
"""Settings of earlier versions, and the places in `caps` that they set. They are accepted with a warning."""


def mapping_as_json(values: Mapping[str, object]) -> str:
    """Return a mapping in the form of its variable, such as `FLEET_CAPS`; empty for none."""
    return to_json(values, exclude_none=True).decode() if values else ""


def load(model: type[Settings] = Settings, /, **overrides: object) -> Settings:
    """Read the settings; `overrides` win over the environment. Raises InvalidInput naming each variable."""
    try:
        made = model(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{_variable(item['loc'])}: {why}" for item, why in _problems(model, error))
        raise InvalidInput(f"Settings are wrong: {problems}.", fix="See docs/settings.md.") from None
    environment = {name.upper() for name in os.environ}
    read = made.model_fields_set - overrides.keys()
    made._from_file = frozenset(name for name in read if not environment.intersection(_variables(model, name)))
    return made


def changed(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Return settings with other values for some, all checked together. Reads no environment.

    Raises InvalidInput that says what is wrong, without a value.
    """
    model = type(settings)
    given = {name: values[name] if name in values else getattr(settings, name) for name in model.model_fields}
    made = model.__new__(model)
    try:
        BaseModel.__init__(made, **given)  # `BaseSettings.__init__` would read the environment
    except ValidationError as error:
        raise InvalidInput(
            "; ".join(f"{_name_of(item['loc'])}: {why}" for item, why in _problems(model, error))
        ) from None
    return settings.model_copy(update={name: getattr(made, name) for name in values})


def at_run_time(model: type[BaseModel], name: str) -> AtRunTime | None:
    """Return where a setting may be set at run time; None for one that is read at the start alone."""
    found = (one for one in model.model_fields[name].metadata if isinstance(one, AtRunTime))
    return next(found, None)


def _variables(model: type[Settings], name: str) -> tuple[str, ...]:
    """Return the variables that set a setting."""
    alias = model.model_fields[name].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [f"FLEET_{name}"]
    return tuple(str(one).upper() for one in choices)


def _problems(model: type[Settings], error: ValidationError) -> Iterator[tuple[ErrorDetails, str]]:
    found = error.errors(include_url=False, include_input=False)
    return ((item, _in_words(model, item)) for item in found)


def _in_words(model: type[Settings], item: ErrorDetails) -> str:
    """Return the error of a value: Fleet's own message where there is one, never a regular expression."""
    if item["type"] == "value_error":
        return str(item["ctx"]["error"])
    if item["type"] in ("string_pattern_mismatch", "bool_parsing"):
        field = model.model_fields.get(str(item["loc"][0]))
        examples = field.examples if field is not None else None
        return f"write it as {' or '.join(map(str, examples or ['true or false']))}"
    return item["msg"]


def _name_of(loc: tuple[int | str, ...]) -> str:
    """Return the name of a wrong setting, and of the part within a mapping."""
    return ".".join(part for part in loc if isinstance(part, str)) or "settings"


def _variable(loc: tuple[int | str, ...]) -> str:
    if loc[0] == "caps" and len(loc) > 1:
        return f"FLEET_CAPS {'.'.join(str(part) for part in loc[1:])}"
    name = "_".join(part for part in loc if isinstance(part, str)).upper()  # parts of lists have numbers
    return f"FLEET_{name.removeprefix('FLEET_')}"
