"""The submodules of a worktree that was copied from an earlier run's.

Their `.git` files still name the git directories of that run, which an agent could write. Each gets
one of its own, with the objects and refs that a private git directory of ours accepted.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import UserError
from engine.system.files import read_regular
from engine.workspaces.create.submodule_checkout import DEPTH, point
from engine.workspaces.files.copying import is_full
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import gitlinks, repository
from engine.workspaces.git.gitlinks import NestedRepository, entry_path
from engine.workspaces.git.repository import Repository
from engine.workspaces.git.submodule_git import address, links, make_module
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config


@dataclass(frozen=True, slots=True)
class SubmoduleCopy:
    """Git directories for the submodules of a copy.

    `earlier` is the worktree that was copied; `root` is the top of the copy, and `git_dir` its
    git directory.
    """

    earlier: Repository
    root: Path
    git_dir: Path
    home: Path

    async def separate(self) -> list[str]:
        """Make them; return the submodules for which that failed: files without a repository.

        Raises OSError where the disk is full.
        """
        if not (self.git_dir / "index").is_file():
            return []
        user = await user_git_config(self.earlier, self.home)
        return await self._below(self.git_dir, "", user, 0)

    async def _below(
        self, git_dir: Path, within: str, user: UserGitConfig, depth: int
    ) -> list[str]:
        failed: list[str] = []
        found = await links(self.earlier, git_dir / "index", self.root.parent)
        for link in found if depth < DEPTH else ():
            path = within + link.path
            nested = await asyncio.to_thread(self._shared, os.fsencode(path))
            if nested is None:
                continue
            place = self.git_dir / "modules" / nested.inside.removeprefix(self._start)
            try:
                await self._copy(nested, place, path, user)
                failed += await self._below(place, f"{path}/", user, depth + 1)
            except (UserError, OSError) as error:
                if isinstance(error, OSError) and is_full(error):
                    raise
                failed.append(path)
        return failed

    @property
    def _start(self) -> str:
        return f"worktrees/{self.earlier.git_dir.name}/modules/"

    def _shared(self, path: bytes) -> NestedRepository | None:
        """Return the git directory of the earlier run that a submodule of the copy names."""
        found = gitlinks.locate(self.root, path, (self.earlier.common_dir,))
        return found if found and found.inside.startswith(self._start) else None

    async def _copy(
        self, nested: NestedRepository, place: Path, path: str, user: UserGitConfig
    ) -> None:
        with RootedDir(self.root) as below:
            name, folder = below.place(entry_path(os.fsencode(path)))
            os.unlink(name, dir_fd=folder)
        url = await self._address(nested.inside.removeprefix(self._start))
        async with nested.foreign.opened(self.root.parent) as git:
            head = read_regular(git.git_dir / "HEAD")
            await make_module(git, place, self.root / path, user, head, url, ("refs",))
        with RootedDir(nested.base) as below:
            handle = below.open(os.fsencode(nested.inside) + b"/index")
        with os.fdopen(handle, "rb") as file:
            (place / "index").write_bytes(file.read())
        await asyncio.to_thread(point, self.root, path, place)

    async def _address(self, name: str) -> bytes:
        """Return the address of a submodule, as the user's own repository of it has it."""
        place = self.earlier.common_dir / "modules" / name
        with suppress(UserError, OSError):
            if place.is_dir() and not place.is_symlink():
                return await address((await repository.read(place, place, None)).git)
        return b""
