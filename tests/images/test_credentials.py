"""A signed picture says who made it and how, in a manifest that a reader finds valid, beside the mark."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from fleet import __version__
from fleet.core.errors import InvalidInput
from fleet.core.settings import load
from fleet.images import Format, Marks, PictureSource, encode, read_marks, signing
from fleet.images.credentials import Credentials, NotSigned, manifest_of, read
from fleet.sandbox.gallery.art import render
from tests.images.test_images import marked_gif
from tests.signing_authority import KINDS, Pair, issue

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


@pytest.fixture(scope="module")
def pair() -> Pair:
    return issue()


@pytest.fixture(scope="module")
def credentials(pair: Pair) -> Credentials:
    return read(pair.certificates, pair.key)


def a_picture(format: Format, source: str = PictureSource.AI) -> bytes:
    return encode(render("a boat", "ai_artist", 256, 256), Marks(source, "a boat"), format)


def assert_valid(picture: bytes, source: str) -> None:
    told = manifest_of(picture)
    assert told is not None
    assert told["validation_state"] == "Valid"
    assert {one["code"] for one in told.get("validation_status", [])} <= {"signingCredential.untrusted"}
    manifest = told["manifests"][told["active_manifest"]]
    (maker,) = manifest["claim_generator_info"]
    assert (maker["name"], maker["version"]) == ("Fleet", __version__)
    (actions,) = [one["data"]["actions"] for one in manifest["assertions"] if one["label"].startswith("c2pa.actions")]
    assert [(one["action"], one["digitalSourceType"]) for one in actions] == [("c2pa.created", source)]


@pytest.mark.parametrize("source", [PictureSource.AI, PictureSource.FORMULA, COMPOSITE])
@pytest.mark.parametrize("format", list(Format))
def test_the_manifest_says_what_the_mark_says_and_the_mark_and_pixels_stay(
    credentials: Credentials, format: Format, source: str
) -> None:
    before = a_picture(format, source)
    after = credentials.sign(before)
    assert_valid(after, source)
    assert read_marks(after) == read_marks(before)
    with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as other:
        assert one.tobytes() == other.tobytes()
    assert len(after) < len(before) + 10_000, "no thumbnail"


@pytest.mark.parametrize("format", list(Format))
def test_a_changed_picture_is_found_out(credentials: Credentials, format: Format) -> None:
    before = a_picture(format)
    signed = bytearray(credentials.sign(before))
    signed[signed.index(before[len(before) // 2 :][:32])] ^= 1
    told = manifest_of(bytes(signed))
    assert told is None or told["validation_state"] == "Invalid"


def test_signing_a_signed_picture_leaves_one_valid_manifest_of_ours(credentials: Credentials) -> None:
    assert_valid(credentials.sign(credentials.sign(a_picture(Format.JPEG))), PictureSource.AI)


def test_a_gif_that_came_with_its_mark_is_signed_as_it_is(credentials: Credentials) -> None:
    signed = credentials.sign(marked_gif(Marks(PictureSource.AI, "a boat")))
    assert_valid(signed, PictureSource.AI)
    assert read_marks(signed) == Marks(PictureSource.AI, "a boat")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_every_kind_sign(kind: str) -> None:
    pair = issue(kind)
    assert_valid(read(pair.certificates, pair.key).sign(a_picture(Format.PNG)), PictureSource.AI)


def test_a_picture_without_a_mark_is_not_signed(credentials: Credentials) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    with pytest.raises(NotSigned, match="no mark"):
        credentials.sign(out.getvalue())


def test_an_unsigned_picture_has_no_manifest() -> None:
    assert manifest_of(a_picture(Format.PNG)) is None


@pytest.mark.parametrize("wrong", ["ended", "not for signing", "another's key", "no certificate", "no key"])
def test_credentials_that_cannot_sign_are_refused_at_once(pair: Pair, wrong: str) -> None:
    made = {
        "ended": lambda: issue(days=-1),
        "not for signing": lambda: issue(for_signing=False),
        "another's key": lambda: Pair(pair.certificates, issue().key),
        "no certificate": lambda: Pair(b"x", pair.key),
        "no key": lambda: Pair(pair.certificates, b"x"),
    }[wrong]()
    with pytest.raises(InvalidInput) as refused:
        read(made.certificates, made.key)
    assert refused.value.fix
    assert pair.key.decode().splitlines()[1] not in str(refused.value)


def test_the_key_is_in_no_repr(credentials: Credentials) -> None:
    assert "PRIVATE" not in repr(credentials)


def test_settings_lead_to_credentials_by_file_or_by_the_key_itself(pair: Pair, tmp_path: Path) -> None:
    cert, key = pair.write(tmp_path)
    assert signing.connect(load()) is None
    by_file = signing.connect(load(c2pa_cert=cert, c2pa_key=key))
    by_store = signing.connect(load(c2pa_cert=cert, c2pa_key_pem=pair.key.decode()))
    assert by_file == by_store
    assert by_file is not None


def test_settings_that_cannot_sign_are_an_error_with_the_fix(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = pair.write(tmp_path)
    with pytest.raises(InvalidInput, match="without a certificate"):
        signing.check(load(c2pa_key=key))
    with pytest.raises(InvalidInput, match="without a private key"):
        signing.connect(load(c2pa_cert=cert))
    with pytest.raises(InvalidInput, match=r"gone\.pem cannot be read"):
        signing.connect(load(c2pa_cert=tmp_path / "gone.pem", c2pa_key=key))
    monkeypatch.setattr(signing, "find_spec", lambda _: None)
    with pytest.raises(InvalidInput, match="not installed") as refused:
        signing.check(load(c2pa_cert=cert, c2pa_key=key))
    assert "extra c2pa" in str(refused.value.fix)
