"""How the layers of settings make one value: the environment's settings, then rows from the fleet to the agent.

Called by `live`, and by commands that check a change. Pure but for the features of this process, which name actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.core import logs
from fleet.core.errors import InvalidInput, NotFound
from fleet.core.settings import REPLACED, AtRunTime, CapSetting, Settings, at_run_time, changed
from fleet.engine import registry

Values = Mapping[str, Any]
"""Values of settings by name, as JSON holds them. A part of the caps is `caps.ACTION.PART`."""
CAPS = "caps"

log = logs.get(__name__)


def name_of(written: str) -> str:
    """Return a setting's name, however it is written: `FLEET_DRY_RUN`, `dry-run`, `FLEET_CAPS post.per_day`."""
    return written.strip().lower().removeprefix("fleet_").replace(" ", ".").replace("-", "_")


def declared(model: type[Settings], name: str) -> AtRunTime | None:
    """Return where a setting may be set at run time; None for one that is read at the start alone.

    Raises NotFound for a name that no setting has, InvalidInput for the caps as a whole.
    """
    whole, _, part = name.partition(".")
    if whole == CAPS:
        known = caps_parts()
        if name == CAPS:
            raise InvalidInput("Caps are set one by one.", fix=f"Name a part, such as {known[0]}.")
        if name in known:
            return at_run_time(model, CAPS)
        raise NotFound(f"There is no setting {name[:100]}.", fix=f"Caps: {', '.join(known)}.")
    if part or whole not in model.model_fields:
        raise NotFound(f"There is no setting {name[:100]!r}.", fix="`fleet settings list` shows them.")
    return at_run_time(model, whole)


def caps_parts() -> list[str]:
    """Return the names of the settings of which `caps` is made."""
    return [f"{CAPS}.{action}.{part}" for action in registry.current().action_types for part in CapSetting.model_fields]


def value_of(settings: Settings, name: str) -> Any:
    """Return the value of a setting, or of a part of the caps; None for a cap that is not set."""
    if not name.startswith(f"{CAPS}."):
        return getattr(settings, name)
    _, action, part = name.split(".")
    cap = settings.caps_given().get(action)
    return None if cap is None else getattr(cap, part)


def apply(settings: Settings, *layers: Values) -> Settings:
    """Return settings with the values of these layers, weakest first; a pinned setting keeps its value.

    Raises InvalidInput for values that are wrong, by themselves or together.
    """
    merged = {name: value for layer in layers for name, value in layer.items() if not settings.is_pinned(name)}
    if not merged:
        return settings
    fields = {name: value for name, value in merged.items() if "." not in name}
    parts = {name: value for name, value in merged.items() if name.startswith(f"{CAPS}.")}
    if parts:
        caps = {action: cap.model_dump(exclude_none=True) for action, cap in settings.caps_given().items()}
        for name, value in parts.items():
            _, action, part = name.split(".")
            caps.setdefault(action, {})[part] = value
        fields[CAPS] = caps
    return changed(settings, fields)


def apply_valid(settings: Settings, values: Values) -> Settings:
    """Return settings with those of the values that are valid here: another version or environment took them.

    A wrong one is logged; it must not put the others out of force, since some may protect the outside.
    """
    known = {name: value for name, value in values.items() if is_known(type(settings), name)}
    try:
        return apply(settings, known)
    except InvalidInput:
        return _one_by_one(settings, known)


def _one_by_one(settings: Settings, values: Values) -> Settings:
    for name, value in values.items():
        try:
            settings = apply(settings, {name: value})
        except InvalidInput as error:
            log.warning("setting_not_in_force", setting=name, reason=str(error))
    return settings


def is_known(model: type[Settings], name: str) -> bool:
    """Say whether this process knows a setting as one that may be set at run time."""
    try:
        return declared(model, name) is not None
    except (NotFound, InvalidInput):
        return False


def check_pinned(settings: Settings) -> None:
    """Raise InvalidInput for FLEET_PINNED with a name that no setting has, or one that caps have replaced.

    Those of features left out are accepted.
    """
    caps = {name.rpartition(".")[0] for name in caps_parts()}
    for name in settings.pinned:
        if name.partition(".")[0] in registry.current().settings_left_out or name == CAPS or name in caps:
            continue
        if name in REPLACED:  # it would pin nothing: the cap that it sets can be changed
            parts = ",".join(f"{CAPS}.{action}.{part}" for action, part in REPLACED[name])
            raise InvalidInput(f"FLEET_PINNED names {name}, which caps have replaced.", fix=f"Name {parts}.")
        try:
            declared(type(settings), name)
        except NotFound:
            raise InvalidInput(
                f"FLEET_PINNED names no setting: {name[:100]}.", fix="docs/settings.md lists them."
            ) from None
