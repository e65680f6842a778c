"""The checks of what keys open: the key store, the moderator, the signature of pictures. Called by `checks`."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator

from fleet.accounts import keys
from fleet.cli.frame.check_result import CheckLevel, CheckResult, fail, ok, warn
from fleet.core.db import Database
from fleet.core.errors import FleetError
from fleet.core.settings import Settings
from fleet.images import signing
from fleet.llm import registry as models
from fleet.llm.chain import UNLIMITED

_LOOK_S = 10.0
_HARMLESS = "A quiet harbour at dawn."


def store(settings: Settings) -> Generator[CheckResult, None, Settings]:
    """Yield what there is to say about the key store; returns the settings with its keys in them."""
    database = Database(settings.database_url, pool_size=1)
    try:
        listed = keys.listed(database, settings)
        keyed = keys.Keys(database, settings).settings
    except FleetError as error:
        yield fail("keys", error.message, error.fix)
        return settings
    finally:
        database.close()
    lost = [one for one in listed if one.state == "lost"]
    old = [one.name for one in listed if one.state == "old key"]
    for one in lost:
        # Where the environment has the value, nobody needs the store's.
        yield CheckResult("keys", CheckLevel.WARN if one.in_environment else CheckLevel.FAIL, one.why)
    if old:
        yield warn("keys", f"sealed with an older key: {', '.join(old)}", "Run `fleet secrets rotate`.")
    if not lost and not old:
        yield ok("keys", f"{len(listed)} in the key store" if listed else "the key store is empty")
    return keyed


def moderation(settings: Settings) -> Iterator[CheckResult]:
    """Report the moderator of texts, and whether it answers. Costs nothing: a model was looked at with the writers."""
    try:
        moderator = models.connect_moderator(settings, random.SystemRandom())
        if moderator is None:
            yield _local_only(settings)
            return
        if settings.moderation == "model":
            yield ok("moderation", f"local rules, then {' or '.join(models.configured(settings))}")
            return
        flagged = moderator.judge([_HARMLESS], till=UNLIMITED, within_s=_LOOK_S)[0].refused
    except FleetError as error:
        yield fail("moderation", f"{error.message} No text is published meanwhile.", error.fix)
        return
    if flagged:
        yield warn("moderation", f"it flags a harmless sentence: {', '.join(sorted(flagged))}",
                      "Look at FLEET_MODERATION_MODEL.")  # fmt: skip
    else:
        yield ok("moderation", f"local rules, then {moderator.name} {settings.moderation_model}")


def _local_only(settings: Settings) -> CheckResult:
    writing = models.configured(settings)
    if not writing or settings.llm_replay is not None:
        return ok("moderation", "local rules")
    message = f"{' and '.join(writing)} may write, and only the local rules look at the words"
    fix = "Set FLEET_MODERATION=model (the same model judges each text), or openai (docs/content.md)."
    return warn("moderation", message, fix)


def pictures(settings: Settings) -> Iterator[CheckResult]:
    """Say whether pictures are signed, after signing one."""
    try:
        signer = signing.connect(settings)
    except FleetError as error:
        yield fail("pictures", error.message, error.fix)
        return
    said = "marked, not signed" if signer is None else f"marked, and signed with {settings.c2pa_cert}"
    yield ok("pictures", said)
