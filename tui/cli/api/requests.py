"""Types of the texts and numbers in bodies of requests."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.files import real_path

_NO_NUL = r"^[^\x00]*$"
LongText = Annotated[str, Meta(pattern=_NO_NUL, max_length=100_000)]
Text = Annotated[str, Meta(pattern=_NO_NUL, max_length=4096)]
FilePathText = Annotated[
    str,
    Meta(
        pattern=_NO_NUL,
        min_length=1,
        max_length=16_384,
        description=r"path in the workspace, as it is listed: `\xe9` for a byte that is not UTF-8",
    ),
]
RunName = Annotated[
    str, Meta(pattern=_NO_NUL, max_length=256, description="id of a run, or a unique part of it")
]
RunNames = Annotated[list[RunName], Meta(min_length=1, max_length=1000)]
Number = Annotated[int, Meta(ge=0, le=1_000_000_000)]
LineNumber = Annotated[int, Meta(ge=1, le=1_000_000_000)]
MAX_NUMBER = 1_000_000_000


async def absolute_folder(path: str | None) -> str | None:
    """Return the real path of a folder; raises `UserError` where it is relative or missing."""
    if path is None:
        return None
    if not path.startswith("/") or "\0" in path:
        message = f"The path is not absolute: {printable_name(path)}."
        raise user_error("INPUT_INVALID", message, "Begin it with a slash.")
    if not await asyncio.to_thread(os.path.isdir, path):
        raise user_error("INPUT_INVALID", f"There is no folder {printable_name(path)}.")
    return str(await asyncio.to_thread(real_path, Path(path)))
