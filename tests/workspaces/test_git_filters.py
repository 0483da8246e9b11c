"""Filters: the user's own run where git runs them, a repository's never; content is never raw."""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from scenes import Scene, scene

from engine.workspaces.apply.apply import ApplyMode

# A stand-in for Git LFS: what git stores has each letter turned, after a line that says so.
CLEAN = """#!/bin/sh
echo clean >>"$RAN"
data=$(cat; echo x)
case "$data" in
  stored:*) printf %s "${data%x}" ;;
  *) printf 'stored:'; printf %s "${data%x}" | tr a-z n-za-m ;;
esac
"""
SMUDGE = """#!/bin/sh
echo smudge >>"$RAN"
data=$(cat; echo x)
data="${data#stored:}"
printf %s "${data%x}" | tr a-z n-za-m
"""
ATTRIBUTES = "*.bin filter=rot\n"


class Filter:
    """The filter's programs, and how often each ran."""

    def __init__(self, folder: Path) -> None:
        self.ran = folder / "ran"
        self.ran.touch()
        for name, text in (("clean", CLEAN), ("smudge", SMUDGE)):
            (folder / name).write_text(text.replace("$RAN", str(self.ran)))
            (folder / name).chmod(0o755)
        self.folder = folder

    def section(self, **more: str) -> str:
        """The lines of a configuration that define it."""
        parts = {"clean": f"{self.folder}/clean", "smudge": f"{self.folder}/smudge", **more}
        lines = "".join(f"\t{key} = {value}\n" for key, value in parts.items() if value)
        return f'[filter "rot"]\n{lines}'

    def define(self, tmp_path: Path, **more: str) -> None:
        """Define it in the user's own configuration."""
        repos.write(tmp_path / "user", {".gitconfig": self.section(**more)})


@pytest.fixture
def rot(tmp_path: Path) -> Filter:
    folder = tmp_path / "filter"
    folder.mkdir()
    return Filter(folder)


@pytest.fixture
def source(tmp_path: Path, rot: Filter) -> Path:
    """A repository with a filtered file, as it is after the user's own git cloned it."""
    path = repos.repository(tmp_path / "s", {"a.txt": "a\n", ".gitattributes": ATTRIBUTES})
    with (path / ".git" / "config").open("a") as file:
        file.write(rot.section())
    repos.write(path, {"x.bin": "hello\n", "y.bin": "more\n"})
    repos.commit(path, "filtered")
    assert stored(path, "HEAD:x.bin") == "stored:uryyb"
    repos.git(path, "config", "--remove-section", "filter.rot")
    rot.ran.write_text("")
    return path


def stored(source: Path, what: str) -> str:
    return repos.git(source, "cat-file", "-p", what)


def use_in_repository(source: Path, rot: Filter, **more: str) -> None:
    with (source / ".git" / "config").open("a") as file:
        file.write(rot.section(**more))


def work(here: Scene) -> None:
    repos.write(here.root, {"x.bin": "hullo\n", "new.bin": "new\n", "a.txt": "A\n"})


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
@pytest.mark.parametrize("kind", ["worktree", "copy", "in-place"])
async def test_the_users_filter_stores_and_lays_out(
    source: Path, home: Path, tmp_path: Path, rot: Filter, kind: str, how: ApplyMode
) -> None:
    if kind == "in-place" and how is ApplyMode.MERGE:
        pytest.skip("what is in place is not merged")
    rot.define(tmp_path)
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/r1"
    assert (here.root / "x.bin").read_text() == "hello\n"
    assert here.notices == ()
    if kind == "worktree":
        assert "smudge" in rot.ran.read_text()
    work(here)
    assert await here.changed() == ["a.txt", "new.bin", "x.bin"]
    await here.apply(how)
    of = "HEAD" if how is ApplyMode.MERGE else "swarm/r1"
    assert stored(source, f"{of}:x.bin") == "stored:uhyyb"
    assert stored(source, f"{of}:new.bin") == "stored:arj"
    assert stored(source, f"{of}:y.bin") == "stored:zber"
    if how is ApplyMode.MERGE:
        assert (source / "x.bin").read_text() == "hullo\n"
        use_in_repository(source, rot)
        assert repos.git(source, "status", "--porcelain") == ""


