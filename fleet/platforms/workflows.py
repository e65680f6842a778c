"""FloImg workflows by persona: how each makes its pictures (facts 1.4). Pure data in the surface's step format."""

from __future__ import annotations

from typing import Any

_GENERATE: dict[str, dict[str, str]] = {
    "product_photographer": {"size": "1024x1024", "quality": "hd"},
    "ai_artist": {"size": "1792x1024", "quality": "hd"},
}
_TRANSFORM: dict[str, dict[str, Any]] = {
    "product_photographer": {
        "operation": "adjust", "params": {"brightness": 1.05, "contrast": 1.1, "saturation": 1.1}
    },
    "social_marketer": {"operation": "resize", "params": {"width": 1080, "height": 1080, "fit": "cover"}},
    "indie_game_dev": {
        "operation": "resize", "params": {"width": 512, "height": 512, "fit": "contain", "kernel": "nearest"}
    },
}  # fmt: skip


def steps(persona_id: str, prompt: str) -> list[dict[str, Any]]:
    """Return the steps that make one picture: generate, perhaps transform, save."""
    params = {"prompt": prompt, **_GENERATE.get(persona_id, {"size": "1024x1024", "quality": "standard"})}
    made: list[dict[str, Any]] = [
        {"kind": "generate", "generator": "openai", "model": "dall-e-3", "params": params, "out": "image"}
    ]
    last = "image"
    if persona_id in _TRANSFORM:
        made.append({"kind": "transform", **_TRANSFORM[persona_id], "in": last, "out": "final"})
        last = "final"
    return [*made, {"kind": "save", "in": last, "destination": "cloud"}]
