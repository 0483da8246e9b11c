"""The smallest value that fits a JSON schema, as far as simple schemas go."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH123

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in typing, which takes several milliseconds of every start
if TYPE_CHECKING:
    from typing import Any

_SIMPLE: dict[str, object] = {
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
    "null": None,
}
_DEEPEST = 20


def answer(path: str) -> str:
    """Return a value that fits the schema in a file, as JSON on one line."""
    try:
        with open(path, encoding="utf-8") as file:
            return example(json.load(file))
    except (OSError, ValueError):
        return "null"


def example(schema: object) -> str:
    """Return a value that fits a schema, as JSON on one line."""
    try:
        return json.dumps(_value(schema, 0))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "null"


def _value(schema: Any, depth: int) -> Any:  # noqa: ANN401  any JSON value
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    known: dict[str, Any] = schema  # pyright: ignore[reportUnknownVariableType]  the library's type is partial
    for key in ("const", "default"):
        if key in known:
            return known[key]
    if known.get("enum"):
        return known["enum"][0]
    kind: Any = known.get("type", "object")
    kind = str(kind[0] if isinstance(kind, list) else kind)  # pyright: ignore[reportUnknownArgumentType]  any JSON
    if kind != "object":
        return _SIMPLE.get(kind)
    inner: dict[str, Any] = known.get("properties", {})
    return {name: _value(each, depth + 1) for name, each in inner.items()}
