"""Values of decoded JSON, which may be anything."""

from __future__ import annotations

import json

Json = dict[str, object]


def as_dict(value: object) -> Json:
    """Return an object; an empty one in the place of anything else."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # keys of JSON are text


def as_list(value: object) -> list[object]:
    """Return an array; an empty one in the place of anything else."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # of any values


def decode(line: bytes) -> object:
    """Decode a line; None where it is not JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
