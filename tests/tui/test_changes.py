"""The diff view and the file view, on a real workspace with a real git."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from changed_run import RUN, Changed, changed, unchanged
from fake_engine import NARROW, WIDE, shown, toasts
from textual.pilot import Pilot
from textual.strip import Strip

from engine.domain.events import ChangesMeasured, FileChange, FilesChanged
from tui.app import SwarmApp
from tui.models.code.document import side_by_side
from tui.screens.changes import ChangesScreen
from tui.screens.file import FileScreen
from tui.screens.pick import PickDialog
from tui.screens.runs import RunsScreen
from tui.widgets.code.code_view import CodeView

BIG = 50_000
MOST_BYTES = 16 * 1024
LIMIT_S = 60


def app_in(pilot: Pilot[None]) -> SwarmApp:
    assert isinstance(pilot.app, SwarmApp)
    return pilot.app


async def reached(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what threads and git do: the dashboard goes on meanwhile."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await pilot.pause()


async def idle(pilot: Pilot[None]) -> None:
    """Wait until nothing is being read, compared or coloured."""
    await pilot.pause()
    await reached(
        pilot, lambda: all(one.is_finished for one in pilot.app.workers if one.group != "pump")
    )


async def opened(pilot: Pilot[None], *keys: str) -> ChangesScreen:
    """The changes of the run, all there; then keys."""
    await pilot.pause()
    await pilot.press("c")
    await reached(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ChangesScreen)
    await reached(pilot, lambda: screen.code.path)
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    return screen


async def at_file(pilot: Pilot[None], screen: ChangesScreen, path: str) -> None:
    """Go down the list to a file, and wait for its diff."""
    for _ in screen.files.files:
        if screen.files.file and screen.files.file.path == path:
            break
        await pilot.press("}")
        await pilot.pause()
    await reached(pilot, lambda: path.partition("\n")[0] in str(screen.code.border_title))
    await idle(pilot)


async def test_all_changed_files_are_told_and_the_first_is_shown(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        await opened(pilot)
        text = shown(app_in(pilot))
        for told in (
            "8 files +9 −7", "M app.py", "M blob.bin", "binary", "D gone.txt", "R new name.txt",
            "M tool.sh", "mode", "link", "▾ new/", "A we\\nird.py", "@@ -1,11 +1,12 @@",
        ):  # fmt: skip
            assert told in text, told
        assert "+ import sys" in text
        assert "8    -     text" in text
        assert '"\\u202e\\x1b[31mevil"' in text
        assert "no line end" in text
        assert not any(char in text for char in "\x1b\x07\u202e")


async def test_what_no_line_tells_is_told_in_words(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        for path, told in (
            ("blob.bin", "Not text"),
            ("gone.txt", "- bye"),
            ("link", "+ /etc/passwd"),
            ("new name.txt", "was old name.txt"),
            ("new/we\nird.py", "+ x = 1"),
            ("tool.sh", "a plain file → executable"),
        ):
            await at_file(pilot, screen, path)
            assert told in shown(app_in(pilot)), path
        assert "root:" not in shown(app_in(pilot))


async def test_old_and_new_beside_each_other_and_back(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=(160, 45)) as pilot:
        screen = await opened(pilot, "tab", "j", "j", "j", "vertical_line")
        await reached(pilot, lambda: "│" in screen.code.render_line(1).text)
        lines = [screen.code.render_line(y).text for y in range(screen.code.line_count)]
        pair = next(line for line in lines if "Hello, " in line)
        assert "hello " in pair
        assert "▌" in lines[screen.code.cursor_line]
        await pilot.press("vertical_line")
        await reached(pilot, lambda: "│" not in screen.code.render_line(1).text)


async def test_words_that_changed_stand_out_on_a_ground_of_their_own(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        code = screen.code
        number = next(
            y for y in range(code.line_count) if '+     text = "Hello' in code.render_line(y).text
        )
        grounds: dict[object, str] = {}
        for segment in code.render_line(number):
            ground = segment.style.bgcolor if segment.style else None
            grounds[ground] = grounds.get(ground, "") + segment.text
        assert "Hello," in grounds.values()
        assert len(grounds) == 3  # the cursor's gutter is the third
        await reached(
            pilot, lambda: len({s.style.color for s in code.render_line(number) if s.style}) > 3
        )


async def test_hunks_lead_on_into_the_next_file_and_back(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot, "enter")
        assert screen.focused is screen.code
        assert len(screen.code.hunk_rows) == 2
        await pilot.press("right")
        assert screen.code.cursor_line == screen.code.hunk_rows[1]
        await pilot.press("left")
        assert screen.code.cursor_line == 0
        await pilot.press("right", "right")
        assert screen.files.file
        assert screen.files.file.path == "blob.bin"
        await at_file(pilot, screen, "blob.bin")
        await pilot.press("left")
        await reached(pilot, lambda: screen.code.path == "app.py")
        await reached(pilot, lambda: screen.code.cursor_line == screen.code.hunk_rows[1])


async def test_narrow_it_is_one_pane_at_a_time_and_esc_leads_out(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)

        def visible() -> tuple[bool, bool]:
            return screen.files.is_on_screen, screen.code.is_on_screen

        assert visible() == (False, True)
        for key, wanted in (
            ("escape", (True, False)),
            ("enter", (False, True)),
            ("escape", (True, False)),
            ("tab", (False, True)),
            ("shift+tab", (True, False)),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert visible() == wanted, key
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert visible() == (True, True)
        await pilot.press("z")
        await pilot.pause()
        assert visible() == (False, True)
        await pilot.press("escape")
        await pilot.pause()
        assert visible() == (True, True)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_newer_changes_are_said_and_shown_when_asked_for(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot, "tab", "right")
        line = screen.code.render_line(screen.code.cursor_line - screen.code.scroll_offset.y).text
        run.write({"app.py": "# first\n" * 1 + (run.root / "app.py").read_text(), "zz": "z\n"})
        run.engine.happen(RUN, FilesChanged((FileChange("app.py", "modified"),)))
        await reached(pilot, lambda: "changed meanwhile" in shown(app_in(pilot)))
        assert "A zz" not in shown(app_in(pilot))
        assert (
            screen.code.render_line(screen.code.cursor_line - screen.code.scroll_offset.y).text
            == line
        )
        await pilot.press("f5")
        await reached(pilot, lambda: "A zz" in shown(app_in(pilot)))
        await reached(
            pilot, lambda: "# first" in "".join(x.text for x in screen.code.document.lines)
        )
        assert "changed meanwhile" not in shown(app_in(pilot))
        assert screen.code.path == "app.py"
        assert screen.code.cursor_line > 0  # the reader is where they were
        measured = ChangesMeasured(9, 9, 9)  # what the run had when it ended
        run.engine.happen(RUN, measured)
        await reached(pilot, lambda: "changed meanwhile" in shown(app_in(pilot)))
        await pilot.press("f5")
        await reached(pilot, lambda: "changed meanwhile" not in shown(app_in(pilot)))
        await reached(pilot, lambda: screen.compared.comparison is not None)
        await pilot.press("question_mark")
        await reached(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("escape")
        await reached(pilot, lambda: pilot.app.screen is screen)
        assert "changed meanwhile" not in shown(app_in(pilot))


async def test_since_a_checkpoint(tmp_path: Path) -> None:
    run = await changed(tmp_path)
    await run.remember("half way")
    run.write({"late.txt": "late\n"})
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot, "equals_sign")
        await reached(pilot, lambda: isinstance(pilot.app.screen, PickDialog))
        assert "half way" in shown(app_in(pilot))
        await pilot.press("j", "enter")
        await reached(pilot, lambda: [f.path for f in screen.files.files] == ["late.txt"])
        assert "since checkpoint 1" in shown(app_in(pilot))


async def test_nothing_changed_and_nothing_known(tmp_path: Path) -> None:
    run = Changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        await pilot.press("c")
        await reached(pilot, lambda: "unknown" in shown(app_in(pilot)))
        await run.remember()
        await pilot.press("f5")
        await reached(pilot, lambda: "Nothing changed." in shown(app_in(pilot)))


async def test_fifty_thousand_lines_open_at_once_and_only_what_is_seen_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Changed(tmp_path)
    run.write({"big.py": "".join(f"x{n} = {n}\n" for n in range(BIG // 2))})
    await run.remember()
    run.write({"big.py": "".join(f"x{n} = {n} + 1\n" for n in range(BIG // 2))})
    drawn: list[int] = []
    draw = CodeView.draw

    def counted(self: CodeView, line: int, width: int) -> Strip:
        drawn.append(line)
        return draw(self, line, width)

    monkeypatch.setattr(CodeView, "draw", counted)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot, "tab")
        assert screen.code.line_count == BIG + 1
        await idle(pilot)
        for key in ("pagedown", "pagedown", "pageup", "G", "g", "G"):
            await pilot.press(key)
            await pilot.pause()
        await idle(pilot)
        assert f"x{BIG // 2 - 1} = {BIG // 2 - 1} + 1" in shown(app_in(pilot))
        await pilot.press("vertical_line")
        await reached(pilot, lambda: screen.code.line_count == BIG // 2 + 1)
        assert screen.code.arrangement is side_by_side
        assert screen.code.cursor_line == BIG // 2
    assert len(set(drawn)) < 12 * WIDE[1]
    assert len(drawn) < 60 * WIDE[1]


# Files


async def tree_at(pilot: Pilot[None], path: str) -> None:
    """Put the cursor of the workspace's files on one of them."""
    await pilot.press("f")
    screen = pilot.app.screen
    assert isinstance(screen, RunsScreen)
    tree = screen.panes.chosen.files
    assert tree is not None
    await reached(pilot, lambda: tree.line_count)
    await pilot.press("g")
    for _ in range(tree.line_count):
        if tree.cursor_path == path:
            break
        await pilot.press("j")
    assert tree.cursor_path == path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("app.py", ["23 lines", " 7  def greet(name, loud=True"]),
        ("blob.bin", ["binary file · 4 B", "00000000  00 01 02 03"]),
        ("link", ["a link to /etc/passwd, which is not followed"]),
    ],
)
async def test_enter_shows_a_file_of_the_workspace(
    tmp_path: Path, path: str, told: list[str]
) -> None:
    run = await unchanged(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await tree_at(pilot, path)
        await pilot.press("enter")
        await reached(pilot, lambda: isinstance(pilot.app.screen, FileScreen))
        await reached(pilot, lambda: all(words in shown(app_in(pilot)) for words in told))
        assert "root:" not in shown(app_in(pilot))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, RunsScreen)


