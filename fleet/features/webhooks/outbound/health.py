"""The health of the receivers of webhooks. Registered as "overview.health".

Every user sees conditions, and only some may see receivers: a condition names a webhook by its id alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fleet.core.db import Tx
from fleet.engine.deps import Deps
from fleet.engine.points.health import Level, PartHealth
from fleet.features.webhooks.outbound import answers, subscriptions
from fleet.features.webhooks.outbound.subscriptions import Subscription

_CAUSE = "its receiver does not take what it is sent"
_EFFECT = "It hears of nothing meanwhile; its events wait."


def look(_: Deps, tx: Tx) -> Iterator[PartHealth]:
    """Return the health of every webhook that is on."""
    return (condition(one) for one in subscriptions.listed(tx) if one.active)


def condition(one: Subscription) -> PartHealth:
    """Return the health of a receiver. Pure."""
    key, name, href = f"receiver:{one.id}", f"Webhook {str(one.id)[:8]}", f"/hooks/{one.id}"
    if one.failures >= answers.PATIENCE:
        words = f"{one.failures} deliveries failed in a row"
        return PartHealth(key, name, Level.BAD, words, one.failing_since, _CAUSE, _EFFECT, href)
    if one.failures:
        return PartHealth(key, name, Level.WARN, f"{one.failures} failed in a row", href=href)
    return PartHealth(key, name, Level.OK, "takes what it is sent", href=href)
