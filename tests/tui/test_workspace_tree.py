from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import pytest
from bare_app import BareApp, CountingPaint
from fake_engine import LIMIT_S
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.pilot import Pilot

from engine.domain.errors import user_error
from engine.domain.events import FileChange
from engine.domain.text import printable_name
from engine.engine import Changes, TreeEntry
from engine.workspaces.checkpoints.changes import ChangeKind, FileDelta
from engine.workspaces.files.tree import list_files, list_folder, sizes_of
from tui.widgets.files.workspace_tree import WorkspaceTree


@dataclass(frozen=True)
class File:
    path: str
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int | None = 1536

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Disk:
    """A workspace in memory that counts how often each folder is listed."""

    def __init__(self, *files: File) -> None:
        self.entries = list(files)
        self.listed: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.deltas: list[FileDelta] | None = None
        self.sized: Counter[str] = Counter()
        self.measured = self.searched = 0

    async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[File]:
        await asyncio.sleep(0)
        self.listed[path] += 1
        if path in self.broken:
            raise user_error("WORKSPACE_MISSING", f"{path} cannot be listed.")
        return [file for file in self.entries if file.path.rpartition("/")[0] == path]

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        await asyncio.sleep(0)
        self.sized.update(paths)
        return dict.fromkeys(paths, 2048)

    async def files(self, run: str) -> list[File]:
        await asyncio.sleep(0)
        self.searched += 1
        return [file for file in self.entries if not file.is_folder]

    async def changes(self, run: str) -> Changes:
        await asyncio.sleep(0)
        self.measured += 1
        if self.deltas is None:
            raise user_error("WORKSPACE_MISSING")
        return Changes(tuple(self.deltas))


class Counting(WorkspaceTree):
    drawn = 0

    def __init__(self) -> None:
        super().__init__()
        self.paint = CountingPaint(self, self._count_drawn)

    def _count_drawn(self, key: object) -> None:
        del key
        self.drawn += 1


class Host(BareApp):
    def __init__(self) -> None:
        super().__init__()
        self.files_tree = Counting()
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.files_tree

    def on_workspace_tree_file_opened(self, message: WorkspaceTree.FileOpened) -> None:
        self.opened.append(message.path)


def small() -> Disk:
    return Disk(
        File("src", is_folder=True),
        File("src/auth", is_folder=True),
        File("src/auth/clock.py"),
        File("src/main.py"),
        File("etc", is_link=True),
        File("README.md"),
    )


def lines(tree: WorkspaceTree) -> list[str]:
    return [tree.render_line(y).text.rstrip() for y in range(min(tree.page, tree.line_count))]


