"""Hostile trees of files, the same for the same seed."""

from __future__ import annotations

import os
import random
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from outside import Outside

from engine.system.files import read_regular

NAMES: tuple[bytes, ...] = (
    b"a", b"b.txt", b"sub", b"\xff\xfe", b"new\nline", b"-rf", b"--help", b" ", b"~", b"$(touch x)",
    b"x" * 255, "Ü\u202egnp".encode(), b"\x1b[31m", b"con", b"a:b", b"*", b"[x]", b"'\"",
    b".GIT", b".git ", b"git~1", b".git", b".swarm-staging", b".swarm", b".codex", b".agents",
    b".swarm-saved", b".env", b"journal.json",
)  # fmt: skip
SPECIAL: tuple[bytes, ...] = (
    b".gitignore", b".gitattributes", b".gitmodules", b".mailmap", b"packed-refs", b"HEAD",
    b"index", b"config", b"objects", b"refs", b"commondir", b"gitdir",
)  # fmt: skip
SIZES = (1, 4096, 64 * 1024**2, 3 * 1024**3)
ATTRIBUTES = b"* filter=evil diff=evil merge=evil text=auto ident working-tree-encoding=UTF-16\n"


class Planter:
    """Puts hostile things into one folder."""

    def __init__(self, rng: random.Random, outside: Outside) -> None:
        self._rng, self._outside = rng, outside
        self._program_bytes = outside.program.read_bytes()
        self._kinds: tuple[Callable[[bytes], None], ...] = (
            self._file, self._file, self._link, self._link, self._dangling, self._loop, self._pipe,
            self._socket, self._device, self._sparse, self._deep, self._unreadable, self._program,
            self._git_file, self._git_folder, self._bare, self._staging, self._special,
            self._special, self._settings,
        )  # fmt: skip

    def plant(self, folder: Path, count: int) -> None:
        """Plant so many things below `folder`, each where the ones before allow it."""
        places = [os.fsencode(folder)]
        for _ in range(count):
            path = os.path.join(self._rng.choice(places), self._rng.choice(NAMES))
            with suppress(OSError):
                self._rng.choice(self._kinds)(path)
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    places.append(path)

    def _write(self, path: bytes, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            file.write(data)

    def _target(self) -> bytes:
        out = self._outside
        places = (out.folder, out.private, out.private / ".git", out.folder / "secret.txt")
        return os.fsencode(self._rng.choice((*places, out.folder / "pipe", out.program, "/", "..")))

    def _file(self, path: bytes) -> None:
        self._write(path, self._rng.randbytes(self._rng.choice((0, 10, 5000))))

    def _link(self, path: bytes) -> None:
        os.symlink(self._target(), path)

    def _dangling(self, path: bytes) -> None:
        os.symlink(os.fsencode(self._outside.folder / "missing"), path)

    def _loop(self, path: bytes) -> None:
        os.symlink(os.path.basename(path), path)

    def _pipe(self, path: bytes) -> None:
        os.mkfifo(path)

    def _socket(self, path: bytes) -> None:
        here = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(b"/proc/self/fd/%d/%s" % (here, os.path.basename(path)[:80]))
        finally:
            os.close(here)

    def _device(self, path: bytes) -> None:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero; root only

    def _sparse(self, path: bytes) -> None:
        self._write(path, b"x")
        os.truncate(path, self._rng.choice(SIZES))

    def _deep(self, path: bytes) -> None:
        levels = self._rng.choice((3, 30, 300))
        os.mkdir(path)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        for _ in range(levels):
            os.mkdir("d", dir_fd=handle)
            inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = inner
        os.close(os.open("f", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=handle))
        os.close(handle)

    def _unreadable(self, path: bytes) -> None:
        if self._rng.random() < 0.5:
            self._file(path)
        else:
            os.mkdir(path)
        os.chmod(path, self._rng.choice((0, 0o111, 0o200, 0o4755)))

    def _program(self, path: bytes) -> None:
        self._write(path, self._program_bytes)
        os.chmod(path, 0o755)

    def _git_file(self, path: bytes) -> None:
        where = os.path.join(os.path.dirname(path), b".git")
        self._write(where, b"gitdir: %s/.git\n" % os.fsencode(self._outside.private))

    def _git_folder(self, path: bytes) -> None:
        self._git_dir(os.path.join(os.path.dirname(path), b".git"))

    def _bare(self, path: bytes) -> None:
        self._git_dir(path)

    def _git_dir(self, path: bytes) -> None:
        for name in (b"objects/info", b"refs/heads", b"hooks", b"logs", b"info"):
            os.makedirs(os.path.join(path, name), exist_ok=True)
        self._write(os.path.join(path, b"HEAD"), b"ref: refs/heads/main\n")
        private = os.fsencode(self._outside.private)
        plans = (
            lambda: self._write(path + b"/commondir", private + b"/.git\n"),
            lambda: self._write(path + b"/objects/info/alternates", private + b"/.git/objects\n"),
            lambda: os.symlink(private + b"/.git/refs/heads/main", path + b"/refs/heads/main"),
            lambda: os.symlink(private + b"/.git/index", path + b"/index"),
            lambda: os.mkfifo(path + b"/packed-refs"),
            lambda: os.mkfifo(path + b"/refs/heads/x"),
            lambda: self._write(path + b"/gitdir", private + b"/.git\n"),
            lambda: None,
        )
        with suppress(OSError):
            self._rng.choice(plans)()
        for hook in (b"pre-commit", b"post-checkout", b"reference-transaction"):
            self._program(path + b"/hooks/" + hook)
        self._settings_file(path + b"/config")

    def _settings(self, path: bytes) -> None:
        where = os.path.join(os.path.dirname(path), b".git")
        if stat.S_ISDIR(os.lstat(where).st_mode):
            self._settings_file(os.path.join(where, b"config"))
        self._write(os.path.join(os.path.dirname(path), b".gitattributes"), ATTRIBUTES)

    def _settings_file(self, path: bytes) -> None:
        program, cfg = self._outside.program, self._outside.folder / "include.cfg"
        old = b""
        with suppress(OSError):
            old = read_regular(os.fsdecode(path), 10_000)
        lines = f"""
[core]
\tfsmonitor = {program}
\thooksPath = {program.parent}
\tsshCommand = {program}
[filter "evil"]
\tclean = {program}
\tsmudge = {program}
[diff "evil"]
\ttextconv = {program}
\tcommand = {program}
[hook "evil"]
\tcommand = {program}
\tevent = reference-transaction
\tevent = post-index-change
"""
        if self._rng.random() < 0.2:
            lines += f"[include]\n\tpath = {cfg}\n"
        self._write(path, old + lines.encode())

    def _staging(self, path: bytes) -> None:
        folder = os.path.join(os.path.dirname(path), b".swarm-staging")
        os.makedirs(folder, exist_ok=True)
        step = b'{"path": ".git/hooks/pre-commit", "before": null, "inode": 1}'
        self._write(folder + b"/journal.json", b'{"steps": [%s], "note": ""}' % step)
        self._program(folder + b"/new-0")

    def _special(self, path: bytes) -> None:
        where = os.path.join(os.path.dirname(path), self._rng.choice(SPECIAL))
        kind = self._rng.choice((self._pipe, self._sparse, self._link, self._device, self._file))
        with suppress(FileNotFoundError):
            os.unlink(where)
        kind(where)
