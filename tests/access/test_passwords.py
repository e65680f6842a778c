"""What is kept of passwords: argon2id at the price that is asked for, which the other tests do not pay."""

from __future__ import annotations

import pytest
from argon2 import Type

from fleet.access import secret
from fleet.core.errors import InvalidInput
from tests.conftest import SHIPPED_HASHER


@pytest.fixture(autouse=True)
def _at_full_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_hasher", SHIPPED_HASHER)


def test_a_guess_takes_the_memory_and_the_rounds_of_rfc_9106() -> None:
    # The second choice of its section 4: the first takes 2 GB for each login.
    assert SHIPPED_HASHER.type is Type.ID
    assert SHIPPED_HASHER.memory_cost >= 64 * 1024
    assert SHIPPED_HASHER.time_cost >= 3
    assert SHIPPED_HASHER.parallelism >= 4
    assert SHIPPED_HASHER.salt_len >= 16


@pytest.mark.long
def test_the_right_password_is_known_and_no_other() -> None:
    kept = secret.hash_password("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert secret.is_password(kept, "correct horse battery")
    assert not secret.is_password(kept, "correct horse batterz")
    assert not secret.is_password(None, "correct horse battery")
    assert not secret.is_outdated(kept)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("aaaaaaaaaaaa", "repeats"), ("abcdefghijkl", "run of neighbours"), ("qwertyuiop12", "common password"),
        ("password1234", "common password"), ("annelieseanneliese", "name itself"), ("Anneliese123", "user's name"),
        ("zxcvbnm,./zxcvbnm,./", "repeats"), ("short", "12 characters at least"), ("x" * 257, "256 characters at most"),
    ],
)  # fmt: skip
def test_a_password_that_is_easy_to_guess_is_refused_in_plain_words(password: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        secret.refuse_weak(password, "anneliese")


def test_the_first_forty_characters_count_for_the_estimate() -> None:
    """The estimate takes the square of the length: seconds for 72 signs that stand for letters."""
    with pytest.raises(InvalidInput, match="repeats"):
        secret.refuse_weak("a" * 40 + "kettle brisk walnut lamp", "anneliese")


def test_random_words_and_long_passwords_do() -> None:
    for password in (
        "kettle brisk walnut",
        "tr0ub4dor&3xyz",
        "dolphin river stone lamp",
        "correct horse battery " * 10,
    ):
        secret.refuse_weak(password, "anneliese")