async def settled(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_folders_are_listed_when_they_are_opened_and_shown_as_they_were_meanwhile() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        assert [text.split()[:2] for text in lines(app.files_tree)] == [
            ["▌▸", "src"], ["etc", "⇢"], ["README.md", "1.5"],
        ]  # fmt: skip
        assert disk.listed == {"": 1}
        await pilot.press("right")
        await settled(pilot)
        await pilot.press("j", "enter")
        await settled(pilot)
        assert [text[1:].split()[-3] for text in lines(app.files_tree)[2:4]] == [
            "clock.py",
            "main.py",
        ]
        assert disk.listed == {"": 1, "src": 1, "src/auth": 1}
        await pilot.press("left", "left", "left", "right")
        assert len(lines(app.files_tree)) == 5
        await settled(pilot)
        assert disk.listed == {"": 1, "src": 2, "src/auth": 1}
        assert app.files_tree.cursor_path == "src"
        assert len(lines(app.files_tree)) == 5


async def test_enter_opens_files_and_never_follows_links() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.press("G", "enter", "k", "enter", "enter")
        await settled(pilot)
        assert app.opened == ["README.md", "etc", "etc"]
        assert disk.listed == {"": 1}
        assert "⇢ link" in lines(app.files_tree)[1]


async def test_mouse() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.pause()
        await pilot.click(WorkspaceTree, offset=(2, 1))
        await settled(pilot)
        assert len(lines(app.files_tree)) == 5
        await pilot.click(WorkspaceTree, offset=(10, 3))
        assert app.files_tree.cursor_path == "src/main.py"
        assert not app.opened
        await pilot.click(WorkspaceTree, offset=(10, 3), times=2)
        assert app.opened == ["src/main.py"]


async def test_changes_are_marked_and_only_listed_folders_are_listed_again() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.press("right")
        await settled(pilot)
        await pilot.press("j", "j")
        assert app.files_tree.cursor_path == "src/main.py"
        disk.entries.append(File("src/auth/new.py"))
        disk.entries.insert(3, File("src/a.py"))
        disk.entries = [file for file in disk.entries if file.path != "README.md"]
        app.files_tree.files_changed(
            [
                FileChange("src/a.py", "added"),
                FileChange("src/auth/new.py", "added"),
                FileChange("src/main.py", "modified"),
                FileChange("README.md", "deleted"),
            ]
        )
        await settled(pilot)
        assert disk.listed == {"": 2, "src": 2}
        shown = {
            text[1:].split()[-4 if "KiB" in text else -2]: text for text in lines(app.files_tree)
        }
        assert [text[-1] for text in lines(app.files_tree) if "⇢" not in text] == list("••AMD")
        assert shown
        assert app.files_tree.cursor_path == "src/main.py"
        await pilot.press("k", "k", "enter")
        await settled(pilot)
        assert "new.py" in " ".join(lines(app.files_tree))


async def test_what_came_and_went_again_leaves_no_mark() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        app.files_tree.files_changed([FileChange("src/x", "added"), FileChange("src/x", "deleted")])
        await settled(pilot)
        assert "•" not in " ".join(lines(app.files_tree))


async def test_a_folder_that_cannot_be_listed_says_so_on_one_line() -> None:
    app, disk = Host(), small()
    disk.broken = {"src"}
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.press("enter")
        await settled(pilot)
        assert lines(app.files_tree)[1].strip() == "src cannot be listed."
        disk.broken = {""}
        await app.files_tree.open("r", disk)
        assert len(lines(app.files_tree)) == 1
        await pilot.press("enter", "left", "right", "j")


async def test_of_a_folder_that_is_gone_only_deleted_files_stay() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.press("enter")
        await settled(pilot)
        disk.entries = [file for file in disk.entries if not file.path.startswith("src")]
        disk.broken = {"src"}
        app.files_tree.files_changed([FileChange("src/main.py", "deleted")])
        await settled(pilot)
        assert [text.split()[-1] for text in lines(app.files_tree)[:2]] == ["•", "D"]
        assert "main.py" in lines(app.files_tree)[1]
        assert "auth" not in " ".join(lines(app.files_tree))
        app.files_tree.files_changed([FileChange("src/main.py", "added")])
        disk.entries += [File("src", is_folder=True), File("src/main.py")]
        disk.broken = set()
        async with asyncio.timeout(LIMIT_S):
            while not any(text.endswith("M") for text in lines(app.files_tree)[1:2]):
                await settled(pilot)


async def test_a_slow_answer_for_another_run_is_not_shown() -> None:
    app, disk = Host(), small()
    gate = asyncio.Event()

    class Slow(Disk):
        async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[File]:
            await gate.wait()
            return [File("wrong")]

    async with app.run_test(size=(60, 20)) as pilot:
        first = asyncio.create_task(app.files_tree.open("a", Slow()))
        await pilot.pause()
        await app.files_tree.open("b", disk)
        gate.set()
        await first
        assert "wrong" not in " ".join(lines(app.files_tree))
        assert app.files_tree.run_id == "b"


async def test_100_000_entries_stay_quick() -> None:
    app = Host()
    disk = Disk(*(File(f"file{number:06}") for number in range(100_000)))
    async with app.run_test(size=(60, 20)) as pilot:
        began = process_time()
        await app.files_tree.open("r", disk)
        opened_s = process_time() - began
        await pilot.pause()
        assert app.files_tree.drawn < 200
        app.files_tree.drawn = 0
        began = process_time()
        await pilot.press("j", "j", "G", "k", "g")
        await pilot.pause()
        assert process_time() - began < max(opened_s, 1.0)  # no key lists the folder anew
        assert app.files_tree.drawn < 300


@pytest.mark.parametrize("width", [12, 25, 60])
async def test_hostile_names_keep_the_columns(width: int) -> None:
    names = [
        "[/red]",
        "\x1b[31mx",
        "\u202egnp",
        "世" * 40,
        "👨\u200d👩\u200d👧",
        "x" * 100_000,
        "a\nb",
    ]
    names = [name.replace("/", "∕") for name in names]
    app, disk = Host(), Disk(*(File(name) for name in names))
    async with app.run_test(size=(width, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await pilot.pause()
        for y in range(app.files_tree.page):
            row = app.files_tree.render_line(y).text
            assert cell_len(row) == app.files_tree.scrollable_content_region.width
            assert not set(row) & set("\x1b\u202e\u200d\n")


def delta(path: str, kind: str, insertions: int = 0, deletions: int = 0) -> FileDelta:
    return FileDelta(path, ChangeKind(kind), insertions, deletions)


async def test_measured_changes_are_marked_with_their_lines_wherever_they_are() -> None:
    app, disk = Host(), small()
    disk.deltas = [
        delta("README.md", "modified", 3, 1),
        delta("lost/deep/old.py", "deleted", 0, 40),
        delta("src/auth/clock.py", "renamed", 1, 1),
        delta("src/gone.py", "deleted", 0, 7),
        delta("src/main.py", "added", 12, 0),
    ]
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await settled(pilot)
        assert [text[1:].split() for text in lines(app.files_tree)] == [
            ["▸", "lost", "+0", "−40", "•"],
            ["▸", "src", "+13", "−8", "•"],
            ["etc", "⇢", "link"],
            ["~", "README.md", "+3", "−1", "1.5", "KiB", "M"],
        ]
        assert app.files_tree.cursor_path == "src"
        await pilot.press("right", "g", "right")
        await settled(pilot)
        shown = [text[1:].split() for text in lines(app.files_tree)]
        assert shown[1] == ["▸", "deep", "+0", "−40", "•"]
        assert ["−", "gone.py", "+0", "−7", "D"] in shown
        assert ["+", "main.py", "+12", "−0", "1.5", "KiB", "A"] in shown
        await pilot.press("G")
        mark = app.files_tree.cursor_mark
        assert mark and (mark.kind, mark.insertions, mark.deletions) == ("modified", 3, 1)


async def test_what_was_heard_is_marked_until_it_is_measured() -> None:
    app, disk = Host(), small()
    disk.deltas = []
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await settled(pilot)
        app.files_tree.files_changed([FileChange("README.md", "modified")])
        assert lines(app.files_tree)[2].endswith("M")
        await settled(pilot)  # .gitignore names it: no change
        assert not lines(app.files_tree)[2].endswith("M")
        app.files_tree.files_changed([FileChange("README.md", "modified")])
        assert not lines(app.files_tree)[2].endswith("M")
        disk.deltas = [delta("README.md", "modified", 1)]
        await settled(pilot)
        assert lines(app.files_tree)[2].endswith("M")


async def test_a_burst_of_changes_is_measured_and_listed_a_few_times_only() -> None:
    app, disk = Host(), small()
    disk.deltas = []
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await settled(pilot)
        listed, measured = disk.listed[""], disk.measured
        for number in range(500):
            app.files_tree.files_changed([FileChange(f"file{number}", "added")])
        await settled(pilot)
        assert disk.listed[""] - listed <= 3
        assert disk.measured - measured <= 3


async def test_changed_only_and_back_where_one_was() -> None:
    app, disk = Host(), small()
    disk.deltas = [delta("src/auth/clock.py", "modified", 1, 1), delta("src/x\ny", "deleted")]
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await settled(pilot)
        whole = lines(app.files_tree)
        await pilot.press("w")
        assert [text[1:].split()[1] for text in lines(app.files_tree)] == [
            "src", "auth", "clock.py", "x\\ny",
        ]  # fmt: skip
        assert "changed only" in str(app.files_tree.border_title)
        await pilot.press("j", "left")
        assert len(lines(app.files_tree)) == 3
        await pilot.press("enter", "j", "enter")
        assert app.opened == ["src/auth/clock.py"]
        app.files_tree.files_changed([FileChange("new.py", "added")])
        await settled(pilot)
        assert len(lines(app.files_tree)) == 4
        await pilot.press("w")
        assert lines(app.files_tree) == whole


async def test_the_filter_finds_what_is_in_no_open_folder() -> None:
    app, disk = Host(), small()
    disk.deltas = [delta("src/auth/clock_old.py", "deleted", 0, 3)]
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        await settled(pilot)
        app.files_tree.narrow("CLOCK .py")
        await settled(pilot)
        assert disk.searched == 1
        assert [text[1:].split()[:2] for text in lines(app.files_tree)[:2]] == [
            ["▾", "src"],
            ["▾", "auth"],
        ]
        assert [text.replace("−", " ").split()[0] for text in lines(app.files_tree)[2:]] == [
            "clock.py",
            "clock_old.py",
        ]
        app.files_tree.narrow("clock !old")
        app.files_tree.narrow("clock !old auth")
        await settled(pilot)
        assert disk.searched == 1
        assert len(lines(app.files_tree)) == 3
        app.files_tree.narrow("nothing like it")
        assert "No file matches" in app.files_tree.render_line(0).text
        app.files_tree.narrow("")
        assert len(lines(app.files_tree)) == 3


async def test_of_many_matches_as_many_are_shown_as_anyone_reads() -> None:
    app, disk = Host(), Disk(*(File(f"d/file{number:06}") for number in range(5_000)))
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk)
        app.files_tree.narrow("file")
        await settled(pilot)
        assert "5000 found" in str(app.files_tree.border_title)
        await pilot.press("G")
        assert "3000 more match." in lines(app.files_tree)[-1]


class Real:
    """A folder on disk, asked as the engine asks; counts the files whose size was looked up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sized = 0

    async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[TreeEntry]:
        return await asyncio.to_thread(list_folder, self.root, path, sizes=sizes)

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        self.sized += len(paths)
        return await asyncio.to_thread(sizes_of, self.root, paths)

    async def files(self, run: str) -> list[TreeEntry]:
        return await asyncio.to_thread(list_files, self.root)

    async def changes(self, run: str) -> Changes:
        raise user_error("WORKSPACE_MISSING")


async def test_of_a_folder_of_20_000_real_files_only_what_is_seen_is_looked_at(
    tmp_path: Path,
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for number in range(20_000):
        os.mknod(f"{number:06}", 0o600, dir_fd=folder)
    os.close(folder)
    (tmp_path / "000001").write_text("12345")
    app, real = Host(), Real(tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", real)
        assert app.files_tree.line_count == 20_000
        await settled(pilot)
        assert "5 B" in lines(app.files_tree)[1]
        await pilot.press("G", "k", "g", "j", "pagedown")
        await settled(pilot)
        assert app.files_tree.drawn < 400
        assert real.sized < 200


async def test_a_folder_swapped_for_a_link_while_it_is_open_is_never_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "root/inner").mkdir(parents=True)
    (tmp_path / "root/inner/mine").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").touch()
    app, real = Host(), Real(tmp_path / "root")
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", real)
        await pilot.press("right")
        await settled(pilot)
        assert "mine" in " ".join(lines(app.files_tree))
        shutil.rmtree(tmp_path / "root/inner")
        (tmp_path / "root/inner").symlink_to("../outside")
        app.files_tree.files_changed([FileChange("inner/mine", "modified")])
        await settled(pilot)
        app.files_tree.narrow("secret")
        await settled(pilot)
        app.files_tree.narrow("")
        assert "secret" not in " ".join(lines(app.files_tree))
        assert "⇢ link" in " ".join(lines(app.files_tree))


async def test_a_change_below_a_hostile_name_shows_where_it_is(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\nb\xff\x1b[31m" + b"x" * 240)
    (tmp_path / name).mkdir()
    app, real = Host(), Real(tmp_path)
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", real)
        await pilot.press("right")
        await settled(pilot)
        (tmp_path / name / "new\r").touch()
        told = FileChange(printable_name(f"{name}/new\r"), "added")
        app.files_tree.files_changed([told])
        await settled(pilot)
        assert "new\\r" in lines(app.files_tree)[1]
        for y in range(app.files_tree.page):
            assert not set(app.files_tree.render_line(y).text) & set("\x1b\r\n")
