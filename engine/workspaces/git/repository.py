"""The user's repository: found without asking it, read, and worked for from a private git dir."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from engine.config import workspace_roots
from engine.config.paths import private_folder
from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.durable import write_synced
from engine.system.files import read_regular, real_path
from engine.workspaces.files.special_files import SETTINGS_BYTES
from engine.workspaces.git.bare import is_bare
from engine.workspaces.git.git import Git, failure
from engine.workspaces.git.git_errors import unreadable
from engine.workspaces.git.repository_guard import check_repository

POINTER_BYTES = 16 * 1024
"""The largest file that names a git directory, a working tree or a branch."""
BASES = "refs/swarm/base/"
"""Refs of ours that hold the commits which runs start from, by run."""
PULLS = "refs/swarm/pull/"
"""Refs of ours that stand where pull requests of a remote did when they were fetched."""
# Text files over this size are neither compared line by line nor packed as differences.
_BIG_FILE = "16m"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on disk; `top` is its working tree, `branch` a full ref name."""

    git_dir: Path
    common_dir: Path
    top: Path | None
    object_format: str
    head: str | None
    branch: str | None

    @property
    def objects(self) -> Path:
        """The repository's folder of objects."""
        return self.common_dir / "objects"

    @property
    def git(self) -> Git:
        """Git for plumbing that reads and writes no files of the working tree."""
        return Git(self.git_dir)


def locate(folder: Path) -> tuple[Path, Path, Path | None] | None:
    """Find the repository around `folder`: git directory, common directory and working tree.

    Nothing is run and no setting is believed: a `core.worktree` leads nowhere. A folder that looks
    like a bare repository counts only where it is named itself and lies in no working tree: any
    repository may track such a folder. A hub, whose `.git` is bare, has no working tree.
    """
    real = real_path(folder)
    for place in (real, *real.parents):
        git_dir = _git_dir_in(place)
        if git_dir:
            is_hub = git_dir == _common(git_dir) and is_bare(git_dir)
            return git_dir, _common(git_dir), None if is_hub else place
    return (real, real, None) if _is_git_dir(real) and _common(real) == real else None


def _git_dir_in(folder: Path) -> Path | None:
    path = folder / ".git"
    try:
        if path.is_file() and not path.is_symlink():
            text = read_regular(path, POINTER_BYTES)
            if not text.startswith(b"gitdir:"):
                return None
            path = real_path(folder / os.fsdecode(text.removeprefix(b"gitdir:").strip()))
            return path if _is_git_dir(path) and _belongs(path, folder) else None
        # Only the git directory of a linked worktree points on, and that is not a `.git` folder.
        is_claim = (path / "commondir").exists()
        return path if not path.is_symlink() and not is_claim and _is_git_dir(path) else None
    except (OSError, ValueError):
        return None


def _belongs(git_dir: Path, folder: Path) -> bool:
    """Return whether a git directory that a `.git` file names is in turn one of this folder.

    A linked worktree's names the folder itself. Else it is a submodule's, below the repository
    around it, or lies in the folder itself, as the bare repository of a hub does.
    """
    link = git_dir / "gitdir"
    if link.is_file():
        named = git_dir / os.fsdecode(read_regular(link, POINTER_BYTES).strip())
        is_there = git_dir.parent == _common(git_dir) / "worktrees"
        return is_there and real_path(named.parent) == real_path(folder)
    if (git_dir / "commondir").exists():
        return False
    places = [folder, *(above / ".git" for above in folder.parents)]
    return any(git_dir.is_relative_to(place) for place in places)


def _is_git_dir(path: Path) -> bool:
    if not (path / "HEAD").is_file() and not (path / "HEAD").is_symlink():
        return False
    common = _common(path)
    return (common / "objects").is_dir() and (common / "refs").is_dir()


def _common(git_dir: Path) -> Path:
    path = git_dir / "commondir"
    try:
        return real_path(git_dir / os.fsdecode(read_regular(path, POINTER_BYTES).strip()))
    except (OSError, ValueError):  # missing, or nothing that git could follow
        return git_dir


async def find(folder: Path) -> Repository | None:
    """Return the repository around `folder`, or None; raises `UserError` where git refuses it."""
    found = locate(folder)
    if found is None:
        return None
    return await read(*found)


async def read(git_dir: Path, common_dir: Path, top: Path | None) -> Repository:
    """Read a repository of the user's; raises `UserError` where git may not run in it."""
    try:
        await asyncio.to_thread(check_repository, git_dir, common_dir, top)
    except OSError as error:
        raise unreadable(git_dir, error) from error
    git = Git(git_dir)
    asked = ("--show-object-format", "HEAD^{commit}", "--symbolic-full-name", "HEAD")
    answer = await git.ask("rev-parse", *asked)
    lines = os.fsdecode(answer.out).splitlines()
    if not lines:
        raise failure("rev-parse", answer)
    head = lines[1] if answer.code == 0 and len(lines) > 1 else None
    if head and len(lines) > 2:
        name = lines[2] if lines[2].startswith("refs/") else None
    else:  # nothing is committed yet
        branch = await git.ask("symbolic-ref", "-q", "HEAD")
        name = os.fsdecode(branch.out.removesuffix(b"\n")) if branch.code == 0 else None
    return Repository(git_dir, common_dir, top, lines[0], head, name)


