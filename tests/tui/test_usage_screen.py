"""The usage screen: limits, a chart and a table, narrowed and opened with keys and mouse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    four_runs,
    painted,
    shown,
    toasts,
)
from textual.pilot import Pilot
from usage_samples import DAY_S, put, used_engine, window

from engine.config.settings import Config, QueueSettings, ReserveSettings
from engine.config.values import Percent
from engine.domain.errors import user_error
from engine.domain.events import UsageCounted
from engine.domain.model import Usage, Workspace, WorkspaceKind
from engine.domain.usage import UsageGroup, UsageQuery, UsageReport, UsageRow
from tui.app import SwarmApp
from tui.models.usage_options import TimeRange, midnight
from tui.screens import usage_refresh
from tui.screens.details import RunDetails
from tui.screens.usage import UsageScreen
from tui.widgets.usage.usage_table import UsageTable


def screen_of_usage(app: SwarmApp) -> UsageScreen:
    assert isinstance(app.live_screen, UsageScreen)
    return app.live_screen


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for the answer of the ledger, which reports nothing."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


async def opened(pilot: Pilot[None]) -> UsageScreen:
    """The screen with its first answer."""
    app = pilot.app
    assert isinstance(app, SwarmApp)
    await pilot.press("8")
    await until(pilot, lambda: isinstance(app.live_screen, UsageScreen))
    screen = screen_of_usage(app)
    await until(pilot, lambda: screen.refreshing.answer is not None)
    return screen


async def asked(
    pilot: Pilot[None], engine: FakeEngine, *keys: str, so: Callable[[UsageQuery], bool]
) -> None:
    """Press keys, and wait until such a question was answered and is shown."""
    await pilot.press(*keys)
    app = pilot.app
    assert isinstance(app, SwarmApp)
    screen = screen_of_usage(app)
    await until(
        pilot,
        lambda: (
            bool(engine.usage.queries)
            and so(engine.usage.queries[-1])
            and screen.refreshing.answer is not None
            and screen.refreshing.answer.options == screen.options
        ),
    )


def row(key: str, tokens: int = 1000, **more: object) -> UsageRow:
    return replace(UsageRow(key, Usage(tokens, 0, 10, 5, 2), 1, 60.0), **more)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_limits_chart_and_table_are_shown(size: tuple[int, int]) -> None:
    app = app_on(used_engine())
    async with app.run_test(size=size) as pilot:
        await opened(pilot)
        text = shown(app)
        for part in ("week", "81%", "24 h before it resets", "51.5M tokens", "~$73.14"):
            assert part in text
        assert "Tokens per 12 hours · 30 days" in text
        assert "~ estimate at list prices" in text
        assert "total" in text
        assert "yesterday" in text
        assert "49.1M" in text


async def test_nothing_known_is_no_zero() -> None:
    app = app_on(FakeEngine())
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        assert "No limits known" in shown(app)
        assert "No usage in this time yet: it is counted as agents work." in shown(app)
        (total,) = [line for line in shown(app).splitlines() if "total" in line]
        assert not any(letter.isdigit() for letter in total)


async def test_old_usage_without_requests_has_dashes() -> None:
    engine = four_runs()
    put(engine, [UsageRow("2026-01-01", Usage(1000, 0, 10), starts_at=midnight(engine.now))])
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot)
        (line,) = [line for line in shown(app).splitlines() if "today" in line]
        assert line.split()[-5:] == ["–", "–", "–", "–", "–"]  # reasoning to cost


async def test_groups_follow_keys_and_clicks() -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await asked(pilot, engine, "b", so=lambda query: query.by is UsageGroup.WEEK)
        await asked(pilot, engine, "]", so=lambda query: query.by is UsageGroup.RUN)
        await asked(pilot, engine, "[", "[", so=lambda query: query.by is UsageGroup.DAY)
        await asked(pilot, engine, "[", so=lambda query: query.by is UsageGroup.ACCOUNT)
        tabs = screen_of_usage(app).tabs
        await pilot.click(tabs, offset=(36, 0))
        await asked(pilot, engine, so=lambda query: query.by is UsageGroup.PROJECT)


async def test_time_ranges_and_other_sessions() -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        assert engine.usage.queries[-1].since == midnight(engine.now, 29)
        await asked(pilot, engine, "t", so=lambda query: query.since is None)
        today = midnight(engine.now)
        await asked(pilot, engine, "t", so=lambda query: query.since == today)
        assert screen.options.range is TimeRange.TODAY
        await asked(pilot, engine, "w", so=lambda query: not query.has_other_sessions)
        assert "only runs" in shown(app)
        assert "without other sessions" in shown(app)
        await asked(pilot, engine, "w", so=lambda query: query.has_other_sessions)


async def test_a_filter_narrows_to_runs_and_esc_removes_it() -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await asked(
            pilot, engine, "/", *"project:parser", so=lambda query: query.runs == frozenset({"b2"})
        )
        assert not engine.usage.queries[-1].has_other_sessions
        assert "without other sessions" in shown(app)
        await pilot.press(*" status:nix")
        await until(pilot, lambda: "unknown value" in shown(app))
        await asked(pilot, engine, "escape", so=lambda query: query.runs is None)
        assert app.current_mode == "usage"
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "runs")


async def test_first_reading_of_other_sessions_is_marked() -> None:
    engine = used_engine()
    engine.usage.found = replace(engine.usage.found, is_reading=True)
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        assert "other sessions are still being read" in shown(app)


async def test_a_day_opens_as_its_runs_and_esc_goes_back() -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        begin = midnight(engine.now, 1)
        wanted = (begin, begin + DAY_S)
        await asked(
            pilot, engine, "j", "enter", so=lambda query: (query.since, query.until) == wanted
        )
        assert engine.usage.queries[-1].by is UsageGroup.RUN
        assert "yesterday" in shown(app)
        await asked(pilot, engine, "escape", so=lambda query: query.until is None)
        assert screen.options.by is UsageGroup.DAY


@pytest.mark.parametrize("group", [UsageGroup.PROJECT, UsageGroup.MODEL, UsageGroup.ACCOUNT])
async def test_a_group_opens_as_its_runs(group: UsageGroup) -> None:
    engine = used_engine()
    put(engine, [row("x"), row("", 10)])
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        screen.choose(screen.options.group(group))
        await asked(pilot, engine, so=lambda query: query.by is group)
        await asked(pilot, engine, "enter", so=lambda query: getattr(query, group) == "x")
        await asked(pilot, engine, "escape", so=lambda query: query.by is group)
        # What is unknown is a group, too.
        await asked(pilot, engine, "G", "enter", so=lambda query: getattr(query, group) == "")


async def test_rows_of_runs_open_review_list_and_details() -> None:
    engine = used_engine()
    place = Workspace("/home/you/w", WorkspaceKind.COPY, "/home/you/s")
    engine.view.runs["a1"] = replace(engine.view.runs["a1"], workspace=place)
    put(engine, [row("c3", 5000), row("a1"), row("f9", 100), row("", 10, is_other_sessions=True)])
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await asked(pilot, engine, "b", "b", so=lambda query: query.by is UsageGroup.RUN)
        text = shown(app)
        for name in ("Port the tests", "Write the docs", "f9", "other sessions"):
            assert name in text
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, RunDetails))
        await pilot.press("escape", "G", "enter")
        await until(pilot, lambda: toasts(app) == [" There are no runs to show."])
        await pilot.press("g", "j", "enter")
        await until(pilot, lambda: getattr(app.live_screen, "came_from", "") == "usage")
        await pilot.press("escape", "escape")  # the diff, then the review
        await until(pilot, lambda: app.current_mode == "usage")
        await pilot.press("g", "enter")
        await until(pilot, lambda: app.current_mode == "runs")


async def test_a_batch_opens_its_screen() -> None:
    engine = FakeEngine()
    engine.add("a1", "One", batch="nightly")
    put(engine, [row("nightly", 5000), row("")])
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        screen.choose(screen.options.group(UsageGroup.BATCH))
        await asked(pilot, engine, so=lambda query: query.by is UsageGroup.BATCH)
        assert "no batch" in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.live_screen, "came_from", "") == "usage")
        assert app.current_mode == "batch"
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "usage")


def names(app: SwarmApp) -> list[str]:
    table = screen_of_usage(app).table
    return [table.name_of(each) for each in table.rows]


async def test_order_by_keys_and_by_a_click_on_a_column() -> None:
    engine = used_engine()
    put(engine, [row("bb", 10, cost_usd=5.0), row("aa", 30, cost_usd=1.0), row("cc", 20)])
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        screen.choose(screen.options.group(UsageGroup.MODEL))
        await asked(pilot, engine, so=lambda query: query.by is UsageGroup.MODEL)
        assert names(app) == ["aa", "cc", "bb"]
        await pilot.press("s")
        assert names(app) == ["aa", "bb", "cc"]  # by name
        await pilot.press("S")
        assert names(app) == ["cc", "bb", "aa"]
        cost = screen.heading.size.width - 4
        await pilot.click(screen.heading, offset=(cost, 0))
        assert names(app) == ["bb", "aa", "cc"]
        await pilot.click(screen.heading, offset=(cost, 0))
        assert names(app) == ["cc", "aa", "bb"]
        assert "by cost, reversed" in shown(app)


async def test_a_double_click_opens_a_row() -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        await pilot.click(screen.table, offset=(5, 2), times=2)
        begin = midnight(engine.now, 2)
        await asked(pilot, engine, so=lambda query: query.since == begin)


async def test_a_row_is_copied_with_exact_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = used_engine()
    put(engine, [UsageRow("x", Usage(1_234_567, 1000, 20, 5, 3), 2, 61.4, 0.123456)])
    app = app_on(engine)
    copied: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await pilot.press("y")
        await pilot.pause()
    assert copied == ["x\t1234567\t1000\t20\t5\t3\t2\t61\t0.123456"]


async def test_the_chart_shows_cost_and_cached_tokens() -> None:
    app = app_on(used_engine())
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await pilot.press("K")
        assert "Estimated cost per 12 hours" in shown(app)
        assert "~$" in shown(app)
        await pilot.press("K")
        assert "Cached tokens per 12 hours" in shown(app)


async def test_zoom_gives_the_table_the_whole_screen() -> None:
    app = app_on(used_engine())
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        before = screen.table.size.height
        await pilot.press("z")
        await until(pilot, lambda: screen.table.size.height > before + 8)
        assert "30 days" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.size.height == before)


async def test_the_last_answer_stays_when_the_ledger_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot)

        async def fail(query: UsageQuery) -> UsageReport:
            raise user_error("DATABASE_LOCKED")

        with monkeypatch.context() as patch:
            patch.setattr(engine.usage, "report", fail)
            await pilot.press("f5")
            await until(pilot, lambda: "DATABASE_LOCKED" in shown(app))
            assert "yesterday" in shown(app)
        await pilot.press("f5")
        await until(pilot, lambda: "DATABASE_LOCKED" not in shown(app))


async def test_a_late_answer_to_an_old_question_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        gate, reached = asyncio.Event(), asyncio.Event()
        report = engine.usage.report

        async def slow(query: UsageQuery) -> UsageReport:
            if query.by is UsageGroup.WEEK:
                reached.set()
                await gate.wait()
                return replace(await report(query), rows=(row("late"),))
            return await report(query)

        monkeypatch.setattr(engine.usage, "report", slow)
        screen.options = screen.options.next_group()
        late = asyncio.create_task(screen.refreshing.read())
        await reached.wait()
        await asked(pilot, engine, "b", so=lambda query: query.by is UsageGroup.RUN)
        gate.set()
        await late
        assert "late" not in names(app)


async def test_events_ask_again_only_while_the_screen_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage_refresh, "GAP_S", 0.01)
    engine = used_engine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        before = len(engine.usage.queries)
        engine.happen("c3", UsageCounted(10, 0, 1))
        await until(pilot, lambda: len(engine.usage.queries) > before)
        await pilot.press("1")
        await until(pilot, lambda: app.current_mode == "runs")
        own = [worker for worker in app.workers if worker.node is screen]
        await app.workers.wait_for_complete(own)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        before = len(engine.usage.queries)
        engine.happen("c3", UsageCounted(20, 0, 2))
        engine.pass_through("c3", S.SUCCEEDED)
        await painted(pilot)
        assert len(engine.usage.queries) == before


async def test_ten_thousand_rows_draw_only_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = used_engine()
    put(engine, [row(f"run{n}", 10_000 - n) for n in range(10_000)])
    drawn: list[int] = []
    draw = UsageTable.draw

    def counted(table: UsageTable, line: int, width: int) -> object:
        drawn.append(line)
        return draw(table, line, width)

    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        await asked(pilot, engine, "b", "b", so=lambda query: query.by is UsageGroup.RUN)
        monkeypatch.setattr(UsageTable, "draw", counted)
        await pilot.press("j", "pagedown", "G")
        await painted(pilot)
        assert "run9999" in shown(app)
        assert 0 < len(drawn) < 100


async def test_the_reserve_of_the_queue_is_marked() -> None:
    engine = used_engine()
    engine.config = Config(queue=QueueSettings(reserve=ReserveSettings(weekly=Percent(30))))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        lines = shown(app).splitlines()
        (short,), (week,) = (
            [line for line in lines if f"│ {name} " in line] for name in ("5h", "week")
        )
        assert ("┃" in short, "┃" in week) == (False, True)


async def test_limits_of_many_accounts_leave_room_for_the_table() -> None:
    engine = used_engine()
    engine.usage.windows = tuple(
        window(engine, "primary", n, 300, 3600, Usage(1000), account=f"account-{n}")
        for n in range(20)
    )
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        assert "account-0 5h" in shown(app)
        assert screen.table.size.height >= 4
