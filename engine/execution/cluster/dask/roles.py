"""Roles in certificates: a node's cannot be used to act as the scheduler, a user or another node.

A role is a URI among the certificate's alternative names. Certificates of another CA that have no
role of ours may act in every role: that CA alone decides who belongs to the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PREFIX = "swarm-tui:"
SCHEDULER = f"{PREFIX}scheduler"
CLIENT = f"{PREFIX}client"


def node(name: str) -> str:
    """Return the role of a node."""
    return f"{PREFIX}node:{name}"


def may(certificate: Mapping[str, Any] | None, role: str) -> bool:
    """Return whether a peer may act in a role; `certificate` is as `SSLSocket.getpeercert`.

    Without TLS no one has a certificate; such a cluster works on loopback only.
    """
    roles = set(_roles(certificate or {}))
    return not roles or role in roles


def described(certificate: Mapping[str, Any] | None) -> str:
    """Return the roles of a certificate as text."""
    return ", ".join(sorted(_roles(certificate or {}))) or "no role"


def _roles(certificate: Mapping[str, Any]) -> Iterable[str]:
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "URI" and str(value).startswith(PREFIX):
            yield str(value)
