"""A run's changes taken home again and again: only what is new comes, without a conflict."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import repos
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_apply import LINES, Scene, scene, state

from engine.workspaces.apply.apply import ApplyMode

WAYS = [ApplyMode.EDITS, ApplyMode.COMMIT, ApplyMode.MERGE]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {"a.txt": LINES, "gone": "x\n", "b/b.txt": "b\n"})


def change(root: Path, *pairs: tuple[str, str], path: str = "a.txt") -> None:
    """Replace lines of a file."""
    text = (root / path).read_text()
    for old, new in pairs:
        assert f"{old}\n" in text
        text = text.replace(f"{old}\n", f"{new}\n")
    (root / path).write_text(text)


def arrived(here: Scene, how: ApplyMode) -> Callable[[str], str]:
    """Return a reader of the files as they are at home."""
    if how is ApplyMode.COMMIT:
        return lambda path: repos.git(here.source, "show", f"{here.branch}:{path}") + "\n"
    return lambda path: (here.source / path).read_text()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", ["worktree", "copy"])
async def test_twice_is_once(source: Path, home: Path, kind: str, how: ApplyMode) -> None:
    here = await scene(source, home, kind)
    here.branch = here.branch or "swarm/copy"
    change(here.root, ("line 3", "LINE 3"))
    repos.write(here.root, {"new": "n\n"})
    assert (await here.apply(how)).files == ("a.txt", "new")
    before = state(source)
    assert (await here.apply(how)).files == ()
    assert state(source) == before


@pytest.mark.parametrize("how", WAYS)
async def test_what_came_later_comes_without_a_conflict(
    source: Path, home: Path, how: ApplyMode
) -> None:
    here = await scene(source, home)
    change(here.root, ("line 3", "LINE 3"), ("line 9", "LINE 9"))
    repos.write(here.root, {"new": "n\n", "brief": "b\n"})
    (here.root / "gone").unlink()
    await here.apply(how)
    change(here.root, ("LINE 3", "Line three"), ("LINE 9", "line 9"))
    repos.write(here.root, {"new": "n\nm\n", "gone": "back\n", "b/b.txt": "B\n"})
    (here.root / "brief").unlink()
    told = await here.check(how)
    done = await here.apply(how)
    assert told.files == done.files == ("a.txt", "b/b.txt", "brief", "gone", "new")
    read = arrived(here, how)
    assert read("a.txt") == LINES.replace("line 3\n", "Line three\n")
    assert (read("new"), read("gone"), read("b/b.txt")) == ("n\nm\n", "back\n", "B\n")
    assert not (source / "brief").exists()


@pytest.mark.parametrize("is_committed", [True, False])
async def test_what_was_merged_into_my_version_is_not_taken_for_mine(
    source: Path, home: Path, is_committed: bool
) -> None:
    here = await scene(source, home)
    change(source, ("line 20", "my 20"))
    repos.commit(source, "mine")
    change(here.root, ("line 3", "LINE 3"))
    await here.apply()
    if is_committed:
        repos.commit(source, "the run's")
    change(here.root, ("LINE 3", "Line three"), ("line 12", "LINE 12"))
    await here.apply()
    wanted = LINES.replace("line 20", "my 20").replace("line 12", "LINE 12")
    assert (source / "a.txt").read_text() == wanted.replace("line 3\n", "Line three\n")


async def test_what_i_made_of_it_stays(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root, ("line 3", "LINE 3"), ("line 9", "LINE 9"))
    await here.apply()
    change(source, ("LINE 3", "tidied 3"))
    # Nothing new: nothing is in the way, not even what I have not committed.
    assert (await here.apply()).files == ()
    change(here.root, ("line 12", "LINE 12"))
    await here.refused(ApplyMode.EDITS, "a.txt (has uncommitted changes here)")
    repos.commit(source, "tidied")
    await here.apply()
    text = (source / "a.txt").read_text()
    assert "tidied 3\n" in text
    assert "LINE 9\n" in text
    assert "LINE 12\n" in text
    change(here.root, ("LINE 3", "Line three"))
    repos.commit(source, "more")
    await here.refused(ApplyMode.EDITS, "a.txt (changed here and in the run)")


@pytest.mark.parametrize("how", [ApplyMode.EDITS, ApplyMode.MERGE])
async def test_what_i_threw_away_comes_again(source: Path, home: Path, how: ApplyMode) -> None:
    here = await scene(source, home)
    change(here.root, ("line 3", "LINE 3"))
    repos.write(here.root, {"new": "n\n"})
    start = repos.git(source, "rev-parse", "HEAD")
    await here.apply(how)
    repos.git(source, "reset", "-q", "--hard", start)
    repos.git(source, "clean", "-qfd")
    change(source, ("line 25", "mine"))
    repos.commit(source, "elsewhere in the file")
    change(here.root, ("line 12", "LINE 12"))
    await here.apply(how)
    wanted = LINES.replace("line 3\n", "LINE 3\n").replace("line 12", "LINE 12")
    assert (source / "a.txt").read_text() == wanted.replace("line 25", "mine")
    assert (source / "new").exists()


@pytest.mark.parametrize("is_committed", [False, True])
async def test_lines_that_i_threw_away_and_changed_conflict_and_are_not_left_out(
    source: Path, home: Path, is_committed: bool
) -> None:
    here = await scene(source, home)
    change(here.root, ("line 3", "LINE 3"))
    repos.write(here.root, {"b/b.txt": "B\n"})
    await here.apply()
    repos.git(source, "checkout", "-q", ".")
    repos.write(source, {"b/b.txt": "b\nmine\n"})
    if is_committed:
        repos.commit(source, "mine")
    why = "changed here and in the run" if is_committed else "has uncommitted changes here"
    await here.refused(ApplyMode.EDITS, f"b/b.txt ({why})")
    assert (source / "a.txt").read_text() == LINES


async def test_another_branch_has_nothing_of_it_yet(source: Path, home: Path) -> None:
    here = await scene(source, home)
    repos.git(source, "branch", "other")
    change(here.root, ("line 3", "LINE 3"), ("line 9", "LINE 9"))
    await here.apply()
    repos.commit(source, "the run's")
    repos.git(source, "checkout", "-q", "other")
    change(source, ("line 3", "theirs"))
    repos.commit(source, "theirs")
    change(here.root, ("line 12", "LINE 12"))
    await here.refused(ApplyMode.EDITS, "a.txt (changed here and in the run)")


async def test_home_as_edits_then_as_a_merge(source: Path, home: Path) -> None:
    here = await scene(source, home)
    change(here.root, ("line 3", "LINE 3"))
    await here.apply(ApplyMode.EDITS)
    repos.commit(source, "mine now")
    change(here.root, ("LINE 3", "Line three"))
    await here.apply(ApplyMode.MERGE)
    assert (source / "a.txt").read_text() == LINES.replace("line 3\n", "Line three\n")
    assert repos.git(source, "status", "--porcelain") == ""


async def test_a_plain_folder_again(tmp_path: Path, home: Path) -> None:
    source = tmp_path / "plain"
    repos.write(source, {"a.txt": LINES, "mine": "m\n"})
    here = await scene(source, home, "copy")
    change(here.root, ("line 3", "LINE 3"))
    await here.apply()
    change(here.root, ("LINE 3", "Line three"))
    repos.write(source, {"mine": "m2\n"})
    await here.apply()
    assert repos.files(source) == repos.files(here.root) | {"mine": ("file", 0, b"m2\n")}
    change(here.root, ("line 4", "LINE 4"))
    change(source, ("line 9", "mine"))
    await here.refused(ApplyMode.EDITS, "a.txt (has changed here since the run began)")


async def test_line_ends_again(tmp_path: Path, home: Path) -> None:
    source = repos.repository(tmp_path / "s", {".gitattributes": "* text=auto eol=crlf\n"})
    repos.write(source, {"a.txt": "one\r\ntwo\r\n"})
    repos.commit(source, "text")
    here = await scene(source, home)
    repos.write(here.root, {"a.txt": "ONE\r\ntwo\r\n"})
    await here.apply(ApplyMode.MERGE)
    repos.write(here.root, {"a.txt": "Eins\r\ntwo\r\n"})
    await here.apply(ApplyMode.MERGE)
    assert (source / "a.txt").read_bytes() == b"Eins\r\ntwo\r\n"
    assert repos.git(source, "show", "HEAD:a.txt") == "Eins\ntwo"


names = st.sampled_from(["a", "b", "c"])
texts = st.lists(st.sampled_from("123456"), min_size=3, max_size=9).map("\n".join)
layouts = st.dictionaries(names, texts, max_size=3)


def lay(root: Path, layout: dict[str, str]) -> None:
    for name in ("a", "b", "c"):
        (root / name).unlink(missing_ok=True)
    repos.write(root, {name: f"{text}\n" for name, text in layout.items()})


async def play(
    folder: Path, base: dict[str, str], steps: list[dict[str, str]], how: ApplyMode
) -> None:
    source = repos.repository(folder / "s", {"other": "o\n"})
    lay(source, base)
    repos.commit(source, "base")
    here = await scene(source, folder / "home")
    for step in steps:
        lay(here.root, step)
        told = await here.check(how)
        assert told.fits
        assert (await here.apply(how)).files == told.files
        if how is ApplyMode.COMMIT:
            # The run's worktree stands at its branch, which has all of it.
            assert repos.git(here.root, "status", "--porcelain") == ""
        else:
            assert repos.files(source) == repos.files(here.root)
        assert (await here.check(how)).files == ()


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layouts, st.lists(layouts, min_size=2, max_size=3), st.sampled_from(WAYS))
def test_apply_more_changes_apply_brings_it_all(
    base: dict[str, str], steps: list[dict[str, str]], how: ApplyMode
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), base, steps, how))


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
async def test_later_work_of_a_copy_fits_after_any_first_way(
    source: Path, home: Path, first: ApplyMode, second: ApplyMode
) -> None:
    here = await scene(source, home, "copy")
    committing = (ApplyMode.COMMIT,)
    here.branch = "swarm/copy" if first in committing else None
    change(here.root, ("line 3", "LINE 3"), ("line 9", "LINE 9"))
    repos.write(here.root, {"new": "n\n"})
    await here.apply(first)
    if first is ApplyMode.EDITS:
        repos.commit(source, "the run's edits")
    change(here.root, ("LINE 3", "Line three"), ("line 12", "LINE 12"))
    repos.write(here.root, {"new": "n\nm\n"})
    here.branch = "swarm/copy" if second in committing else None
    assert (await here.apply(second)).fits
    read = arrived(here, second)
    wanted = LINES.replace("line 3\n", "Line three\n").replace("line 9\n", "LINE 9\n")
    assert read("a.txt") == wanted.replace("line 12\n", "LINE 12\n")
    assert read("new") == "n\nm\n"


async def test_a_branch_of_a_copy_has_all_where_edits_were_never_committed(
    source: Path, home: Path
) -> None:
    here = await scene(source, home, "copy")
    change(here.root, ("line 3", "LINE 3"))
    await here.apply(ApplyMode.EDITS)
    change(here.root, ("line 12", "LINE 12"))
    here.branch = "swarm/copy"
    await here.apply(ApplyMode.COMMIT)
    read = arrived(here, ApplyMode.COMMIT)
    wanted = LINES.replace("line 3\n", "LINE 3\n").replace("line 12\n", "LINE 12\n")
    assert read("a.txt") == wanted
