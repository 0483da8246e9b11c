"""Nodes of the cluster, and the runs there."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.model import Status
from engine.domain.node import NodeCondition
from tui.cli.json.base import Count, Shape, Time


class NodeMachineJson(Shape):
    """Facts about a node's machine, as it reported them last."""

    seen_at: Time
    slots: Count
    free_slots: Count
    load: Annotated[float, Meta(ge=0, description="load average of the last minute")]
    processors: Count
    memory_free: Annotated[int, Meta(ge=0, description="bytes")]
    disk_free: Annotated[int, Meta(ge=0, description="bytes, where workspaces are")]
    version: Annotated[str, Meta(description="of swarm-tui there")]
    is_compatible: Annotated[bool, Meta(description="false: it understands another version only")]
    agent_version: Annotated[
        str | None, Meta(description="version of the default agent; null: there is none")
    ]
    login: Annotated[str, Meta(description="`ok`, or why that agent is not ready there")]
    accounts: Annotated[list[str], Meta(description="of the settings there")]
    other_runs: Annotated[int, Meta(ge=0, description="runs of other homes there")]


class NodeRunJson(Shape):
    """A run at work on a node."""

    id: str
    status: Status
    title: str
    project: str


class NodeJson(Shape):
    """A node; without an answer its runs are waited for, lost means that it has ended them."""

    name: str
    condition: NodeCondition
    unreachable_since: Annotated[Time | None, Meta(description="null: it answers, or unknown")]
    machine: Annotated[NodeMachineJson | None, Meta(description="null: it has not answered yet")]
    runs: Annotated[list[NodeRunJson], Meta(description="of this home")]


class ClusterJson(Shape):
    """The nodes of the cluster; without a scheduler that answers, an error instead."""

    scheduler: Annotated[str, Meta(description="its address")]
    nodes: list[NodeJson]
