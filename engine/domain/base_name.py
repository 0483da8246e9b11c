"""Names of commits that a run can start from, checked without git."""

from __future__ import annotations

import re

HEADS = (None, "HEAD", "@")
"""Names of the commit that is checked out in the source."""
PULL = re.compile(r"(?:([^/]+)/)?pr/([1-9][0-9]{0,9})")
"""A pull request of a remote: its name, if it is given, and the number."""
CHARACTERS = 250
_SUFFIX = re.compile(r"[~^]")
_INVALID = re.compile(r"[\x00-\x20\x7f:?*\[\\]|\.\.|@\{|\^\{/")


def split(name: str) -> tuple[str, str]:
    """Return the ref in a name such as `main~2`, and the rest."""
    found = _SUFFIX.search(name)
    return (name[: found.start()], name[found.start() :]) if found else (name, "")


def is_possible(name: str) -> bool:
    """Return whether git could know a commit by this name.

    Places in reflogs (`HEAD@{1}`) are not accepted: they differ between worktrees and expire.
    `rev:path` and `:/text` name no commit, or search all of them.
    """
    is_short = 0 < len(name) <= CHARACTERS and not name.startswith(("-", "^", "~"))
    return is_short and name.isprintable() and not _INVALID.search(name)
