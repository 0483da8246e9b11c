"""The id under which the nodes of a cluster know a home, made once and kept in it."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress

from engine.config.paths import Paths
from engine.system.durable import sync_path
from engine.system.files import read_regular

LIMIT_BYTES = 100
_ID = re.compile(r"[0-9a-f]{32}")


def home_id(paths: Paths) -> str:
    """Return the id of a home; raises OSError. Blocking."""
    path = paths.home / "cluster-id"
    try:
        return _read(paths)
    except FileNotFoundError:
        new = paths.home / f"cluster-id.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(16) + "\n")
            sync_path(new)
            # The process that links first has made the id; the others read it.
            with suppress(FileExistsError):
                os.link(new, path)
        finally:
            new.unlink()
        sync_path(paths.home)
        return _read(paths)


def _read(paths: Paths) -> str:
    path = paths.home / "cluster-id"
    text = read_regular(path, LIMIT_BYTES).decode("ascii", "replace").strip()
    if not _ID.fullmatch(text):
        # Another id would lose all runs that are at work on nodes.
        raise OSError(f"{path} is damaged: it holds no id")
    return text
