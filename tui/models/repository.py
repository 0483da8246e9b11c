"""Detection of git repositories, as far as a face needs it for its defaults."""

from __future__ import annotations

from pathlib import Path


def in_repository(folder: Path) -> bool:
    """Return whether a folder is a working tree of git, or lies in one; nothing is run."""
    return top_of(folder) is not None


def top_of(folder: Path) -> Path | None:
    """Return the top of the working tree of git that a folder lies in; None outside of any.

    An empty `.git` is none: Codex's sandbox leaves such folders in the system's temporary one.
    """
    return next((place for place in (folder, *folder.parents) if _is_repository(place)), None)


def repository_of_git_directory(folder: Path) -> Path | None:
    """Return the repository of a git directory that `folder` is, or lies in; None elsewhere.

    It is the working tree around a `.git` folder, and else the git directory itself, as of a bare
    repository.
    """
    top = top_of(folder)
    if top is not None:
        is_inside = folder.is_relative_to(top / ".git")
        return top if is_inside else None
    return next((place for place in (folder, *folder.parents) if _is_git_directory(place)), None)


def _is_git_directory(folder: Path) -> bool:
    if not (folder / "HEAD").exists():
        return False
    return (folder / "commondir").exists() or all(
        (folder / part).is_dir() for part in ("objects", "refs")
    )


def _is_repository(folder: Path) -> bool:
    git = folder / ".git"
    return git.is_file() or (git / "HEAD").exists()
