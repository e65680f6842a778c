"""A certificate authority of the tests' own, whose leaves sign pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS: dict[str, Any] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@dataclass(frozen=True)
class Pair:
    """Certificates, the signer's first, and its key; both PEM."""

    certificates: bytes
    key: bytes

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write both as files."""
        cert, key = folder / "chain.pem", folder / "signing.key"
        cert.write_bytes(self.certificates)
        key.write_bytes(self.key)
        return cert, key


def issue(kind: str = "p256", *, days: int = 30, for_signing: bool = True) -> Pair:
    """Issue a leaf by a new authority. With `days` negative it has ended already."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), KINDS[kind]()
    chain = [
        _certificate("Fleet tests leaf", leaf.public_key(), root, days=days, for_signing=for_signing),
        _certificate("Fleet tests authority", root.public_key(), root, authority=True),
    ]
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    return Pair(pem, leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                        serialization.NoEncryption()))  # fmt: skip


def _certificate(subject: str, key: Any, root: Any, *, days: int = 30, authority: bool = False,
                 for_signing: bool = True) -> x509.Certificate:  # fmt: skip
    end = datetime.now(UTC) + timedelta(days=days)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                           "encipher_only", "decipher_only"), False)  # fmt: skip
    usage |= {"digital_signature": not authority and for_signing, "key_cert_sign": authority, "crl_sign": authority}
    usage["key_encipherment"] = not authority and not for_signing
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("Fleet tests authority"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=60))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
    )
    if not authority:
        purpose = ExtendedKeyUsageOID.EMAIL_PROTECTION if for_signing else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(root, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Fleet tests"), x509.NameAttribute(NameOID.COMMON_NAME, common)
    ])  # fmt: skip
