"""What one file a vendor must do: answer a prompt with text that claims to follow a schema, and say what it took.

Implemented by `anthropic_provider` and `openai_provider`, called by `fleet.llm.writer`. A model knows no personas,
posts or words; it neither retries nor judges, and raises nothing but `fleet.llm.errors`.
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
    """One question. `house` is the same for everybody, `persona` for all of a kind, so both can be cached.

    `moment` holds the data and the task of this one call. `turns` are earlier answers with what was wrong with them.
    """

    kind: str
    house: str
    persona: str
    moment: str
    schema: Mapping[str, Any]
    max_output_tokens: int
    turns: tuple[tuple[str, str], ...] = ()

    def told(self, answer: str, problem: str) -> Prompt:
        """Return the question put again, with an answer to it and what is wrong with that answer."""
        return replace(self, turns=(*self.turns, (answer, problem)))


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came back, unread. `unmetered` when the server does not say what it took."""

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
        """Say whether every prompt of a batch has come to its end, good or bad."""
        ...

    def collect(self, batch_id: str, *, timeout_s: float) -> Mapping[str, ModelAnswer | ModelError]:
        """Return what became of each prompt of a batch that has ended, by its id, in no order."""
        ...

    def recent(self, since: datetime, *, most: int, timeout_s: float) -> Mapping[str, tuple[datetime, bool]]:
        """Return the newest batches made after a moment by their ids: when each was made, and whether it has ended."""
        ...

    def call_off(self, batch_id: str, *, timeout_s: float) -> None:
        """Ask for a batch not to be worked on any more. What is done already is billed."""
        ...
