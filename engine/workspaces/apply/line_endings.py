"""Files as the repository stores them and as they lie in its folder.

Line ends, encodings, `$Id$`, and the filters that the user's own configuration defines. A file that
needs another filter can be neither stored nor laid out: it is refused.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp

from engine.domain.text import one_line
from engine.workspaces.apply.three_way import Conflict
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.contents import (
    Content,
    contents,
    grouped,
    id_below,
    is_same,
    opened,
    save,
)
from engine.workspaces.git.file_record import EXECUTABLE, FILE, LINK
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.user_git_config import UserGitConfig

_ATTRIBUTES = ("text", "eol", "crlf", "ident", "working-tree-encoding", "filter")
_TEXT = (b"text", b"crlf", b"eol")
_ALWAYS = ("ident", "working-tree-encoding", "filter")
_AUTOMATIC = ("core.autocrlf=true", "core.autocrlf=input")
_FORMATS = {40: "sha1", 64: "sha256"}
_NONE = (b"unspecified", b"unset")
_NAME = ".gitattributes"
CONFLICT = "APPLY_CONFLICT"
FILTER_NOT_RUN = "FILTER_NOT_RUN"
Held = tuple[str, str]
"""Reason why a file may not be replaced, and the code of the error."""
LaidOut = dict[bytes, Content]
"""The contents of some files, good until the next ones are asked for."""


@dataclass(frozen=True, slots=True)
class ConvertedPaths:
    """The paths that a conversion may concern, those that it always does, and their filters.

    Whether a file of `automatic` is text depends on its content, and on the committed one.
    """

    some: frozenset[bytes]
    always: frozenset[bytes]
    filters: Mapping[bytes, str]
    automatic: frozenset[bytes] = frozenset()


class GitAttributes:
    """The attributes of one state of a repository; `folder` has its `.gitattributes` alone."""

    def __init__(
        self, git: Git, user: UserGitConfig, folder: Path, more: tuple[str, ...] = ()
    ) -> None:
        self._user = user
        self._automatic = any(line in _AUTOMATIC for line in user.settings)
        self._git = replace(git, files=folder, settings=(*git.settings, *user.settings))
        converting = replace(git, files=folder)
        self.cleaning = user.converting(converting, "clean", more)
        self.smudging = user.converting(converting, "smudge", more)

    async def concerned(self, paths: Iterable[bytes]) -> ConvertedPaths:
        """Return which of these paths are converted; raises `UserError`."""
        asked = list(paths)
        if not asked:
            return ConvertedPaths(frozenset(), frozenset(), {})
        request = b"".join(path + b"\0" for path in asked)
        out = await self._git.run("check-attr", "-z", "--stdin", *_ATTRIBUTES, stdin=request)
        some: set[bytes] = set(asked) if self._automatic else set()
        automatic: set[bytes] = set()
        fixed: set[bytes] = set()
        always: set[bytes] = set()
        filters: dict[bytes, str] = {}
        parts = out.split(b"\0")
        for path, name, value in zip(parts[::3], parts[1::3], parts[2::3], strict=False):
            if name == b"text" and value == b"auto":
                automatic.add(path)
            elif name in _TEXT and value != b"unspecified":
                fixed.add(path)
            if value in _NONE or (name == b"filter" and value == b"set"):
                continue
            some.add(path)
            if name.decode() in _ALWAYS:
                always.add(path)
            if name == b"filter":
                filters[path] = os.fsdecode(value)
        automatic |= set(asked) - fixed if self._automatic else set()
        return ConvertedPaths(frozenset(some), frozenset(always), filters, frozenset(automatic))

    def missing(self, filters: Mapping[bytes, str]) -> dict[bytes, str]:
        """Return the paths whose filter cannot run, and why."""
        found = {path: self._user.filters.missing(name) for path, name in filters.items()}
        return {path: why for path, why in found.items() if why}


class LineEndings:
    """Converter of files between the store of `git` and the working tree of a repository.

    `before` are the attributes of the present files, `after` those of the coming ones.
    """

    def __init__(
        self,
        git: Git,
        user: UserGitConfig,
        before: GitAttributes,
        after: GitAttributes,
        committed: Mapping[bytes, Entry],
    ) -> None:
        self._git = git
        self._committed = committed
        self._user = user
        self._before = before
        self._after = after
        self.clashes: list[Conflict] = []
        """The files that could not be converted."""

    @property
    def after(self) -> GitAttributes:
        """The attributes of the coming files."""
        return self._after

    async def stored(self, pairs: Iterable[FileSides]) -> list[FileSides]:
        """Return these changes as the repository would store them, without those in `clashes`."""
        changed = list(pairs)
        unlike = [one for one in changed if (one.old or (0, ""))[1] != (one.new or (0, ""))[1]]
        await self._refuse_unfiltered({one.path for one in unlike if one.new and not _plain(one)})
        found = await self.converted(changed)
        refused = {os.fsencode(clash.path) for clash in self.clashes}
        return [one for one in found if one.path not in refused and one.old != one.new]

    async def converted(self, pairs: Iterable[FileSides]) -> list[FileSides]:
        """Return these changes as the repository would store them, as far as that can be done."""
        changed = list(pairs)
        old = await self._sides(self._before, {one.path: one.old for one in changed})
        new = await self._sides(self._after, {one.path: one.new for one in changed})
        found = [
            FileSides(one.path, _entry(old[one.path], one.old), _entry(new[one.path], one.new))
            for one in changed
        ]
        return found if self._user.has_modes else _without_modes(found)

    async def _refuse_unfiltered(self, paths: set[bytes]) -> None:
        found = await self._after.concerned(sorted(paths))
        for path, why in sorted(self._after.missing(found.filters).items()):
            self._refuse(path, why, FILTER_NOT_RUN)

    def _refuse(self, path: bytes, why: str, code: str) -> None:
        clash = Conflict(os.fsdecode(path), why, code)
        if clash not in self.clashes:
            self.clashes.append(clash)

    async def _sides(
        self, attributes: GitAttributes, sides: Mapping[bytes, Entry | None]
    ) -> dict[bytes, Entry | str | None]:
        """Return one side of each change as it is stored; for one that cannot be, why."""
        files = {path: side for path, side in sides.items() if side and not _is_plain(side)}
        concerned = await attributes.concerned(files)
        missing = attributes.missing(concerned.filters)
        kept = await self._kept(concerned.automatic - concerned.always)
        wanted = {path: files[path] for path in concerned.some - missing.keys() - kept}
        found: dict[bytes, Entry | str | None] = dict(sides)
        async with aclosing(grouped(self._git, wanted)) as groups:
            async for group, folder in groups:
                data = await contents(self._git, (wanted[path][1] for path in group), folder)
                for path in group:
                    mode, oid = wanted[path]
                    if path in concerned.always or _may_have_line_ends(data[oid]):
                        found[path] = await self._store(attributes, path, mode, data[oid])
        if attributes is self._after:
            for path, why in found.items():
                if isinstance(why, str):
                    code = FILTER_NOT_RUN if path in concerned.filters else CONFLICT
                    self._refuse(path, why, code)
        return found

    async def _kept(self, automatic: Iterable[bytes]) -> set[bytes]:
        """Return the files that are committed with CRLF, which git then keeps by itself."""
        there = {path: self._committed[path] for path in automatic if path in self._committed}
        kept: set[bytes] = set()
        async with aclosing(grouped(self._git, there)) as groups:
            async for group, folder in groups:
                data = await contents(self._git, (there[path][1] for path in group), folder)
                kept |= {path for path in group if _has_line_ends(data[there[path][1]])}
        return kept

    async def _store(
        self, attributes: GitAttributes, path: bytes, mode: int, content: Content
    ) -> Entry | str:
        hashing = ("hash-object", "-w", "--stdin", "--path", path)
        answer = await attributes.cleaning.ask(*hashing, stdin=opened(content))
        if answer.code:
            return f"git cannot convert it: {one_line(answer.complaint, 120)}"
        return mode, answer.out.decode("ascii").strip()

    async def laid_out(self, entries: Mapping[bytes, Entry]) -> AsyncGenerator[LaidOut]:
        """Split these stored files into groups, with the content that belongs into the folder."""
        files = {path: entry for path, entry in entries.items() if entry[0] != SUBMODULE}
        concerned = await self._after.concerned(files)
        async with aclosing(grouped(self._git, files)) as groups:
            async for group, folder in groups:
                wanted = {path: entry for path, entry in group.items() if entry}
                converted = {
                    path: oid
                    for path, (mode, oid) in wanted.items()
                    if path in concerned.some and mode != LINK
                }
                plain = (wanted[path][1] for path in wanted.keys() - converted.keys())
                data = await contents(self._git, plain, folder)
                found = {path: data[oid] for path, (_, oid) in wanted.items() if oid in data}
                for number, (path, oid) in enumerate(converted.items()):
                    found[path] = folder / f"converted-{number}"
                    smudge = ("cat-file", "--filters", b"--path=" + path, oid)
                    await save(self._after.smudging, folder / f"converted-{number}", *smudge)
                yield found

    async def unlike(self, top: Path, files: Mapping[bytes, Entry]) -> dict[bytes, Held]:
        """Return the files of a working tree whose content differs from the stored one.

        Each is read: its error marks a file whose filter is missing, so that its content is
        unknown.
        """
        concerned = await self._before.concerned(path for path in files if files[path][0] != LINK)
        missing = self._before.missing(concerned.filters)
        found: dict[bytes, Held] = {}
        with RootedDir(top) as below:
            for path, (_, oid) in sorted(files.items()):
                converted = path in concerned.some - missing.keys()
                try:
                    is_known = await self._is_stored_as(
                        below, path, oid, self._before if converted else None
                    )
                except OSError:
                    found[path] = CHANGED, CONFLICT
                    continue
                if not is_known:
                    known, why = (CHANGED, CONFLICT), missing.get(path)
                    found[path] = (why, FILTER_NOT_RUN) if why else known
        return found

    async def alike(self, top: Path, files: Mapping[bytes, Entry]) -> set[bytes]:
        """Return the files of a working tree that git would store as these, once they are there.

        A file with LF may be one where git itself would write CRLF.
        """
        asked = {path: oid for path, (mode, oid) in files.items() if mode not in (LINK, SUBMODULE)}
        concerned = await self._after.concerned(asked)
        converted = concerned.some - self._after.missing(concerned.filters).keys()
        found: set[bytes] = set()
        with RootedDir(top) as below:
            for path in sorted(converted):
                with suppress(OSError):
                    if await self._is_stored_as(below, path, asked[path], self._after):
                        found.add(path)
        return found

    async def _is_stored_as(
        self, below: RootedDir, path: bytes, oid: str, converted_by: GitAttributes | None
    ) -> bool:
        """Return whether a file is what git makes of the stored one; raises OSError."""
        if await asyncio.to_thread(id_below, _FORMATS[len(oid)], below, path) == oid:
            return True
        if converted_by is None:
            return False
        hashing = ("hash-object", "--stdin", "--path", path)
        answer = await converted_by.cleaning.ask(*hashing, stdin=below.open(path))
        if answer.code == 0 and answer.out.decode("ascii").strip() == oid:
            return True
        # A filter need not write the same twice: what it makes of the stored file counts, too.
        laid_out = ("cat-file", "--filters", b"--path=" + path, oid)
        with TemporaryFile(dir=self._git.git_dir) as file:
            answer = await converted_by.smudging.ask(*laid_out, stdout=file.fileno())
            return answer.code == 0 and await asyncio.to_thread(is_same, below, path, file)


CHANGED = "has uncommitted changes here"


def _without_modes(pairs: Iterable[FileSides]) -> list[FileSides]:
    """Return the pairs without executable bits, for a file system that has none."""
    found: list[FileSides] = []
    for pair in pairs:
        new = pair.new
        if new and new[0] in (FILE, EXECUTABLE):
            was = pair.old[0] if pair.old and pair.old[0] in (FILE, EXECUTABLE) else FILE
            new = was, new[1]
        found.append(FileSides(pair.path, pair.old, new))
    return found


def _has_line_ends(content: Content) -> bool:
    return not isinstance(content, Path) and b"\r\n" in content


def _may_have_line_ends(content: Content) -> bool:
    return isinstance(content, Path) or b"\r\n" in content


def _plain(pair: FileSides) -> bool:
    return pair.new is not None and _is_plain(pair.new)


def _is_plain(side: Entry) -> bool:
    return side[0] in (LINK, SUBMODULE)


def _entry(side: Entry | str | None, before: Entry | None) -> Entry | None:
    """Return a side as it is stored; one that cannot be converted stays as it was."""
    return before if isinstance(side, str) else side


@asynccontextmanager
async def line_ends(
    git: Git, user: UserGitConfig, head: str | None, coming: Iterable[FileSides]
) -> AsyncGenerator[LineEndings]:
    """Convert files between the working tree and the store.

    The attributes are those of `head` with `coming`. `git` is the run's store, which sees the
    repository's objects, too. Raises `UserError`.
    """
    folder = Path(mkdtemp(prefix="attributes-", dir=git.git_dir))
    try:
        committed = await objects.tree(git, head) if head else {}
        there = {
            path: entry
            for path, entry in committed.items()
            if _is_attributes(path) and not _is_plain(entry)
        }
        changed = {pair.path: pair.new for pair in coming if _is_attributes(pair.path)}
        after = {path: entry for path, entry in {**there, **changed}.items() if entry}
        for name, files in (("before", there), ("after", after)):
            data = await objects.blobs(git, (oid for _, oid in files.values()))
            contents = {path: data[oid] for path, (_, oid) in files.items()}
            await asyncio.to_thread(_write, folder / name, contents)
        yield LineEndings(
            git,
            user,
            # What is there was converted before: to compare it loses nothing.
            GitAttributes(git, user, folder / "before", ("core.safecrlf=false",)),
            GitAttributes(git, user, folder / "after"),
            committed,
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == _NAME.encode()


def _write(folder: Path, files: Mapping[bytes, bytes]) -> None:
    folder.mkdir()
    with RootedDir(folder) as below:
        for path, data in files.items():
            name, handle = below.place(path, make=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, 0o600, dir_fd=handle), "wb") as file:
                file.write(data)
