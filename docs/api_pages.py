"""The HTTP API as an OpenAPI document and as a page, generated from the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tui.cli.api import application
from tui.cli.api.commands import OPERATIONS, WITHOUT

PAGE = Path(__file__).parent / "api.md"
EXAMPLE = PAGE.parent / "examples/api.sh"
_BEGIN = "<!-- {}: written by `make docs` -->\n"
_END = "<!-- End of {} -->\n"


def openapi() -> str:
    """Return the OpenAPI document."""
    return json.dumps(application.document(), indent=1, ensure_ascii=False) + "\n"


def page() -> str:
    """Return the page with its example and its tables as they are in the code."""
    text = PAGE.read_text("utf-8")
    document = application.document()
    parts = {"example": _example(), "operations": _operations(document), "commands": _commands()}
    for name, rows in parts.items():
        before, begin, rest = text.partition(_BEGIN.format(name))
        _, end, after = rest.partition(_END.format(name))
        text = before + begin + "\n".join(rows) + "\n" + end + after
    return text


def _example() -> list[str]:
    return ["```sh", *EXAMPLE.read_text("utf-8").splitlines(), "```"]


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        found = [
            (f"`{method.upper()} {path}`", operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict) and tag["name"] in operation.get("tags", ())
        ]
        if not found:
            continue
        yield f"\n**{tag['name']}**: {tag['description']}\n"
        yield "| operation | | scope |"
        yield "|---|---|---|"
        for name, operation in found:
            scope = operation.get("x-scope", "none")
            yield f"| {name} | {operation['summary']} | {scope} |"


def _commands() -> Iterator[str]:
    yield "| command | operations |"
    yield "|---|---|"
    for command, names in OPERATIONS.items():
        yield f"| `{command}` | {', '.join(f'`{name}`' for name in names)} |"
    for command, reason in WITHOUT.items():
        yield f"| `{command}` | none: {reason} |"
