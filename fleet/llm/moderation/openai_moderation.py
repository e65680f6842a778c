"""OpenAI's moderation, and compatible servers. It is free and needs a key.

Made by `fleet.llm.registry`, called by `fleet.features.publishing.words.review_words` through
`fleet.llm.moderation.base`. It accepts only a complete response: as many results as texts, each with its flag and
categories.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import httpx2
import openai
from openai.types import Moderation

from fleet.core import clock, masking
from fleet.llm.moderation.base import Judgement, Unanswered
from fleet.llm.provider import Till
from fleet.llm.providers import wire
from fleet.llm.providers.openai_provider import client

BACKOFF_S = (1.0, 2.0, 4.0)
"""Waits before the three retries, as for texts; each is drawn between half of it and the whole."""
LEAST_S = 0.5

logging.getLogger("openai").setLevel(logging.WARNING)  # below that it writes whole questions and answers


class _Passing(Exception):
    """No answer for a reason that may pass."""

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class OpenAIModerator:
    """One moderation model. Safe for many threads."""

    name = "openai"

    def __init__(
        self,
        api_key: str,
        model: str,
        *,
        base_url: str = "",
        dice: random.Random,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        if not api_key and not base_url:
            raise Unanswered("The moderator has no key.", fix="Set FLEET_OPENAI_API_KEY or FLEET_MODERATION_API_KEY.")
        self._model, self._dice, self._sleep, self._now = model, dice, sleep, now
        self._client = client(api_key, base_url)

    def judge(self, texts: Sequence[str], *, till: Till, within_s: float) -> list[Judgement]:  # noqa: ARG002 - it is free
        """Refuse flagged texts; none is doubtful. Raises Unanswered."""
        return [Judgement(refused=flagged) for flagged in self.categories(texts, within_s=within_s)]

    def categories(self, texts: Sequence[str], *, within_s: float) -> list[frozenset[str]]:
        """Return the categories of each text, in order. Raises Unanswered."""
        until_s = clock.monotonic_s() + within_s
        for wait_s in (*BACKOFF_S, None):
            try:
                return self._ask(texts, max(LEAST_S, until_s - clock.monotonic_s()))
            except _Passing as error:
                pause_s = max((wait_s or 0.0) * self._dice.uniform(0.5, 1.0), error.retry_after_s or 0.0)
                if wait_s is None or clock.monotonic_s() + pause_s + LEAST_S > until_s:
                    raise Unanswered(
                        f"The moderator does not answer: {error}.", retry_after_s=error.retry_after_s
                    ) from error
                self._sleep(pause_s)
        raise AssertionError("the last try either answers or raises")

    def _ask(self, texts: Sequence[str], timeout_s: float) -> list[frozenset[str]]:
        try:
            answer = self._client.moderations.create(
                input=list(texts), model=self._model, timeout=wire.timeout(timeout_s)
            )
            found = [_flagged(result) for result in answer.results]
        except openai.APIStatusError as error:
            raise self._ours(error) from error
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise _Passing(f"no answer ({type(error).__name__})") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise _Passing(f"the answer is none of this API ({type(error).__name__})") from error
        if len(found) != len(texts):
            raise _Passing(f"{len(found)} results for {len(texts)} texts")
        return found

    def _ours(self, error: openai.APIStatusError) -> Exception:
        said = masking.mask(f"{error.status_code} {error.code or ''}: {error.message}")[:300]
        if error.status_code in (408, 409, 429) or error.status_code >= 500:
            if error.code == "insufficient_quota":
                return Unanswered(f"The moderator refuses: {said}.", fix="The account has no money left.")
            return _Passing(said, wire.retry_after_s(error.response.headers, self._now()))
        return Unanswered(
            f"The moderator refuses: {said}.",
            fix="Look at FLEET_MODERATION_MODEL, FLEET_MODERATION_BASE_URL and the key.",
        )


def _flagged(result: Moderation) -> frozenset[str]:
    """Return the categories for which a text is flagged; one that is flagged for none that we know is `other`.

    The SDK does not validate responses: one without a flag or categories is an error.
    """
    flags = result.categories.to_dict()
    if not isinstance(result.flagged, bool) or not flags:
        raise ValueError("no flag or no categories")
    named = frozenset(name for name, is_so in flags.items() if is_so)
    return named or frozenset({"other"} if result.flagged else ())
