from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from bare_app import BareApp, CountingPaint
from fake_history import FakeHistory
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.pilot import Pilot

from engine.domain.errors import user_error
from engine.domain.events import Body, Event, Notice, Step
from tui.widgets.base import throttle
from tui.widgets.log import event_window
from tui.widgets.log.event_feed import PAGE
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.event_window import MAX_EVENTS


def event(seq: int, body: Body | None = None, run: str = "r") -> Event:
    return Event(run, seq, 1_000_000.0 + seq, 1, body or Notice("info", f"event {seq}"))


class Store:
    """Stored events, of which it counts what was asked for."""

    def __init__(self, count: int = 0, bodies: Iterable[Body] = ()) -> None:
        self.events = [event(seq) for seq in range(1, count + 1)]
        self.events += [event(seq + count + 1, body) for seq, body in enumerate(bodies)]
        self.given: list[int] = []

    async def fetch(
        self, run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        await asyncio.sleep(0)
        if before is None:
            found = [one for one in self.events[after:] if one.run == run]
            found = found if limit < 0 else found[:limit]
        else:
            found = [one for one in self.events[: before - 1] if one.run == run]
            found = found if limit < 0 else found[-limit:]
        self.given.append(len(found))
        return found

    def history(self) -> FakeHistory:
        return FakeHistory(self.fetch)

    def add(self, count: int = 1) -> list[Event]:
        first = len(self.events) + 1
        fresh = [event(seq) for seq in range(first, first + count)]
        self.events += fresh
        return fresh


class Counting(EventLog):
    drawn = 0

    def __init__(self) -> None:
        super().__init__()
        self.paint = CountingPaint(self, self._count_drawn)

    def _count_drawn(self, key: object) -> None:
        del key
        self.drawn += 1


class Host(BareApp):
    BINDINGS = [("F", "follow", "follow")]  # noqa: RUF012  Textual declares it without ClassVar

    def action_follow(self) -> None:
        self.events.action_follow()

    def __init__(self) -> None:
        super().__init__()
        self.events = Counting()

    def compose(self) -> ComposeResult:
        yield self.events


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint live events at once, so that no test waits for the clock."""
    monkeypatch.setattr(throttle, "FLUSH_S", 0.0)


def lines(log: EventLog) -> list[str]:
    return [log.render_line(y).text.strip("▌ ") for y in range(min(log.page, log.line_count))]


def last(log: EventLog) -> str:
    return lines(log)[-1].split("  ")[-1]


async def settled(pilot: Pilot[None]) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_a_log_of_100_000_events_opens_at_its_end_with_one_page() -> None:
    app, store = Host(), Store(100_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        await settled(pilot)
        assert last(app.events).endswith("event 100000")
        assert app.events.following
        assert store.given == [PAGE]
        assert app.events.drawn < 100


async def test_scrolling_up_fetches_older_pages_and_memory_stays_constant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_window, "MAX_EVENTS", 900)
    app, store = Host(), Store(2_500)
    async with app.run_test(size=(80, 42)) as pilot:
        log = app.events
        await log.open(store.history())
        await pilot.pause()
        seen = {text.rpartition(" ")[2] for text in lines(log)}
        while log.cursor_line:
            log.action_page_up()
            await settled(pilot)
            seen |= {text.rpartition(" ")[2] for text in lines(log)}
            assert len(log.window.entries) <= 900
        assert seen == {str(seq) for seq in range(1, 2_501)}
        assert max(store.given) == PAGE
        while not log.following:
            log.action_page_down()
            await settled(pilot)
            assert len(log.window.entries) <= 900
        assert last(log).endswith("event 2500")


async def test_top_and_bottom_jump_without_reading_what_lies_between() -> None:
    app, store = Host(), Store(100_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        await pilot.press("g")
        await settled(pilot)
        assert lines(app.events)[0].endswith("event 1")
        assert app.events.cursor_line == 0
        assert not app.events.following
        await pilot.press("G")
        await settled(pilot)
        assert last(app.events).endswith("event 100000")
        assert app.events.following
        assert len(store.given) == 3


async def test_live_events_follow_the_end() -> None:
    app, store = Host(), Store(5)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        app.events.append(store.add(100))
        await pilot.pause()
        assert last(app.events).endswith("event 105")
        assert app.events.cursor_line == 104
        assert app.events.waiting == 0


@pytest.mark.parametrize("leave", ["k", "pageup", "wheel"])
@pytest.mark.parametrize("back", ["F", "G", "end", "wheel"])
async def test_a_reader_who_scrolled_up_stays_and_sees_how_much_waits(
    leave: str, back: str
) -> None:
    app, store = Host(), Store(300)
    async with app.run_test(size=(80, 24)) as pilot:
        log = app.events
        await log.open(store.history())
        await pilot.pause()
        if leave == "wheel":
            log._on_mouse_scroll_up(wheel(log))  # pyright: ignore  options of the test by name
        else:
            await pilot.press(leave)
        await pilot.pause()
        before = lines(log)
        assert not log.following
        log.append(store.add(7))
        log.append(store.add(1))
        await pilot.pause()
        assert lines(log) == before
        assert log.waiting == 8
        assert "8 new" in str(log.border_subtitle)
        if back == "wheel":
            for _ in range(20):
                log._on_mouse_scroll_down(wheel(log))  # pyright: ignore  options of the test by name
        else:
            await pilot.press(back)
        await pilot.pause()
        assert log.following
        assert log.waiting == 0
        assert not log.border_subtitle
        assert last(log).endswith("event 308")
        log.append(store.add())
        await pilot.pause()
        assert last(log).endswith("event 309")


def wheel(log: EventLog):
    from textual.events import MouseScrollUp

    return MouseScrollUp(log, 5, 5, 0, 0, 0, False, False, False)


async def test_a_full_window_keeps_a_reader_in_place_while_thousands_come() -> None:
    app, store = Host(), Store(1_000)
    async with app.run_test(size=(80, 24)) as pilot:
        log = app.events
        await log.open(store.history())
        await pilot.press("pageup")
        await settled(pilot)
        before = lines(log)
        for _ in range(50):
            log.append(store.add(200))
            await pilot.pause()
        assert lines(log) == before
        assert log.waiting == 10_000
        assert len(log.window.entries) <= MAX_EVENTS + 200
        await pilot.press("F")
        await settled(pilot)
        assert last(log).endswith("event 11000")


async def test_a_reader_at_the_end_of_a_full_window_can_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_window, "MAX_EVENTS", 500)
    app, store = Host(), Store(500)
    async with app.run_test(size=(80, 24)) as pilot:
        log = app.events
        await log.open(store.history())
        for _ in range(8):
            log.action_page_up()
            await settled(pilot)
        log.append(store.add(500))
        await settled(pilot)
        while not log.following:
            log.action_page_down()
            await settled(pilot)
        assert last(log).endswith("event 1000")


async def test_following_a_flood_keeps_the_window_small() -> None:
    app, store = Host(), Store(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        for _ in range(20):
            app.events.append(store.add(2_000))
            await pilot.pause()
        assert last(app.events).endswith("event 40010")
        assert len(app.events.window.entries) <= MAX_EVENTS
        await pilot.press("pageup")
        await settled(pilot)
        assert not app.events.following


async def test_known_events_and_those_of_others_are_skipped_and_gaps_are_fetched() -> None:
    app, store = Host(), Store(10)
    async with app.run_test(size=(80, 24)) as pilot:
        log = app.events
        await log.open(store.history())
        log.append([event(9), event(10), event(99, run="other")])
        await pilot.pause()
        assert log.window.last_seq == 10
        store.add(3)
        log.append(store.add(2))
        await settled(pilot)
        assert [entry.seq for entry in log.window.entries] == list(range(1, 16))
        await pilot.press("k")
        store.add(3)
        log.append(store.add(2))
        await settled(pilot)
        assert [entry.seq for entry in log.window.entries] == list(range(1, 21))


async def test_what_comes_while_the_log_opens_is_not_lost() -> None:
    app, store = Host(), Store(10)
    gate = asyncio.Event()

    async def slow(
        run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        found = await store.fetch(run, after=after, before=before, limit=limit)
        await gate.wait()
        return found

    async with app.run_test(size=(80, 24)) as pilot:
        opening = asyncio.create_task(app.events.open(FakeHistory(slow)))
        await pilot.pause()
        app.events.append(store.add(3))
        gate.set()
        await opening
        await settled(pilot)
        assert app.events.window.last_seq == 13


async def test_the_slow_page_of_another_run_is_not_shown() -> None:
    app, gate = Host(), asyncio.Event()

    async def slow(
        run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        await gate.wait()
        return [event(1, run="a")]

    async with app.run_test(size=(80, 24)):
        first = asyncio.create_task(app.events.open(FakeHistory(slow, "a")))
        await asyncio.sleep(0)
        await app.events.open(Store(3).history())
        gate.set()
        await first
        assert app.events.feed and app.events.feed.run == "r"
        assert app.events.window.last_seq == 3


async def test_an_error_of_the_store_is_said_in_the_border() -> None:
    async def broken(
        run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        raise user_error("DATABASE_LOCKED")

    app = Host()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(FakeHistory(broken))
        await pilot.pause()
        assert "locked" in str(app.events.border_subtitle)


OUTPUT = "\n".join(f"out {number}" for number in range(20))


async def test_output_is_folded_to_its_end_and_enter_unfolds_it() -> None:
    step = Step("tool", "command", "completed", command="make", exit_code=0, output=OUTPUT)
    app, store = Host(), Store(bodies=[step, Notice("info", "after")])
    async with app.run_test(size=(80, 40)) as pilot:
        log = app.events
        await log.open(store.history())
        assert log.line_count == 1 + 1 + 3 + 1
        assert "17 more lines" in lines(log)[1]
        assert lines(log)[4].endswith("out 19")
        await pilot.press("k", "k", "enter")
        assert log.line_count == 22
        assert log.cursor_line == 0
        await pilot.press("enter")
        assert log.line_count == 6
        await pilot.click(EventLog, offset=(20, 2), times=2)
        assert log.line_count == 22


async def test_a_step_is_one_line_from_its_end_on() -> None:
    started = Step("tool", "command", "started", command="make")
    ended = Step("tool", "command", "completed", command="make", exit_code=0)
    app, store = Host(), Store(bodies=[started, Notice("info", "meanwhile")])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        assert [text.split()[1] for text in lines(app.events)] == ["▸", "i"]
        app.events.append([event(3, ended)])
        await pilot.pause()
        assert [text.split()[1] for text in lines(app.events)] == ["i", "✓"]


async def test_unfolding_a_command_shows_what_was_really_run() -> None:
    wrapped = "/bin/bash -lc 'make'"
    step = Step("tool", "command", "completed", "make", command=wrapped, exit_code=0)
    app, store = Host(), Store(0, [step])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        await pilot.pause()
        assert lines(app.events)[0].endswith("make")
        assert wrapped not in "\n".join(lines(app.events))
        await pilot.press("enter")
        await pilot.pause()
        assert wrapped in "\n".join(lines(app.events))


async def test_what_the_agent_says_wraps_and_commands_are_cut_until_wrap_is_on() -> None:
    words = "word " * 40
    said = Step("assistant", "message", "completed", words)
    ran = Step("tool", "command", "completed", command=words, exit_code=0)
    app, store = Host(), Store(bodies=[said, ran])
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        cut = app.events.line_count
        assert cut == 4 + 1
        assert lines(app.events)[-1].endswith("…")
        app.events.wrap = True
        await pilot.pause()
        assert app.events.line_count == 4 + 4
        assert all(cell_len(text) <= 76 for text in lines(app.events))


async def test_a_new_width_keeps_the_reader_in_place() -> None:
    bodies = [Step("assistant", "message", "completed", "word " * 40) for _ in range(90)]
    app, store = Host(), Store(bodies=bodies)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        await pilot.press(*["pageup"] * 4)
        await pilot.pause()
        place = app.events.window.place(app.events.scroll_offset.y)
        assert place
        await pilot.resize_terminal(50, 24)
        await pilot.pause()
        now = app.events.window.place(app.events.scroll_offset.y)
        assert now
        assert now.seq == place.seq
        await pilot.press("G")
        await pilot.resize_terminal(120, 30)
        await pilot.pause()
        assert app.events.following
        assert app.events.scroll_offset.y == app.events.max_scroll_y


async def test_streaming_never_lays_the_screen_out_anew() -> None:
    app, store = Host(), Store(100)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.events.open(store.history())
        await pilot.pause()
        before = app.events._layout_updates  # pyright: ignore[reportPrivateUsage]  the test looks inside
        for _ in range(10):
            app.events.append(store.add(30))
            await pilot.pause()
        assert app.events._layout_updates == before  # pyright: ignore[reportPrivateUsage]  the test looks inside
        assert last(app.events).endswith("event 400")


HOSTILE = [
    "[/red] [bold]x[/]",
    "\x1b[31mred\x1b]52;c;aGk=\x07\x9b2J",
    "\u202egnp.exe\u2066",
    "世界" * 200,
    "e\u0301" * 300,
    "👨\u200d👩\u200d👧" * 100,
    "x" * 1_000_000,
    "\x00\r\n\t\x07",
    "",
]


@pytest.mark.parametrize("width", [15, 40, 80, 160])
@pytest.mark.parametrize("wrap", [False, True])
async def test_no_text_breaks_a_line(width: int, wrap: bool) -> None:
    bodies: list[Body] = []
    for text in HOSTILE:
        bodies.append(Step("assistant", "message", "completed", text))
        bodies.append(
            Step("tool", "command", "failed", command=text, exit_code=1, output=f"{text}\n{text}")
        )
    app, store = Host(), Store(bodies=bodies)
    async with app.run_test(size=(width, 24)) as pilot:
        app.events.wrap = wrap
        await app.events.open(store.history())
        log = app.events
        for act in [log.action_unfold] + [log.action_page_up, log.action_unfold] * 20:
            act()
            await pilot.pause()
            for y in range(app.events.page):
                row = app.events.render_line(y).text
                assert cell_len(row) == app.events.scrollable_content_region.width
                assert not set(row) & set("\x1b\x9b\x07\x00\r\n\t\u202e\u2066\u200d")
