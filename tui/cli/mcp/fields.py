"""Types of arguments that several tools have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tui.cli.mcp.bounds import MOST_BYTES

Text = Annotated[str, Meta(min_length=1, max_length=100_000)]
ShortText = Annotated[str, Meta(min_length=1, max_length=500)]
EventNumber = Annotated[int, Meta(ge=0, le=2**53)]
RunName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="id of a run, a unique beginning or end of it, or @last",
    ),
]
RunNames = Annotated[list[RunName], Meta(min_length=1, max_length=50, description="runs")]
PathName = Annotated[
    str,
    # No path holds a NUL: programs could not be started with it.
    Meta(max_length=4096, pattern=r"^[^\0]*$", description="path relative to the run's workspace"),
]
Offset = Annotated[int, Meta(ge=0, le=2**40, description="first byte to return: `next_offset`")]
Limit = Annotated[int, Meta(ge=100, le=MOST_BYTES, description="bytes of text to return at most")]
Skipped = Annotated[int, Meta(ge=0, le=10**6, description="number of entries to skip")]
Entries = Annotated[int, Meta(ge=1, le=200, description="number of entries at most")]
