"""Absolute paths as a user writes them in the settings."""

from __future__ import annotations

import os

from engine.domain.text import is_utf8


def parse_absolute(value: object, example: str) -> str:
    """Return a normalized absolute path, where `~` is a home directory.

    Raises ValueError, which names the example, where it is not absolute.
    """
    text = value if isinstance(value, str) else ""
    path = os.path.expanduser(text)  # noqa: PTH111  `Path` raises for an unknown user
    if not path.startswith("/") or not text.isprintable() or not is_utf8(text):
        raise ValueError(f"an absolute path is needed, such as {example}")
    return os.path.normpath(path).replace("//", "/", 1)
