"""Workflows: steps that generate, transform and save a picture, validated strictly and really executed.

Called by the execute endpoint. The workflow's name selects the persona whose style the procedural
art has. Pictures are marked as AI-made, as the real service marks them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fleet import images
from fleet.images import Marks, PictureSource
from fleet.images.editing import Format
from fleet.sandbox.gallery.art import render
from fleet.sandbox.gallery.pictures import Pictures, Stored

_NAME_PREFIX = "fleet-"
_MOST_STEPS = 12
_FLAT_STYLES = frozenset({"indie_game_dev", "data_viz", "ux_designer"})
"""Styles with flat areas and hard edges: as PNG they are sharp and small, as JPEG neither."""

_Variable = Annotated[str, Field(min_length=1, max_length=60)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _GenerateParams(_Strict):
    prompt: str = Field(min_length=1, max_length=4000)
    size: str = Field("1024x1024", pattern=r"^\d{2,4}x\d{2,4}$")
    quality: Literal["standard", "hd"] = "standard"
    style: Literal["vivid", "natural"] = "vivid"

    @model_validator(mode="after")
    def _drawable(self) -> Self:
        if not all(64 <= side <= 2048 for side in self.sides()):
            raise ValueError("size must have sides of 64 to 2048")
        return self

    def sides(self) -> tuple[int, int]:
        width, _, height = self.size.partition("x")
        return int(width), int(height)


class _AdjustParams(_Strict):
    brightness: float = Field(1.0, ge=0, le=4)
    contrast: float = Field(1.0, ge=0, le=4)
    saturation: float = Field(1.0, ge=0, le=4)


class _ResizeParams(_Strict):
    width: int = Field(ge=1, le=4096)
    height: int = Field(ge=1, le=4096)
    fit: Literal["cover", "contain", "fill"] = "cover"
    kernel: Literal["lanczos", "cubic", "linear", "nearest"] = "lanczos"


class Generate(_Strict):
    """Generate a picture from a prompt."""

    kind: Literal["generate"]
    generator: str = Field(min_length=1, max_length=60)
    model: str = Field("", max_length=60)
    params: _GenerateParams
    out: _Variable


class Adjust(_Strict):
    """Change a picture's light."""

    kind: Literal["transform"]
    operation: Literal["adjust"]
    params: _AdjustParams
    source: _Variable = Field(alias="in")
    out: _Variable


class Resize(_Strict):
    """Change a picture's size."""

    kind: Literal["transform"]
    operation: Literal["resize"]
    params: _ResizeParams
    source: _Variable = Field(alias="in")
    out: _Variable


class Save(_Strict):
    """Save a picture; its URL is part of the response."""

    kind: Literal["save"]
    source: _Variable = Field(alias="in")
    destination: Literal["cloud"]


_Transform = Annotated[Adjust | Resize, Field(discriminator="operation")]
Step = Annotated[Generate | _Transform | Save, Field(discriminator="kind")]


class Workflow(_Strict):
    """The body of an execution."""

    name: str = Field(min_length=1, max_length=100)
    steps: list[Step] = Field(min_length=1, max_length=_MOST_STEPS)

    @model_validator(mode="after")
    def _joined_up(self) -> Self:
        known: set[str] = set()
        for place, step in enumerate(self.steps):
            if not isinstance(step, Generate) and step.source not in known:
                raise ValueError(f"step {place} takes {step.source!r}, which no earlier step gives out")
            if not isinstance(step, Save):
                known.add(step.out)
        if not any(isinstance(step, Save) for step in self.steps):
            raise ValueError("no step saves anything")
        return self

    @property
    def style(self) -> str:
        return self.name.removeprefix(_NAME_PREFIX)


def run(workflow: Workflow, pictures: Pictures) -> list[Stored]:
    """Execute the steps and return the saved pictures. Raises InvalidInput or ApiError."""
    made: dict[str, tuple[Image.Image, str]] = {}
    saved: list[Stored] = []
    for step in workflow.steps:
        match step:
            case Generate():
                picture = render(step.params.prompt, workflow.style, *step.params.sides())
                made[step.out] = picture, step.params.prompt
            case Adjust():
                picture, prompt = made[step.source]
                made[step.out] = images.adjust(picture, **step.params.model_dump()), prompt
            case Resize():
                picture, prompt = made[step.source]
                made[step.out] = images.resize(picture, **step.params.model_dump()), prompt
            case Save():
                saved.append(pictures.save(_file(*made[step.source], workflow.style)))
    return saved


def _file(picture: Image.Image, prompt: str, style: str) -> bytes:
    file_format = Format.PNG if style in _FLAT_STYLES else Format.JPEG
    return images.encode(picture, Marks(PictureSource.AI, prompt), file_format)


def canonical(workflow: Workflow) -> dict[str, Any]:
    """Return the workflow in a canonical form: equal for equal workflows."""
    return workflow.model_dump(mode="json", by_alias=True)
