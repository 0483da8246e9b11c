"""Bounds of answers: the context of an agent is small, and texts of agents have any size."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tui.cli.json.base import Shape

TEXT_BYTES = 8_000
"""Bytes of a text that are answered at a time, unless the client asks for more or fewer."""
MOST_BYTES = 100_000
_SIZES = ((2_000, 50), (500, 20), (100, 5))
"""Characters of a text and elements of a list in an object, tried in this order."""
_OBJECT_CHARACTERS = 40_000


class TextPart(Shape):
    """A part of a text."""

    text: str
    offset: int
    """The first byte of the part."""
    total_bytes: int | None
    """The size of the whole text; null: unknown."""
    next_offset: int | None
    """The offset of the next part; null: this is the last one."""


def part_of(data: bytes, offset: int, limit: int, total: int | None) -> TextPart:
    """Return a part of a text in UTF-8, of which `data` begins at `offset`.

    `total` is the size of the whole text, if it is known; otherwise more than `limit` bytes show
    that this is not the last part. Any other part ends with a mark.
    """
    piece = data[:limit]
    is_last = len(data) <= limit if total is None else offset + len(piece) >= total
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    text = decoder.decode(piece, final=is_last)
    if is_last:
        return TextPart(text, offset, offset + len(piece) if total is None else total, None)
    end = offset + len(piece) - len(decoder.getstate()[0])
    left = "there is more" if total is None else f"{total - end} more bytes"
    return TextPart(f"{text}\n[cut: {left}; go on with offset {end}]", offset, total, end)


def bounded(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object whose texts and lists are cut, with a mark where they were."""
    found: dict[str, Any] = {}
    for characters, elements in _SIZES:
        found = _cut(value, characters, elements)
        if len(json.dumps(found)) <= _OBJECT_CHARACTERS:
            break
    return found


def _cut(value: object, characters: int, elements: int) -> Any:  # noqa: ANN401  any JSON value
    if isinstance(value, str):
        left_out = len(value) - characters
        return f"{value[:characters]} [cut: {left_out} more characters]" if left_out > 0 else value
    if isinstance(value, Mapping):
        pairs = list(cast("Mapping[str, object]", value).items())
        kept = {key: _cut(one, characters, elements) for key, one in pairs[: 4 * elements]}
        left_out = len(pairs) - len(kept)
        return {**kept, "[cut]": f"{left_out} more keys"} if left_out > 0 else kept
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        items = cast("Sequence[object]", value)
        kept = [_cut(one, characters, elements) for one in items[:elements]]
        left_out = len(items) - elements
        return [*kept, f"[cut: {left_out} more]"] if left_out > 0 else kept
    return value


def encodable(value: object) -> Any:  # noqa: ANN401  any JSON value
    """Return a JSON value whose texts are valid Unicode: names of files need not be."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value).items()
        return {str(encodable(key)): encodable(one) for key, one in pairs}
    if isinstance(value, (list, tuple)):
        return [encodable(one) for one in cast("Sequence[object]", value)]
    return value
