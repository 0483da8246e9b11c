"""Certificates of a cluster: a CA of its own, and one certificate for each process that has a role.

Keys are on an elliptic curve. No file is overwritten, and no key leaves its file, which only its
user may read. A folder with a CA is used again, so that a node can be added later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.record import record
from engine.execution.cluster.dask import roles
from engine.execution.cluster.dask.tls import TlsFiles

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA = "ca"
SCHEDULER = "scheduler"
CLIENT = "client"
CA_DAYS = 3650
DAYS = 825
EARLIER = timedelta(days=1)
"""So long before now a certificate begins to be valid: clocks of other machines may be behind."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
RESERVED = ("local", "any", SCHEDULER, CLIENT)
LARGEST_BYTES = 100_000


def checked_name(name: str) -> str:
    """Return the name of a node; raises `UserError` INPUT_INVALID for one that cannot be used."""
    if not NAME.fullmatch(name) or name in RESERVED:
        raise user_error(
            "INPUT_INVALID",
            f"Invalid name of a node: {name!r}.",
            f"Use letters, digits, `.`, `_` and `-`, and not {', '.join(RESERVED)}.",
        )
    return name


@record
class Certificates:
    """The files of a cluster in one folder."""

    folder: Path

    def of(self, name: str) -> TlsFiles:
        """Return the files of the scheduler, the client or a node."""
        stem = name if name in (SCHEDULER, CLIENT) else f"node-{name}"
        return TlsFiles(self.ca, self.folder / f"{stem}.pem", self.folder / f"{stem}.key")

    @property
    def ca(self) -> Path:
        """Return the certificate of the CA."""
        return self.folder / f"{CA}.pem"

    @property
    def ca_key(self) -> Path:
        """Return the key of the CA, which no process of the cluster needs."""
        return self.folder / f"{CA}.key"

    def has(self, name: str) -> bool:
        """Return whether there are files of a process."""
        files = self.of(name)
        return files.certificate.exists() or files.key.exists()


def make_certificates(
    folder: Path, nodes: Sequence[str] = (), days: int = DAYS
) -> Sequence[TlsFiles]:
    """Make what is missing of CA, scheduler and client, and a certificate for each node.

    Return the new files. Raises `UserError` CERTIFICATE_EXISTS for a node that has one,
    CERTIFICATE_INVALID for a CA that cannot be read, CLUSTER_NOT_INSTALLED, and OSError. Blocking.
    """
    files = Certificates(folder)
    names = list(dict.fromkeys(checked_name(name) for name in nodes))
    for name in names:
        if files.has(name):
            raise _exists(files.of(name).certificate)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority.of(files)
    names = [name for name in (SCHEDULER, CLIENT) if not files.has(name)] + names
    for name in names:
        authority.issue(files.of(name), name, days)
    return [files.of(name) for name in names]


class _Authority:
    """A CA, its key in memory."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def of(cls, files: Certificates) -> _Authority:
        """Return the CA of a folder, made where there is none."""
        try:
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError as error:
            raise user_error("CLUSTER_NOT_INSTALLED") from error
        if files.ca.exists() or files.ca_key.exists():
            return cls._read(files)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _ca_certificate(key)
        _write(files.ca_key, _key_bytes(key))
        _write(files.ca, _certificate_bytes(certificate))
        return cls(certificate, key)

    @classmethod
    def _read(cls, files: Certificates) -> _Authority:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            certificate = x509.load_pem_x509_certificate(_read_bytes(files.ca))
            key = load_pem_private_key(_read_bytes(files.ca_key), None)
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(files, "it cannot be read") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _unusable(files, "its key is not on an elliptic curve")
        if key.public_key() != certificate.public_key():
            raise _unusable(files, "its key belongs to another certificate")
        if certificate.not_valid_after_utc < datetime.now(UTC):
            raise _unusable(files, "it has expired")
        return cls(certificate, key)

    def issue(self, files: TlsFiles, name: str, days: int) -> None:
        """Make the key and the certificate of a process."""
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(self._certificate, self._key, key, name, days)
        _write(files.key, _key_bytes(key))
        _write(files.certificate, _certificate_bytes(certificate))


def _ca_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = _subject("swarm-tui cluster CA")
    public = key.public_key()
    return (
        _builder(public, CA_DAYS)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    name: str,
    days: int,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    role, purposes = roles.node(name), [ExtendedKeyUsageOID.CLIENT_AUTH]
    if name in (SCHEDULER, CLIENT):
        role = {SCHEDULER: roles.SCHEDULER, CLIENT: roles.CLIENT}[name]
    if name != CLIENT:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    names = [x509.UniformResourceIdentifier(role), x509.DNSName(name)]
    public, ca_public = key.public_key(), ca_key.public_key()
    return (
        _builder(public, days)
        .subject_name(_subject(name))
        .issuer_name(ca.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_public), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )


def _builder(key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    from cryptography import x509

    # Clocks of other machines may be behind.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + timedelta(days=days))
    )


def _subject(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate_bytes(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _read_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES)


def _write(path: Path, content: bytes) -> None:
    """Write a new file that only its user may read; raises `UserError` CERTIFICATE_EXISTS."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise _exists(path) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _exists(path: Path) -> UserError:
    return user_error("CERTIFICATE_EXISTS", f"`{path}` exists already.")


def _unusable(files: Certificates, reason: str) -> UserError:
    return user_error(
        "CERTIFICATE_INVALID", f"The CA in `{files.folder}` cannot be used: {reason}."
    )
