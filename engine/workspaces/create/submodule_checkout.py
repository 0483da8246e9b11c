"""The submodules of a new worktree, filled from the repositories that the source keeps of them.

Nothing is fetched, and no program named by a repository is run: of `.gitmodules` and of settings
only names and paths are read, as data. Each submodule gets a git directory of its own where git
makes one for a linked worktree (`worktrees/<run>/modules/<name>`), with all objects that its commit
needs, so that nothing is shared with the source.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.domain.errors import UserError
from engine.system.files import read_regular, real_path
from engine.workspaces.create.checkout import check_out
from engine.workspaces.create.uncommitted import bring, uncommitted
from engine.workspaces.files import removal
from engine.workspaces.files.copying import CopyAllowance, is_full
from engine.workspaces.files.rooted_dir import RootedDir, is_gits
from engine.workspaces.git import gitlinks, repository
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.submodule_git import Link, address, links, make_module, settings
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config

DEPTH = 8
"""Submodules in submodules deeper than this are not filled."""
MOST = 500
"""More submodules than this are not filled."""
_LINK_IN_INDEX = b"\0\0\xe0\0"
"""The mode of a submodule as an index stores it; other bytes of an index may look the same."""


@dataclass(slots=True)
class Filled:
    """The submodules of a worktree, by path: the state of each that is not complete."""

    empty: list[str] = field(default_factory=list[str])
    """They have no files."""
    moved: list[str] = field(default_factory=list[str])
    """The source has another commit of them checked out."""
    uncommitted: int = 0
    """Files that are not committed in submodules of the source, and are left out."""
    count: int = 0


@dataclass(frozen=True, slots=True)
class SubmoduleCheckout:
    """Checkout of one worktree's submodules; `scratch` is a folder for private git directories."""

    home: Path
    scratch: Path
    brings_uncommitted: bool = False
    allowance: CopyAllowance | None = None
    filled: Filled = field(default_factory=Filled)

    async def fill(
        self, found: Repository, target: Path, git_dir: Path, within: tuple[str, ...] = ()
    ) -> None:
        """Fill the submodules of the commit `found.head`, checked out at `target`.

        `git_dir` is the git directory of `target`; `within` are the paths of the submodules around
        it, each in the one before. Raises OSError where the disk is full.
        """
        data = await asyncio.to_thread(read_regular, git_dir / "index")
        if _LINK_IN_INDEX not in data:
            return
        urls = await _initialised(found)
        for link in await links(found, git_dir / "index", self.scratch):
            path = "/".join((*within, link.path))
            if not await asyncio.to_thread(_is_empty_folder, target, link.path):
                continue  # outside the cone of a sparse checkout
            source = await self._source(found, link, link.name in urls)
            is_filled = source and await self._fill_one(source, link, target, git_dir, within)
            if not is_filled:
                self.filled.empty.append(path)

    async def _source(
        self, found: Repository, link: Link, is_initialised: bool
    ) -> Repository | None:
        """Return the repository that the source keeps of a submodule, if it has the commit."""
        folder = found.top / link.path if found.top else None
        is_here = folder is not None and os.path.lexists(folder / ".git")
        if not (is_initialised or is_here) or self.filled.count >= MOST:
            return None
        places = [place / "modules" / link.name for place in (found.git_dir, found.common_dir)]
        if not _is_plain(link.name):
            places = []
        if folder and is_here and not (folder / ".git").is_file():
            places.append(folder / ".git")
        for place in dict.fromkeys(places):
            with suppress(UserError, OSError):  # git may not run there
                base = found.top if place.name == ".git" and found.top else found.common_dir
                if not await asyncio.to_thread(_is_below, base, place):
                    continue
                module = await repository.read(place, place, None)
                if (await module.git.ask("cat-file", "-e", f"{link.commit}^{{commit}}")).code == 0:
                    top = folder if is_here else None
                    return replace(module, top=top, head=link.commit)
        return None

    async def _fill_one(
        self,
        source: Repository,
        link: Link,
        target: Path,
        git_dir: Path,
        within: tuple[str, ...],
    ) -> bool:
        place = git_dir / "modules" / link.name
        if len(within) >= DEPTH or not await asyncio.to_thread(_is_free, git_dir, place):
            return False
        folder = target / link.path
        self.filled.count += 1
        try:
            user = await user_git_config(source, self.home)
            await make_module(
                source.git, place, folder, user, link.commit.encode(), await address(source.git)
            )
            await check_out(source, folder, place / "index", user, self.scratch)
            await asyncio.to_thread(point, target, link.path, place)
        except (UserError, OSError) as error:
            await asyncio.to_thread(_undo, place, folder)
            if isinstance(error, OSError) and is_full(error):
                raise
            return False
        inside = (*within, link.path)
        await self._note_changes(source, user, folder, "/".join(inside))
        await self.fill(source, folder, place, inside)
        return True

    async def _note_changes(
        self, source: Repository, user: UserGitConfig, folder: Path, path: str
    ) -> None:
        """Note how the source's checkout of a submodule differs from the commit; bring files."""
        if source.top is None:
            return
        try:
            there = await repository.find(source.top)
            if there is None or there.top != real_path(source.top):
                return
            if there.head != source.head:
                self.filled.moved.append(path)
                return
            files = (await uncommitted(there, user, self.scratch)).files
        except UserError:  # git may not run there
            self.filled.moved.append(path)
            return
        if files and self.brings_uncommitted:
            lost = await asyncio.to_thread(bring, source.top, folder, files, self.allowance)
            self.filled.uncommitted += len(lost)
        else:
            self.filled.uncommitted += len(files)


async def _initialised(found: Repository) -> frozenset[str]:
    """Return the names of the submodules that `git submodule init` knows."""
    asking = ("--file", str(found.common_dir / "config"), "-z", "--get-regexp")
    answer = await found.git.ask("config", *asking, r"^submodule\..*\.url$")
    return frozenset(name for name, _ in settings(answer.out, "url"))


def _is_plain(name: str) -> bool:
    """Return whether the name of a submodule is a path that stays where it is put."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") for part in parts) and "\0" not in name


def _is_below(base: Path, place: Path) -> bool:
    """Return whether a folder lies below another, reached without a link. Blocking."""
    return place.is_dir() and real_path(place) == real_path(base) / place.relative_to(base)


def _is_free(git_dir: Path, place: Path) -> bool:
    """Return whether a git directory can be made, and would not lie in another one. Blocking."""
    top = git_dir / "modules"
    between = [one for one in place.parents if one.is_relative_to(top)]
    is_real = all(not one.is_symlink() and not (one / "HEAD").exists() for one in between)
    return is_real and not is_gits(os.fsencode(place.relative_to(top))) and not _exists(place)


def _exists(path: Path) -> bool:
    return os.path.lexists(path)


def _is_empty_folder(target: Path, path: str) -> bool:
    try:
        with RootedDir(target) as below:
            return not os.listdir(below.folder(os.fsencode(path)))  # noqa: PTH208  a handle
    except OSError:
        return False


def point(target: Path, path: str, git_dir: Path) -> None:
    """Write the `.git` file of a submodule; raises OSError where something is there."""
    with RootedDir(target) as below:
        name, folder = below.place(gitlinks.entry_path(os.fsencode(path)))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(b"gitdir: " + os.fsencode(git_dir) + b"\n")


def _undo(git_dir: Path, folder: Path) -> None:
    """Leave the folder of a submodule that could not be filled empty, as git has it."""
    removal.remove(git_dir)
    removal.remove(folder)
    with suppress(OSError):
        folder.mkdir()
