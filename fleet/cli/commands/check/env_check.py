"""Variables that are called like Fleet's and that nothing reads: a misspelt FLEET_DRY_RUN would let agents write.
Variables that another one has replaced are told too.

Called by `fleet check` and `fleet up`, which tell of them; nothing is refused, since others have variables of that name
too. Commands are looked through only when a name is neither a setting nor one of those below.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import click
from dotenv import dotenv_values

from fleet.core.settings import REPLACED
from fleet.engine import registry

_PREFIX = "FLEET_"
_OTHERS = frozenset(
    {"FLEET_TOKEN", "FLEET_FLOWER_PASSWORD", "FLEET_AGENTS", "FLEET_VERSION", "FLEET_DATABASE_ADMIN_URL"}
)
"""Read by the command line and the compose file without being an option or a setting."""
_OF_TESTS = "FLEET_TEST_"


def found() -> list[str]:
    """Return a sentence for each such variable of the environment and of `.env`."""
    given = {*os.environ, *_dotted()}
    return [*_unread(given), *(_replaced(name) for name in REPLACED if _variable(name) in given)]


def _replaced(name: str) -> str:
    places = " and ".join(f"{action}.{part}" for action, part in REPLACED[name])
    return f"{_variable(name)} is an old setting; set {places} in FLEET_CAPS."


def _unread(given: set[str]) -> list[str]:
    features = registry.current()
    known = {_variable(name) for name in features.settings_model.model_fields} | _OTHERS
    left_out = {_variable(name): feature for name, feature in features.settings_left_out.items()}
    unknown = sorted(one for one in given - known if one.startswith(_PREFIX) and not one.startswith(_OF_TESTS))
    if not unknown:
        return []
    known |= set(_of_commands()) | _of_sandbox()
    return [_sentence(one, known, left_out.get(one)) for one in unknown if one not in known]


def _variable(setting: str) -> str:
    return f"{_PREFIX}{setting.upper()}"


def _sentence(name: str, known: set[str], feature: str | None) -> str:
    if feature is not None:
        return f"{name} is set, but belongs to the feature {feature}, which FLEET_FEATURES leaves out."
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.8)
    return f"{name} is set, and nothing reads it{f'; {close[0]} is meant?' if close else '.'}"


def _dotted() -> set[str]:
    try:
        return {name.upper() for name in dotenv_values(Path(".env"), interpolate=False)}
    except (OSError, ValueError):  # what is wrong with it, the settings tell
        return set()


def _of_sandbox() -> set[str]:
    from fleet.sandbox.gallery import config
    from fleet.sandbox.shop import config as shop_config

    return set(config.VARIABLES) | shop_config.VARIABLES


def _of_commands() -> Iterator[str]:
    from fleet.cli.app import cli

    yield from _below(cli, click.Context(cli, info_name="fleet", auto_envvar_prefix="FLEET"))


def _below(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """Yield the variables of a command's options, under every name that they are read by, and of those below it."""
    for param in command.get_params(ctx):
        yield from [param.envvar] if isinstance(param.envvar, str) else param.envvar or ()
        names = [param.name or "", *(one[2:].replace("-", "_") for one in param.opts if one.startswith("--"))]
        yield from (f"{ctx.auto_envvar_prefix}_{name.upper()}" for name in names)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            if (one := command.get_command(ctx, name)) is not None:
                yield from _below(one, click.Context(one, info_name=name, parent=ctx))
