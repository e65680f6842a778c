"""Whatever lies in a queue, a worker gets an envelope that kombu can read, and never unpacks a compressed body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import compression
from kombu.transport import redis as redis_transport
from kombu.transport import virtual

from fleet.core.workarounds import kombu

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "delivery_tag": st.text(max_size=8) | JSON,
        "delivery_info": JSON,
        "body_encoding": st.sampled_from(["base64", "rot13", None]) | JSON,
    },
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "properties": PROPERTIES | JSON,
        "headers": st.fixed_dictionaries({}, optional={"task": JSON}) | JSON,
        "body": st.sampled_from(["W10=", "?", "é", ""]) | JSON,
        "content-type": st.just("application/json"),
    },
)


@pytest.fixture(autouse=True)
def kombu_as_it_was() -> Iterator[None]:
    loads, message = redis_transport.loads, redis_transport.Channel.Message
    encoders, decoders = dict(compression._encoders), dict(compression._decoders)
    yield
    redis_transport.loads, redis_transport.Channel.Message = loads, message
    compression._encoders.update(encoders)
    compression._decoders.update(decoders)


class Channel(virtual.Channel):
    """The part of a channel that decodes bodies."""

    def __init__(self) -> None:
        self.no_ack_consumers = None


def message_of(text: str) -> Any:
    return kombu.Envelope(kombu.parse(text), channel=Channel())


@given(st.text() | JSON.map(json.dumps) | ENVELOPES.map(json.dumps))
def test_every_text_becomes_a_message_with_a_tag_and_a_task_name(text: str) -> None:
    message = message_of(text)
    assert isinstance(message.delivery_tag, str)
    assert isinstance(message.headers.get("task", ""), str)


@pytest.mark.parametrize("text", ["hello", "[" * 50_000, "1" * 5_000, "x" * 300_000, '{"properties": []}'])
def test_a_malformed_message_is_kept_as_an_unreadable_body(text: str) -> None:
    message = message_of(text)
    assert message.content_type == kombu.UNREADABLE
    assert bytes(message.body).decode() == text[:16_000]


def test_what_kombu_stores_about_unacknowledged_messages_stays_as_it_is() -> None:
    assert kombu.parse('[{"body": ""}, "exchange", "key"]') == [{"body": ""}, "exchange", "key"]


def test_kombu_reads_with_it_and_unpacks_nothing() -> None:
    packed, header = compression.compress(b"x" * 1_000, "gzip")
    kombu.install()
    assert redis_transport.Channel._brpop_read.__globals__["loads"] is kombu.parse
    assert redis_transport.Channel.Message is kombu.Envelope
    for alias in (header, "gzip", "bzip2", "lzma", "zlib"):
        with pytest.raises((ValueError, KeyError)):
            compression.decompress(packed, alias)
