"""What the adapter of the AT Protocol computes without a network: record keys, facets, credentials."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from fleet.adapters.atproto import ADAPTER, keys, records
from fleet.adapters.manifest import AccountAccess
from fleet.core.errors import InvalidInput


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
