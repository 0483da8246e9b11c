"""Real repositories for tests, made by the real git with nobody's settings."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "LC_ALL": "C",
}


def git(folder: Path, *arguments: str | bytes, ok: bool = True, stdin: bytes = b"") -> str:
    """Run the user's git, as the user would."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENV, capture_output=True, input=stdin, check=False
    )
    assert not ok or done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


async def written(write: Callable[[BinaryIO], Awaitable[object]]) -> bytes:
    """Return what `write` writes into the open file that it gets."""
    file = io.BytesIO()
    await write(file)
    return file.getvalue()


def repository(path: Path, files: dict[str, str | bytes] | None = None, *more: str) -> Path:
    """Make a repository with one commit of these files."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main", *more)
    git(path, "config", "user.name", "Uma User")
    git(path, "config", "user.email", "uma@example.com")
    write(path, files if files is not None else {"a.txt": "one\ntwo\nthree\n", "sub/b.txt": "b\n"})
    commit(path, "first")
    return path


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def commit(folder: Path, message: str) -> str:
    """Commit everything and return the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def files(folder: Path) -> dict[str, tuple[str, int, bytes]]:
    """Return all files below a folder but git's: kind, exec bit, content."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for base, folders, names in os.walk(os.fsencode(folder)):
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = [name for name in folders if name != b".git" and name not in links]
        for name in [*names, *links]:
            path = os.path.join(base, name)
            shown = os.fsdecode(os.path.relpath(path, os.fsencode(folder)))
            if name == b".git":
                continue
            if os.path.islink(path):
                found[shown] = ("link", 0, os.readlink(path))
            else:
                with open(path, "rb") as file:
                    found[shown] = ("file", os.stat(path).st_mode & 0o100, file.read())
    return found
