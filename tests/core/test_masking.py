"""What a process was given as a secret is in nothing that it tells, however it is written."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fleet.core import masking
from fleet.core.errors import FleetError
from fleet.core.settings import secrets_of
from fleet.engine import registry

KEY = "plain/Key+of no=pattern"
_SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=60)


@pytest.mark.parametrize("write", [str, lambda s: quote(s, safe=""), quote_plus, lambda s: json.dumps(s)[1:-1]])
@given(secret=_SECRETS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_concealed_value_is_taken_out_however_it_is_written(write: object, secret: str, before: str,
                                                              after: str) -> None:  # fmt: skip
    masking.conceal(secret)
    written = write(secret)  # type: ignore[operator]
    told = masking.mask(f"{before} {written} {after}")
    assert written not in told


@given(secret=_SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9), urlsafe=st.booleans())
def test_a_concealed_value_is_taken_out_of_base64_wherever_it_stands(
    secret: str, before: bytes, after: bytes, urlsafe: bool
) -> None:
    masking.conceal(secret)
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    written = encode(before + secret.encode() + after).decode()
    told = masking.mask(written)
    assert "***" in told
    # What is left is of its neighbours, and of the letters that it shares with them: two at each end.
    assert len(told.replace("***", "")) <= len(encode(before)) + len(encode(after)) + 4


def test_each_long_line_of_a_private_key_is_concealed_alone() -> None:
    lines = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg", "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"]
    masking.conceal("\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"]))
    assert all(line not in masking.mask(f"it said {line}.") for line in lines)
    assert masking.mask("-----BEGIN PRIVATE KEY-----") == "***"


@given(st.text(max_size=200))
def test_a_text_without_secrets_stays_as_it_is(words: str) -> None:
    assume(not any(sign in words for sign in ("://", "sk-", "fst_", "PRIVATE KEY")))
    assert masking.mask(words) == words


@pytest.mark.parametrize(
    "url", ["redis://:{}@h:1/0", "postgresql+psycopg://u:{}@h/db", "HTTPS://u:{}@h/", "a://b://:{}@"]
)
def test_the_password_of_an_address_is_taken_out_whatever_its_scheme(url: str) -> None:
    assert masking.mask(f"at {url.format('pass:word')}.") == f"at {url.format('***')}."


def test_a_password_that_holds_an_at_is_taken_out_whole() -> None:
    told = masking.mask("at redis://:p@ss:w@rd@h:1/0 and http://a:b@c/d@e.")
    assert told == "at redis://:***@h:1/0 and http://a:***@c/d@e."


def test_addresses_of_notices_show_their_hosts_and_not_their_keys() -> None:
    slack, bot, word = "xYzAbCdEfGhIjKlMnOpQrStU", "123456789:AAbbCCddEEffGGhhII-JJkkLLmm", "correct%20horse"
    registry.load_settings(notify=f"slack://T0123/B0456/{slack},tgram://{bot}/42,mailto://ann:{word}@mail.example.org")
    for told in (
        f"https://hooks.slack.com/services/T0123/B0456/{slack}",
        f"/bot{bot}/sendMessage",
        "correct horse",
        word,
    ):
        masked = masking.mask(told)
        assert not [key for key in (slack, bot.partition(":")[2], "correct", word) if key in masked], masked
    plain = "mail.example.org:587 and hooks.slack.com refused the connection"
    assert masking.mask(plain) == plain


@pytest.mark.timeout(60)  # to look through it once for each letter took hours
@pytest.mark.parametrize(
    "words",
    ["a" * 200_000 + "://", "a://" + "b" * 200_000, "a://:" + "b" * 200_000, "://:" * 50_000, "://:" + "b:" * 90_000],
)
def test_a_long_word_beside_an_address_is_looked_through_once(words: str) -> None:
    assert masking.mask(words) == words


def test_values_too_short_to_be_secrets_blacken_no_words() -> None:
    masking.conceal("none", "", "ollama")
    assert masking.mask("ollama has none") == "ollama has none"


def test_everything_inside_a_payload_is_masked_and_nothing_else_is_touched() -> None:
    masking.conceal(KEY)
    told = masking.mask_all({"a": [1, None, {KEY: ("x", KEY)}], "b": True})
    assert told == {"a": [1, None, {"***": ["x", "***"]}], "b": True}


@pytest.mark.parametrize("name", secrets_of(registry.current().settings_model))
def test_every_secret_setting_is_taken_out_of_errors(name: str) -> None:
    registry.load_settings(**{name: KEY})
    error = FleetError(f"The server said: {KEY} is wrong.", fix=f"Use another than {KEY}.")
    assert KEY not in f"{error}{error.message}{error.fix}{error.args}"
