"""The review of runs by keys, with real runs, real workspaces and a real repository."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_engine import WIDE, painted, plain, screen_of, shown, toasts
from support import spec, supervising, until
from test_taking_home import git
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.model import Run, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from tui.app import SwarmApp
from tui.screens.apply import ApplyDialog
from tui.screens.changes import ChangesScreen
from tui.screens.confirm import ConfirmDialog
from tui.screens.runs import RunsScreen

LIMIT_S = 60
EIGHT = 8


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "source"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Uma")
    git(folder, "config", "user.email", "uma@example.com")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


async def ran(engine: Engine, source: Path, *scripts: Sequence[str]) -> list[Run]:
    """Start runs with these scripts one after another, and wait until all have ended."""
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    found = [
        await engine.start(spec(*lines, workspace=place, title=f"run {n}"))
        for n, lines in enumerate(scripts, start=1)
    ]
    ids = [run.id for run in found]
    await until(engine, lambda: all(engine.view.runs[one].finished_at for one in ids))
    return [engine.view.runs[one] for one in ids]


class Reviewer:
    """A user at the dashboard, whose keys are counted."""

    def __init__(self, app: SwarmApp, pilot: Pilot[None]) -> None:
        self.app, self._pilot = app, pilot
        self.keys = 0

    async def press(self, *keys: str) -> None:
        self.keys += len(keys)
        await self._pilot.press(*keys)

    async def sees(self, holds: Callable[[], object]) -> None:
        """Wait for what background work brings onto the screen."""
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                await self._pilot.pause(0.01)
        await painted(self._pilot)

    async def resize(self, width: int, height: int) -> None:
        await self._pilot.resize_terminal(width, height)
        await self._pilot.pause()

    @property
    def screen(self) -> ChangesScreen:
        assert isinstance(self.app.live_screen, ChangesScreen)
        return self.app.live_screen

    @property
    def is_reviewing(self) -> bool:
        return isinstance(self.app.live_screen, ChangesScreen)

    async def sees_run(self, place: str, *words: str) -> None:
        """Wait for a run's header, and for words of its diff."""
        await self.sees(lambda: self.is_reviewing and f"{place}  " in shown(self.app))
        for one in words:
            await self.sees(lambda text=one: text in shown(self.app))

    async def is_free(self) -> None:
        """Wait until nothing is being decided."""
        await self.sees(lambda: not self.screen.review.decisions.busy)