async def test_edits_and_patches_move_files_as_they_are(
    source: Path, home: Path, tmp_path: Path, rot: Filter
) -> None:
    rot.define(tmp_path)
    here = await scene(source, home)
    work(here)
    await here.apply(ApplyMode.EDITS)
    assert (source / "x.bin").read_text() == "hullo\n"
    assert (source / "new.bin").read_text() == "new\n"


@pytest.mark.parametrize(
    ("kind", "defined"),
    [
        ("worktree", "repository"),
        ("copy", "repository"),
        ("worktree", "nowhere"),
        ("worktree", "worktree-config"),
        ("copy", "included"),
    ],
)
async def test_a_filter_of_the_repository_never_runs_and_its_files_are_refused(
    source: Path, home: Path, tmp_path: Path, rot: Filter, kind: str, defined: str
) -> None:
    if defined == "repository":
        use_in_repository(source, rot, required="true", process=str(rot.folder / "clean"))
    elif defined == "worktree-config":
        repos.git(source, "config", "extensions.worktreeConfig", "true")
        (source / ".git" / "config.worktree").write_text(rot.section())
    elif defined == "included":
        (tmp_path / "more").write_text(rot.section())
        repos.git(source, "config", "include.path", str(tmp_path / "more"))
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/r1"
    if kind == "worktree":
        assert (here.root / "x.bin").read_text() == "stored:uryyb\n"
        assert [notice for notice in here.notices if "filters" in notice]
    before = (here.root / "x.bin").read_bytes()
    work(here)
    head = repos.git(source, "rev-parse", "HEAD")
    for how in (ApplyMode.COMMIT, ApplyMode.MERGE):
        error = await here.refused(how)
        assert error.code == "FILTER_NOT_RUN"
        reason = "is not installed" if defined == "nowhere" else "only the repository defines"
        assert f"x.bin (needs the filter rot, which {reason}" in error.message
        assert "new.bin (needs" in error.message
        assert "a.txt" not in error.message
    assert repos.git(source, "rev-parse", "HEAD") == head
    assert rot.ran.read_text() == ""
    # A file that needs a filter and did not change is no matter.
    (here.root / "x.bin").write_bytes(before)
    (here.root / "new.bin").unlink()
    await here.apply(ApplyMode.COMMIT)
    assert stored(source, "swarm/r1:x.bin") == "stored:uryyb"
    assert stored(source, "swarm/r1:a.txt") == "A"
    assert rot.ran.read_text() == ""


async def test_a_part_that_only_the_repository_defines_is_not_run(
    source: Path, home: Path, tmp_path: Path, rot: Filter
) -> None:
    rot.define(tmp_path, clean="")
    use_in_repository(source, rot, smudge="false")
    here = await scene(source, home)
    work(here)
    assert (await here.refused(ApplyMode.MERGE)).code == "FILTER_NOT_RUN"
    assert "clean" not in rot.ran.read_text()


@pytest.mark.parametrize("place", ["system", "environment", "included"])
async def test_every_place_of_the_users_own_counts(
    source: Path,
    home: Path,
    tmp_path: Path,
    rot: Filter,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if place == "environment":
        monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
        for number, part in enumerate(("clean", "smudge")):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"filter.rot.{part}")
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", f"{rot.folder}/{part}")
    elif place == "system":
        (tmp_path / "system").write_text(rot.section())
        monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "system"))
    else:
        (tmp_path / "more").write_text(rot.section())
        text = f'[includeIf "gitdir:{source}/.git"]\n\tpath = {tmp_path}/more\n'
        repos.write(tmp_path / "user", {".gitconfig": text})
    # What the repository says of the same filter does not count.
    repos.git(source, "config", "filter.rot.clean", "false")
    here = await scene(source, home)
    repos.write(here.root, {"x.bin": "hullo\n"})
    await here.apply(ApplyMode.COMMIT)
    assert stored(source, "swarm/r1:x.bin") == "stored:uhyyb"


