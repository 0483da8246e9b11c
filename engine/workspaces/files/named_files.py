"""The files of a folder that commands can name, recorded by their content.

Only bounded, regular files inside are read: a link is recorded as one, and its target is looked up
inside the folder only.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from engine.domain.text import printable_name
from engine.workspaces.files.command_words import MOST_WORDS, SYSTEM, CommandWords, words_of
from engine.workspaces.files.rooted_dir import RootedDir

OURS = b".swarm"
MOST_FILES = 2000
MOST_FOLDERS = 40
MOST_LOOKED_AT = 200_000
LARGEST_BYTES = 32 * 1024**2
ALL_CHARACTERS = 200_000
ALL_BYTES = 128 * 1024**2
_LINKS = 20
_SCRIPT = re.compile(
    r"\.(?:sh|bash|zsh|ksh|fish|command|py|pyw|pl|pm|rb|js|mjs|cjs|ts|lua|php|tcl|awk|sed|mk|exe)$"
    r"|^(?:GNU)?[Mm]akefile$|^[Jj]ustfile$"
)


class RecordLimitError(Exception):
    """More files are named than can be recorded; the text has the number."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The files in a folder that commands name."""

    files: dict[str, str] = field(default_factory=dict[str, str])
    """Every file found, by its path, with its SHA-256; a link with where it points to."""
    programs: frozenset[str] = frozenset()
    """Files that may be run, not only read."""
    missing: tuple[str, ...] = ()
    """Paths that are named, but are not there."""
    outside: tuple[str, ...] = ()
    """Paths that lead out of the folder."""

    @property
    def run(self) -> dict[str, str]:
        """The files that may be run, with their digests."""
        return {path: digest for path, digest in self.files.items() if path in self.programs}


def record(
    root: Path, commands: Sequence[str], source: Path | None = None, folders: Sequence[str] = ()
) -> NamedFiles:
    """Record what is in the `.swarm` folder of `root` and what commands run in `root` name.

    Commands may also be run in these `folders` below `root`.
    Absolute paths into `source`, the folder that `root` was made from, are looked up there.
    Raises `RecordLimitError`, and OSError where `root` cannot be read.
    """
    if not commands:
        return NamedFiles()
    if sum(map(len, commands)) > ALL_CHARACTERS:
        raise RecordLimitError(f"the commands have more than {ALL_CHARACTERS} characters")
    with ExitStack() as stack:
        search = _Search(stack.enter_context(RootedDir(root)), folders)
        search.record_ours()
        for command in commands:
            search.record(words_of(command), runs_parts="run-parts" in command)
        if source is not None and source.is_dir():
            inside = _Search(stack.enter_context(RootedDir(source)))
            for command in commands:
                inside.record_absolute(words_of(command), source)
            search.merge(inside, source)
        return search.recorded()


