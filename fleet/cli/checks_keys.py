"""The checks of what keys open: the key store, the moderator, the signature of pictures. Called by `checks`."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator

from fleet.cli.checks import Finding, Level
from fleet.core.db import Database
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.llm import registry as models
from fleet.runtime import keys, signing

_LOOK_S = 10.0
_HARMLESS = "A quiet harbour at dawn."


def store(settings: Settings) -> Generator[Finding, None, Settings]:
    """Yield what there is to say about the key store; returns the settings with its keys in them."""
    database = Database(settings.database_url, pool_size=1)
    try:
        listed = keys.listed(database, settings)
        keyed = keys.Keys(database, settings).settings
    except FleetError as error:
        yield Finding("keys", Level.FAIL, error.message, error.fix)
        return settings
    finally:
        database.close()
    lost = [one for one in listed if one.state == "lost"]
    old = [one.name for one in listed if one.state == "old key"]
    for one in lost:
        # Where the environment has the value, nobody needs the store's.
        yield Finding("keys", Level.WARN if one.in_environment else Level.FAIL, one.why)
    if old:
        yield Finding("keys", Level.WARN, f"sealed with an older key: {', '.join(old)}", "Run `fleet secrets rotate`.")
    if not lost and not old:
        yield Finding("keys", Level.OK, f"{len(listed)} in the key store" if listed else "the key store is empty")
    return keyed


def moderation(settings: Settings) -> Iterator[Finding]:
    """Say who looks at texts, and whether it answers. Costs nothing."""
    try:
        moderator = models.connect_moderator(settings, random.SystemRandom())
        if moderator is None:
            yield Finding("moderation", Level.OK, "local rules")
            return
        flagged = moderator.categories([_HARMLESS], within_s=_LOOK_S)[0]
    except FleetError as error:
        yield Finding("moderation", Level.FAIL, f"{error.message} No text is published meanwhile.", error.fix)
        return
    if flagged:
        yield Finding("moderation", Level.WARN, f"it flags a harmless sentence: {', '.join(sorted(flagged))}",
                      "Look at FLEET_MODERATION_MODEL.")  # fmt: skip
    else:
        yield Finding("moderation", Level.OK, f"local rules, then {moderator.name} {settings.moderation_model}")


def pictures(settings: Settings) -> Iterator[Finding]:
    """Say whether pictures are signed, after signing one."""
    try:
        signer = signing.connect(settings)
    except FleetError as error:
        yield Finding("pictures", Level.FAIL, error.message, error.fix)
        return
    said = "marked, not signed" if signer is None else f"marked, and signed with {settings.c2pa_cert}"
    yield Finding("pictures", Level.OK, said)
