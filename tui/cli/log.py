"""The log file: what went wrong inside, kept from the user's eyes and named where it matters."""

from __future__ import annotations

import logging
import os
import time
import traceback
from pathlib import Path

from engine.paths import Paths, find, private_folder


class LogFile(logging.Handler):
    """Appends warnings to the log file; without it they would land on the screen."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.WARNING)
        self._path = path
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; a log that cannot be written stops nothing."""
        append(self._path, self.format(record))


def keep(paths: Paths) -> None:
    """Send warnings of this process to the home's log file, and nowhere else."""
    logging.getLogger().handlers = [LogFile(paths.log)]


def write_down(error: BaseException) -> str:
    """Append an exception to the log file and give the file's name, or nothing if that failed."""
    log = find().log
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    told = "".join(traceback.format_exception(error))
    return str(log) if append(log, f"{when} ERROR {told}") else ""


def append(path: Path, text: str) -> bool:
    """Append to a file that only its owner may read; tells whether it went well."""
    try:
        private_folder(path.parent)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text.rstrip("\n") + "\n")
    except OSError:
        return False
    return True
