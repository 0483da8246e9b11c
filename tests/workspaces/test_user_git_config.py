"""Settings of git that change what it sees, from every place that git reads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import repos
from scenes import scene

from engine.domain.errors import UserError
from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.git.repository import find
from engine.workspaces.git.user_git_config import user_git_config


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(
        tmp_path / "s", {"a.txt": "1\n2\n3\n", "run.sh": "#!/bin/sh\n", "Keep": "k\n"}
    )


def author(source: Path, of: str = "swarm/r1") -> str:
    return repos.git(source, "log", "-1", "--format=%an <%ae> %cn <%ce>", of)


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_modes_do_not_count_without_core_filemode(
    source: Path, home: Path, how: ApplyMode
) -> None:
    repos.git(source, "config", "core.fileMode", "false")
    (source / "a.txt").chmod(0o755)  # as every file is on such a file system
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": "1\n2\nthree\n", "new": "n\n"})
    (here.root / "new").chmod(0o755)
    (here.root / "run.sh").chmod(0o755)
    await here.apply(how)
    if how is ApplyMode.EDITS:
        assert (source / "a.txt").read_text() == "1\n2\nthree\n"
        return
    of = "HEAD" if how is ApplyMode.MERGE else "swarm/r1"
    tree = repos.git(source, "ls-tree", "-r", of)
    assert "100755" not in tree
    assert "\tnew" in tree
    if how is ApplyMode.MERGE:
        assert repos.git(source, "status", "--porcelain") == ""


async def test_links_are_files_without_core_symlinks(source: Path, home: Path) -> None:
    (source / "link").symlink_to("a.txt")
    repos.commit(source, "a link")
    repos.git(source, "config", "core.symlinks", "false")
    (source / "link").unlink()
    (source / "link").write_text("a.txt")
    here = await scene(source, home)
    assert not (here.root / "link").is_symlink()
    assert await here.changed() == []
    repos.write(here.root, {"link": "Keep", "a.txt": "one\n"})
    assert (await here.apply(ApplyMode.MERGE)).files == ("a.txt", "link")
    assert repos.git(source, "ls-tree", "HEAD", "link").startswith("120000")
    assert (source / "link").read_text() == "Keep"
    assert not (source / "link").is_symlink()


@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
async def test_ignored_files_from_every_place(
    source: Path, home: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = tmp_path / "user"
    repos.write(user, {".config/git/ignore": "*.xdg\n", "system-ignore": "*.system\n"})
    repos.write(source, {".git/info/exclude": "*.info\n", ".gitignore": "*.tracked\n"})
    repos.commit(source, "ignore")
    names = ["a.info", "a.tracked", "a.xdg"]
    here = await scene(source, home, kind)
    repos.write(here.root, dict.fromkeys([*names, "b.py"], "x"))
    assert await here.changed() == ["b.py"]
    # A setting replaces the file by default, wherever the setting stands.
    repos.write(user, {"system": f"[core]\n\texcludesFile = {user}/system-ignore\n"})
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(user / "system"))
    config = await user_git_config(await find(source), home)
    assert f"core.excludesfile={user}/system-ignore" in config.settings
    repos.git(source, "config", "extensions.worktreeConfig", "true")
    repos.git(source, "config", "--worktree", "core.excludesFile", "~/.config/git/ignore")
    config = await user_git_config(await find(source), home)
    assert f"core.excludesfile={user}/.config/git/ignore" in config.settings


async def test_ignored_whatever_the_case(source: Path, home: Path) -> None:
    repos.git(source, "config", "core.ignoreCase", "true")
    repos.write(source, {".gitignore": "*.LOG\n"})
    repos.commit(source, "ignore")
    here = await scene(source, home)
    repos.write(here.root, {"a.log": "x", "b.py": "x"})
    assert await here.changed() == ["b.py"]


@pytest.mark.parametrize("kind", ["copy", "in-place"])
async def test_ignored_by_patterns_above_the_folder(tmp_path: Path, home: Path, kind: str) -> None:
    """A run works in one folder of a repository, whose top ignores secrets and what is built."""
    files: dict[str, str | bytes] = {
        ".gitignore": ".env\n/pkg/app/out/\n*.log\n",
        "pkg/.gitignore": "*.tmp\n!kept.log\n",
        "pkg/app/a.txt": "a\n",
        "pkg/app/.gitignore": "own\n",
    }
    source = repos.repository(tmp_path / "s", files)
    repos.write(source, {"pkg/app/.env": "the user's\n", "pkg/app/out/old": "o\n"})
    here = await scene(source / "pkg" / "app", home, kind)
    ignored = {".env": "s\n", "out/old": "p\n", "out/x": "x\n", "d/y.tmp": "y\n", "own": "o\n"}
    repos.write(here.root, {**ignored, "b.log": "b\n", "kept.log": "k\n", ":(top)*": "n\n"})
    assert await here.changed() == [":(top)*", "kept.log"]
    await here.apply(ApplyMode.MERGE)
    listed = repos.git(source, "ls-tree", "-r", "--name-only", "HEAD").splitlines()
    assert set(listed) == {*files, "pkg/app/kept.log", "pkg/app/:(top)*"}


async def test_all_counts_in_a_folder_that_is_ignored_itself(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {".gitignore": "scratch/\n*.log\n"})
    repos.write(source, {"scratch/a.txt": "a\n"})
    here = await scene(source / "scratch", home, "in-place")
    repos.write(here.root, {"b.log": "b\n"})
    assert await here.changed() == ["b.log"]


async def test_settings_that_hide_untracked_files_hide_no_work(source: Path, home: Path) -> None:
    repos.git(source, "config", "status.showUntrackedFiles", "no")
    repos.git(source, "config", "diff.ignoreSubmodules", "all")
    repos.git(source, "config", "diff.renames", "false")
    repos.write(source, {"mine": "m\n"})
    here = await scene(source, home, include_uncommitted=True)
    assert (here.root / "mine").read_text() == "m\n"
    repos.write(here.root, {"mine": "agent\n"})
    assert "mine (" in (await here.refused(ApplyMode.MERGE)).message
    assert (source / "mine").read_text() == "m\n"


async def test_mistakes_in_settings_stop_nothing(source: Path, home: Path, tmp_path: Path) -> None:
    lines = ("autocrlf = perhaps", "fileMode = 2 words", "excludesFile = /none/~", "symlinks")
    lines += ("attributesFile = ~nobody-here/x", "ignoreCase =")
    text = "[core]\n" + "\n".join(lines) + "\n"
    repos.write(tmp_path / "user", {".gitconfig": text})
    repos.git(source, "config", "--unset", "core.fileMode")
    found = await find(source)
    config = await user_git_config(found, home)
    assert config.settings == ("core.symlinks=true", "core.ignorecase=false")
    with (source / ".git" / "config").open("a") as file:
        file.write("[broken\n")
    config = await user_git_config(found, home)
    assert config.author[0] == "swarm-tui"


@pytest.mark.parametrize("place", ["attributesFile", "info", "xdg"])
async def test_attributes_from_every_place(
    source: Path, home: Path, tmp_path: Path, place: str
) -> None:
    attributes = "*.txt text eol=crlf\n"
    if place == "info":
        repos.write(source, {".git/info/attributes": attributes})
    elif place == "xdg":
        repos.write(tmp_path / "user", {".config/git/attributes": attributes})
    else:
        repos.write(tmp_path, {"attributes": attributes})
        repos.git(source, "config", "core.attributesFile", str(tmp_path / "attributes"))
    here = await scene(source, home)
    assert (here.root / "a.txt").read_bytes() == b"1\r\n2\r\n3\r\n"
    repos.write(here.root, {"a.txt": "1\r\nzwei\r\n3\r\n"})
    (source / "a.txt").write_bytes(b"1\r\n2\r\n3\r\n")
    await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "cat-file", "-p", "HEAD:a.txt") == "1\nzwei\n3"
    assert (source / "a.txt").read_bytes() == b"1\r\nzwei\r\n3\r\n"


async def test_line_ends_that_would_be_lost_are_refused_with_safecrlf(
    source: Path, home: Path
) -> None:
    repos.git(source, "config", "core.autocrlf", "input")
    repos.git(source, "config", "core.safecrlf", "true")
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": "1\r\n2\r\n3\n"})
    error = await here.refused(ApplyMode.MERGE)
    assert error.code == "APPLY_CONFLICT"
    assert "a.txt (git cannot convert it" in error.message
    await here.apply(ApplyMode.EDITS)
    assert (source / "a.txt").read_bytes() == b"1\r\n2\r\n3\n"


# Who commits


async def _author(source: Path, home: Path) -> str:
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    await here.apply(ApplyMode.COMMIT)
    return author(source)


@pytest.fixture
def nobodys(source: Path) -> Path:
    """A repository that names no user itself."""
    repos.git(source, "config", "--remove-section", "user")
    return source


@pytest.mark.parametrize("place", ["count", "parameters", "global", "system", "includeif", "local"])
async def test_the_identity_is_found_where_git_finds_it(
    nobodys: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    section = "[user]\n\tname = Ida\n\temail = ida@example.com\n"
    repos.write(tmp_path / "user", {"ida": section})
    if place == "count":
        monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
        for number, (key, value) in enumerate([("name", "Ida"), ("email", "ida@example.com")]):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"user.{key}")
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    elif place == "parameters":
        words = "'user.name'='Ida' 'user.email'='ida@example.com'"
        monkeypatch.setenv("GIT_CONFIG_PARAMETERS", words)
    elif place in ("global", "system"):
        monkeypatch.setenv(f"GIT_CONFIG_{place.upper()}", str(tmp_path / "user" / "ida"))
    elif place == "includeif":
        text = f'[includeIf "gitdir:{nobodys.parent}/"]\n\tpath = ida\n'
        repos.write(tmp_path / "user", {".gitconfig": text})
    else:
        with (nobodys / ".git" / "config").open("a") as file:
            file.write(section)
    assert await _author(nobodys, home) == "Ida <ida@example.com> Ida <ida@example.com>"


async def test_author_and_committer_are_two(
    source: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "bot@example.com")
    repos.git(source, "config", "author.email", "ada@example.com")
    wanted = "Ada <ada@example.com> Uma User <bot@example.com>"
    assert await _author(source, home) == wanted


async def test_nobody_is_guessed_with_use_config_only(nobodys: Path, home: Path) -> None:
    repos.git(nobodys, "config", "user.useConfigOnly", "true")
    here = await scene(nobodys, home)
    repos.write(here.root, {"new": "n\n"})
    for how in (ApplyMode.COMMIT, ApplyMode.MERGE):
        with pytest.raises(UserError) as raised:
            await here.apply(how)
        assert raised.value.code == "GIT_IDENTITY_MISSING"
    await here.apply(ApplyMode.EDITS)
    assert (nobodys / "new").read_text() == "n\n"


# Files that git does not look at


def hide(source: Path, how: str, name: str) -> None:
    """Change a file so that `git status` does not see it."""
    path = source / name
    before = path.stat()
    mine = "MINE\n" + path.read_text()[5:]
    if how in ("skip-worktree", "assume-unchanged"):
        repos.git(source, "update-index", f"--{how}", name)
    path.write_text(mine)
    if how == "racy":
        repos.git(source, "config", "core.trustctime", "false")
        repos.git(source, "config", "core.checkStat", "minimal")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if how == "deleted":
        repos.git(source, "update-index", "--assume-unchanged", name)
        path.unlink()


@pytest.mark.parametrize("how", ["skip-worktree", "assume-unchanged", "racy", "deleted", "mode"])
@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_hidden_work_is_never_overwritten(
    tmp_path: Path, home: Path, kind: str, how: str
) -> None:
    source = repos.repository(tmp_path / "s", {"a.txt": "1\n2\n3\n", "b": "b\n"})
    here = await scene(source, home, kind)
    repos.write(here.root, {"a.txt": "one\n2\n3\n", "b": "B\n"})
    if how == "mode":
        repos.git(source, "update-index", "--assume-unchanged", "a.txt")
        (source / "a.txt").chmod(0o755)
    else:
        hide(source, how, "a.txt")
    before = repos.files(source)
    error = await here.refused(ApplyMode.MERGE)
    assert "a.txt (" in error.message
    assert repos.files(source) == before
    if how != "mode":
        assert "a.txt (" in (await here.refused(ApplyMode.EDITS)).message
        assert repos.files(source) == before


async def test_a_hidden_file_that_is_as_committed_is_replaced_and_stays_hidden(
    tmp_path: Path, home: Path
) -> None:
    source = repos.repository(tmp_path / "s", {"a": "1\n", "b": "1\n"})
    repos.git(source, "update-index", "--skip-worktree", "a")
    repos.git(source, "update-index", "--assume-unchanged", "b")
    here = await scene(source, home)
    repos.write(here.root, {"a": "2\n", "b": "2\n"})
    await here.apply(ApplyMode.MERGE)
    assert repos.git(source, "show", "HEAD:a") == "2"
    assert repos.files(source) == repos.files(here.root)
    assert repos.git(source, "ls-files", "-v") == "S a\nh b"


async def test_hidden_work_is_brought_along(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {"a": "1\n", "b": "1\n", "c": "1\n"})
    repos.git(source, "update-index", "--skip-worktree", "a")
    repos.git(source, "update-index", "--assume-unchanged", "b")
    repos.write(source, {"a": "mine\n", "b": "mine\n"})
    here = await scene(source, home, include_uncommitted=True)
    assert repos.files(here.root) == repos.files(source)
    assert here.notices == ("2 uncommitted files of the source brought along",)


@pytest.mark.parametrize("how", ["kill -9 $$", "echo 'fatal: Out of memory' >&2; exit 128"])
@pytest.mark.parametrize("times", [1, 100])
async def test_settings_are_never_absent_because_git_was_killed(
    source: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    times: int,
) -> None:
    repos.git(source, "config", "core.fileMode", "false")
    repository = await find(source)
    wanted = await user_git_config(repository, home)
    assert not wanted.has_modes
    folder = tmp_path / "bin"
    folder.mkdir()
    script = f"""#!/bin/sh
