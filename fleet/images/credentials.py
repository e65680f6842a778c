"""Content credentials (C2PA): a signed manifest in a picture's file that states its maker and its method.

Called for every picture that is posted by a fleet with a signing key; the XMP mark of `marks` is there in any case. The
library is an extra of the installation and imported only here. Uses no network: there are no time stamps.
"""

from __future__ import annotations

import importlib
import io
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from PIL import Image

from fleet import __version__
from fleet.core.errors import FleetError, InvalidInput
from fleet.images.editing import Format, encode
from fleet.images.marks import CREATOR_TOOL, Marks, PictureSource, read_marks
from fleet.images.safety import sniff

_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_SOUND = ("Valid", "Trusted")
_FIX = "Look at FLEET_C2PA_CERT and FLEET_C2PA_KEY (docs/content.md)."
_NO_THUMBNAIL = {"builder": {"thumbnail": {"enabled": False}}}
"""The picture is beside its manifest: a smaller copy inside would double the file."""


class NotSigned(FleetError):
    """A picture could not be signed, so it must not be posted by a fleet that signs."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose signature pictures carry: certificates (PEM, the signer's first), its private key (PEM), the algorithm."""

    certificates: bytes
    key: bytes = field(repr=False)
    algorithm: str

    def sign(self, picture: bytes) -> bytes:
        """Return a marked PNG, JPEG or WebP with a manifest that repeats its mark. Raises NotSigned.

        A manifest of the original picture is replaced.
        """
        marks = read_marks(picture)
        if marks is None:
            raise NotSigned("The picture carries no mark that a manifest could repeat.")
        c2pa, kind, out = _library(), sniff(picture), io.BytesIO()
        try:
            signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(self.algorithm, self.certificates, self.key, None))
            how = c2pa.Context.from_dict(_NO_THUMBNAIL)
            with signer, how, c2pa.Builder.from_json(json.dumps(_manifest(marks)), how) as builder:
                builder.sign(signer, kind, io.BytesIO(picture), out)
        except c2pa.C2paError as error:
            raise NotSigned(f"The picture could not be signed: {error}.", fix=_FIX) from error
        return out.getvalue()


def read(certificates: bytes, key: bytes) -> Credentials:
    """Return the credentials of two PEM files, after a trial. Raises InvalidInput when pictures cannot be signed so."""
    try:
        leaf = x509.load_pem_x509_certificates(certificates)[0]
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput("The certificate or the private key for pictures cannot be read.", fix=_FIX) from error
    if leaf.public_key() != private.public_key():
        raise InvalidInput("The private key for pictures is not that of the first certificate.", fix=_FIX)
    made = Credentials(certificates, key, _algorithm(private))
    _try_out(made)
    return made


def manifest_of(picture: bytes) -> dict[str, Any] | None:
    """Return the parsed manifest of a picture, with its validation; None if it has none or a broken one."""
    c2pa = _library()
    try:
        with c2pa.Reader(sniff(picture), io.BytesIO(picture)) as reader:
            told: dict[str, Any] = json.loads(reader.json())
    except c2pa.C2paError:
        return None
    return told


def _try_out(credentials: Credentials) -> None:
    """Sign a small picture: expired or unsuitable certificates fail only then."""
    trial = encode(Image.new("RGB", (64, 64), "white"), Marks(PictureSource.FORMULA, "trial"), Format.PNG)
    try:
        told = manifest_of(credentials.sign(trial)) or {}
    except NotSigned as error:
        raise InvalidInput(error.message, fix=error.fix) from error
    if told.get("validation_state") not in _SOUND:
        codes = [str(one.get("code")) for one in told.get("validation_status", [])]
        raise InvalidInput(f"What is signed so is not valid: {', '.join(codes) or 'no manifest'}.", fix=_FIX)


def _manifest(marks: Marks) -> dict[str, Any]:
    """Return the claim: Fleet made this picture, in the way that the mark states."""
    maker = {"name": CREATOR_TOOL, "version": __version__}
    created = {"action": "c2pa.created", "digitalSourceType": marks.source, "softwareAgent": maker}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [created]}}
    return {"claim_generator_info": [maker], "assertions": [actions]}


def _algorithm(key: object) -> str:
    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case rsa.RSAPrivateKey():
            return "ps256"
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
    raise InvalidInput("Pictures cannot be signed with a key of this kind.", fix="Use P-256, P-384, Ed25519 or RSA.")


def _library() -> Any:
    """Import the library, which is slow to load and not part of every installation."""
    return importlib.import_module("c2pa")
