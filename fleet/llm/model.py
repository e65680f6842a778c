"""The interface of a vendor's model: answer a prompt with text that follows a schema, and report its usage.

Implemented by `anthropic_provider` and `openai_provider`, called by `fleet.llm.writer`. A model knows no personas and
posts; it neither retries nor checks texts, and raises only `fleet.llm.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from fleet.llm.base import Usage
from fleet.llm.errors import ModelError


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `house` is the same for all agents, `persona` for all of one kind, so both can be cached.

    `moment` has the data and the task of this one call. `turns` are earlier responses with their problems.
    """

    kind: str
    house: str
    persona: str
    moment: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    turns: tuple[tuple[str, str], ...] = ()

    def told(self, answer: str, problem: str) -> Prompt:
        """Return the prompt with a response to it and the problem of that response added."""
        return replace(self, turns=(*self.turns, (answer, problem)))


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The raw response. `unmetered` when the server does not report its usage."""

    text: str
    usage: Usage
    unmetered: bool = False


class Model(Protocol):
    """A model at a vendor. Raises `fleet.llm.errors.ModelError` within about `timeout_s`, whatever the server does."""

    provider: str
    model: str

    def ask(self, prompt: Prompt, *, timeout_s: float) -> ModelAnswer: ...

    def look(self, *, timeout_s: float) -> None:
        """Raise ModelError unless the server answers, takes the key and has the model. Costs nothing."""
        ...


class BatchModel(Model, Protocol):
    """A model that also takes work that can wait, for less money."""

    def submit(self, prompts: Mapping[str, Prompt], *, timeout_s: float) -> str:
        """Hand in prompts by id (1 to 64 of a-z, A-Z, 0-9, _ and -) and return the batch's id.

        An error is `unmetered` unless it is sure that the batch was not taken.
        """
        ...

    def ended(self, batch_id: str, *, timeout_s: float) -> bool:
        """Return whether every prompt of a batch has ended, successfully or not."""
        ...

    def collect(self, batch_id: str, *, timeout_s: float) -> Mapping[str, ModelAnswer | ModelError]:
        """Return the result of each prompt of an ended batch, by its id, in no order."""
        ...

    def recent(self, since: datetime, *, most: int, timeout_s: float) -> Mapping[str, tuple[datetime, bool]]:
        """Return the newest batches created after `since`: by id, when each was created and whether it has ended."""
        ...

    def call_off(self, batch_id: str, *, timeout_s: float) -> None:
        """Cancel a batch. Finished work is billed."""
        ...
