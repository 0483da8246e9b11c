"""The MCP server: tools and resources for one kind of client, over any transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any, TypeVar

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from engine.domain.errors import UserError
from tui.cli.mcp import resources
from tui.cli.mcp.bounds import encodable
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.tool import McpTool
from tui.cli.mcp.tools import changing, logs, publishing, runs, starting, waiting

NAME = "swarm-tui"
INSTRUCTIONS = (
    "Runs are tasks of coding agents, each in a workspace of its own. Start runs, wait for them, "
    "then read their results and diffs. Answers are short: go on with the offset or the hint "
    "that they name. Runs go on when this connection ends."
)
_NO_TOOL = (
    "There is no such tool. Those that apply, push or clean up need `mcp.enable` in the settings; "
    "those that change runs are not offered with --read-only or a token of scope `read`."
)
MODULES = (starting, waiting, runs, logs, changing, publishing)
TOOLS: Mapping[str, McpTool[Any]] = {tool.name: tool for module in MODULES for tool in module.TOOLS}
Answer = TypeVar("Answer")
Context = ServerRequestContext[dict[str, Any], Any]


def build_server(caller_of: Callable[[Context], Caller]) -> Server[dict[str, Any]]:
    """Return the server; `caller_of` returns the client of a request."""

    async def list_tools(
        context: Context, _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        caller = caller_of(context)
        offered = [tool for tool in TOOLS.values() if caller.may_use(tool)]
        return types.ListToolsResult(tools=[tool.description_for_clients for tool in offered])

    async def call_tool(
        context: Context, asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        caller = caller_of(context)
        tool = TOOLS.get(asked.name)
        if tool is None or not caller.may_use(tool):
            raise MCPError(types.INVALID_PARAMS, _NO_TOOL)
        report = context.session.report_progress
        return await tool.call(replace(caller, report=report), asked.arguments or {})

    async def list_resources(
        context: Context, _: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        found = await _answered(resources.list_resources(caller_of(context)))
        return types.ListResourcesResult(resources=found)

    async def list_templates(
        _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=resources.TEMPLATES)

    async def read_resource(
        context: Context, asked: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        found = await _answered(resources.read_resource(caller_of(context), asked.uri))
        return types.ReadResourceResult(contents=[found])

    return Server(
        NAME,
        version=version("swarm-tui"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
    )


async def _answered(work: Awaitable[Answer]) -> Answer:
    """Return the answer, or raise its `UserError` as an error of the protocol."""
    try:
        return await work
    except UserError as error:
        info = encodable({"code": error.code, "recovery": error.info.recovery})
        raise MCPError(types.INVALID_PARAMS, encodable(error.message), info) from error
