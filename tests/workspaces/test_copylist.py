"""Listed files are brought along, and patterns mean what they mean in `.gitignore`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.workspaces.create import create
from engine.workspaces.create.copy_list import bring_listed
from engine.workspaces.files.patterns import ignoring

PATTERNS = [
    *("node_modules/", "*.pyc", "/build", "d/deep/*", "**/x", "a/**/b", "d/**", "[ab]c", "[!a]z"),
    *("[^a]w", "!keep.pyc", "[]]q", "*", "f*bar/", "d/*.p?", "[a-c]t", "**", "a**b", "q?", "/d/"),
    *(
        "[z-a]t",
        "",
        "/",
        "#x",
        "**/**/x",
        "d/deep",
        "*a*b*",
        "k*p*.p*c",
        "*/*",
        "**/a/**/q*",
        "*?*y",
    ),
    *("d/**/*.py", "**/d/**/", "/**/x", "**/d*/**/x", "a/**/**/b", "*e*e*", "**/[dq]/*x", "d/**/"),
]
PATHS = [
    *("node_modules/", "d/node_modules/", "node_modules", "a.pyc", "d/a.pyc", "build", "d/build"),
    *("d/deep/x", "d/deep/x/", "x", "q/x", "a/b", "a/c/b", "ac", "cc", "bz", "az", "]q", "foobar/"),
    *("d/q.py", "bt", "dt", "a1b", "bw", "aw", "d/a/q.py", "keep.pyc", "a\nb", "qq", "é.pyc"),
]


def test_patterns_mean_what_git_takes_them_for(tmp_path: Path) -> None:
    repos.git(tmp_path, "init", "-q")
    for pattern in PATTERNS:
        (tmp_path / ".git" / "info" / "exclude").write_text(f"{pattern}\n")
        asked = b"\0".join(path.encode() for path in PATHS)
        ask = ("check-ignore", "--no-index", "-v", "-n", "--stdin", "-z")
        fields = repos.git(tmp_path, *ask, stdin=asked, ok=False).split("\0")
        git = {
            path: bool(source) and not rule.startswith("!")
            for source, rule, path in zip(fields[0::4], fields[2::4], fields[3::4], strict=False)
        }
        patterns = [] if pattern.startswith("#") else [pattern]
        assert {path: leaves_out(patterns, path) for path in PATHS} == git, pattern


def test_patterns_with_many_wildcards_take_linear_time() -> None:
    hostile = ["*a" * 12 + "b", "**/a/" * 300 + "b", "*[a]?" * 800 + "b", "*/**/" * 500, "[" * 4000]
    called = f"""
from engine.workspaces.files.patterns import ignoring
ignored = ignoring({[*hostile, "x" * 100_000]!r})
for path in ("a" * 200, "a/" * 2000 + "c", "a" * 255 + "/" + "a" * 255, "ab/" * 1000):
    assert ignored(path, False) in (False, True)
