"""Signs that the terminal can be trusted to show."""

from __future__ import annotations

import os
from functools import cache

_ASCII_TERMS = frozenset({"dumb", "linux", "vt100", "vt102", "vt220", "ansi", "cons25"})


@cache
def unicode_ok() -> bool:
    """Return whether the terminal can show more than ASCII, by its locale and TERM."""
    if os.environ.get("TERM", "") in _ASCII_TERMS:
        return False
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, names), "")
    if locale == "C.UTF-8" and os.environ.get("LANG", "") in ("C", "POSIX"):
        return False  # Python itself set LC_CTYPE so (PEP 538); the user set C
    return not locale or "utf" in locale.lower()


def sign(unicode: str, plain: str) -> str:
    """Return the first where the terminal can show Unicode, else the second."""
    return unicode if unicode_ok() else plain
