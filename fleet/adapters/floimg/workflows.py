"""FloImg workflows by persona: the steps that make a picture. Pure data in the surface's step format.

A persona's `workflow_types` add to that: one about size or light adds a step. The others only change the prompt.
"""

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
_OF_TYPE: dict[str, dict[str, Any]] = {
    "color_correction": {"operation": "adjust", "params": {"brightness": 1.03, "contrast": 1.05}},
    "shadow_add": {"operation": "adjust", "params": {"brightness": 0.96, "contrast": 1.12}},
    "filter_apply": {"operation": "adjust", "params": {"contrast": 1.08, "saturation": 1.3}},
    "palette_apply": {"operation": "adjust", "params": {"contrast": 1.1, "saturation": 1.35}},
    "style_transfer": {"operation": "adjust", "params": {"brightness": 0.95, "saturation": 1.2}},
    "resize_stories": {"operation": "resize", "params": {"width": 1080, "height": 1920, "fit": "cover"}},
    "resize_presentation": {"operation": "resize", "params": {"width": 1920, "height": 1080, "fit": "cover"}},
    "resize_devices": {"operation": "resize", "params": {"width": 1280, "height": 800, "fit": "cover"}},
    "upscale": {"operation": "resize", "params": {"width": 2688, "height": 1536, "fit": "contain"}},
}

_SIZE_OF_TYPE = {"resize_stories": "1024x1792", "resize_presentation": "1792x1024", "resize_devices": "1792x1024"}
"""Made in the shape that the resize step wants: cutting a square would cut the title off a poster or a chart."""


def steps(persona_id: str, prompt: str, workflow_type: str = "") -> list[dict[str, Any]]:
    """Return the steps that make one picture: generate, perhaps transform, save."""
    params = {"prompt": prompt, **_GENERATE.get(persona_id, {"size": "1024x1024", "quality": "standard"})}
    if workflow_type in _SIZE_OF_TYPE:
        params["size"] = _SIZE_OF_TYPE[workflow_type]
    made: list[dict[str, Any]] = [
        {"kind": "generate", "generator": "openai", "model": "dall-e-3", "params": params, "out": "image"}
    ]
    last = "image"
    for table, name, out in ((_TRANSFORM, persona_id, "final"), (_OF_TYPE, workflow_type, "finished")):
        is_second = workflow_type in _SIZE_OF_TYPE and table is _TRANSFORM  # one resize, not two
        if name in table and not (is_second and table[name]["operation"] == "resize"):
            made.append({"kind": "transform", **table[name], "in": last, "out": out})
            last = out
    return [*made, {"kind": "save", "in": last, "destination": "cloud"}]