@asynccontextmanager
async def reviewing(engine: Engine, size: tuple[int, int] = WIDE) -> AsyncGenerator[Reviewer]:
    """The dashboard with its list of runs."""
    app = SwarmApp(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Reviewer(app, pilot)


async def test_eight_diffs_take_eight_keys_and_one_for_each_applied(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        scripts = [(f"write f{n}.txt text {n}",) for n in range(1, EIGHT + 1)]
        await ran(engine, source, *scripts)
        async with reviewing(engine) as user:
            await user.press("D")
            titles: list[str] = []
            for n in range(1, EIGHT + 1):
                await user.sees_run(f"{n}/{EIGHT}", "+ text ")
                titles.append(user.screen.run_title)
                if n < EIGHT:
                    await user.press("]")
            assert user.keys == EIGHT
            assert len(set(titles)) == EIGHT
            await user.press("[", "p", "n", "[")
            await user.sees_run(f"{EIGHT - 2}/{EIGHT}")
            user.keys = 0
            for left in range(EIGHT - 1, -1, -1):
                await user.press("a")
                await user.sees(
                    lambda left=left: (f"{left} left" if left else "all decided") in shown(user.app)
                )
                await user.is_free()
            assert user.keys == EIGHT
            assert "No run is left to review" in toasts(user.app)[-1]
            await user.press("escape")
            await user.sees(lambda: isinstance(user.app.screen, RunsScreen))
        assert sorted(path.name for path in source.glob("f*.txt")) == [
            f"f{n}.txt" for n in range(1, EIGHT + 1)
        ]


async def test_applied_rejected_and_dismissed_runs_are_undone_in_reverse_order(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, *[(f"write f{n}.txt {n}",) for n in range(1, 4)])
        view = engine.view.runs
        async with reviewing(engine) as user:
            await user.press("D")
            decided: list[str] = []
            for n, key in enumerate("axd", start=1):
                await user.sees_run(f"{n}/3", f"+ {4 - n}")
                decided.append(user.screen.run_id)
                await user.press(key)
                await user.sees(lambda n=n: len(user.screen.review.queue.undecided) == 3 - n)
                await user.is_free()
            first, second, third = decided
            assert view[first].is_applied
            assert view[second].in_trash
            assert view[third].is_dismissed
            assert (source / "f3.txt").exists()
            for n, run_id in enumerate(reversed(decided), start=1):
                await user.press("u")
                await user.sees(lambda n=n: len(user.screen.review.queue.undecided) == n)
                await user.is_free()
                assert user.screen.run_id == run_id
            assert not view[first].is_applied
            assert not view[second].in_trash
            assert not view[third].is_dismissed
            assert not (source / "f3.txt").exists()
            await user.press("u")
            await user.sees(lambda: "Nothing was changed here" in toasts(user.app)[-1])


async def test_apply_that_brings_nothing_new_is_no_decision(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, ("write b.txt b",), ("write b.txt b",))
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees_run("1/2", "+ b")
            await user.press("a")
            await user.sees_run("2/2", "+ b")
            await user.is_free()
            await user.press("a")
            await user.sees(lambda: any("nothing new" in one for one in toasts(user.app)))
            await user.is_free()
            new = [one for one in toasts(user.app) if "nothing new" in one]
            assert not any("u undoes" in one for one in new)
            run_id, view = user.screen.run_id, engine.view.runs
            await user.press("Z")
            await user.sees(lambda: view[run_id].is_archived)
            await user.sees(lambda: "archived" in toasts(user.app)[-1])
            await user.press("u")
            await user.sees(lambda: not view[run_id].is_archived)
            assert (source / "b.txt").exists()
            await user.is_free()
            await user.press("u")  # the apply that brought it
            await user.sees(lambda: not (source / "b.txt").exists())


async def test_conflict_opens_the_dialog_and_undo_is_refused_by_name(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, ("write a.txt two",), ("write b.txt b",))
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees_run("1/2", "b.txt")
            await user.press("a")
            await user.sees_run("2/2", "+ two")
            (source / "b.txt").write_text("mine\n")
            (source / "a.txt").write_text("three\n")
            await user.is_free()
            await user.press("u")
            await user.sees(lambda: "changed since: b.txt" in toasts(user.app)[-1])
            await user.is_free()
            assert (source / "b.txt").read_text() == "mine\n"
            await user.press("u")  # a decision that cannot be undone is reported once
            await user.sees(lambda: "Nothing was changed here" in toasts(user.app)[-1])
            git(source, "commit", "-qam", "third")
            await user.press("a")
            await user.sees(lambda: isinstance(user.app.screen, ApplyDialog))
            await user.sees(lambda: "does not fit" in plain(user.app))
            dialog = plain(user.app)
            assert "changed in the source" in dialog
            assert "R hands the conflict" in dialog
            assert "Commit or move" not in dialog
            await user.press("escape")
            await user.sees_run("2/2")
            await user.is_free()
            await user.press("A")
            await user.sees(lambda: isinstance(user.app.screen, ApplyDialog))
        assert (source / "a.txt").read_text() == "three\n"


async def test_changes_that_nobody_has_seen_are_not_applied(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        (run,) = await ran(engine, source, ("write b.txt b",))
        assert run.workspace
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees_run("1/1", "+ b")
            (Path(run.workspace.path) / "b.txt").write_text("other\n")
            await user.press("a")
            await user.sees(lambda: "+ other" in shown(user.app))
            await user.is_free()
            assert not (source / "b.txt").exists()
            await user.press("a")
            await user.sees(lambda: engine.view.runs[run.id].is_applied)
        assert (source / "b.txt").read_text() == "other\n"


async def unseen_changes_are_shown(user: Reviewer, run: Run) -> None:
    """Change a file before each key that applies: it is shown, and no dialog."""
    assert run.workspace
    for key in ("a", "A"):
        (Path(run.workspace.path) / "late.txt").write_text(f"newer {key}\n")
        await user.press(key)
        await user.sees(lambda key=key: f"newer {key}" in shown(user.app))
        await user.is_free()
        assert not isinstance(user.app.screen, ApplyDialog)


async def test_run_at_work_is_rejected_after_a_question_and_ended_runs_join(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, ("write b.txt b",))
        place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
        lines = ("write late.txt l", "hang")
        late = [
            await engine.start(spec(*lines, workspace=place, title=f"late {n}")) for n in (1, 2)
        ]
        async with reviewing(engine) as user:
            await user.sees(lambda: screen_of(user.app).browser.run)
            screen_of(user.app).reveal(late[0].id)
            await user.sees(lambda: engine.view.runs[late[1].id].changes.files)
            await user.press("D")
            await user.sees_run("–/1", "late.txt")
            await unseen_changes_are_shown(user, engine.view.runs[late[0].id])
            await user.press("a")  # never at once while the agent works
            await user.sees(lambda: isinstance(user.app.screen, ApplyDialog))
            await user.press("escape")
            await user.is_free()
            await user.press("x")
            await user.sees(lambda: isinstance(user.app.screen, ConfirmDialog))
            await user.press("x")
            await user.sees(lambda: engine.view.runs[late[0].id].in_trash)
            assert engine.view.runs[late[0].id].status is Status.CANCELLED
            await engine.cancel(late[1].id)
            await user.sees(lambda: len(user.screen.review.queue.ids) == 2)
            assert user.screen.review.queue.ids[-1] == late[1].id
            await user.sees(lambda: "/2  " in shown(user.app))


async def test_missing_workspace_is_named_and_the_next_run_is_reached(
    paths: Paths, source: Path
) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, ("write b.txt b",), ("write c.txt c",))
        async with reviewing(engine) as user:
            newest = screen_of(user.app).browser.run
            assert newest
            assert newest.workspace
            Path(newest.workspace.path).rename(source.parent / "elsewhere")
            await user.press("D")
            await user.sees_run("1/2", "gone")
            await user.press("n")
            await user.sees_run("2/2", "+ b")


async def test_marked_runs_are_the_queue(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        await ran(engine, source, *[(f"write f{n}.txt {n}",) for n in range(1, 5)])
        async with reviewing(engine) as user:
            await user.press("space", "space", "enter")
            await user.sees_run("–/2")
            await user.press("[")
            await user.sees_run("2/2", "+ 3")


def tree(user: Reviewer) -> list[str]:
    """Return the lines of the changed files, as they are drawn."""
    files = user.screen.files
    lines = [files.draw(line, 40).text for line in range(files.line_count)]
    return [" ".join(line.strip(" ▌").split()) for line in lines]


async def test_files_are_a_tree_that_folds_and_marks_of_reviewed_files_survive(
    paths: Paths, source: Path
) -> None:
    names = ("src/app/one.py", "src/app/two.py", "src/lib/deep/er.py", "z.txt")
    async with supervising(paths) as engine:
        (run,) = await ran(engine, source, [f"write {name} text" for name in names])
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees_run("1/1", "one.py")
            assert tree(user) == [
                "▾ src/ 3",
                "▾ app/ 2",
                "A one.py +1 −0",
                "A two.py +1 −0",
                "▾ lib/deep/ 1",
                "A er.py +1 −0",
                "A z.txt +1 −0",
            ]
            await user.press("space")
            await user.sees(lambda: "1/4 files reviewed" in shown(user.app))
            assert user.screen.files.file
            assert user.screen.files.file.path == "src/app/two.py"
            await user.press("k", "k", "space")  # on the folder: the rest of it
            await user.sees(lambda: "2/4 files reviewed" in shown(user.app))
            assert tree(user)[1:4] == ["▾ app/ 2 ✓", "A one.py +1 −0 ✓", "A two.py +1 −0 ✓"]
            assert user.screen.files.file.path == "src/lib/deep/er.py"
            await user.press("g", "enter")
            assert tree(user) == ["▸ src/ 3", "A z.txt +1 −0"]
            await user.press("{", "{")
            assert len(tree(user)) == 7
            await user.press("O")
            assert tree(user)[0] == "A src/app/one.py +1 −0 ✓"
    async with supervising(paths) as engine:
        assert run.workspace
        (Path(run.workspace.path) / "src/app/one.py").write_text("other\n")
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees(lambda: "1/4 files reviewed" in shown(user.app))
        assert [one.path for one in engine.view.runs[run.id].reviewed] == list(names[:2])


async def test_five_hundred_files_and_names_of_any_bytes(paths: Paths, source: Path) -> None:
    async with supervising(paths) as engine:
        (run,) = await ran(engine, source, ("write a.txt two",))
        assert run.workspace
        root = Path(run.workspace.path)
        for n in range(500):
            (root / f"d{n % 25}").mkdir(exist_ok=True)
            (root / f"d{n % 25}" / f"f{n}.txt").write_text(f"line {n}\n")
        strange = os.fsdecode(b"b\xff\n\x1b[31m.txt")
        (root / strange).write_bytes(b"\xfe\n")
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees(lambda: "502 files" in shown(user.app))
            await user.press("}")
            await user.sees(lambda: user.screen.code.path == strange)
            await user.press("space")
            await user.sees(lambda: engine.view.runs[run.id].reviewed)
            assert engine.view.runs[run.id].reviewed[0].file == strange
            await user.sees(lambda: user.screen.code.path == "d0/f0.txt")
            assert "\x1b" not in shown(user.app)


async def test_names_and_all_diffs_are_searched(paths: Paths, source: Path) -> None:
    scripts = ("write a/xray.txt one", "write b.txt an x-RAY", "write c.txt three")
    async with supervising(paths) as engine:
        await ran(engine, source, scripts)
        async with reviewing(engine) as user:
            await user.press("D")
            await user.sees_run("1/1", "b.txt")
            await user.press("slash", *"ray", "enter")
            await user.sees(lambda: "1 of 2" in shown(user.app))
            assert user.screen.code.path == "a/xray.txt"
            await user.press("enter")
            await user.sees(lambda: "2 of 2" in shown(user.app))
            assert user.screen.code.path == "b.txt"
            assert user.screen.code.cursor_line == 1
            for key, place in (("up", "1 of 2"), ("up", "2 of 2"), ("down", "1 of 2")):
                await user.press(key)
                await user.sees(lambda place=place: place in shown(user.app))
            await user.press("escape", "escape")
            await user.sees(lambda: isinstance(user.app.screen, RunsScreen))
            assert not any(run.is_applied for run in engine.view.runs.values())


async def test_more_of_the_message_is_shown_where_there_is_room(paths: Paths, source: Path) -> None:
    said = "say " + "\\n".join(f"line {n}" for n in range(1, 7))
    async with supervising(paths) as engine:
        await ran(engine, source, ("write b.txt b", said))
        async with reviewing(engine, (160, 45)) as user:
            await user.press("D")
            await user.sees_run("1/1", "line 4")
            assert "line 5" not in shown(user.app)
            await user.resize(80, 24)
            await user.sees(lambda: "line 1" in shown(user.app) and "line 2" not in shown(user.app))
            await user.press("i")
            await user.sees(lambda: "line 6" in shown(user.app))
