"""The shapes that a repository can have, and the behaviour that is promised for each.

`test_repository_shapes.py` checks each cell with the real git; `make docs` writes the table of
`docs/workspaces.md` from the same declaration.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import repos

FILE = ("-c", "protocol.file.allow=always")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"


class Applied(StrEnum):
    """The effect that applying a changed file has on the source."""

    FILES = "files"
    BRANCH = "`swarm/<run>`"
    MERGED = "merged"
    PATCH = "patch"
    NEEDS_TO = "refused without `--to`"
    NEEDS_COMMITS = "refused"


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of a repository: how it is made, and what a run in it gets."""

    name: str
    build: Callable[[Path], Path]
    """Makes it below a folder; returns the folder in which the run is requested."""
    files: tuple[str, ...]
    """The files of the workspace."""
    gets: str
    """The same in words."""
    lacks: tuple[str, ...] = ()
    """The parts of the notice about what the workspace lacks."""
    cwd: str = ""
    kind: str = "worktree"
    is_refused: bool = False
    """True if a worktree is refused."""
    applied: Mapping[str, Applied] = field(
        default_factory=lambda: {
            "edits": Applied.FILES,
            "commit": Applied.BRANCH,
            "merge": Applied.MERGED,
            "patch": Applied.PATCH,
        }
    )


def _plain(tmp: Path) -> Path:
    source = repos.repository(
        tmp / "s", {"a.txt": "a\n", "sub/b.txt": "b\n", ".gitignore": "*.o\n"}
    )
    repos.write(source, {"a.o": "o", "new.txt": "n\n"})
    return source


def _small(tmp: Path) -> Path:
    return repos.repository(tmp / "s", {"a.txt": "a\n", "sub/b.txt": "b\n"})


def _linked(tmp: Path) -> Path:
    repos.git(_small(tmp), "worktree", "add", "-q", str(tmp / "linked"))
    return tmp / "linked"


def _bare(tmp: Path) -> Path:
    repos.git(tmp, "clone", "-q", "--bare", str(_small(tmp)), str(tmp / "bare.git"))
    return tmp / "bare.git"


def _hub(tmp: Path) -> Path:
    hub = tmp / "hub"
    hub.mkdir()
    repos.git(tmp, "clone", "-q", "--bare", str(_small(tmp)), str(hub / ".bare"))
    (hub / ".git").write_text("gitdir: ./.bare\n")
    repos.git(hub, "worktree", "add", "-q", "main", "main")
    return hub


def _sparse(tmp: Path) -> Path:
    source = _small(tmp)
    repos.write(source, {"out/c.txt": "c\n"})
    repos.commit(source, "more")
    repos.git(source, "sparse-checkout", "set", "--cone", "sub")
    return source


def _clone(tmp: Path, *how: str) -> Path:
    source = _small(tmp)
    repos.write(source, {"a.txt": "a\n", "c.txt": "c\n"})
    repos.commit(source, "second")
    repos.git(source, "config", "uploadpack.allowFilter", "true")
    repos.git(tmp, "clone", "-q", *how, source.as_uri(), str(tmp / "clone"))
    return tmp / "clone"


def _partial(tmp: Path) -> Path:
    return _clone(tmp, "--filter=blob:none")


def _shallow(tmp: Path) -> Path:
    return _clone(tmp, "--depth=1")


def _submodules(tmp: Path) -> Path:
    library = repos.repository(tmp / "library", {"code.c": "1\n"})
    source = _small(tmp)
    for path in ("lib", "not initialised"):
        repos.git(source, *FILE, "submodule", "add", "-q", str(library), path)
    repos.commit(source, "with submodules")
    repos.git(source, "submodule", "--quiet", "deinit", "-f", "not initialised")
    shutil.rmtree(library)  # nothing can be fetched
    return source


def _lfs(tmp: Path) -> Path:
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    files: dict[str, str | bytes] = {".gitattributes": attributes, "a.txt": "a\n", "x.bin": POINTER}
    return repos.repository(tmp / "s", files)


def _nested(tmp: Path) -> Path:
    source = _small(tmp)
    repos.repository(source / "vendor" / "x", {"x.txt": "x\n"})
    return source