async def test_a_filter_that_fails_stops_no_run_and_commits_nothing_raw(
    source: Path, home: Path, tmp_path: Path, rot: Filter
) -> None:
    rot.define(tmp_path, clean="exit 1 #", smudge="exit 1 #")
    here = await scene(source, home)
    assert (here.root / "x.bin").read_text() == "stored:uryyb\n"
    assert "a filter failed" in here.notices[0]
    work(here)
    error = await here.refused(ApplyMode.COMMIT)
    assert error.code == "FILTER_NOT_RUN"
    assert "x.bin (git cannot convert it" in error.message


async def test_attributes_that_the_agent_adds_count(
    tmp_path: Path, home: Path, rot: Filter
) -> None:
    source = repos.repository(tmp_path / "plain", {"a.txt": "a\n", "old.bin": "old\n"})
    rot.define(tmp_path)
    here = await scene(source, home)
    repos.write(here.root, {"d/.gitattributes": ATTRIBUTES, "d/x.bin": "hello\n", "y.bin": "y\n"})
    await here.apply(ApplyMode.MERGE)
    assert stored(source, "HEAD:d/x.bin") == "stored:uryyb"
    assert stored(source, "HEAD:y.bin") == "y"
    assert (source / "d" / "x.bin").read_text() == "hello\n"


async def test_content_of_git_lfs_is_kept_in_the_users_repository(
    source: Path, home: Path, tmp_path: Path, rot: Filter
) -> None:
    # Git LFS asks git where it stores content; in a private git directory it would be lost.
    script = rot.folder / "clean"
    text = script.read_text().replace("#!/bin/sh", "#!/bin/sh\ngit config lfs.storage >&2\n")
    script.write_text(text.replace(">&2", f">>{tmp_path}/storage"))
    rot.define(tmp_path)
    here = await scene(source, home)
    work(here)
    await here.apply(ApplyMode.COMMIT)
    assert set((tmp_path / "storage").read_text().split()) == {f"{source}/.git/lfs"}


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_idents_and_encodings(tmp_path: Path, home: Path, how: ApplyMode) -> None:
    source = repos.repository(
        tmp_path / "plain",
        {
            ".gitattributes": "*.id ident\n*.u16 text working-tree-encoding=UTF-16LE\n",
            "a.id": "$Id$\nx\n",
            "b.u16": "grün\n".encode("utf-16-le"),
        },
    )
    here = await scene(source, home)
    assert "$Id: " in (here.root / "a.id").read_text()
    assert (here.root / "b.u16").read_bytes() == "grün\n".encode("utf-16-le")
    text = (here.root / "a.id").read_text().replace("x\n", "y\n")
    repos.write(here.root, {"a.id": text, "b.u16": "blau\n".encode("utf-16-le")})
    await here.apply(how)
    of = "HEAD" if how is ApplyMode.MERGE else "swarm/r1"
    assert stored(source, f"{of}:a.id") == "$Id$\ny"
    assert stored(source, f"{of}:b.u16") == "blau"
    if how is ApplyMode.MERGE:
        assert (source / "b.u16").read_bytes() == "blau\n".encode("utf-16-le")
        assert repos.git(source, "status", "--porcelain") == ""


async def test_no_list_of_processes_shows_the_users_filters(
    source: Path, home: Path, tmp_path: Path, rot: Filter
) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("there is no /proc here")
    rot.define(tmp_path)
    for name in ("clean", "smudge"):
        script = f"#!/bin/sh\ntr '\\0' ' ' </proc/$PPID/cmdline >>{rot.ran}\nexec cat\n"
        (rot.folder / name).write_text(script)
    here = await scene(source, home)
    work(here)
    await here.apply(ApplyMode.COMMIT)
    assert "hash-object" in rot.ran.read_text()
    assert str(rot.folder) not in rot.ran.read_text()
