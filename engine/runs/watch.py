"""The system's watch on chosen folders, each by itself, nothing below it.

A watch on everything below a folder costs a watch of the system for each folder there, those of
`.git` and `node_modules` included, and a filter sees only what has been reported already. So the
folders are chosen, and with new ones the watch is renewed: ten thousand take a tenth of a second.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

DEBOUNCE_MS, STEP_MS, WAIT_MS = 50, 10, 200
POLL_MS = 1000  # where the system's limit on watches is reached; more for many folders

Seen = set[tuple[int, str]]
"""What was reported: the number of a `watchfiles.Change` and a path, each."""

_log = logging.getLogger(__name__)


class Watch:
    """Watches folders; used from one thread at a time, and never from the event loop's."""

    def __init__(self) -> None:
        self.is_scanning = False
        """Whether the system's limit was reached, and folders are looked at now and then."""
        self._notify: RustNotify | None = None

    def renew(self, folders: Iterable[str]) -> Seen:
        """Watch these folders, and give what was seen in the others up to now.

        The new watch begins before the old one ends: nothing falls in between.
        """
        old, self._notify = self._notify, self._watching(set(folders))
        if old is None:
            return set()
        seen = _wait(old, 1)
        old.close()
        return seen

    def wait(self) -> Seen:
        """Give what is seen, at once where something is, else nothing after a moment."""
        return _wait(self._notify, WAIT_MS) if self._notify else set()

    def close(self) -> None:
        """Watch nothing."""
        if self._notify:
            self._notify.close()
            self._notify = None

    def _watching(self, folders: set[str]) -> RustNotify:
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

        while True:
            poll_ms, scans = max(POLL_MS, len(folders)), self.is_scanning
            try:
                # Told to ignore what is not permitted, it ignores the limit on watches as well.
                return RustNotify(list(folders), False, scans, poll_ms, False, scans)
            except (FileNotFoundError, PermissionError):
                there = {folder for folder in folders if os.access(folder, os.R_OK | os.X_OK)}
                folders = there if len(there) < len(folders) else set()
            except (OSError, WatchfilesRustInternalError) as error:
                if self.is_scanning:
                    raise
                _log.warning("watching falls back to scanning: %s", error)
                self.is_scanning = True


def _wait(notify: RustNotify, limit_ms: int) -> Seen:
    seen = notify.watch(DEBOUNCE_MS, STEP_MS, limit_ms, None)
    return set() if isinstance(seen, str) else seen
