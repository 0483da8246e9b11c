from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.strip import Strip

from engine.domain.errors import user_error
from engine.domain.events import FileChange
from tui.widgets.workspace_tree import WorkspaceTree


@dataclass(frozen=True)
class File:
    path: str
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int = 1536

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Disk:
    """A workspace in memory that counts how often each folder is listed."""

    def __init__(self, *files: File) -> None:
        self.files = list(files)
        self.listed: Counter[str] = Counter()
        self.broken: set[str] = set()

    async def folder(self, run: str, path: str = "") -> list[File]:
        await asyncio.sleep(0)
        self.listed[path] += 1
        if path in self.broken:
            raise user_error("WORKSPACE_MISSING", f"{path} cannot be listed.")
        return [file for file in self.files if file.path.rpartition("/")[0] == path]


class Counting(WorkspaceTree):
    drawn = 0

    def keep(self, key: object, strip: Strip) -> Strip:
        self.drawn += 1
        return super().keep(key, strip)


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.files_tree = Counting()
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.files_tree

    def on_workspace_tree_opened(self, message: WorkspaceTree.Opened) -> None:
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


async def relisted(pilot: Pilot[None], tree: WorkspaceTree) -> None:
    """Do now what a timer does soon."""
    tree._relist()  # pyright: ignore[reportPrivateUsage]
    await settled(pilot)


async def test_folders_are_listed_when_they_are_opened_and_never_again() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk.folder)
        assert [text.split()[:2] for text in lines(app.files_tree)] == [
            ["▌▸", "src"], ["etc", "⇢"], ["README.md", "1.5"],
        ]  # fmt: skip
        assert disk.listed == {"": 1}
        await pilot.press("right")
        await settled(pilot)
        await pilot.press("j", "space")
        await settled(pilot)
        assert [text[1:].split()[-3] for text in lines(app.files_tree)[2:4]] == [
            "clock.py",
            "main.py",
        ]
        await pilot.press("left", "left", "left", "right")
        await settled(pilot)
        assert disk.listed == {"": 1, "src": 1, "src/auth": 1}
        assert app.files_tree.cursor_path == "src"
        assert len(lines(app.files_tree)) == 5


async def test_enter_opens_files_and_never_follows_links() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk.folder)
        await pilot.press("G", "enter", "k", "enter", "space")
        await settled(pilot)
        assert app.opened == ["README.md", "etc", "etc"]
        assert disk.listed == {"": 1}
        assert "⇢ link" in lines(app.files_tree)[1]


async def test_mouse() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk.folder)
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
        await app.files_tree.open("r", disk.folder)
        await pilot.press("right")
        await settled(pilot)
        await pilot.press("j", "j")
        assert app.files_tree.cursor_path == "src/main.py"
        disk.files.append(File("src/auth/new.py"))
        disk.files.insert(3, File("src/a.py"))
        disk.files = [file for file in disk.files if file.path != "README.md"]
        app.files_tree.files_changed(
            [
                FileChange("src/a.py", "added"),
                FileChange("src/auth/new.py", "added"),
                FileChange("src/main.py", "modified"),
                FileChange("README.md", "deleted"),
            ]
        )
        await relisted(pilot, app.files_tree)
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
        await app.files_tree.open("r", disk.folder)
        app.files_tree.files_changed([FileChange("src/x", "added"), FileChange("src/x", "deleted")])
        await relisted(pilot, app.files_tree)
        assert "•" not in " ".join(lines(app.files_tree))


async def test_a_folder_that_cannot_be_listed_says_so_on_one_line() -> None:
    app, disk = Host(), small()
    disk.broken = {"src"}
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk.folder)
        await pilot.press("enter")
        await settled(pilot)
        assert lines(app.files_tree)[1].strip() == "src cannot be listed."
        disk.broken = {""}
        await app.files_tree.open("r", disk.folder)
        assert len(lines(app.files_tree)) == 1
        await pilot.press("enter", "left", "right", "j")


async def test_a_folder_that_is_gone_goes_from_the_tree() -> None:
    app, disk = Host(), small()
    async with app.run_test(size=(60, 20)) as pilot:
        await app.files_tree.open("r", disk.folder)
        await pilot.press("enter")
        await settled(pilot)
        disk.files = [file for file in disk.files if not file.path.startswith("src")]
        disk.broken = {"src"}
        app.files_tree.files_changed([FileChange("src/main.py", "deleted")])
        await relisted(pilot, app.files_tree)
        assert "src" not in " ".join(lines(app.files_tree))


async def test_a_slow_answer_for_another_run_is_not_shown() -> None:
    app, disk = Host(), small()
    gate = asyncio.Event()

    async def slow(run: str, path: str) -> Sequence[File]:
        await gate.wait()
        return [File("wrong")]

    async with app.run_test(size=(60, 20)) as pilot:
        first = asyncio.create_task(app.files_tree.open("a", slow))
        await pilot.pause()
        await app.files_tree.open("b", disk.folder)
        gate.set()
        await first
        assert "wrong" not in " ".join(lines(app.files_tree))
        assert app.files_tree.run_id == "b"


async def test_100_000_entries_stay_quick() -> None:
    app = Host()
    disk = Disk(*(File(f"file{number:06}") for number in range(100_000)))
    async with app.run_test(size=(60, 20)) as pilot:
        began = perf_counter()
        await app.files_tree.open("r", disk.folder)
        assert perf_counter() - began < 2
        await pilot.pause()
        assert app.files_tree.drawn < 200
        app.files_tree.drawn = 0
        began = perf_counter()
        await pilot.press("j", "j", "G", "k", "g")
        await pilot.pause()
        assert perf_counter() - began < 2
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
        await app.files_tree.open("r", disk.folder)
        await pilot.pause()
        for y in range(app.files_tree.page):
            row = app.files_tree.render_line(y).text
            assert cell_len(row) == app.files_tree.scrollable_content_region.width
            assert not set(row) & set("\x1b\u202e\u200d\n")
