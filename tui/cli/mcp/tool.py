"""A tool of the server: its typed arguments, its description, and the rights that it needs."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import mcp_types as types
import msgspec
from msgspec import Struct

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable
from engine.system.decoding import convert
from tui.cli.api.scopes import Scope
from tui.cli.mcp.bounds import encodable
from tui.cli.support.argument_problems import argument_problem

if TYPE_CHECKING:
    from tui.cli.mcp.caller import Caller

_log = logging.getLogger(__name__)
_REF = "#/$defs/{name}"


class ToolArguments(Struct, forbid_unknown_fields=True):
    """The arguments of a tool; other keys are refused."""


Arguments = TypeVar("Arguments", bound=ToolArguments)


@dataclass(frozen=True, slots=True)
class ToolHints:
    """Hints for clients that ask their user before some tools."""

    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False

    @property
    def annotations(self) -> types.ToolAnnotations:
        """The hints as the protocol has them."""
        return types.ToolAnnotations(
            read_only_hint=self.read_only,
            destructive_hint=self.destructive,
            idempotent_hint=self.idempotent or self.read_only,
            open_world_hint=False,
        )


READS = ToolHints(read_only=True)


@dataclass(frozen=True, slots=True)
class McpTool(Generic[Arguments]):
    """A tool: `run` gets its caller and the arguments, and returns a JSON object."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[Struct]
    run: Callable[[Caller, Arguments], Awaitable[dict[str, Any]]]
    scope: Scope = Scope.READ
    hints: ToolHints = READS
    permission: str = ""
    """The word of `mcp.enable` that it needs."""

    @property
    def description_for_clients(self) -> types.Tool:
        """The tool as it is listed."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=json_schema(self.arguments),
            output_schema=json_schema(self.result),
            annotations=self.hints.annotations,
        )

    async def call(self, caller: Caller, arguments: dict[str, Any]) -> types.CallToolResult:
        """Run the tool; every failure is a result with code, message and recovery."""
        try:
            read = convert(arguments, self.arguments)
            return _result(await self.run(caller, read))
        except msgspec.ValidationError as error:
            return error_result(_invalid(error))
        except UserError as error:
            return error_result(error)
        except Exception as error:
            _log.error("the tool %s failed", self.name, exc_info=error)
            return error_result(user_error("INTERNAL"))


def json_schema(shape: type[Struct]) -> dict[str, Any]:
    """Return the JSON schema of a tool's arguments, or of its result."""
    (schema,), components = msgspec.json.schema_components([shape], ref_template=_REF)
    own = cast("str", schema["$ref"]).rpartition("/")[2]
    found = components.pop(own)
    found.pop("title", None)
    found.pop("description", None)
    return {**found, "$defs": components} if components else found


def _invalid(error: msgspec.ValidationError) -> UserError:
    problem = printable(argument_problem(str(error)), 500)
    return user_error("INPUT_INVALID", problem, "The tool's schema lists its arguments.")


def _result(value: dict[str, Any]) -> types.CallToolResult:
    value = encodable(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=value)


def error_result(error: UserError) -> types.CallToolResult:
    """Return an error as the result of a tool: the agent reads it and can go on."""
    info = encodable(asdict(error.info))
    text = f"{info['code']}: {info['message']}\n{info['recovery']}"
    return types.CallToolResult(
        content=[types.TextContent(text=text)], structured_content={"error": info}, is_error=True
    )
