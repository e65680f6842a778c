"""A secret opens under its own name, with its own key, as it was sealed; and in no other way."""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.accounts import keyfile
from fleet.accounts.sealing import KEY_BYTES, Keyring, LostKey, Sealed, new_key
from fleet.core.errors import FleetError, InvalidInput

_KEYS = st.lists(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), min_size=1, max_size=4, unique=True)
_NAMES = st.from_regex(r"[a-z][a-z_]{0,30}", fullmatch=True)


@given(keys=_KEYS, name=_NAMES, secret=st.text(min_size=1), which=st.integers(0, 3))
def test_what_any_key_of_the_ring_sealed_opens(keys: list[bytes], name: str, secret: str, which: int) -> None:
    sealed = Keyring([keys[which % len(keys)]]).seal(name, secret)
    assert Keyring(keys).open(name, sealed) == secret
    assert secret.encode() not in sealed.ciphertext or len(secret) < 4


@given(keys=_KEYS, name=_NAMES, other=_NAMES, secret=st.text(min_size=1))
def test_a_ciphertext_opens_in_no_other_row(keys: list[bytes], name: str, other: str, secret: str) -> None:
    sealed = Keyring(keys).seal(name, secret)
    if name != other:
        with pytest.raises(LostKey, match="changed in the database"):
            Keyring(keys).open(other, sealed)


@given(keys=_KEYS, bit=st.integers(0, 8 * 60))
def test_one_turned_bit_is_noticed(keys: list[bytes], bit: int) -> None:
    sealed = Keyring(keys).seal("a", "a secret of some length that is sealed")
    data = bytearray(sealed.ciphertext)
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    with pytest.raises(LostKey):
        Keyring(keys).open("a", Sealed(bytes(data), sealed.key_id))


@pytest.mark.parametrize("cut", [0, 1, 12, 20])
def test_a_ciphertext_that_was_cut_is_noticed(cut: int) -> None:
    ring = Keyring([bytes(KEY_BYTES)])
    sealed = ring.seal("a", "secret")
    with pytest.raises(LostKey):
        ring.open("a", Sealed(sealed.ciphertext[:cut], sealed.key_id))


def test_a_lost_key_is_named_and_so_is_the_way_out() -> None:
    sealed = Keyring([bytes(KEY_BYTES)]).seal("openai_api_key", "secret")
    with pytest.raises(LostKey) as lost:
        Keyring([b"x" * KEY_BYTES]).open("openai_api_key", sealed)
    assert sealed.key_id in lost.value.message
    assert "fleet secrets set openai_api_key" in str(lost.value.fix)


def test_two_seals_of_one_secret_differ() -> None:
    ring = Keyring([bytes(KEY_BYTES)])
    assert ring.seal("a", "secret").ciphertext != ring.seal("a", "secret").ciphertext


def test_keys_are_read_with_and_without_padding_and_the_first_one_seals() -> None:
    first, second = new_key(), new_key()
    ring = Keyring.of([first.rstrip("="), f" {second} "], where="here")
    assert ring.seal("a", "s").key_id == Keyring.of([first], where="here").key_ids[0] == ring.key_ids[0]
    assert ring.key_ids[1] == Keyring.of([second], where="here").key_ids[0]


@pytest.mark.parametrize(
    "written", ["x", "ä" * 43, base64.urlsafe_b64encode(b"short").decode(), "A" * 42, "A" * 44, "*" * 43]
)
def test_what_is_no_key_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(InvalidInput, match="key 2 is none") as refused:
        Keyring.of([new_key(), written], where="FLEET_SECRET_KEYS")
    assert written not in str(refused.value) or len(written) == 1


@pytest.mark.parametrize("written", [[], ["", " "]])
def test_a_ring_without_keys_is_refused(written: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no key"):
        Keyring.of(written, where="here")


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    made = keyfile.make(home)
    assert made is not None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    before = made.read_text()
    assert keyfile.make(home) is None
    assert made.read_text() == before
    ring = keyfile.ring(home)
    assert ring is not None
    assert len(ring.key_ids) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    made = keyfile.make(tmp_path)
    assert made is not None
    made.chmod(mode)
    with pytest.raises(InvalidInput, match="others") as refused:
        keyfile.ring(tmp_path)
    assert "chmod 600" in str(refused.value.fix)


def test_a_new_key_comes_first_and_the_old_ones_still_open(tmp_path: Path) -> None:
    keyfile.make(tmp_path)
    before = keyfile.ring(tmp_path)
    assert before is not None
    sealed = before.seal("a", "secret")
    path = keyfile.add(tmp_path)
    after = keyfile.ring(tmp_path)
    assert after is not None
    assert after.key_ids[1:] == before.key_ids
    assert after.open("a", sealed) == "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [keyfile.NAME]


def test_two_that_add_a_key_at_once_do_not_lose_one(tmp_path: Path) -> None:
    keyfile.make(tmp_path)
    (tmp_path / f".{keyfile.NAME}.new").touch()
    with pytest.raises(FleetError, match="Somebody else"):
        keyfile.add(tmp_path)


def test_a_key_that_another_adds_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyfile.make(tmp_path)
    added: list[bytes] = []

    def slowly() -> str:
        monkeypatch.setattr(keyfile, "new_key", new_key)
        with contextlib.suppress(FleetError):  # somebody else is changing the file: that is us
            added.append(keyfile.add(tmp_path).read_bytes().splitlines()[0])
        return new_key()

    monkeypatch.setattr(keyfile, "new_key", slowly)
    lines = keyfile.add(tmp_path).read_bytes().splitlines()
    assert len(lines) == 2 + len(added) and set(added) <= set(lines)


def test_a_disk_that_is_full_leaves_no_file_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for change in (keyfile.make, keyfile.add):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(FleetError, match="No space"):
                change(tmp_path)
        assert change(tmp_path) == tmp_path / keyfile.NAME


def test_without_a_key_file_there_is_no_ring_and_nothing_to_add_to(tmp_path: Path) -> None:
    assert keyfile.ring(tmp_path) is None
    with pytest.raises(InvalidInput, match="There is no"):
        keyfile.add(tmp_path)