async def find_outside(folder: Path, workspaces: Path) -> Repository | None:
    """Return the repository that a workspace is a linked worktree of; raises `UserError`.

    An agent may have put any `.git` there: only a repository outside all workspaces is believed,
    and git runs in no other.
    """
    found = await asyncio.to_thread(locate, folder)
    real = real_path(folder)
    if found is None or found[2] != real or found[0] == found[1]:
        return None
    if found[1].is_relative_to(real) or workspace_roots.is_in_any(found[1], workspaces):
        return None
    return await read(*found)


async def at(found: Repository) -> Repository:
    """Return the repository itself instead of one of its linked worktrees."""
    common = found.common_dir
    has_files = common.name == ".git" and not await asyncio.to_thread(is_bare, common)
    return await read(common, common, common.parent if has_files else None)


async def must_find(folder: Path, *, needs_commit: bool = True) -> Repository:
    """Return the repository around `folder`; raises `UserError`.

    With `needs_commit`, HEAD has to be a commit.
    """
    name = printable_name(str(folder))
    if not folder.is_dir():
        raise user_error("SOURCE_NOT_FOUND", f"The source folder {name} does not exist.")
    found = await find(folder)
    if found is None:
        raise user_error(
            "INPUT_INVALID",
            f"{name} is in no git repository.",
            "Use --copy for it, or name a folder in a repository.",
        )
    if found.head is None and needs_commit:
        raise user_error(
            "INPUT_INVALID",
            f"The repository of {name} has no commit yet.",
            "Commit something first, or use --copy.",
        )
    return found


async def refs(git: Git) -> list[tuple[str, str]]:
    """Return the refs of a repository with their objects, for commits and tags of commits."""
    out = await git.run("for-each-ref", "--format=%(objectname) %(objecttype) %(refname)")
    lines = (line.split(" ", 2) for line in out.decode("utf-8", "replace").splitlines())
    # What holds the base of a run goes with the run: nothing is kept by it.
    return [
        (sha, ref)
        for sha, kind, ref in lines
        if kind in ("commit", "tag") and not ref.startswith(BASES)
    ]


def make_private(
    path: Path,
    repository: Repository | None,
    object_format: str = "sha1",
    *,
    borrows: bool = True,
) -> None:
    """Make a git directory of our own at `path`, which works for the user of `repository`.

    With `borrows` it sees the objects of `repository`: only for one that does not stay.

    Its settings are ours: filters, drivers and hooks that `.gitattributes` names are unknown here,
    and git takes what it does not know for nothing.
    """
    private_folder(path / "refs")
    private_folder(path / "info")
    private_folder(path / "objects" / "info")
    sha256 = (repository.object_format if repository else object_format) == "sha256"
    lines = ["[core]", f"repositoryFormatVersion = {1 if sha256 else 0}", "bare = true"]
    lines += ["looseCompression = 1", "compression = 1", f"bigFileThreshold = {_BIG_FILE}"]
    lines += ["fsyncMethod = batch"]
    lines += ["logAllRefUpdates = false", "[gc]", "auto = 0"]
    if sha256:
        lines += ["[extensions]", "objectFormat = sha256"]
    write_synced(path / "config", ("\n".join(lines) + "\n").encode())
    if repository and borrows:
        objects = quoted(os.fsencode(repository.objects))
        write_synced(path / "objects" / "info" / "alternates", objects + b"\n")
    if repository:
        for place, name in (
            (repository.common_dir, "exclude"),
            (repository.common_dir, "attributes"),
            (repository.git_dir, "sparse-checkout"),
        ):
            if (place / "info" / name).is_file():
                data = read_regular(place / "info" / name, SETTINGS_BYTES)
                (path / "info" / name).write_bytes(data)
    # Last: it makes the folder count.
    write_synced(path / "HEAD", b"ref: refs/heads/none\n")


def object_format_of(git_dir: Path) -> str:
    """Return the hash that a git directory of ours makes object ids with; raises OSError."""
    settings = (git_dir / "config").read_bytes().lower()  # git writes them in small letters
    return "sha256" if b"objectformat = sha256" in settings else "sha1"


@contextmanager
def private_git(
    parent: Path,
    repository: Repository | None,
    files: Path | None = None,
    index: Path | None = None,
    settings: Sequence[str] = (),
    object_format: str = "sha1",
) -> Generator[Git]:
    """Yield git on a private git directory that lasts as long as the context."""
    path = Path(mkdtemp(prefix=".git-", dir=private_folder(parent)))
    try:
        make_private(path, repository, object_format)
        yield Git(path, files=files, index=index, settings=settings)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def quoted(path: bytes) -> bytes:
    """Quote a path as git's line formats want it, whatever bytes it has."""
    plain = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + plain + b'"'
