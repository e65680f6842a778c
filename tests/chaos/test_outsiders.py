"""Those outside of a world's fleet: a person who insists on an answer, and a receiver that is not always well."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator

import httpx
import pytest

from fleet.chaos.world.receiver import Receiver
from fleet.chaos.world.reviewer import Reviewer, ReviewerAnswer
from tests.factories import WITHIN_S

DRAFTS = [
    {"id": str(uuid.UUID(int=number)), "revision": 1, "content": {"text": f"Words {number}."}} for number in range(40)
]


class Api:
    """An API that is killed after every second act that it has done: the answer is lost, the act stands."""

    def __init__(self) -> None:
        self.stands: dict[str, dict[str, object]] = {draft["id"]: dict(draft["content"]) for draft in DRAFTS}
        self.done: dict[str, dict[str, object]] = {}
        self.lost: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            waiting = [draft for draft in DRAFTS if "status" not in self.stands[draft["id"]]]
            return httpx.Response(200, json={"items": waiting})
        key = request.headers["Idempotency-Key"]
        if key not in self.done:
            self.done[key] = self._act(request)
            if len(self.done) % 2:
                self.lost.add(key)
                raise httpx.ReadError("killed", request=request)
        if "refused" in self.done[key]:
            return httpx.Response(409, json={})
        return httpx.Response(200, json=self.done[key])

    def _act(self, request: httpx.Request) -> dict[str, object]:
        _, draft_id, *verdict = request.url.path.removeprefix("/api/v1/").split("/")
        if uuid.UUID(draft_id).int % 10 == 3:
            return {"refused": True}
        body = json.loads(request.content)
        if not verdict:
            self.stands[draft_id]["text"] = body["text"]
            return {"revision": body["revision"] + 1}
        self.stands[draft_id]["status"] = {"approve": "approved", "reject": "rejected"}[verdict[0]]
        return {"state": self.stands[draft_id]["status"]}


def test_a_person_asks_until_there_is_an_answer_and_remembers_what_it_was() -> None:
    api = Api()
    client = httpx.Client(base_url="http://fleet.test/api/v1", transport=httpx.MockTransport(api))
    reviewer = Reviewer(client, seed=1)
    for draft in DRAFTS:
        reviewer._decide(draft)
    assert reviewer.repeated == len(api.lost) > 10
    statuses = {one.draft_id: one.status for one in reviewer.told if one.status}
    assert set(statuses.values()) == {"approved", "rejected"}
    assert len(statuses) == sum("status" in one for one in api.stands.values()) == 36
    for one in reviewer.told:
        stands = api.stands[str(one.draft_id)]
        assert one in (
            ReviewerAnswer(one.draft_id, status=str(stands["status"])),
            ReviewerAnswer(one.draft_id, words=str(stands["text"])),
        )
    assert any(one.words for one in reviewer.told)


def test_stopping_the_reviewer_returns_whether_all_requests_were_answered() -> None:
    away = httpx.MockTransport(lambda _: httpx.Response(503))
    with httpx.Client(base_url="http://fleet.test/api/v1", transport=away) as client:
        stuck = Reviewer(client, seed=1)
        stuck.start()
        while not stuck.repeated:
            pass
        assert stuck.finish(0.05) is False
    with httpx.Client(base_url="http://fleet.test/api/v1", transport=httpx.MockTransport(Api())) as client:
        done = Reviewer(client, seed=1)
        done.start()
        assert done.finish(WITHIN_S) is True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(seed=1)
    made.secret = "whsec"
    yield made
    made.close()


def deliver(receiver: Receiver, event: int, *, secret: str = "whsec") -> int | None:
    """Return the status of a delivery; None when the answer is lost."""
    body = json.dumps({"id": str(event)}).encode()
    signature = hmac.new(secret.encode(), b"12." + body, hashlib.sha256).hexdigest()
    headers = {"Fleet-Signature": f"t=12,v1={signature}", "Fleet-Delivery": f"job {event}"}
    try:
        return httpx.post(f"http://{receiver.place}/in", content=body, headers=headers, trust_env=False).status_code
    except httpx.RemoteProtocolError:
        return None


def test_a_receiver_refuses_some_loses_answers_and_writes_down_what_it_took(receiver: Receiver) -> None:
    answers = {event: deliver(receiver, event) for event in range(60)}
    assert set(answers.values()) == {204, 500, None}
    assert {one.event_id for one in receiver.heard} == {str(event) for event, said in answers.items() if said != 500}
    refused = next(event for event, said in answers.items() if said == 500)
    while deliver(receiver, refused) != 204:
        pass
    assert str(refused) in {one.event_id for one in receiver.heard}


def test_a_receiver_does_not_listen_to_what_is_not_signed(receiver: Receiver) -> None:
    assert deliver(receiver, 1, secret="another") == 401
    assert (receiver.forged, receiver.heard) == (1, [])
