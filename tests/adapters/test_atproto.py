"""What the adapter of the AT Protocol does without a network: record keys, facets, credentials, its repository."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from fleet.adapters import base
from fleet.adapters.atproto import ADAPTER, keys, records
from fleet.adapters.atproto.adapter import AtProto
from fleet.adapters.base import Account
from fleet.adapters.manifest import AccountAccess, MemoryTokens
from fleet.core.errors import InvalidInput
from tests.contracts.server import Call, Contract, Reply, route


def test_a_tid_is_that_of_the_protocols_own_library() -> None:
    moment = datetime(2026, 11, 22, 10, 0, 0, 123, UTC)  # from @atproto/common-web: TID.fromTime(microseconds, 7)
    assert keys._tid(int(moment.timestamp()) * 1_000_000 + 123, 7) == "3n2ve77545v2b"


@given(st.text(max_size=40), st.text(max_size=40), st.integers(0, 7_000_000_000))
def test_keys_are_the_same_for_ever_and_differ_for_others(one: str, other: str, seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    assert keys.of_job(one, at) == keys.of_job(one, at)
    assert (keys.of_job(one, at) == keys.of_job(other, at)) == (one == other)
    assert (keys.of_subject("like", one) == keys.of_subject("like", other)) == (one == other)
    assert keys.of_subject("like", one) != keys.of_subject("repost", one)
    for key in (keys.of_job(one, at), keys.of_subject("like", one)):
        assert len(key) == 13 and key[0] in "234567abcdefghij" and set(key) <= set("234567" + string.ascii_lowercase)


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["#a🌅", "https://ü.example/ß.", "@b.test", "é ", "\n"])).map("".join)
)
def test_no_facet_ends_beyond_its_text_or_within_a_character(words: str) -> None:
    encoded = words.encode("utf-8", "surrogatepass")
    last = 0
    for facet in records.facets(words.replace("\ud800", ""), {"b.test": "did:plc:b"}):
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        assert last <= start < end <= len(encoded)
        encoded[start:end].decode()
        last = end


@pytest.mark.parametrize(
    ("credentials", "address"),
    [
        ("ada.test", "https://a.org"), (":pw", "https://a.org"), ("ada.test:", "https://a.org"), ("", "https://a.org"),
        ("did:plc:abc", "https://a.org"), ("ada.test:pw", "a.org"), ("ada.test:pw", "https://x@a.org"),
    ],
)  # fmt: skip
def test_what_cannot_connect_is_refused_without_a_call_or_the_secret(credentials: str, address: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ADAPTER.connect(AccountAccess(address, SecretStr(credentials)))
    assert "pw" not in str(refused.value)


DID = "did:plc:ada"


class Repository(Contract):
    """A server with one repository, which answers as the lexicons of com.atproto.repo say."""

    records: dict[str, dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.records = {}

    @route("POST", "/xrpc/com.atproto.server.createSession")
    def login(self, call: Call) -> Reply:
        return Reply(200, {"did": DID, "handle": "ada.test", "accessJwt": "a", "refreshJwt": "r"})

    @route("GET", "/xrpc/com.atproto.repo.listRecords")
    def list(self, call: Call) -> Reply:
        assert (call.query["repo"], call.query["collection"]) == (DID, keys.POST)
        newest = [one for one in sorted(self.records, reverse=True) if one < call.query.get("cursor", "z")]
        page = newest[: int(call.query["limit"])]
        more = {"cursor": page[-1]} if len(page) < len(newest) else {}
        return Reply(200, {"records": [self._one(one) for one in page], **more})

    @route("GET", "/xrpc/com.atproto.repo.getRecord")
    def get(self, call: Call) -> Reply:
        if call.query["rkey"] not in self.records:
            return Reply(400, {"error": "RecordNotFound", "message": "Could not locate record"})
        return Reply(200, self._one(call.query["rkey"]))

    def _one(self, key: str) -> dict[str, Any]:
        return {"uri": f"at://{DID}/{keys.POST}/{key}", "cid": "c", "value": self.records[key]}


def test_own_posts_are_those_of_the_repository_page_by_page() -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    with Repository().serve() as server:
        made = [at + timedelta(minutes=number) for number in range(3)]
        rkeys = [keys.of_job(str(number), moment) for number, moment in enumerate(made)]
        for number, key in enumerate(rkeys):
            reply = {"reply": {"root": {}, "parent": {"uri": "at://x"}}} if number == 1 else {}
            server.records[key] = {"text": f"Lamp {number}.", "createdAt": keys.moment(made[number]), **reply}
        access = AccountAccess(server.url, SecretStr("ada.test:pw"), 5.0, tokens=MemoryTokens())
        adapter, me = AtProto(access), Account("a", "ada", "Ada", None)
        first = adapter.own_posts(me, authors=(), cursor=None, limit=2)
        rest = adapter.own_posts(me, authors=(), cursor=first.cursor, limit=2)
        found = [*first.items, *rest.items]
        assert [one.text for one in found] == ["Lamp 2.", "Lamp 1.", "Lamp 0."] and rest.cursor is None
        assert [one.is_reply for one in found] == [False, True, False] and found[0].created_at == made[2]
        assert adapter.own_post(me, found[0].id) == found[0]
        del server.records[rkeys[2]]
        with pytest.raises(base.Vanished):
            adapter.own_post(me, found[0].id)
        server.answer("GET", ".*getRecord", Reply(500, {"error": "InternalServerError"}))
        with pytest.raises(base.Uncertain):
            adapter.own_post(me, found[1].id)
        adapter.close()
