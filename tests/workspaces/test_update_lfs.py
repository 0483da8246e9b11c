"""Updates in a repository with Git LFS: contents, not pointers, wherever they are on this disk.

The filter is a stand-in, which keeps contents and reads its variable as `git lfs` 3.3 does.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import repos
from scenes import Scene, scene
from test_update import update

from engine.domain.errors import UserError
from engine.workspaces.apply.apply import ApplyMode
from engine.workspaces.git.filters import POINTER

CLEAN = r"""#!/bin/sh
cat >"$STORE/new"
case "$(head -c 40 "$STORE/new")" in 'version https://git-lfs'*) cat "$STORE/new"; exit ;; esac
oid=$(sha256sum <"$STORE/new" | cut -d' ' -f1)
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 1\n' "$oid"
mv "$STORE/new" "$STORE/$oid"
"""
SMUDGE = r"""#!/bin/sh
pointer=$(cat)
file="$STORE/$(printf '%s\n' "$pointer" | sed -n 's/^oid sha256://p')"
if [ -f "$file" ]; then cat "$file"; exit; fi
[ "$GIT_LFS_SKIP_DOWNLOAD_ERRORS" = 1 ] || exit 2
printf '%s\n' "$pointer"
"""


@pytest.fixture
def contents(tmp_path: Path) -> Path:
    """The folder of the contents; the filter is in the user's own configuration."""
    folder = tmp_path / "lfs"
    folder.mkdir()
    for name, text in (("clean", CLEAN), ("smudge", SMUDGE)):
        program = tmp_path / name
        program.write_text(text.replace("$STORE", str(folder)))
        program.chmod(0o755)
    repos.write(tmp_path / "user", {".gitconfig": section(tmp_path)})
    return folder


@pytest.fixture
def source(tmp_path: Path, contents: Path) -> Path:
    path = repos.repository(
        tmp_path / "s", {"a.txt": "a\n", ".gitattributes": "*.bin filter=lfs\n"}
    )
    with (path / ".git" / "config").open("a") as file:
        file.write(section(tmp_path))
    repos.write(path, {"big.bin": "big\n", "own.bin": "own\n"})
    repos.commit(path, "large files")
    assert repos.git(path, "cat-file", "-p", "HEAD:big.bin").startswith(POINTER.decode())
    return path


def section(folder: Path) -> str:
    return f'[filter "lfs"]\n\tclean = {folder}/clean\n\tsmudge = {folder}/smudge\n'


def advance(source: Path, **files: str) -> None:
    repos.write(source, {f"{name}.bin": text for name, text in files.items()})
    repos.commit(source, "newer")


def texts(here: Scene, *names: str) -> list[str]:
    return [(here.root / f"{name}.bin").read_text() for name in names]


@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_update_brings_the_contents_of_large_files(
    source: Path, home: Path, kind: str
) -> None:
    here = await scene(source, home, kind)
    repos.write(here.root, {"own.bin": "of the run\n"})
    advance(source, big="bigger\n", new="new\n")
    done = await update(here)
    assert (done.files, done.pointers) == (("big.bin", "new.bin"), ())
    assert texts(here, "big", "new", "own") == ["bigger\n", "new\n", "of the run\n"]
    assert await here.changed() == ["own.bin"]
    here.branch = here.branch or "swarm/r1"
    made = await here.apply(ApplyMode.COMMIT)
    assert made.files == ("own.bin",)
    stored = repos.git(source, "cat-file", "-p", f"{made.commit}:own.bin")
    assert stored.startswith(POINTER.decode())


async def test_conflict_of_large_files_has_markers_between_their_contents(
    source: Path, home: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"own.bin": "of the run\n"})
    advance(source, own="of the base\n")
    with pytest.raises(UserError, match=r"own\.bin"):
        await update(here)
    await update(here, markers=True)
    (text,) = texts(here, "own")
    assert "of the run" in text and "of the base" in text and POINTER.decode() not in text


async def test_contents_that_are_not_on_this_disk_stay_pointers_and_are_named(
    source: Path, home: Path, contents: Path
) -> None:
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": "A\n"})
    there = set(contents.iterdir())
    advance(source, big="bigger\n", new="new\n")
    for one in set(contents.iterdir()) - there:
        one.unlink()  # as after `git fetch`, which brings pointers alone
    done = await update(here)
    assert done.pointers == ("big.bin", "new.bin")
    assert all(text.startswith(POINTER.decode()) for text in texts(here, "big", "new"))
    assert await here.changed() == ["a.txt"]
