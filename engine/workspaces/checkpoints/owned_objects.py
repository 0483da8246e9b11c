"""The objects that a store of checkpoints needs, made its own.

Nothing is borrowed: what a source's `git gc` drops, or what goes with a source that is moved or
deleted, would be missing here. Whole packs are linked where the file system allows it, which costs
neither time nor room; what is then still missing is copied.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import quoted

LINKED_PACKS = 50
"""Of a source with more packs, what is needed is copied: git looks into each pack."""
_PACK = re.compile(r"pack-[0-9a-f]+\.pack")


def seeing(git: Git, objects: Path) -> Git:
    """Return git on the same git directory that also finds the objects in a folder of objects."""
    seen = os.fsdecode(quoted(os.fsencode(objects)))
    return replace(git, env={**git.env, "GIT_ALTERNATE_OBJECT_DIRECTORIES": seen})


async def own(
    git: Git, objects: Path, oids: Iterable[str], *, may_link: bool, loose_too: bool = False
) -> set[str]:
    """Take objects over from a source's folder of objects; return those that are here now.

    Loose ones are left out: to read a file each costs more than to store the workspace's own
    file, which is read anyway. `loose_too`: some files are not there to be read. With `may_link`
    packs are linked: only for a source that no agent can write, since a link is the same file.
    Raises `UserError` where git cannot copy them.
    """
    wanted = set(oids)
    if not loose_too:
        wanted -= await asyncio.to_thread(_loose, objects, wanted)
    if may_link:
        await asyncio.to_thread(link_packs, objects, git.git_dir)
    source = seeing(git, objects)
    try:
        await _copy(source, wanted)
    except UserError:
        # A partial clone lacks some; or a `git gc` of the source has just moved them.
        wanted -= await _missing(source, wanted)
        await _copy(source, wanted)
    return wanted


def _loose(objects: Path, oids: set[str]) -> set[str]:
    found: set[str] = set()
    for start in {oid[:2] for oid in oids}:
        with suppress(OSError):
            found.update(start + name for name in os.listdir(objects / start))  # noqa: PTH208  hot path
    return found


async def _copy(source: Git, oids: set[str]) -> None:
    """Write objects that are in no linked pack into one pack of the store."""
    if oids:
        # No search for differences: those that the source's packs hold are used as they are.
        how = ("--honor-pack-keep", "--non-empty", "--window=0", "-q")
        await source.run("pack-objects", *how, _pack_name(source), stdin=_lines(oids))


def _pack_name(git: Git) -> bytes:
    folder = git.git_dir / "objects" / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    return os.fsencode(folder / "pack")


async def _missing(git: Git, oids: set[str]) -> set[str]:
    out = await git.run("cat-file", "--buffer", "--batch-check", stdin=_lines(oids))
    lines = out.decode("ascii").splitlines()
    return {line.split(" ")[0] for line in lines if line.endswith(" missing")}


def _lines(oids: Iterable[str]) -> bytes:
    return "".join(f"{oid}\n" for oid in sorted(oids)).encode()


def link_packs(objects: Path, git_dir: Path) -> None:
    """Link the packs of a source into a store, as far as the file system allows it. Blocking.

    A `.keep` beside each keeps git from copying what is in it.
    """
    source, target = objects / "pack", git_dir / "objects" / "pack"
    try:
        packs = [name for name in os.listdir(source) if _PACK.fullmatch(name)]  # noqa: PTH208  hot path
    except OSError:
        return
    if len(packs) > LINKED_PACKS:
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in packs:
        stem = name.removesuffix(".pack")
        try:
            _link(source / name, target / name)
            (target / f"{stem}.keep").touch(0o600)
            _link(source / f"{stem}.idx", target / f"{stem}.idx")  # last: with it the pack counts
        except FileExistsError:  # linked before, and a pack's name is its content's
            continue
        except FileNotFoundError:  # a `git gc` was quicker: what is needed is copied
            _drop(target, stem)
        except OSError:  # another file system, files of another user, too many links
            _drop(target, stem)
            return


def _link(source: Path, target: Path) -> None:
    os.link(source, target, follow_symlinks=False)
    if not stat.S_ISREG(target.lstat().st_mode):
        raise OSError(f"{source} is not a regular file")


def _drop(folder: Path, stem: str) -> None:
    for end in (".idx", ".keep", ".pack"):
        with suppress(FileNotFoundError):
            (folder / f"{stem}{end}").unlink()


def release_packs(git_dir: Path) -> None:
    """Allow git to pack what it needs of linked packs that the source no longer has. Blocking.

    Until then a pack costs no space here; from then on it is whole here for a part of it.
    """
    for keep in (git_dir / "objects" / "pack").glob("*.keep"):
        with suppress(FileNotFoundError):
            if keep.with_suffix(".pack").stat().st_nlink == 1:
                keep.unlink()


def alternates(git_dir: Path) -> Path:
    """Return the file in which a store of an earlier version names what it borrows from."""
    return git_dir / "objects" / "info" / "alternates"


async def repay(git: Git, objects: Path | None, *, may_link: bool) -> None:
    """Make a store that borrows objects own them; raises `UserError` where some are missing.

    `objects` is where they are now, if that is known.
    """
    if objects and may_link:
        await asyncio.to_thread(link_packs, objects, git.git_dir)
    source = seeing(git, objects) if objects else git
    await source.run("repack", "-a", "-d", "-k", "-q")  # without -l: what is borrowed, too
    await asyncio.to_thread(alternates(git.git_dir).unlink, missing_ok=True)
