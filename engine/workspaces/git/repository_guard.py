"""Guard before git runs in a git directory: it is the user's, and nothing in it leads outside.

git follows links below `.git` when it reads and writes refs, reflogs, the index and objects. In an
unpacked archive, or where an agent may write, they would lead our git to other files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.system.files import read_regular
from engine.workspaces.files.special_files import check_file

ENTRIES = 200_000
"""Entries of a git directory that are looked at, before it is taken for too large to be checked."""
_HARMLESS = frozenset({"hooks", "description", "COMMIT_EDITMSG", "FETCH_HEAD", "ORIG_HEAD"})
_DEEP = ("refs", "logs", "worktrees", "info")
"""Folders that git writes to at any depth."""
_MODES = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISSOCK)  # git's fsmonitor keeps a socket there
_READ_WHOLE = frozenset({"refs", "info", "config", "config.worktree", "commondir", "gitdir"})
"""Names that git reads into memory as they are, without a bound of its own."""
_ALTERNATES_BYTES = 64 * 1024
_STORES = 100


def check_repository(git_dir: Path, common_dir: Path, top: Path | None) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE unless git may run here. Blocking."""
    for place in {git_dir, common_dir, *([top, top / ".git"] if top else [])}:
        _check_owner(place)
    for place in {git_dir, common_dir}:
        _check_entries(place)
    _check_stores(common_dir / "objects")


def _check_owner(place: Path) -> None:
    """Check as git does: it belongs to this user, or to the one who called `sudo`."""
    users = {os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdigit():
        users.add(int(os.environ["SUDO_UID"]))
    if place.lstat().st_uid not in users:
        raise _unsafe(place, "belongs to another user")


def _check_entries(git_dir: Path) -> None:
    left = ENTRIES
    for path, info in _entries(git_dir):
        left -= 1
        _check_type(path, info.st_mode)
        inside = path.relative_to(git_dir).parts
        is_pointer = inside[0].isupper() and inside[0] not in _HARMLESS
        if inside[0] in _READ_WHOLE or inside[-1] == "HEAD" or is_pointer:
            check_file(path, info, is_read_whole=inside[0] != "logs")
        if not left:
            raise _unsafe(git_dir, f"holds more than {ENTRIES} entries beside its objects")


def _check_type(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise _unsafe(path, "is a link: git would follow it")
    if not any(known(mode) for known in _MODES):
        raise _unsafe(path, "is not a regular file")


def _entries(git_dir: Path) -> Iterator[tuple[Path, os.stat_result]]:
    waiting = [git_dir]
    while waiting:
        folder = waiting.pop()
        for path, info in _looked_at(folder):
            if folder == git_dir and path.name in _HARMLESS:
                continue
            yield path, info
            if stat.S_ISDIR(info.st_mode) and (folder != git_dir or path.name in _DEEP):
                waiting.append(path)


def _looked_at(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Return what is in a folder; git at work makes files and removes them meanwhile."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                yield Path(entry.path), entry.stat(follow_symlinks=False)


def _check_stores(objects: Path) -> None:
    """Check a store of objects, and those that its `info/alternates` name, in turn."""
    waiting, seen = [objects], set[Path]()
    while waiting:
        store = waiting.pop()
        if store in seen or not store.is_dir():
            continue
        seen.add(store)
        if len(seen) > _STORES:
            raise _unsafe(objects, f"reaches more than {_STORES} other stores of objects")
        if store != objects:
            _check_owner(store)
        for folder in (store, *_folders(store)):
            _check_store_folder(folder)
        waiting += _alternates(store)


def _folders(store: Path) -> list[Path]:
    with os.scandir(store) as entries:
        return [Path(one.path) for one in entries if one.is_dir(follow_symlinks=False)]


def _check_store_folder(folder: Path) -> None:
    """Check types alone, which the system returns without a look at each of the many files."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # git packs it just now
        for entry in entries:
            if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                _check_type(Path(entry.path), entry.stat(follow_symlinks=False).st_mode)


def _alternates(store: Path) -> list[Path]:
    path = store / "info" / "alternates"
    try:
        data = read_regular(path, _ALTERNATES_BYTES)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unsafe(path, "is not a list of other stores") from error
    lines = [line for line in data.split(b"\n") if line and not line.startswith(b"#")]
    return [Path(os.path.realpath(store / os.fsdecode(line.strip(b'"')))) for line in lines]


def _unsafe(path: Path, why: str) -> Exception:
    return user_error(
        "WORKSPACE_UNSAFE",
        f"git does not run in this repository: {printable_name(str(path))} {why}.",
        "Clone it with git into a folder of your own, or work on a copy with --copy.",
    )
