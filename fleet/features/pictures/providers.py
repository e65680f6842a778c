"""The providers of pictures by name, put together from the settings in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.features.pictures.makers.base import PictureProvider
from fleet.features.pictures.makers.calling import ProviderClient
from fleet.features.pictures.makers.openai_images import OpenAIImages
from fleet.features.pictures.makers.prices import prices_of
from fleet.features.pictures.makers.stability import StabilityImages
from fleet.features.pictures.makers.stock import Pexels, Unsplash
from fleet.features.pictures.settings import PictureSettings
from fleet.images.errors import ForbiddenAddress

SURFACE = "surface"
"""The place in the order of the workflow of the surface, or of the account that makes pictures."""
PLACEHOLDER = "placeholder"


def _openai(settings: Settings) -> PictureProvider | None:
    chosen = settings.of(PictureSettings)
    key = chosen.openai_image_key.get_secret_value()
    if not key and not settings.openai_base_url:  # else that key is another server's
        key = settings.openai_api_key.get_secret_value()
    if not key:
        return None
    client = _client("openai", chosen.openai_image_model, chosen.openai_image_url, {"Authorization": f"Bearer {key}"})
    return OpenAIImages(client, prices_of(chosen.picture_prices), quality=chosen.picture_quality)


def _stability(settings: Settings) -> PictureProvider | None:
    chosen = settings.of(PictureSettings)
    key = chosen.stability_api_key.get_secret_value()
    if not key:
        return None
    client = _client("stability", chosen.stability_model, chosen.stability_url, {"Authorization": f"Bearer {key}"})
    return StabilityImages(client, prices_of(chosen.picture_prices))


def _compatible(settings: Settings) -> PictureProvider | None:
    chosen = settings.of(PictureSettings)
    if not chosen.images_url:
        return None
    key = chosen.images_api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    client = _client("compatible", chosen.images_model, chosen.images_url, headers)
    prices = prices_of(chosen.picture_prices)
    return OpenAIImages(client, prices, quality=chosen.picture_quality, is_own=True)


def _unsplash(settings: Settings) -> PictureProvider | None:
    chosen = settings.of(PictureSettings)
    key = chosen.unsplash_access_key.get_secret_value()
    headers = {"Authorization": f"Client-ID {key}", "Accept-Version": "v1"}
    return Unsplash(_client("unsplash", "search", chosen.unsplash_url, headers)) if key else None


def _pexels(settings: Settings) -> PictureProvider | None:
    chosen = settings.of(PictureSettings)
    key = chosen.pexels_api_key.get_secret_value()
    return Pexels(_client("pexels", "search", chosen.pexels_url, {"Authorization": key})) if key else None


PROVIDERS: Mapping[str, Callable[[Settings], PictureProvider | None]] = MappingProxyType(
    {"openai": _openai, "stability": _stability, "compatible": _compatible, "unsplash": _unsplash, "pexels": _pexels}
)
KEYS: Mapping[str, str] = MappingProxyType({
    "openai": "FLEET_OPENAI_IMAGE_KEY or OPENAI_API_KEY", "stability": "FLEET_STABILITY_API_KEY",
    "compatible": "FLEET_IMAGES_URL", "unsplash": "FLEET_UNSPLASH_ACCESS_KEY", "pexels": "FLEET_PEXELS_API_KEY",
})  # fmt: skip
"""What each needs before it is used."""
NAMES = tuple(PROVIDERS)


def connect(name: str, settings: Settings) -> PictureProvider | None:
    """Return a provider; None without its key or address."""
    return PROVIDERS[name](settings)


def check(settings: Settings) -> None:
    """Raise InvalidInput for a price or an address that cannot work."""
    chosen = settings.of(PictureSettings)
    prices_of(chosen.picture_prices)
    for name in chosen.pictures_order:
        if name != SURFACE:
            connect(name, settings)


def _client(provider: str, model: str, url: str, headers: Mapping[str, str]) -> ProviderClient:
    try:
        return ProviderClient(provider, model, url, headers)
    except ForbiddenAddress as error:
        raise InvalidInput(f"The address of {provider} cannot be read: {error.message}") from error