async def test_enter_on_a_changed_file_shows_its_diff_and_f_the_whole_of_it(
    tmp_path: Path,
) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        run.engine.happen(RUN, FilesChanged((FileChange("crlf.txt", "modified"),)))
        await tree_at(pilot, "crlf.txt")
        await pilot.press("enter")
        await reached(pilot, lambda: "- a\\r" in shown(app_in(pilot)))
        await pilot.press("f")
        await reached(pilot, lambda: "crlf.txt · 2 lines · 4 B" in shown(app_in(pilot)))
        run.write({"crlf.txt": "other\n"})
        run.engine.happen(RUN, FilesChanged((FileChange("crlf.txt", "modified"),)))
        await reached(pilot, lambda: "the file has changed" in shown(app_in(pilot)))
        await pilot.press("f5")
        await reached(pilot, lambda: "other" in shown(app_in(pilot)))
        (run.root / "crlf.txt").unlink()
        await pilot.press("f5")
        await reached(pilot, lambda: "crlf.txt cannot be found" in shown(app_in(pilot)))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ChangesScreen)


async def test_a_huge_file_is_cut_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.file.MOST_BYTES", MOST_BYTES)
    run = Changed(tmp_path)
    run.write({"huge.log": b"0123456789abcde\n" * (MOST_BYTES // 16 + 5) + b"the end\n"})
    async with run.app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await tree_at(pilot, "huge.log")
        await pilot.press("enter")
        await reached(pilot, lambda: "the first 16.0 KiB of" in shown(app_in(pilot)))
        screen = pilot.app.screen
        assert isinstance(screen, FileScreen)
        await reached(pilot, lambda: screen.code.line_count == MOST_BYTES // 16)


# The user's own programs


@pytest.fixture
def started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the editor and the shell were told, one word a line, and where they were started."""
    script = tmp_path / "program"
    script.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "guarded = os.environ['GIT_TEST_ASSUME_DIFFERENT_OWNER'] == '1'\n"
        f"open({str(tmp_path / 'told')!r}, 'w').write('\\n'.join([os.getcwd(), *sys.argv[1:]]))\n"
    )
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{script} --wait")
    monkeypatch.setenv("SHELL", str(script))
    monkeypatch.setattr(SwarmApp, "suspend", lambda self: nullcontext())
    return tmp_path / "told"


async def test_the_editor_gets_the_file_the_shell_the_workspace(
    tmp_path: Path, started_with: Path
) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await at_file(pilot, screen, "new/we\nird.py")
        folder = run.root / "new"
        await pilot.press("o")
        await reached(pilot, lambda: started_with.exists() and "ird.py" in started_with.read_text())
        assert started_with.read_text() == f"{folder}\n--wait\n{folder}/we\nird.py"
        started_with.unlink()
        await pilot.press("exclamation_mark")
        await reached(pilot, lambda: started_with.exists() and started_with.read_text())
        assert started_with.read_text() == str(run.root)
        started_with.unlink()
        await pilot.press("escape", "o", "o")
        await reached(pilot, lambda: started_with.exists() and started_with.read_text())
        assert started_with.read_text() == f"{run.root}\n--wait\n{run.root}"


@pytest.mark.usefixtures("started_with")
async def test_no_editor_no_workspace_and_no_way_through_a_link(
    tmp_path: Path, started_with: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await changed(tmp_path)
    async with run.app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await at_file(pilot, screen, "link")
        await pilot.press("o")
        await reached(pilot, lambda: "link cannot be opened" in "".join(toasts(app_in(pilot))))
        monkeypatch.setenv("EDITOR", "no-such-editor -x")
        await pilot.press("k", "o", "o")
        await reached(
            pilot, lambda: "EDITOR names no-such-editor" in "".join(toasts(app_in(pilot)))
        )
        os.rename(run.root, tmp_path / "elsewhere")
        await pilot.press("exclamation_mark")
        await reached(
            pilot, lambda: "The workspace cannot be opened" in "".join(toasts(app_in(pilot)))
        )
    assert not started_with.exists()
