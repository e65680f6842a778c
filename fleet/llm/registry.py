"""Who writes the words, put together from the settings. Called by `fleet.runtime.deps` once a process.

A model is used when it has a key, or an address of its own; the vendors' libraries are imported only then, since they
take half a second. Whatever is set, the last in the chain writes without a model.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.llm.base import Provider
from fleet.llm.chain import Chain
from fleet.llm.model import BatchModel, Model
from fleet.llm.offline import OfflineProvider
from fleet.llm.prices import price_list
from fleet.llm.recording import Recorder, Replayer
from fleet.llm.writer import BatchWriter, ModelWriter


def _anthropic(settings: Settings) -> BatchModel | None:
    key = settings.anthropic_api_key.get_secret_value()
    if not key:
        return None
    from fleet.llm.anthropic_provider import AnthropicModel

    return AnthropicModel(
        key, settings.anthropic_model, base_url=settings.anthropic_base_url,
        effort="low" if settings.llm_effort == "none" else settings.llm_effort,
    )  # fmt: skip


def _openai(settings: Settings) -> Model | None:
    key = settings.openai_api_key.get_secret_value()
    if not key and not settings.openai_base_url:
        return None
    from fleet.llm.openai_provider import OpenAIModel

    return OpenAIModel(key, settings.openai_model, base_url=settings.openai_base_url, effort=settings.llm_effort)


MODELS: dict[str, Callable[[Settings], Model | None]] = {"anthropic": _anthropic, "openai": _openai}


def connect(settings: Settings) -> Provider:
    """Return the writer of this fleet's words.

    Raises InvalidInput for an unknown name in FLEET_LLM_ORDER, a model without a price, or a file that cannot be used.
    """
    if settings.llm_replay is not None:
        return Replayer(settings.llm_replay)
    prices = price_list(settings.llm_prices)
    within_s = min(settings.llm_timeout_s, settings.lease_s / 2)  # the rest of a job needs its lease too
    writers = [ModelWriter(model, prices, timeout_s=within_s) for model in _models(settings)]
    words: Provider = Chain(writers, OfflineProvider(), within_s=within_s) if writers else OfflineProvider()
    return Recorder(words, settings.llm_record) if settings.llm_record is not None else words


def connect_batches(settings: Settings) -> BatchWriter | None:
    """Return the writer of words that can wait, or None when no model for it is set. Raises InvalidInput."""
    model = _anthropic(settings) if "anthropic" in settings.llm_order else None
    return None if model is None else BatchWriter(model, price_list(settings.llm_prices))


def _models(settings: Settings) -> list[Model]:
    unknown = [name for name in settings.llm_order if name not in MODELS]
    if unknown:
        raise InvalidInput(
            f"FLEET_LLM_ORDER: there is no {', '.join(unknown)}.", fix=f"Known: {', '.join(MODELS)}; empty for none."
        )
    models = (MODELS[name](settings) for name in dict.fromkeys(settings.llm_order))
    return [model for model in models if model is not None]
