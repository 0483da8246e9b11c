"""TLS of the API: a certificate and its key from files."""

from __future__ import annotations

import ssl
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the settings of TLS for a certificate (PEM, with its chain) and its key.

    Raises `UserError` API_CERTIFICATE_INVALID.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password: else OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        problem = _problem(error, certificate, key)
        raise user_error("API_CERTIFICATE_INVALID", problem) from None
    return context


def _problem(error: Exception, certificate: Path, key: Path) -> str:
    for path in (certificate, key):
        try:
            with path.open("rb"):
                pass
        except OSError as failure:
            return f"{printable_name(str(path))} cannot be read: {failure.strerror}."
    reason = getattr(error, "reason", None) or "PASSWORD_NEEDED"
    return f"The certificate or its key cannot be used ({reason})."
