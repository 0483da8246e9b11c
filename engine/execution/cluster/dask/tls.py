"""TLS of the cluster: contexts from files, and addresses that may be used without it."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.domain.errors import UserError, user_error
from engine.domain.record import record
from engine.system.files import expanded

DEFAULT_PORT = 8786


@record
class TlsFiles:
    """PEM files: the CA, and the certificate and key of this process."""

    ca: Path
    certificate: Path
    key: Path


def tls_files(ca: str | None, certificate: str | None, key: str | None) -> TlsFiles | None:
    """Return the files of a setting; None without any. Raises `UserError` CERTIFICATE_INVALID."""
    given = {"ca": ca, "certificate": certificate, "key": key}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise user_error(
            "CERTIFICATE_INVALID",
            f"TLS needs three files; not set: {', '.join(missing)}.",
            "Set `ca`, `certificate` and `key`.",
        )
    paths = [expanded(str(value)) for value in given.values()]
    return TlsFiles(*paths)


def checked_address(address: str, files: TlsFiles | None) -> str:
    """Return the address of a scheduler with scheme and port.

    Raises `UserError` CLUSTER_INSECURE for an address without TLS that is not on this machine, and
    CONFIG_INVALID for one that cannot be read.
    """
    scheme, separator, rest = address.strip().partition("://")
    if not separator:
        scheme, rest = ("tls" if files else "tcp"), scheme
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise _unreadable(address) from error
    if scheme not in ("tls", "tcp") or not host or parts.netloc != rest or "@" in rest:
        raise _unreadable(address)
    if scheme == "tcp":
        _check_plain(host, address, files)
    elif files is None:
        raise user_error(
            "CERTIFICATE_INVALID",
            f"`{address}` uses TLS, and no certificate is set.",
            "Set `ca`, `certificate` and `key`; make them with `swarm-tui cluster certificates`.",
        )
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _check_plain(host: str, address: str, files: TlsFiles | None) -> None:
    if files is not None:
        raise user_error(
            "CLUSTER_INSECURE",
            f"`{address}` does not use TLS, although certificates are set.",
            f"Use `tls://{address.partition('://')[2] or address}`.",
        )
    if not is_loopback(host):
        raise user_error("CLUSTER_INSECURE", f"`{address}` is not on this machine.")


def _unreadable(address: str) -> UserError:
    return user_error(
        "CONFIG_INVALID",
        f"Invalid address of a scheduler: `{address}`.",
        "Use for example `tls://192.0.2.7:8786`.",
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, as seen from itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def outgoing(files: TlsFiles | None) -> dict[str, Any]:
    """Return the arguments of outgoing connections; raises `UserError` CERTIFICATE_INVALID."""
    if files is None:
        return {}
    return {"ssl_context": _context(files, ssl.PROTOCOL_TLS_CLIENT), "require_encryption": True}


def incoming(files: TlsFiles | None) -> dict[str, Any]:
    """Return the arguments of a listener; raises `UserError` CERTIFICATE_INVALID."""
    if files is None:
        return {}
    return {"ssl_context": _context(files, ssl.PROTOCOL_TLS_SERVER), "require_encryption": True}


def _context(files: TlsFiles, protocol: int) -> ssl.SSLContext:
    """Return a context that demands a certificate of the CA from the other side."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Roles in the certificates distinguish the peers; addresses of nodes change.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cafile=files.ca)
    except (OSError, ValueError) as error:
        raise _unusable(files.ca, error) from error
    try:
        # Without `password`, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable(files.certificate, error) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _unusable(path: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return user_error("CERTIFICATE_INVALID", f"`{path}` cannot be used: {reason}.")


def tls_problem(error: BaseException | None) -> str:
    """Return the problem with TLS that caused an error, as a sentence part; empty without one."""
    chain: list[BaseException] = []
    while error is not None and len(chain) < 20:
        chain.append(error)
        error = error.__cause__ or error.__context__
    # The first cause is the most precise one.
    for link in reversed(chain):
        for sign, meaning in PROBLEMS.items():
            if sign in str(link):
                return meaning
    return ""


PROBLEMS: dict[str, str] = {
    "UNKNOWN_CA": "the other side refused this certificate: it is from another CA",
    "unknown ca": "the other side refused this certificate: it is from another CA",
    "ALERT_DECRYPT_ERROR": "the other side refused this certificate: it is from another CA",
    "CERTIFICATE_EXPIRED": "the other side refused this certificate: it has expired",
    "CERTIFICATE_REQUIRED": "the other side demands a certificate",
    "certificate has expired": "the certificate of the other side has expired",
    "not yet valid": "the certificate of the other side is not valid yet by the clock here",
    "CERTIFICATE_VERIFY_FAILED": "the certificate of the other side is from another CA",
    "TLS certificate does not match": "the certificate of the other side is from another CA",
    "UNSUPPORTED_CERTIFICATE": "the other side refused this certificate: it has another purpose",
    "WRONG_VERSION_NUMBER": "the other side does not use TLS",
    "RECORD_LAYER_FAILURE": "the other side does not use TLS",
    "PACKET_LENGTH_TOO_LONG": "the other side does not use TLS",
    "BAD_CERTIFICATE": "the other side refused this certificate",
    # Of TLS 1.3, a refusal may come too late to be read.
    "EOF occurred in violation": "the other side ended the connection, or refuses this certificate",
}
"""Texts of OpenSSL and their meaning."""
