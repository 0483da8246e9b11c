"""Whether a folder lies in a git repository, as far as a face has to guess for its defaults."""

from __future__ import annotations

from pathlib import Path


def in_repository(folder: Path) -> bool:
    """Say whether a folder is a working tree of git, or lies in one; nothing is run.

    An empty `.git` is none: Codex's sandbox leaves such folders in the system's temporary one.
    """
    return any(_is_repository(place) for place in (folder, *folder.parents))


def _is_repository(folder: Path) -> bool:
    git = folder / ".git"
    return git.is_file() or (git / "HEAD").exists()
