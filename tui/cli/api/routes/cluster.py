"""Operation on the cluster: its nodes."""

from __future__ import annotations

from litestar import get

from engine.domain.node_json import cluster_json
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import READ
from tui.cli.json import ClusterJson
from tui.cli.support.nodes import ask_cluster, check_answered


@get("/nodes", opt=READ, operation_id="list_nodes", summary="List the nodes", tags=["cluster"])
async def list_nodes(context: Context) -> ClusterJson:
    """Return the nodes of the cluster with slots, load, free space and the runs there.

    The scheduler is asked now. Where it cannot be reached, the answer is a problem.
    """
    found = await ask_cluster(context.engine)
    check_answered(found)
    return as_shape(ClusterJson, cluster_json(found))


HANDLERS = [list_nodes]
