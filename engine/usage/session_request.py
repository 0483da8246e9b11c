"""A request to the program that reads session files."""

from __future__ import annotations

from engine.domain.record import record
from engine.domain.usage import SessionProgress

PROTOCOL = 1
"""The version of the messages: a program of another version is not listened to."""


@record
class SessionHome:
    """A folder in which an agent keeps sessions, the account they are of, and who reads them."""

    account: str
    path: bytes
    source: str
    """The name of a module: `engine.agents.session_source.SessionSource`."""


@record
class ReadRequest:
    """One pass over the session files of some homes."""

    database: bytes
    homes: tuple[SessionHome, ...]
    is_complete: bool
    """True if every file is checked; else those of folders that may have changed."""
    progress: SessionProgress = SessionProgress()
