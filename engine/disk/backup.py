"""Backup of work that is nowhere else, kept among a run's own files before its workspace goes."""

from __future__ import annotations

import asyncio
import filecmp
import io
import logging
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from engine.config.paths import Paths, private_folder
from engine.disk.unsaved import UnsavedWork, counted
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.hosts import local_path
from engine.domain.model import Run
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.rooted_dir import RootedDir

IGNORED_BYTES = 64 * 1024**2
COPIES = 1000
_log = logging.getLogger(__name__)


async def keep(
    run: Run, paths: Paths, lost: UnsavedWork, *, needs_patch: bool = False
) -> tuple[list[Path], bool]:
    """Write a patch of what was changed, bundles of commits, an archive of ignored files.

    Returns the files, and whether they hold all of it. Raises `UserError` where nothing can be
    written; with `needs_patch` WORK_UNSAVED where no patch can be made.
    """
    if not (lost or lost.history):
        return [], True
    folder = private_folder(paths.run(run.id))
    try:
        kept = [await _patch(run, paths, folder, needs_patch)] if _is_changed(lost) else []
        kept += [await _bundles(lost, folder)]
        kept += [await _archive(run, lost, folder)] if lost.ignored else []
    except OSError as error:
        raise os_failure(error) from error
    whole = lost.is_known and not lost.unread and None not in kept
    return [path for one in kept for path in one or ()], whole


def _is_changed(lost: UnsavedWork) -> bool:
    return bool(lost.files or lost.submodules or lost.undone) or not lost.is_known


async def _patch(run: Run, paths: Paths, folder: Path, needed: bool) -> list[Path] | None:
    part = folder / "unsaved.patch.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            await write_patch(run, paths, file)
        if not part.stat().st_size:
            return []
        return [await asyncio.to_thread(_placed, folder / "unsaved.patch", part)]
    except UserError as error:
        if needed:
            raise user_error(
                "WORK_UNSAVED",
                f"The run {run.id} is kept, since no patch of its work can be: {error.message}",
                "Save its files with `swarm-tui get`, then delete its workspace alone, in the "
                "dashboard.",
            ) from error
        _log.warning("run %s: no patch is kept: %s", run.id, error.message)
        return None
    finally:
        part.unlink(missing_ok=True)


async def write_patch(run: Run, paths: Paths, file: BinaryIO) -> None:
    """Write all that a run changed, as git can apply it; raises `UserError`."""
    assert run.workspace
    if not run.baseline:
        raise user_error("CHANGES_UNKNOWN")
    folder = paths.checkpoints(run.id, local_path(run.workspace))
    store = await Checkpoints.open(folder, run.workspace)
    found = await store.changes()
    if found.left_out:
        raise user_error("WORK_UNSAVED", f"{counted(len(found.left_out), 'file')} cannot be read.")
    await store.write_patch(file)


async def _bundles(lost: UnsavedWork, folder: Path) -> list[Path] | None:
    kept: list[Path] = []
    for one in lost.history or lost.holdings:
        part = folder / "unsaved.bundle.part"
        try:
            await one.bundle(part)
            kept.append(await asyncio.to_thread(_placed, folder / "unsaved.bundle", part))
        except UserError as error:
            _log.warning("%s: no bundle is kept: %s", folder.name, error.message)
            return None
        finally:
            part.unlink(missing_ok=True)
    return kept


async def _archive(run: Run, lost: UnsavedWork, folder: Path) -> list[Path] | None:
    assert run.workspace
    root = local_path(run.workspace)
    data = await asyncio.to_thread(_packed, root, lost.ignored)
    if data is None:
        return None
    return [await asyncio.to_thread(_beside, folder / "unsaved-ignored.tar", data)]


def _packed(root: Path, names: tuple[bytes, ...]) -> bytes | None:
    """Pack files, none of them through a link; None where they are too many or cannot be read."""
    out, room = io.BytesIO(), IGNORED_BYTES
    try:
        with RootedDir(root) as below, tarfile.open(fileobj=out, mode="w") as archive:
            for name in names:
                with os.fdopen(below.open(name), "rb") as file:
                    info = archive.gettarinfo(fileobj=file, arcname=os.fsdecode(name))
                    room -= info.size
                    if room < 0:
                        return None
                    archive.addfile(info, file)
    except OSError:
        return None
    return out.getvalue()


def _beside(path: Path, data: bytes) -> Path:
    """Write a new file, under another name where an existing one differs."""
    part = path.with_name(f"{path.name}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    try:
        return _placed(path, part)
    finally:
        part.unlink(missing_ok=True)


def _placed(path: Path, part: Path) -> Path:
    """Move a whole file to a free name, synced to the disk; an equal one is used instead."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    for number in range(1, COPIES):
        one = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            one.touch(0o600, exist_ok=False)
        except FileExistsError:
            if one.is_file() and not one.is_symlink() and filecmp.cmp(one, part, shallow=False):
                return one
            continue
        return part.replace(one)
    raise FileExistsError(f"{path} is there {COPIES} times")
