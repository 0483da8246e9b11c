"""Shapes of the reports of a cluster's processes."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from engine.cluster_processes import Happening
from tui.cli.json.base import Shape


class ClusterReportJson(Shape):
    """A report of a node, or of a scheduler that listens: with `cluster up`, it names files."""

    event: Happening
    scheduler: Annotated[str, Meta(description="its address")]
    node: str | UnsetType = UNSET
    address: Annotated[str, Meta(description="where the node listens; or empty")] | UnsetType = (
        UNSET
    )
    slots: int | UnsetType = UNSET
    runs: Annotated[int, Meta(description="runs that the node waits for or ends")] | UnsetType = (
        UNSET
    )
    reason: Annotated[str, Meta(description="for a human; or empty")] | UnsetType = UNSET
    ca: Annotated[str, Meta(description="the certificate of the CA")] | UnsetType = UNSET
    certificate: Annotated[str, Meta(description="that of a client")] | UnsetType = UNSET
    key: Annotated[str, Meta(description="its key")] | UnsetType = UNSET


class CertificateJson(Shape):
    """The files of a certificate that was made."""

    certificate: str
    key: str
