"""Settings of this feature: the providers of pictures, their order, keys and prices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from fleet.core.settings import FLEET_ONLY, FLEET_PERSONA_OR_AGENT, CommaSeparated

PROVIDERS = ("surface", "openai", "stability", "compatible", "unsplash", "pexels")
"""The names that an order may have; `surface` is the picture of the surface itself."""


class PictureSettings(BaseModel):
    """Settings of the providers of pictures."""

    pictures_order: Annotated[CommaSeparated, FLEET_PERSONA_OR_AGENT] = Field(
        ("surface",),
        examples=["openai,unsplash,surface"],
        description=f"providers of pictures to try, in this order: {', '.join(PROVIDERS)}; "
        "Fleet's own placeholder is last",
    )
    picture_timeout_s: Annotated[float, FLEET_ONLY] = Field(
        60.0, ge=1, le=600, description="time limit of one call to a provider of pictures"
    )
    picture_prices: Annotated[CommaSeparated, FLEET_ONLY] = Field(
        (), description="own prices of pictures, MODEL=DOLLARS for one, separated by commas"
    )
    picture_quality: Annotated[Literal["low", "medium", "high"], FLEET_PERSONA_OR_AGENT] = Field(
        "medium", description="quality of the pictures of OpenAI's models"
    )
    openai_image_model: Annotated[str, FLEET_PERSONA_OR_AGENT] = Field(
        "gpt-image-2", min_length=1, max_length=100, description="OpenAI's model of pictures"
    )
    openai_image_key: SecretStr = Field(
        SecretStr(""), description="key of OpenAI's images API, if not that of its models"
    )
    openai_image_url: str = Field("https://api.openai.com/v1", description="address of OpenAI's images API")
    stability_api_key: SecretStr = Field(SecretStr(""), description="key of Stability AI's API")
    stability_model: Annotated[Literal["stable-image-core", "stable-image-ultra"], FLEET_PERSONA_OR_AGENT] = Field(
        "stable-image-core", description="its model"
    )
    stability_url: str = Field("https://api.stability.ai", description="its address")
    images_url: str = Field(
        "", description="address of another server with OpenAI's images API, e.g. http://127.0.0.1:8188/v1"
    )
    images_api_key: SecretStr = Field(SecretStr(""), description="its key, if it wants one")
    images_model: Annotated[str, FLEET_PERSONA_OR_AGENT] = Field(
        "default", min_length=1, max_length=100, description="its model"
    )
    unsplash_access_key: SecretStr = Field(SecretStr(""), description="access key of an app at Unsplash")
    unsplash_url: str = Field("https://api.unsplash.com", description="address of Unsplash's API")
    pexels_api_key: SecretStr = Field(SecretStr(""), description="key of Pexels' API")
    pexels_url: str = Field("https://api.pexels.com", description="address of Pexels' API")

    @field_validator("pictures_order")
    @classmethod
    def _is_known(cls, order: tuple[str, ...]) -> tuple[str, ...]:
        strange = [name for name in order if name not in PROVIDERS]
        if strange:
            raise ValueError(f"{strange[0][:40]!r} is no provider of pictures; known: {', '.join(PROVIDERS)}")
        return order
