"""The fleet's language models, built from the settings. Called by `fleet.engine.deps` once a process, and by entry
points.

A model is used when it has a key, or an address of its own; the vendors' libraries are imported only then, since they
take half a second. The last provider in the chain always works without a model.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator
from urllib.parse import urlsplit

from fleet.core import clock
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.llm.chain import Chain
from fleet.llm.model import BatchModel, Model
from fleet.llm.moderation.base import RemoteModerator
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.provider import Words
from fleet.llm.recording import Recorder, Replayer
from fleet.llm.writer import BatchWriter, ModelWriter

_READ = ("llm_", "anthropic_", "openai_", "moderation")


def key_of(settings: Settings) -> Hashable:
    """Return the values of all settings that name or shape models: with the same ones, connections can be shared."""
    return tuple(getattr(settings, name) for name in type(settings).model_fields if name.startswith(_READ))


def _anthropic(settings: Settings) -> BatchModel:
    from fleet.llm.providers.anthropic_provider import AnthropicModel

    return AnthropicModel(
        settings.anthropic_api_key.get_secret_value(), settings.anthropic_model, base_url=settings.anthropic_base_url,
        effort="low" if settings.llm_effort == "none" else settings.llm_effort, streams=settings.llm_stream,
    )  # fmt: skip


def _openai(settings: Settings) -> Model:
    from fleet.llm.providers.openai_provider import OpenAIModel

    return OpenAIModel(
        settings.openai_api_key.get_secret_value(), settings.openai_model, base_url=settings.openai_base_url,
        effort=settings.llm_effort, streams=settings.llm_stream,
    )  # fmt: skip


MODELS: dict[str, Callable[[Settings], Model]] = {"anthropic": _anthropic, "openai": _openai}
BATCH_MODELS: dict[str, Callable[[Settings], BatchModel]] = {"anthropic": _anthropic}
"""Those that take work that can wait."""
_KEYLESS = frozenset({"openai"})
"""Local servers of this kind need an address and no key."""


def check(settings: Settings) -> None:
    """Raise InvalidInput for settings that allow no text at all. Imports and calls no vendor."""
    unknown = [name for name in settings.llm_order if name not in MODELS]
    if unknown:
        raise InvalidInput(
            f"FLEET_LLM_ORDER: there is no {', '.join(unknown)}.", fix=f"Known: {', '.join(MODELS)}; empty for none."
        )
    if settings.llm_record is not None and settings.llm_replay is not None:
        raise InvalidInput("What is replayed cannot be recorded too.", fix="Set FLEET_LLM_RECORD or FLEET_LLM_REPLAY.")
    if settings.llm_batch and settings.llm_record is not None:
        raise InvalidInput("What batches write is not recorded.", fix="Set FLEET_LLM_BATCH or FLEET_LLM_RECORD.")
    first = configured(settings)[:1]
    if settings.llm_batch and first and first[0] not in BATCH_MODELS:
        raise InvalidInput(
            f"FLEET_LLM_BATCH: {first[0]} is the first model, and Fleet does not support its batches.",
            fix=f"Begin FLEET_LLM_ORDER with {' or '.join(BATCH_MODELS)}.",
        )
    prices = price_list(settings.llm_prices)
    for name in configured(settings):
        prices.of(getattr(settings, f"{name}_model"), clock.now().date())


def configured(settings: Settings) -> list[str]:
    """Return the names of the models in use, in the order of calls."""
    return [name for name in dict.fromkeys(settings.llm_order) if name in MODELS and _is_set(settings, name)]


def _is_set(settings: Settings, name: str) -> bool:
    key = getattr(settings, f"{name}_api_key").get_secret_value()
    return bool(key or (name in _KEYLESS and getattr(settings, f"{name}_base_url")))


def connect(settings: Settings) -> Words:
    """Return the writer of this fleet's texts. Raises InvalidInput, also for an unusable recording."""
    check(settings)
    if settings.llm_replay is not None:
        return Replayer(settings.llm_replay)
    writers = _writers(settings)
    waits = settings.llm_when_spent == "wait"
    words: Words = OfflineProvider()
    if writers:
        words = Chain(writers, OfflineProvider(), within_s=_within_s(settings), wait_for_budget=waits)
    return Recorder(words, settings.llm_record) if settings.llm_record is not None else words


def _writers(settings: Settings) -> list[ModelWriter]:
    prices = price_list(settings.llm_prices)
    return [ModelWriter(model, prices, timeout_s=_within_s(settings)) for model in connect_models(settings)]


def _within_s(settings: Settings) -> float:
    return min(settings.llm_timeout_s, settings.lease_s / 2)  # the rest of a job needs its lease too


def connect_moderator(settings: Settings, dice: random.Random) -> RemoteModerator | None:
    """Return the moderator besides the local rules, or None. Raises Unanswered when it has no key."""
    if settings.moderation == "local":
        return None
    if settings.moderation == "model":
        from fleet.llm.moderation.model_moderation import ModelModerator

        return ModelModerator(_writers(settings))
    from fleet.llm.moderation.openai_moderation import OpenAIModerator
    from fleet.llm.providers.openai_provider import DEFAULT_BASE_URL

    own_url = settings.moderation_base_url or settings.openai_base_url
    hosts = [urlsplit(url or DEFAULT_BASE_URL)[:2] for url in (own_url, settings.openai_base_url)]
    key = settings.moderation_api_key.get_secret_value()
    # The models' key is for the models' host: do not send it to another one.
    if not key and hosts[0] == hosts[1]:
        key = settings.openai_api_key.get_secret_value()
    return OpenAIModerator(key, settings.moderation_model, base_url=own_url, dice=dice)


def connect_batches(settings: Settings) -> BatchWriter | None:
    """Connect the first model's batches, if the settings want them and there is a model."""
    first = configured(settings)[:1]
    if not settings.llm_batch or settings.llm_replay is not None or not first:
        return None
    timeout_s = min(settings.llm_timeout_s, settings.lease_s / 4)
    return BatchWriter(BATCH_MODELS[first[0]](settings), price_list(settings.llm_prices), timeout_s=timeout_s)


def connect_models(settings: Settings) -> Iterator[Model]:
    """Connect the models that are set, in their order."""
    return (MODELS[name](settings) for name in configured(settings))
