"""A repository's requests beyond the user's own settings, as data that can be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from engine.domain.text import printable_name

NAMED = 4
"""Recorded files that are named in the question."""
LONGEST = 60
"""Characters of such a name."""


class TrustConcern(IntEnum):
    """The subject of an item, the most unusual first."""

    LEAVES = 0
    SANDBOX = 1
    NETWORK = 2
    COMMAND = 3
    COST = 4
    FILES = 5


@dataclass(frozen=True, slots=True)
class TrustItem:
    """One thing that is asked for; the text is safe to show."""

    concern: TrustConcern
    text: str
    is_run: bool = False
    """True if it is a command that is run as the user."""


@dataclass(frozen=True, slots=True)
class TrustRequest:
    """The requests of a repository's files together, before its trust is checked."""

    file: str
    code: str
    """The error that refuses it."""
    contents: tuple[tuple[str, str], ...]
    """The files that ask, by path and text."""
    items: tuple[TrustItem, ...]
    commands: tuple[str, ...] = ()
    """Commands of theirs, whose files are recorded with them."""
    rendered: tuple[str, ...] = ()
    """The commands as they will be run, with what the user gave."""
    roots: tuple[str, ...] = ()
    """The folders whose files the commands can run."""
    cwds: tuple[str, ...] = ()
    """Folders below these where they run."""


@dataclass(frozen=True, slots=True)
class Consent:
    """A request for trust: a repository's requests as they are at this moment."""

    file: str
    digest: str
    items: tuple[TrustItem, ...] = ()
    code: str = ""
    recorded: tuple[str, ...] = ()
    """Files whose content is trusted with it."""
    missing: tuple[str, ...] = ()
    """Files that the commands name, and that are not there."""
    programs: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Files that the commands can run, with their digests, by folder."""
    known: frozenset[str] | None = None
    """Marks of the items that were trusted here before; None: nothing was."""

    def lines(self) -> list[str]:
        """Return all that it asks for, one thing a line, the unusual first, safe to show."""
        ordered = sorted(self.items, key=self._rank)
        return [f"{'new: ' if self._is_new(item) else ''}{item.text}" for item in ordered]

    def note(self) -> str:
        """Return what is recorded, and what is not."""
        if not any(item.is_run for item in self.items):
            return "Its content is recorded: a change asks again."
        names = _names(self.recorded)
        more = len(self.recorded) - NAMED
        listed = f" of {names}{f' and {more} more' if more > 0 else ''}" if names else ""
        count = f"the content{listed}" if names else "no other file"
        later = _names(self.missing)
        absent = f" Not there yet: {later}." if later else ""
        what = f"Recorded: these lines and {count}."
        return f"{what} What else the commands run is not recorded.{absent}"

    def marks(self) -> list[str]:
        """Return what stands for its items, to know them again."""
        return [mark(item) for item in self.items]

    def _is_new(self, item: TrustItem) -> bool:
        return self.known is not None and mark(item) not in self.known

    def _rank(self, item: TrustItem) -> tuple[int, bool]:
        is_usual = item.concern is TrustConcern.COMMAND and mark(item) in (self.known or ())
        # Commands that were trusted before come behind what costs more.
        return (TrustConcern.COST if is_usual else item.concern, is_usual)


def _names(paths: tuple[str, ...]) -> str:
    """Return the first of some paths, each short enough to be shown."""
    names = [printable_name(path) for path in paths[:NAMED]]
    return ", ".join(name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in names)


def mark(item: TrustItem) -> str:
    """Return what stands for an item in the store."""
    return hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def runs(command: str, concern: TrustConcern = TrustConcern.COMMAND) -> TrustItem:
    """Return the item of a command that is run as the user."""
    return TrustItem(concern, f"runs {printable_name(command)}", is_run=True)
