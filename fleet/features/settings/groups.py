"""The heading of each setting: a feature's under its name, the fleet's own under the subject of its variable."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fleet.engine import registry

_OTHER = "Other"
_BY_BEGINNING: Mapping[str, tuple[str, ...]] = {
    "Servers and folders": ("database_", "broker_", "home", "secret_keys", "features", "pinned", "pool_size",
                            "failpoints_"),
    "Dashboard and API": ("web_", "local_token"),
    "Surface and writes": ("gallery_", "sandbox", "service_token", "allowed_hosts", "dry_run", "http_", "pictures_",
                           "public_"),
    "Operator and labels": ("operator", "contact", "label_"),
    "Language models": ("llm_", "anthropic_", "openai_"),
    "Caps and pace": ("tempo", "agent_", "caps", "ai_comment_lead", "surface_writes_", "post_", "comment", "posts_",
                      "likes_", "connects_"),
    "Content and pictures": ("moderation", "image_", "c2pa_"),
    "Loop and retention": ("lease_", "settle_", "republish_", "liveness_", "dispatch_", "retention_", "prune_"),
    "Logs": ("log_",),
}  # fmt: skip


def group_of(name: str) -> str:
    """Return the heading of a setting."""
    feature = _of_features(registry.current()).get(name)
    if feature is not None:
        return feature
    return next((group for group, begins in _BY_BEGINNING.items() if name.startswith(begins)), _OTHER)


@cache
def _of_features(features: registry.Registry) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in features:
        if one.settings is not None:
            found |= dict.fromkeys(registry.load(one.settings).model_fields, one.name.replace("_", " ").capitalize())
    return found