echo x >>{folder}/ran
if [ $(wc -l <{folder}/ran) -le {times} ]; then {how}; fi
exec {shutil.which("git")} "$@"
"""
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr("engine.workspaces.git.user_git_config.AGAIN_S", 0)
    if times == 1:
        assert await user_git_config(repository, home) == wanted
        return
    with pytest.raises(UserError) as raised:
        await user_git_config(repository, home)
    assert raised.value.code == ("GIT_KILLED" if "kill" in how else "GIT_FAILED")


async def test_settings_are_never_absent_because_git_took_too_long(
    source: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = await find(source)
    repos.write(tmp_path / "bin", {"git": "#!/bin/sh\nexec sleep 60\n"})
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("engine.workspaces.git.user_git_config.LIMIT_S", 0.2)
    with pytest.raises(UserError) as raised:
        await user_git_config(repository, home)
    assert raised.value.code == "GIT_KILLED"


@pytest.mark.parametrize("setting", ["attribute", "core.autocrlf"])
@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_line_ends_that_were_committed_before_git_converted_them_stay(
    tmp_path: Path, home: Path, setting: str, how: ApplyMode
) -> None:
    """As git itself does it: such a file is no change, and keeps its CRLF when it is changed."""
    source = repos.repository(tmp_path / "s", {"c.txt": b"1\r\n2\r\n3\r\n", "l.txt": "1\n2\n"})
    if setting == "attribute":
        repos.write(source, {".gitattributes": "* text=auto\n"})
        repos.commit(source, "attributes")
    else:
        repos.git(source, "config", "core.autocrlf", "input")
    here = await scene(source, home)
    repos.write(here.root, {"c.txt": b"1\r\n2\r\nthree\r\n", "l.txt": b"1\r\ntwo\r\n"})
    await here.apply(how)
    if how is ApplyMode.EDITS:
        assert (source / "c.txt").read_bytes() == b"1\r\n2\r\nthree\r\n"
    else:
        of = here.branch if how is ApplyMode.COMMIT else "HEAD"
        assert repos.git(source, "show", f"{of}:c.txt") == "1\r\n2\r\nthree\r"
        assert repos.git(source, "show", f"{of}:l.txt") == "1\ntwo"
    if how is ApplyMode.MERGE:
        assert repos.git(source, "status", "--porcelain") == ""
