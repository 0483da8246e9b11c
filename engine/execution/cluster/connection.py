"""The connection to the cluster of the settings."""

from __future__ import annotations

from importlib.util import find_spec

from engine.config.settings import ClusterSettings
from engine.domain.errors import user_error
from engine.execution.cluster.channel import Channel
from engine.execution.cluster.dask.tls import checked_address, tls_files


def channel_of(settings: ClusterSettings) -> Channel:
    """Return a channel to the cluster; it connects with the first call.

    Raises `UserError` CLUSTER_NOT_SET, CLUSTER_NOT_INSTALLED, CLUSTER_INSECURE (an address without
    TLS that is not on this machine), CERTIFICATE_INVALID and CONFIG_INVALID.
    """
    if not settings.scheduler:
        raise user_error("CLUSTER_NOT_SET")
    files = tls_files(settings.ca, settings.certificate, settings.key)
    address = checked_address(settings.scheduler, files)
    if find_spec("distributed") is None:
        raise user_error("CLUSTER_NOT_INSTALLED")
    from engine.execution.cluster.dask.channel import DaskChannel

    return DaskChannel(address, files)
