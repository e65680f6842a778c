"""The settings in force, and the layer from which each value comes. Called by pages, the API and commands.

Shows no secret: only that it is set; passwords within addresses are removed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import SecretStr

from fleet.core import text
from fleet.core.masking import mask
from fleet.core.settings import REPLACED, Settings, SettingScope, at_run_time, mapping_as_json, secrets_of
from fleet.engine import registry
from fleet.engine.deps import caps_of
from fleet.engine.settings import layers, sealing
from fleet.engine.settings.store import StoredSetting
from fleet.features.settings.groups import group_of
from fleet.features.settings.value_text import shown

HIDDEN = "***"
"""Stands for a secret that is set."""
Value = str | int | float | bool | list[str] | None
"""A setting as JSON holds it; a list where there are several."""
# What drivers take as words of an address's query: ?password=..., &sslpassword=...
_IN_QUERY = re.compile(r"(?i)([?&][^=&#]*(?:password|passwd|secret|token|key)[^=&#]*=)[^&#]*")


class SettingSource(StrEnum):
    """The layer from which a value comes, weakest first."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    KEY_STORE = "key store"
    FLEET = "fleet"
    ORGANISATION = "organisation"
    PERSONA = "persona"
    ACCOUNT = "account"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force, or a part of one ("caps.post.gap_s"). `variable` is the variable that sets it."""

    name: str
    value: Value
    source: SettingSource
    description: str
    is_secret: bool = False
    scopes: tuple[SettingScope, ...] = ()
    """Where it can be set at run time; nowhere if it is read at the start alone."""
    is_pinned: bool = False
    set_by: str | None = None
    set_at: datetime | None = None
    reason: str = ""

    @property
    def group(self) -> str:
        """The heading that it stands under."""
        return group_of(self.name.partition(".")[0])

    @property
    def variable(self) -> str:
        """The name of its variable, and of the part within."""
        name, _, part = self.name.partition(".")
        return f"FLEET_{name.upper()} {part}".rstrip()

    @property
    def shown(self) -> str:
        """Its value as text, for pages; empty where nothing is set."""
        return shown(self.name, self.value)


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts in a scope: the settings, those of the environment below them, and the rows that made them.

    `rows` has the strongest row of each setting that is set at run time.
    """

    settings: Settings
    given: Settings
    rows: Mapping[str, StoredSetting] = field(default_factory=dict)
    stored: Collection[str] = ()
    """Names of the secrets in the key store."""


def every(known: InForce) -> list[Setting]:
    """Return every setting: the fleet's own, then those of each feature; of the caps each part.

    Options of commands count as environment: they win over the key store. Settings that others have replaced are left
    out unless they are set.
    """
    found: list[Setting] = []
    for name in type(known.given).model_fields:
        if name == layers.CAPS:
            found += _caps(known)
        elif name not in REPLACED or name in known.given.replaced:
            found.append(one(known, name))
    return found


def one(known: InForce, name: str) -> Setting:
    """Return a setting that is no part of the caps."""
    model = type(known.given)
    value, source = _value_of(known, name)
    declared = at_run_time(model, name)
    return _set_by(
        known, Setting(
            name, value, source, model.model_fields[name].description or "", hides(model, name),
            () if declared is None else declared.scopes, known.given.is_pinned(name),
        )
    )  # fmt: skip


def hides(model: type[Settings], name: str) -> bool:
    """Say whether the value of a setting is never shown."""
    if name.startswith(f"{layers.CAPS}."):
        return False
    declared = at_run_time(model, name)
    return name in secrets_of(model) or (declared is not None and declared.is_sealed)


CAPS = ("ai_comment_lead", "surface_writes_per_minute", "scan_concurrency")
"""The settings that cap what agents do, beside those of single actions."""


def caps(known: InForce) -> list[Setting]:
    """Return the caps in force, and the source of each. Raises InvalidInput for caps of unknown actions."""
    own = [one for one in _caps(known) if one.value is not None]
    return [one(known, "dry_run"), *own, *(one(known, name) for name in CAPS if name in type(known.given).model_fields)]


def _caps(known: InForce) -> Iterator[Setting]:
    """Yield the parts of the caps of every action; an action without a limit has None."""
    settings, given = known.settings, known.given.caps_given()
    declared = at_run_time(type(settings), layers.CAPS)
    scopes = () if declared is None else declared.scopes
    for action, cap in caps_of(settings).items():
        noun, gap_s, tempo = registry.current().action_types[action].noun, cap.gap.total_seconds(), settings.tempo
        for part, value, description in (
            ("gap_s", gap_s or None, f"least time between two {noun}s of one agent: {_by_tempo(gap_s, tempo)}"),
            ("per_day", cap.per_day, f"most {noun}s of one agent in {_by_tempo(86_400, tempo)}"),
        ):
            name = f"{layers.CAPS}.{action}.{part}"
            set_here = action in given and part in given[action].model_fields_set
            shown_value = 0 if value is None and (set_here or name in known.rows) else value
            own = _layer_of_given(known.given, layers.CAPS) if set_here else SettingSource.DEFAULT
            yield _set_by(
                known, Setting(name, shown_value, own, description, False, scopes, known.given.is_pinned(name))
            )


def _set_by(known: InForce, setting: Setting) -> Setting:
    row = known.rows.get(setting.name)
    if row is None:
        return setting
    value = HIDDEN if sealing.is_sealed(row.value) else setting.value
    return replace(
        setting, value=value, source=SettingSource(row.key.scope), set_by=row.set_by, set_at=row.set_at,
        reason=row.reason,
    )  # fmt: skip


def _by_tempo(seconds: float, tempo: float) -> str:
    """Return a length of time that the tempo scales, and what it is in real time."""
    return text.span(seconds) + (f" ({text.span(seconds / tempo)} in real time)" if tempo != 1 and seconds else "")


def _value_of(known: InForce, name: str) -> tuple[Value, SettingSource]:
    value = plain(getattr(known.settings, name))
    if name in known.given.model_fields_set:
        return value, _layer_of_given(known.given, name)
    if name in known.stored and name in secrets_of(type(known.given)):
        return HIDDEN, SettingSource.KEY_STORE
    return value, SettingSource.DEFAULT


def _layer_of_given(given: Settings, name: str) -> SettingSource:
    """Return the layer of a setting that the environment has, or `.env`."""
    is_file = given.is_from_file(name) and name in given.model_fields_set
    return SettingSource.FILE if is_file else SettingSource.ENVIRONMENT


def plain(value: object) -> Value:
    """Return a value as JSON holds it, without secrets."""
    match value:
        case None | bool() | int() | float():
            return value
        case SecretStr():
            return HIDDEN if value.get_secret_value() else ""
        case tuple() | list():
            return [str(plain(one)) for one in value]
        case Path():
            return str(value)
        case dict():
            return mapping_as_json(value)
    return _IN_QUERY.sub(rf"\g<1>{HIDDEN}", mask(str(value)))