class _Search:
    """A search for files below one folder, which reads them."""

    def __init__(self, below: RootedDir, folders: Sequence[str] = ()) -> None:
        self._begin_in = [os.fsencode(folder) for folder in folders if folder]
        self._below = below
        self._real = Path(os.path.realpath(below.root))
        self._files: dict[bytes, str] = {}
        self._programs: set[bytes] = set()
        self._missing: dict[str, None] = {}
        self._outside: dict[str, None] = {}
        self._left_bytes = ALL_BYTES
        self._left_looks = MOST_LOOKED_AT
        self._absolute: dict[str, str] = {}

    def recorded(self) -> NamedFiles:
        """Return what was found."""
        files = {os.fsdecode(path): digest for path, digest in sorted(self._files.items())}
        programs = frozenset(map(os.fsdecode, self._programs)) | self._absolute.keys()
        missing, outside = tuple(self._missing), tuple(self._outside)
        return NamedFiles(files | self._absolute, programs, missing, outside)

    def merge(self, other: _Search, source: Path) -> None:
        """Take over what was found by absolute paths into the source."""
        for path, digest in other._files.items():
            self._absolute[str(source / os.fsdecode(path))] = digest

    def record_ours(self) -> None:
        """Record everything in the `.swarm` folder."""
        info = self._below.stat(OURS)
        if info is None or not stat.S_ISDIR(info.st_mode):
            return
        for path in self._walk(OURS):
            self._keep(path, is_program=None)

    def record(self, words: CommandWords, *, runs_parts: bool = False) -> None:
        """Record what the words of a command name, from the folder and from those they name."""
        if words.is_cut:
            raise RecordLimitError(f"a command has more than {MOST_WORDS} words, or is too long")
        every = [*((word, True) for word in words.run), *((word, False) for word in words.read)]
        folders = self._folders([word for word, _ in every])
        for word, is_run in every:
            path = self._inside(word)
            if path is None:
                continue
            hits = [hit for folder in folders for hit in self._found(folder, path)]
            for hit in hits:
                self._keep(hit, is_program=is_run)
            if runs_parts:
                self._keep_parts(folders)
            if not hits and _looks_like_path(word) and path not in folders:
                self._missing[word] = None

    def record_absolute(self, words: CommandWords, source: Path) -> None:
        """Record the files of `source` that are named by absolute paths."""
        for word in words.run:
            if word.startswith("/") and (path := self._inside(word)) is not None:
                for hit in self._found(b"", path):
                    self._keep(hit, is_program=True)

    # Words to paths

    def _inside(self, word: str) -> bytes | None:
        """Return the path inside the folder that a word may be; None where it leads out."""
        if "\0" in word or word in ("~", "/"):
            return None
        if word.startswith(("/", "~")):
            whole = os.path.expanduser(word)  # noqa: PTH111  may be no path at all
            for root in (self._below.root, self._real):
                if whole.startswith(f"{root}/"):
                    return os.fsencode(whole[len(str(root)) + 1 :])
            if not word.startswith(SYSTEM) and len(word) > 1:
                self._outside[word] = None
            return None
        return os.fsencode(word)

    def _folders(self, words: Sequence[str]) -> list[bytes]:
        """Return the folders that a command may change to, the top one first."""
        inside = (self._resolve(b"", path, []) for path in self._begin_in)
        found = list(dict.fromkeys([b"", *(path for path in inside if path is not None)]))
        for folder in found:
            for word in words:
                path = self._inside(word)
                if path is None or len(found) >= MOST_FOLDERS:
                    continue
                resolved = self._resolve(folder, path, [])
                is_new = resolved is not None and resolved not in found
                if is_new and resolved is not None and self._is_folder(resolved):
                    found.append(resolved)
        return found

    def _found(self, folder: bytes, path: bytes) -> Iterator[bytes]:
        """Return the files, links and folders' main programs at a path, or that a glob fits."""
        for each in self._expanded(folder, path):
            crossed: list[bytes] = []
            resolved = self._resolve(b"", each, crossed)
            for link in crossed:
                self._files[link] = f"link:{os.fsdecode(self._below.link_target(link))}"
                self._programs.add(link)
            if resolved is None:
                continue
            info = self._stat(resolved)
            if info and stat.S_ISREG(info.st_mode):
                yield resolved
            elif self._is_folder(resolved):
                main = b"/".join(filter(None, (resolved, b"__main__.py")))
                if resolved and (found := self._stat(main)) and stat.S_ISREG(found.st_mode):
                    yield main

    def _expanded(self, folder: bytes, path: bytes) -> Iterator[bytes]:
        parts = path.split(b"/")
        if not any(char in path for char in b"*?["):
            yield b"/".join(filter(None, (folder, path)))
            return
        places = [folder]
        for part in parts:
            if any(char in part for char in b"*?["):
                places = [
                    b"/".join(filter(None, (place, name)))
                    for place in places
                    for name in self._names(place)
                    if fnmatchcase(os.fsdecode(name), os.fsdecode(part))
                ]
            elif part not in (b"", b"."):
                places = [b"/".join(filter(None, (place, part))) for place in places]
        yield from places

    def _names(self, folder: bytes) -> list[bytes]:
        resolved = self._resolve(b"", folder, [])
        if resolved is None or not self._is_folder(resolved):
            return []
        try:
            names = os.listdir(self._below.folder(resolved))  # noqa: PTH208  a handle
        except OSError as error:
            self._files[resolved] = f"unreadable:{error.errno}"
            self._programs.add(resolved)
            return []
        self._spend(len(names))
        return sorted(map(os.fsencode, names))

    def _resolve(self, folder: bytes, path: bytes, crossed: list[bytes]) -> bytes | None:
        """Return where a path leads inside the folder, links followed; None where it leads out.

        The links on the way are added to `crossed`.
        """
        done = folder.split(b"/") if folder else []
        waiting = path.split(b"/")[::-1]
        while waiting:
            part = waiting.pop()
            if part in (b"", b"."):
                continue
            if part == b"..":
                if not done:
                    self._outside[os.fsdecode(path)] = None
                    return None
                done.pop()
                continue
            at = b"/".join([*done, part])
            self._spend(1)
            info = self._stat(at)
            if info is None:
                return None
            if stat.S_ISLNK(info.st_mode):
                crossed.append(at)
                target = self._below.link_target(at)
                if len(crossed) > _LINKS or target.startswith(b"/"):
                    self._outside[f"{os.fsdecode(at)} -> {os.fsdecode(target)}"] = None
                    return None
                waiting += target.split(b"/")[::-1]
                continue
            done.append(part)
        return b"/".join(done)

    # Reading

    def _stat(self, path: bytes) -> os.stat_result | None:
        try:
            return self._below.stat(path) if path else None
        except (OSError, ValueError):  # a name that is too long, or may not be looked at
            return None

    def _is_folder(self, path: bytes) -> bool:
        info = self._stat(path)
        return not path or bool(info and stat.S_ISDIR(info.st_mode))

    def _walk(self, folder: bytes) -> Iterator[bytes]:
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            for name in self._names(inside):
                path = inside + b"/" + name
                if self._is_folder(path):
                    waiting.append(path)
                else:
                    yield path

    def _keep_parts(self, folders: Sequence[bytes]) -> None:
        for folder in folders[1:]:
            for name in self._names(folder):
                for hit in self._found(folder, name):
                    self._keep(hit, is_program=True)

    def _keep(self, path: bytes, *, is_program: bool | None) -> None:
        """Read a file; None: it is a program if it looks like one."""
        if path not in self._files:
            if len(self._files) >= MOST_FILES:
                raise RecordLimitError(f"more than {MOST_FILES} files are named")
            digest, looks_like_program = self._digest(path)
            self._files[path] = digest
            is_program = looks_like_program if is_program is None else is_program
        if is_program:
            self._programs.add(path)
        if self._files[path].startswith("large:") and path in self._programs:
            raise RecordLimitError(f"{printable_name(os.fsdecode(path))} is too large")

    def _digest(self, path: bytes) -> tuple[str, bool]:
        """Return the digest of a file, and whether it looks like a program."""
        info = self._stat(path)
        if info is None:
            return "gone", False
        if stat.S_ISLNK(info.st_mode):
            return f"link:{os.fsdecode(self._below.link_target(path))}", True
        if not stat.S_ISREG(info.st_mode):
            return f"kind:{stat.S_IFMT(info.st_mode):o}", True
        name = os.fsdecode(path.rpartition(b"/")[2])
        is_program = bool(info.st_mode & 0o111 or _SCRIPT.search(name))
        try:
            with os.fdopen(self._below.open(path), "rb") as file:
                content = file.read(LARGEST_BYTES + 1)
        except OSError as error:
            return f"unreadable:{error.errno}", True
        if len(content) > LARGEST_BYTES:
            return f"large:{info.st_size}:{info.st_mtime_ns}", is_program
        self._left_bytes -= len(content)
        if self._left_bytes < 0:
            raise RecordLimitError(f"more than {ALL_BYTES // 1024**2} MiB are named")
        return hashlib.sha256(content).hexdigest(), is_program or content.startswith(b"#!")

    def _spend(self, looks: int) -> None:
        self._left_looks -= looks
        if self._left_looks < 0:
            raise RecordLimitError(f"more than {MOST_LOOKED_AT} places are named")


def _looks_like_path(word: str) -> bool:
    """Return whether a word that names no file was probably meant to."""
    if any(char in word for char in "*?[$`{}'\"\\<>|;&() \t\n") or "://" in word:
        return False
    return not word.startswith("-") and (word.startswith("./") or bool(_SCRIPT.search(word)))
