from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import cast

import pytest
from bare_app import BareApp, CountingPaint
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from engine.domain.events import ChangesMeasured, Event, StatusChanged
from engine.domain.model import Agent, Run, RunSpec, Stage, Status
from engine.domain.projection import View
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import ListOptions, SortOrder
from tui.widgets.runs.run_activity import QueuePosition
from tui.widgets.runs.run_columns import COLUMNS, columns_of, gaps, lay_out
from tui.widgets.runs.run_list import RunList
from tui.widgets.runs.run_messages import RunHighlighted, RunOpened

NOW = 1_000_000.0


def a_run(number: int, status: Status = Status.RUNNING, title: str = "") -> Run:
    spec = RunSpec(prompt="p", title=title or f"run {number}", project="shop")
    return Run(
        id=f"r{number:04}",
        spec=spec,
        created_at=NOW - 100,
        status=status,
        seq=3,
        started_at=NOW - 65,
        stage=Stage.EXECUTING,
        percent=40,
    )


class Counting(RunList):
    def __init__(self, **options: object) -> None:
        super().__init__(clock=lambda: NOW, **options)  # pyright: ignore  options of the test by name
        self.drawn: Counter[int] = Counter()
        self.paint = CountingPaint(self, self._count_drawn)

    def _count_drawn(self, key: object) -> None:
        assert isinstance(key, tuple)
        run = cast("tuple[str, object]", key)[0]
        self.drawn[int(run[1:])] += 1


class Host(BareApp):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.list = Counting(**options)
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.list

    def on_run_highlighted(self, message: RunHighlighted) -> None:
        self.heard.append(message)

    def on_run_opened(self, message: RunOpened) -> None:
        self.heard.append(message)

    @property
    def opened(self) -> list[str]:
        return [one.run_id for one in self.heard if isinstance(one, RunOpened)]

    @property
    def highlighted(self) -> list[str | None]:
        return [one.run_id for one in self.heard if isinstance(one, RunHighlighted)]


def show(runs: RunList, shown: Iterable[Run]) -> dict[str, Run]:
    """Show these runs in this order."""
    known = {run.id: run for run in shown}
    for place, run in enumerate(known.values()):
        run.created_at = NOW - 100 - place
    runs.show(GroupedRuns(ListOptions(sort=SortOrder.NEWEST), known))
    return known


def refresh(runs: RunList, view: View, ids: list[str]) -> None:
    """Show the runs named as they are now."""
    known = runs.arrangement.runs
    assert isinstance(known, dict)
    known.update({run_id: view.runs[run_id] for run_id in ids if run_id in view.runs})
    runs.update(ids, moved=runs.arrangement.update(ids, NOW))


def rows(runs: RunList) -> list[str]:
    return [runs.render_line(y).text for y in range(runs.page)]


async def filled(pilot: Pilot[None], runs: RunList, count: int) -> list[Run]:
    shown = [a_run(number) for number in range(count)]
    show(runs, shown)
    await pilot.pause()
    return shown


async def test_of_5000_runs_only_the_visible_rows_are_drawn() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 5000)
        assert max(app.list.drawn) < 30
        app.list.drawn.clear()
        view = View(shown)
        view.apply(
            Event(run.id, 4, NOW, 1, StatusChanged(Status.SUCCEEDED, Status.RUNNING))
            for run in shown[3:2000]
        )
        refresh(app.list, view, [run.id for run in shown[3:2000]])
        await pilot.pause()
        assert set(app.list.drawn) == set(range(3, 21))
        assert "✓ run 3" in rows(app.list)[3]
        app.list.drawn.clear()
        await pilot.press("j")
        await pilot.pause()
        assert set(app.list.drawn) == {0, 1}


async def test_refreshing_a_row_out_of_view_draws_nothing() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 100)
        app.list.drawn.clear()
        refresh(app.list, View(shown), ["r0090", "unknown"])
        await pilot.pause()
        assert not app.list.drawn


async def test_a_tick_moves_the_clocks_of_live_rows_only() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        done = a_run(1, Status.SUCCEEDED)
        done.finished_at = NOW
        show(app.list, [a_run(0), done])
        await pilot.pause()
        assert " 1:05" in rows(app.list)[0]
        app.list.drawn.clear()
        app.list.tick(NOW + 10)
        await pilot.pause()
        assert set(app.list.drawn) == {0}
        assert " 1:15" in rows(app.list)[0]
        assert " 1:05" in rows(app.list)[1]


async def test_keys_move_and_open() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await filled(pilot, app.list, 100)
        for key, line in (
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("up", 0), ("G", 99), ("j", 99),
            ("g", 0), ("end", 99), ("home", 0), ("pagedown", 20), ("pageup", 0),
        ):  # fmt: skip
            await pilot.press(key)
            assert app.list.cursor_line == line, key
            assert line in app.list.visible_lines()
        await pilot.press("j", "enter")
        assert app.opened == ["r0001"]
        assert app.highlighted[:3] == ["r0000", "r0001", "r0002"]


async def test_a_click_selects_and_a_double_click_opens() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await filled(pilot, app.list, 3)
        await pilot.click(RunList, offset=(10, 4))
        assert app.list.cursor_run == "r0002"
        assert not app.opened
        await pilot.click(RunList, offset=(10, 3), times=2)
        assert app.opened == ["r0001"]
        await pilot.click(RunList, offset=(10, 15))
        assert app.list.cursor_run == "r0001"


