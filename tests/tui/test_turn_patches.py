"""The patches of a running turn in the view of changes: live, and never taken for the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from changed_run import RUN, Changed
from fake_engine import NARROW, WIDE, S, shown, toasts
from textual.pilot import Pilot

from engine.domain.live import LiveReport, TurnDiff
from tui.models.code.turn_diff import read_turn
from tui.screens.changes import ChangesScreen
from tui.widgets.log import live_feed

LIMIT_S = 60
ONE = """diff --git a/live.txt b/live.txt
new file mode 100644
--- /dev/null
+++ b/live.txt
@@ -0,0 +1,2 @@
+of the turn
+++ b/no heading
"""
TWO = f"""{ONE}diff --git a/old.py b/old.py
--- a/old.py
+++ b/old.py
@@ -1 +1 @@
-x = 1
+x = 2
"""


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read live reports without a pause worth waiting for."""
    monkeypatch.setattr(live_feed, "READ_S", 0.005)


async def reached(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what threads and git do."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.005)
    await pilot.pause()


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
async def opened(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[tuple[Changed, Pilot[None], ChangesScreen]]:
    """Open the changes of an interactive run at work."""
    made = Changed(tmp_path, interactive=True)
    made.write({"measured.txt": "before\n"})
    await made.remember()
    made.write({"measured.txt": "of the record\n"})
    async with made.app.run_test(size=request.param) as pilot:
        await pilot.pause()
        await pilot.press("c")
        await reached(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
        screen = pilot.app.screen
        assert isinstance(screen, ChangesScreen)
        await reached(pilot, lambda: screen.code.path)
        yield made, pilot, screen


async def report(made: Changed, pilot: Pilot[None], *reports: LiveReport) -> None:
    """Let the agent report something, and wait until it was taken in."""
    live = made.engine.live
    live.reports += reports
    await reached(pilot, lambda: not live.reports)
    count = live.reads
    await reached(pilot, lambda: live.reads > count)


async def test_patches_are_announced_and_shown_on_request(
    opened: tuple[Changed, Pilot[None], ChangesScreen],
) -> None:
    made, pilot, screen = opened
    await report(made, pilot, TurnDiff(ONE))
    await reached(pilot, lambda: "live, not measured" in shown(pilot.app))
    assert screen.code.path == "measured.txt"
    assert screen.files.file
    assert screen.files.file.path == "measured.txt"
    await pilot.press("L")
    await reached(pilot, lambda: "of the turn" in shown(pilot.app))
    text = shown(pilot.app)
    assert "this turn's patches · live, not measured" in text
    assert "@@ -0,0 +1,2 @@ live.txt" in text
    assert "of the record" not in text
    await report(made, pilot, TurnDiff(TWO))
    await reached(pilot, lambda: "x = 2" in shown(pilot.app))
    await pilot.press("L")
    await reached(pilot, lambda: "of the record" in shown(pilot.app))
    assert "of the turn" not in shown(pilot.app)


async def test_end_of_the_turn_goes_back_to_what_was_measured(
    opened: tuple[Changed, Pilot[None], ChangesScreen],
) -> None:
    made, pilot, screen = opened
    await report(made, pilot, TurnDiff(ONE))
    await reached(pilot, lambda: screen.turn.is_there)
    await pilot.press("L")
    await reached(pilot, lambda: "of the turn" in shown(pilot.app))
    await report(made, pilot, TurnDiff(""))
    await reached(pilot, lambda: "of the record" in shown(pilot.app))
    assert "live, not measured" not in shown(pilot.app)
    await pilot.press("L")
    await reached(pilot, lambda: toasts(pilot.app))
    assert "has not patched a file" in toasts(pilot.app)[-1]


async def test_end_of_the_run_hides_the_patches(
    opened: tuple[Changed, Pilot[None], ChangesScreen],
) -> None:
    made, pilot, screen = opened
    await report(made, pilot, TurnDiff(ONE))
    await reached(pilot, lambda: "live, not measured" in shown(pilot.app))
    made.engine.pass_through(RUN, S.SUCCEEDED)
    await reached(pilot, lambda: "live, not measured" not in shown(pilot.app))
    assert not screen.turn.is_there


def test_each_hunk_names_its_file_and_lines_are_counted() -> None:
    found = read_turn(TWO)
    assert (found.files, found.insertions, found.deletions) == (2, 3, 1)
    headings = [hunk.heading for hunk in found.document.hunks]
    assert headings == ["@@ -0,0 +1,2 @@ live.txt", "@@ -1 +1 @@ old.py"]
    assert [line.text for line in found.document.lines[:2]] == ["of the turn", "++ b/no heading"]


@pytest.mark.parametrize(
    "diff",
    ["", "\x00", "@@", "@@ -1,9999999 +1,9999999 @@\n+x", "+++ b/x", "\ud83d", "@@ -1 +1 @@"],
)
def test_odd_diffs_are_read(diff: str) -> None:
    found = read_turn(diff)
    assert found.files <= 1


def test_path_with_control_characters_is_escaped() -> None:
    found = read_turn("--- a/x\n+++ b/\x1b[31m\u202ex\n@@ -0,0 +1 @@\n+y\n")
    assert found.document.hunks[0].heading == "@@ -0,0 +1 @@ \\x1b[31m\\u202ex"
