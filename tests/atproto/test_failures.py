"""Failures that no chaos can tell from chance: wrong answers, pictures that are gone, a post that a person deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.adapters import base, social
from fleet.adapters.atproto import adapter as module
from fleet.adapters.atproto import keys
from fleet.core.clock import VirtualClock
from fleet.engine.attempts.perform import perform
from fleet.features.publishing.kinds import POST
from fleet.images.placeholder import data_url, render_jpeg
from tests.atproto.conftest import MakePerson, Person
from tests.atproto.lossy import LossyProxy
from tests.atproto.network import Network
from tests.atproto.test_adapter import act, do, posted, texts_of
from tests.atproto.test_fleet import Crew

pytestmark = pytest.mark.network
AN_ERROR = (200, {"error": "InternalServerError", "message": "It went wrong."}, {})
FOUND = frozenset[str]()


@pytest.fixture
def crew(database_url: str, person: MakePerson, proxy: LossyProxy) -> Iterator[Crew]:
    made = Crew(database_url, person(through=proxy.url))
    yield made
    made.fleet.deps.close()


def delete(network: Network, who: Person, uri: str) -> None:
    """Delete a record as its owner does, beside the fleet."""
    found = keys.parse(uri)
    body = {"repo": found.repo, "collection": found.collection, "rkey": found.key}
    network.call("com.atproto.repo.deleteRecord", body, token=who.token)


def test_an_error_inside_a_200_is_no_answer(network: Network, person: MakePerson, proxy: LossyProxy) -> None:
    ada = person(through=proxy.url)
    uri = posted(ada)
    proxy.answers = {"putRecord": [AN_ERROR]}
    with pytest.raises(base.Uncertain, match="InternalServerError"):
        do(ada, act(social.POST, ada, text="Lost"))
    for call, one, said in (
        ("getPosts", social.LIKE, {"target": uri}), ("getProfiles", social.FOLLOW, {"target": ada.did}),
        ("getRecord", social.COMMENT, {"target": uri, "text": "?"}),
    ):  # fmt: skip
        proxy.answers = {call: [AN_ERROR]}
        with pytest.raises(base.Unreachable):
            do(ada, act(one, ada, **said))
    proxy.answers = {"listNotifications": [AN_ERROR]}
    with pytest.raises(base.Uncertain):
        ada.surface.notifications(ada.account, cursor="2026-11-23T10:00:00.000Z", limit=5)


def test_pictures_that_are_gone_are_uploaded_again(network: Network, person: MakePerson, proxy: LossyProxy) -> None:
    ada = person(through=proxy.url)
    action = act(social.POST, ada, text="A lamp", image_url=data_url(render_jpeg("a lamp", "ai_artist")))
    proxy.answers["putRecord"] = [(400, {"error": "BlobNotFound", "message": "Could not find blob"}, {})]
    with pytest.raises(base.UploadsLost):
        do(ada, action)
    assert do(ada, action).remote_id
    assert proxy.calls["uploadBlob"] == 2
    (record,) = network.records(ada.did, keys.POST)
    assert record["value"]["embed"]["images"]


def test_a_post_that_was_deleted_before_it_is_sent_again_stays_deleted(
    network: Network, crew: Crew, proxy: LossyProxy
) -> None:
    job = crew.add(POST)
    proxy.lost["putRecord"] = 1
    perform(crew.fleet.deps, job)
    (record,) = network.records(crew.who.did, keys.POST)
    delete(network, crew.who, record["uri"])
    crew.fleet.sql("UPDATE jobs SET sending_at = sending_at - interval '11 minutes' WHERE state = 'unknown'")
    assert crew.run(job) == "dead"
    assert network.records(crew.who.did, keys.POST) == []
    (error,) = crew.fleet.sql(
        "SELECT error FROM job_attempts WHERE job_id = :id ORDER BY lease_token DESC LIMIT 1", id=job
    ).scalars()
    assert crew.fleet.job(job).dead_reason == "unknown_outcome" and "may have deleted it" in error


def test_a_post_that_never_arrived_is_sent_again(
    network: Network, person: MakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = person()
    now = datetime.now(UTC)
    action = act(social.POST, ada, text="Late", at=now)
    posted(ada, "Another")
    assert ada.surface.probe(action, since=now - timedelta(minutes=9), known=FOUND) is None
    with pytest.raises(base.Refused, match="may have deleted it"):
        ada.surface.probe(action, since=now - timedelta(minutes=11), known=FOUND)
    monkeypatch.setattr(module, "SYSTEM", VirtualClock(now + timedelta(hours=1)))
    sent = now + timedelta(minutes=10)  # the repository has not changed since
    assert ada.surface.probe(action, since=sent, known=FOUND) is None
    assert do(ada, action).remote_id
    found: Any = ada.surface.probe(action, since=sent, known=FOUND)
    assert (found.remote_id, found.detail["adopted"]) == (texts_uri(network, ada, "Late"), True)


def texts_uri(network: Network, who: Person, text: str) -> str:
    return next(str(one["uri"]) for one in network.records(who.did, keys.POST) if one["value"]["text"] == text)


def test_a_probe_takes_no_record_of_somebody_else(network: Network, person: MakePerson) -> None:
    ada = person()
    action = act(social.POST, ada, text="Mine")
    uri = str(do(ada, action).remote_id)
    body = {"repo": ada.did, "collection": keys.POST, "rkey": keys.parse(uri).key,
            "record": {"$type": keys.POST, "text": "A person's", "createdAt": "2020-01-01T00:00:00Z"}}  # fmt: skip
    network.call("com.atproto.repo.putRecord", body, token=ada.token)
    with pytest.raises(base.Refused, match="another record has the key"):
        ada.surface.probe(action, since=datetime.now(UTC), known=FOUND)
    assert texts_of(network, ada) == ["A person's"]