def _detached(tmp: Path) -> Path:
    source = _small(tmp)
    repos.git(source, "checkout", "-q", "--detach")
    return source


def _unborn(tmp: Path) -> Path:
    (tmp / "s").mkdir()
    repos.git(tmp / "s", "init", "-q", "-b", "main")
    repos.write(tmp / "s", {"a.txt": "a\n"})
    return tmp / "s"


def _folder(tmp: Path) -> Path:
    repos.write(tmp / "s", {"a.txt": "a\n"})
    return tmp / "s"


_BARE = {
    "edits": Applied.NEEDS_TO,
    "commit": Applied.BRANCH,
    "merge": Applied.NEEDS_TO,
    "patch": Applied.PATCH,
}
_NO_COMMITS = {
    "edits": Applied.FILES,
    "commit": Applied.NEEDS_COMMITS,
    "merge": Applied.NEEDS_COMMITS,
    "patch": Applied.PATCH,
}
_SMALL = ("a.txt", "sub/b.txt")

SHAPES = (
    Shape(
        "plain",
        _plain,
        (".gitignore", *_SMALL),
        "the files of the base",
        (
            "1 uncommitted file of the source (--include-uncommitted brings them along)",
            "1 ignored path (a.o), which workspace.copy_files can name",
        ),
    ),
    Shape("linked worktree", _linked, _SMALL, "the files of its own HEAD"),
    Shape("bare", _bare, _SMALL, "the files of the base", applied=_BARE),
    Shape("hub (`.bare` with worktrees)", _hub, _SMALL, "the files of the base", applied=_BARE),
    Shape(
        "sparse",
        _sparse,
        _SMALL,
        "the same cone",
        ("1 file outside the sparse checkout (`git sparse-checkout add` brings them)",),
    ),
    Shape(
        "partial clone",
        _partial,
        ("a.txt", "c.txt", "sub/b.txt"),
        "the files of the base, where they were fetched",
        ("objects that the source, a partial clone, has not fetched",),
    ),
    Shape(
        "shallow",
        _shallow,
        ("a.txt", "c.txt", "sub/b.txt"),
        "the files of the base",
        ("older history (the source is shallow; `git fetch --unshallow` fetches it)",),
    ),
    Shape(
        "submodules",
        _submodules,
        (".gitmodules", "a.txt", "lib/code.c", "sub/b.txt"),
        "initialised submodules filled from `.git/modules`, without network",
        (
            "1 submodule (not initialised; `git submodule update --init --recursive -- "
            "'not initialised'` fills them)",
        ),
    ),
    Shape(
        "Git LFS, content not there",
        _lfs,
        (".gitattributes", "a.txt", "x.bin"),
        "pointers for content that is not on this disk",
        ("the content of 1 file of Git LFS (`git lfs pull` fetches it)",),
    ),
    Shape(
        "nested repository",
        _nested,
        _SMALL,
        "the files of the base",
        ("1 nested repository (vendor/x/)",),
    ),
    Shape(
        "folder of a monorepo",
        lambda tmp: _small(tmp) / "sub",
        _SMALL,
        "all, works there",
        (),
        "sub",
    ),
    Shape("detached HEAD", _detached, _SMALL, "the files of the base"),
    Shape(
        "unborn (no commit)",
        _unborn,
        ("a.txt",),
        "a copy; a worktree is refused",
        kind="copy",
        is_refused=True,
        applied=_NO_COMMITS,
    ),
    Shape(
        "no repository",
        _folder,
        ("a.txt",),
        "a copy; a worktree is refused",
        kind="copy",
        is_refused=True,
        applied=_NO_COMMITS,
    ),
)


def table() -> list[str]:
    """Return the lines of the table in the docs."""
    hows = ("edits", "commit", "merge", "patch")
    lines = [
        "| repository | a run gets | reported as missing | " + " | ".join(hows) + " |",
        "|---|---|---|" + "---|" * len(hows),
    ]
    for shape in SHAPES:
        lacks = "<br>".join(shape.lacks) or "—"
        cells = (shape.name, shape.gets, lacks, *(shape.applied[how] for how in hows))
        lines.append(f"| {' | '.join(cells)} |")
    return lines
