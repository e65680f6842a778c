"""The person of a world: decides about drafts through the API, and keeps the responses.

A request without a response is sent again with the same Idempotency-Key until there is one. A confirmed decision is a
promise to a person, which `checker` compares with the ledger. Started by `outsiders`, in a thread.
"""

from __future__ import annotations

import random
import threading
import uuid
from dataclasses import dataclass
from typing import Any

import httpx

_LOOK_EVERY_S = 0.5
_AGAIN_AFTER_S = 0.3
_NOT_NOW = frozenset({408, 425, 429})
_REJECTED, _EDITED = 0.15, 0.35
"""Of a hundred drafts so many are rejected, and as many as lie between the two edited before they are approved."""


@dataclass(frozen=True, slots=True)
class ReviewerAnswer:
    """A response about a draft: that it is `approved` or `rejected`, or that its text is `words` now."""

    draft_id: uuid.UUID
    status: str | None = None
    words: str | None = None


class Reviewer:
    """Decides about waiting drafts, at random by a seed from the draft.

    `told` grows; refused requests are not in it.
    """

    def __init__(self, api: httpx.Client, *, seed: int) -> None:
        self._api, self._seed = api, seed
        self._stopping = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._decide_all, name="chaos-reviewer", daemon=True)
        self.told: list[ReviewerAnswer] = []
        self.repeated = 0
        """How often a request was sent again because no answer to it had come."""

    def start(self) -> None:
        """Begin to decide."""
        self._thread.start()

    def finish(self, within_s: float) -> bool:
        """Begin no new decision; return whether the last one was answered in time."""
        self._stopping.set()
        self._thread.join(within_s)
        self._given_up.set()
        done = not self._thread.is_alive()
        self._thread.join()  # its last request has an end: the client's time limit
        return done

    def _decide_all(self) -> None:
        seen: set[str] = set()
        while not self._stopping.wait(_LOOK_EVERY_S):
            page = self._answer("GET", "/drafts", params={"status": "pending", "limit": 50})
            for draft in [] if page is None else page["items"]:
                if draft["id"] not in seen and not self._stopping.is_set():
                    seen.add(draft["id"])
                    self._decide(draft)

    def _decide(self, draft: dict[str, Any]) -> None:
        draft_id, chance = uuid.UUID(draft["id"]), random.Random(f"{self._seed} {draft['id']}").random()
        path, revision = f"/drafts/{draft_id}", draft["revision"]
        if _REJECTED <= chance < _EDITED and draft["content"].get("text"):
            words = f"{draft['content']['text']} ({str(draft_id)[:4]})"
            edited = self._answer("PATCH", path, {"text": words, "revision": revision})
            if edited is None:
                return
            revision = edited["revision"]
            self.told.append(ReviewerAnswer(draft_id, words=words))
        verdict = "reject" if chance < _REJECTED else "approve"
        why = {"reason": "Not this one."} if verdict == "reject" else {}
        decided = self._answer("POST", f"{path}/{verdict}", {"revision": revision, **why})
        if decided is not None:
            self.told.append(ReviewerAnswer(draft_id, status=decided["state"]))

    def _answer(self, method: str, path: str, body: object = None, params: dict[str, Any] | None = None) -> Any:
        """Send until there is a response; None for a refusal, or when the response is no longer needed."""
        headers = {} if method == "GET" else {"Idempotency-Key": str(uuid.uuid4())}
        while not self._given_up.is_set():
            try:
                answer = self._api.request(method, path, json=body, params=params, headers=headers)
            except httpx.HTTPError:
                pass
            else:
                if answer.is_success:
                    return answer.json()
                if answer.status_code < 500 and answer.status_code not in _NOT_NOW:
                    return None
            self.repeated += 1
            self._given_up.wait(_AGAIN_AFTER_S)
        return None