async def test_the_cursor_stays_on_its_run_where_it_was_on_screen() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 100)
        assert app.list.move_to("r0050")
        await pilot.pause()
        at = app.list.cursor_line - app.list.scroll_offset.y
        show(app.list, [a_run(number) for number in range(200, 207)] + shown)
        await pilot.pause()
        assert app.list.cursor_run == "r0050"
        assert app.list.cursor_line - app.list.scroll_offset.y == at
        show(app.list, shown[45:])
        await pilot.pause()
        assert app.list.cursor_run == "r0050"
        assert app.list.cursor_line in app.list.visible_lines()


async def test_at_the_top_new_runs_come_into_view() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 100)
        show(app.list, [a_run(200), *shown])
        await pilot.pause()
        assert app.list.cursor_run == "r0000"
        assert app.list.scroll_offset.y == 0


async def test_when_the_run_under_the_cursor_goes_its_neighbour_is_highlighted() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 3)
        await pilot.press("j")
        show(app.list, [shown[0], shown[2]])
        await pilot.pause()
        assert app.list.cursor_run == "r0002"
        show(app.list, [])
        await pilot.pause()
        assert app.list.cursor_run is None
        assert app.highlighted[-2:] == ["r0002", None]


async def test_marks() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 5)
        app.list.action_mark()
        app.list.action_mark()
        await pilot.pause()
        assert app.list.marks.ids == {"r0000", "r0001"}
        assert "◆" in rows(app.list)[0]
        show(app.list, shown[1:])
        assert app.list.marks.ids == {"r0001"}
        app.list.marks.set(["r0003", "gone"])
        assert app.list.marks.ids == {"r0003"}


async def test_columns_without_a_word_in_them_take_no_room() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        shown = await filled(pilot, app.list, 3)

        def at(text: str) -> int:
            return rows(app.list)[0].rindex(text)

        title, elapsed = at("run 0"), at("1:05")
        assert not any(part in rows(app.list)[0] for part in ("sim", "#", "+"))
        view = View(shown)
        changed = ChangesMeasured(1, 20, 3)
        view.apply([Event("r0002", 4, NOW, 1, changed)])
        refresh(app.list, view, ["r0002"])
        await pilot.pause()
        assert "+20 −3" in rows(app.list)[2]
        assert at("1:05") < elapsed
        again = a_run(3)
        again.attempt, again.spec = 2, RunSpec("p", "again", "shop", agent=Agent.SIMULATED)
        show(app.list, [*view.runs.values(), again])
        await pilot.pause()
        assert at("run 0") == title
        assert "again #2 sim " in rows(app.list)[3]


async def test_a_queued_run_shows_its_place() -> None:
    app = Host(wait=lambda run: QueuePosition(position=3))
    async with app.run_test(size=(80, 24)) as pilot:
        show(app.list, [a_run(0, Status.QUEUED)])
        await pilot.pause()
        assert " 3rd " in rows(app.list)[0]


async def test_a_range_of_marks_grows_and_shrinks_with_the_cursor() -> None:
    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await filled(pilot, app.list, 6)
        await pilot.press("space", "j", "v", "j", "j")
        assert app.list.marks.ids == {"r0000", "r0002", "r0003", "r0004"}
        await pilot.press("k")
        assert app.list.marks.ids == {"r0000", "r0002", "r0003"}
        await pilot.press("v", "G")
        assert app.list.marks.ids == {"r0000", "r0002", "r0003"}
        await pilot.press("A")
        assert len(app.list.marks.ids) == 6
        await pilot.press("space")
        assert len(app.list.marks.ids) == 5
        await pilot.press("ctrl+backslash")
        assert app.list.marks.ids == set()


async def test_an_empty_list_says_what_to_do_as_plain_text() -> None:
    app = Host(empty_text="No runs [/red] yet. \x1b[31mPress n.")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert rows(app.list)[0].strip() == "No runs [/red] yet. Press n."


@pytest.mark.parametrize(
    "title",
    [
        "[/red] [bold]x",
        "\x1b[31mred\x1b]52;c;aGk=\x07",
        "\u202egnp.exe\u2066",
        "世界" * 50,
        "e\u0301" * 300,
        "👨\u200d👩\u200d👧" * 30,
        "x" * 1_000_000,
        "\x00\n\t\r",
        "",
    ],
)
@pytest.mark.parametrize("width", [20, 45, 80, 160])
async def test_no_title_breaks_a_row(title: str, width: int) -> None:
    app = Host(columns=tuple(COLUMNS))
    async with app.run_test(size=(width, 10)) as pilot:
        hostile, plain = a_run(1), a_run(2)
        hostile.spec = RunSpec("p", title, title, agent=Agent.SIMULATED)
        show(app.list, [hostile, plain])
        await pilot.pause()
        for row in rows(app.list):
            assert cell_len(row) == app.list.scrollable_content_region.width
            assert row.isprintable() or "\ufffd" in row
            assert not set(row) & set("\x1b\u202e\u2066\u200d")
        assert width < 45 or " sim " in rows(app.list)[0]


@pytest.mark.parametrize("width", range(1, 200, 7))
def test_columns_fit_any_width_and_title_and_status_stay(width: int) -> None:
    laid_out = lay_out(columns_of(("nonsense", *COLUMNS, "status")), width)
    names = [column.name for column, _ in laid_out]
    total = sum(cells for _, cells in laid_out) + gaps([column for column, _ in laid_out])
    assert "title" in names
    assert total == width
    assert len(set(names)) == len(names)
    for name, least in (("status", 22), ("activity", 48), ("elapsed", 57), ("progress", 64)):
        assert width < least or name in names
