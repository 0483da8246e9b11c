"""Move the wall clock of every Python process that has this folder on its PYTHONPATH."""

import os
import time
from pathlib import Path

_real = time.time
_path = os.environ.get("CHAOS_CLOCK", "")


def _moved() -> float:
    try:
        return _real() + float(Path(_path).read_text("ascii") or 0)
    except (OSError, ValueError):
        return _real()


if _path:
    time.time = _moved