"""
    subprocess.run([sys.executable, "-c", called], timeout=60, check=True)


def leaves_out(patterns: list[str], path: str) -> bool:
    """True if a copy is without it: it, or a folder it is in, is ignored."""
    ignored, parts = ignoring(patterns), path.rstrip("/").split("/")
    return any(
        ignored("/".join(parts[:count]), count < len(parts) or path.endswith("/"))
        for count in range(1, len(parts) + 1)
    )


def test_the_last_pattern_that_fits_decides() -> None:
    ignored = ignoring(["*.log", "!keep.log", "/old/keep.log"])
    assert [ignored(name, False) for name in ("a.log", "d/keep.log", "old/keep.log")] == [
        True,
        False,
        True,
    ]


def test_what_is_listed_comes_along_with_mode_and_time_and_links_stay_links(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    repos.write(source, {".env": "k=1\n", "conf/a.local": "a", "conf/b.txt": "b"})
    repos.write(source, {"certs/deep/x.pem": "x", "certs/.git/config": "git's", "there": "new"})
    repos.write(target, {"there": "old"})
    repos.write(tmp_path, {"secret": "s", "outside/x": "s"})
    (source / ".env").chmod(0o4600)
    os.utime(source / ".env", ns=(10**18, 10**18))
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "away").symlink_to(tmp_path / "outside")
    os.mkfifo(source / "pipe")
    (source / "e\x1b[31m").write_text("hostile")
    patterns = [".env", "conf/*.local", "certs", "there", "link", "away/x", "pipe", "gone", "e*"]
    brought = bring_listed(source, target, [*patterns, "../secret", "no/*", ".git/config"])
    assert (target / ".env").stat().st_mtime_ns == 10**18
    assert stat.S_IMODE((target / ".env").stat().st_mode) == 0o600
    assert repos.files(target) == {
        ".env": ("file", 0, b"k=1\n"),
        "conf/a.local": ("file", 0, b"a"),
        "certs/deep/x.pem": ("file", 0, b"x"),
        "there": ("file", 0, b"old"),
        "link": ("link", 0, os.fsencode(tmp_path / "secret")),
        "e\x1b[31m": ("file", 0, b"hostile"),
    }
    assert brought.missing == ["away/x", "gone", "../secret", ".git/config"]
    assert brought.lost == ["pipe"]
    assert "\x1b" not in "".join(brought.notices())


def test_a_worktree_gets_them_from_the_top_and_copies_in_spite_of_what_is_ignored(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(tmp_path / "s", {"a": "a", "sub/b": "b", ".gitignore": ".env\n"})
    repos.write(source, {".env": "k", "node_modules/x": "x", "sub/.env": "sub"})
    target = home / "workspaces" / "p" / "r1"

    def made(kind: WorkspaceKind, where: Path, *ignore: str) -> tuple[set[str], tuple[str, ...]]:
        wish = WorkspaceSpec(kind, str(where))
        done = create.make(wish, target, home, lambda: False, ignore, (".env", "none"))
        return set(repos.files(target)), done.notices

    files, told = made(WorkspaceKind.WORKTREE, source / "sub")
    assert files == {"a", "sub/b", ".env", ".gitignore"}
    assert told == (
        "brought along: .env",
        "the copy list names what is not there: none",
        "not in the workspace: 1 uncommitted file of the source (--include-uncommitted brings "
        "them along); 1 ignored path (sub/.env), which workspace.copy_files can name",
    )
    assert repos.git(target, "status", "--porcelain") == ""
    files, told = made(WorkspaceKind.COPY, source, ".env", "node_modules/")
    assert files == {"a", "sub/b", ".env", ".gitignore"}
    assert told[-1] == "not in the workspace: what workspace.ignore names (node_modules/)"
    assert not any("left out" in notice for notice in told)
    _, told = made(WorkspaceKind.COPY, source / "sub")
    assert told[-1] == "not in the workspace: the git history (--worktree has it)"
    os.mkfifo(source / "pipe")
    _, told = made(WorkspaceKind.COPY, source)
    assert told[-1] == "not in the workspace: 1 unreadable or special file or mount (pipe)"


def test_a_copy_of_a_shallow_clone_says_so(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s")
    repos.git(tmp_path, "clone", "-q", "--depth=1", f"file://{source}", "shallow")
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(tmp_path / "shallow"))
    made = create.make(wish, home / "workspaces" / "p" / "r1", home, lambda: False)
    assert "the source is shallow" in made.notices[-1]


def test_what_is_ignored_does_not_count_for_the_size(tmp_path: Path, home: Path) -> None:
    repos.write(tmp_path / "s", {"a": "a", "big/x": b"x" * 5000})
    wish = WorkspaceSpec(WorkspaceKind.COPY, str(tmp_path / "s"))
    with pytest.raises(UserError, match="larger"):
        create.check(wish, 1000, home)
    create.check(wish, 1000, home, ("big/",))
