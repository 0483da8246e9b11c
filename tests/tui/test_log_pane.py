"""The log as a reader uses it, on a real store: search, kinds, all runs, ranges, files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from bare_app import BareApp
from fake_history import ListHistory
from textual.app import ComposeResult
from textual.pilot import Pilot

from engine.domain.events import (
    Body,
    ErrorRaised,
    Event,
    FileChange,
    FilesChanged,
    Notice,
    PlanChanged,
    Raw,
    Step,
    UsageCounted,
)
from engine.domain.kinds import KINDS, USUAL
from engine.domain.model import ErrorInfo, PlanItem, Run, RunSpec
from engine.store import history
from engine.store.appending import AppendRequest
from engine.store.store import Store, open_store
from tui.widgets.base import throttle
from tui.widgets.base.line_paint import LinePaint
from tui.widgets.log import event_window, log_search
from tui.widgets.log.event_feed import END, PAGE
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.event_window import MAX_EVENTS
from tui.widgets.log.log_pane import LogPane
from tui.widgets.log.log_runs import LogRuns

KIND = {kind.name: kind for kind in KINDS}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint live events at once, so that no test waits for the clock."""
    monkeypatch.setattr(throttle, "FLUSH_S", 0.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    async with open_store(tmp_path / "swarm.db") as opened:
        yield opened


async def add_run(store: Store, *bodies: Body, title: str = "One") -> str:
    """A run that had these events after its first, `queued`."""
    spec = RunSpec(prompt="Do it", title=title, project="demo")
    done = await store.create(spec, bodies)
    return next(iter(done.runs))


async def happen(store: Store, run: str, *bodies: Body) -> list[Event]:
    return (await store.append([AppendRequest(run, bodies)])).events


def ran(command: str, output: str = "") -> Step:
    return Step("tool", "command", "completed", command, command, 0, output)


class Host(BareApp):
    """A log alone on the screen; remembers what it was asked to open and to copy."""

    BINDINGS = [("n", "new", "new"), ("slash", "filter", "filter"), ("w", "other", "other")]  # noqa: RUF012  Textual declares it without ClassVar

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.runs: dict[str, Run] = {}
        self.opened: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.copied = ""

    def compose(self) -> ComposeResult:
        yield LogPane(self.store.history, LogRuns(lambda: self.runs))

    def on_event_log_event_opened(self, event: EventLog.EventOpened) -> None:
        self.opened.append((event.run, event.path))

    def action_new(self) -> None:
        self.asked.append("new")

    def action_filter(self) -> None:
        self.asked.append("filter")

    def action_other(self) -> None:
        self.asked.append("other")

    def copy_to_clipboard(self, text: str) -> None:
        self.copied = text

    @property
    def pane(self) -> LogPane:
        return self.query_one(LogPane)

    @property
    def log_view(self) -> EventLog:
        return self.pane.log_view

    @property
    def lines(self) -> list[str]:
        log = self.log_view
        return [log.render_line(y).text.rstrip() for y in range(min(log.page, log.line_count))]

    @property
    def under_cursor(self) -> str:
        log = self.log_view
        return log.window.at(log.cursor_line)[1].text


async def settled(pilot: Pilot[None]) -> None:
    """Wait until nothing that was asked of the store is still under way."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def shown(pilot: Pilot[None], run: str) -> Host:
    app = pilot.app
    assert isinstance(app, Host)
    app.runs = {one.id: one for one in await app.store.runs()}
    await app.pane.open(run)
    app.log_view.focus()
    await settled(pilot)
    return app


async def search(pilot: Pilot[None], text: str) -> str:
    """Type a search, and return what the border says of it."""
    await pilot.press("slash", *text, "enter")
    await settled(pilot)
    return subtitle(pilot)


async def press(pilot: Pilot[None], *keys: str) -> str:
    await pilot.press(*keys)
    await settled(pilot)
    return subtitle(pilot)


def subtitle(pilot: Pilot[None]) -> str:
    assert isinstance(pilot.app, Host)
    return str(pilot.app.log_view.border_subtitle or "")


# Search


async def test_search_goes_through_the_places_of_the_whole_log_and_round(store: Store) -> None:
    bodies: list[Body] = [Notice("info", f"event {n}") for n in range(3_000)]
    for place in (5, 1_500, 2_990):
        bodies[place] = Notice("info", f"the Needle at {place}")
    run = await add_run(store, *bodies)
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        assert "3/3" in await search(pilot, "needle")
        assert app.under_cursor == "the Needle at 2990"
        assert not app.log_view.following
        assert "2/3" in await press(pilot, "N")
        assert app.under_cursor == "the Needle at 1500"
        assert "1/3" in await press(pilot, "N")
        assert "3/3" in await press(pilot, "N")
        assert app.under_cursor == "the Needle at 2990"
        assert "1/3" in await press(pilot, "n")
        assert app.under_cursor == "the Needle at 5"
        assert "2/3" in await press(pilot, "n")
        assert len(app.log_view.window.entries) <= MAX_EVENTS
        assert app.asked == []


async def test_a_search_lights_what_it_finds_until_esc_ends_it(store: Store) -> None:
    run = await add_run(store, Notice("info", "say Lamp and lamp"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        await search(pilot, "lamp")

        def lit() -> list[str]:
            style = app.log_view.paint.lit()
            strip = app.log_view.render_line(app.log_view.cursor_line)
            return [one.text for one in strip if one.style and one.style.bgcolor == style.bgcolor]

        assert lit() == ["Lamp", "lamp"]
        assert await press(pilot, "escape") == ""
        assert lit() == []
        await press(pilot, "n")
        assert app.asked == ["new"]


async def test_search_opens_what_is_folded_and_counts_a_step_once(store: Store) -> None:
    output = "\n".join(["here it is", *(f"line {n}" for n in range(50))])
    started = Step("tool", "command", "started", "make", "make")
    run = await add_run(store, started, ran("make", output), Notice("info", "end"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        assert "1/1" in await search(pilot, "here it")
        assert app.under_cursor == "here it is"
        assert "1/1" in await search(pilot, "make")


@pytest.mark.parametrize(
    "text", ["100%", "a_b", 'say "hi"', r"C:\temp", "!x!", "naïve", "world]", "\\"]
)
async def test_every_character_is_looked_for_as_it_is(store: Store, text: str) -> None:
    run = await add_run(store, Notice("info", f"<{text}>"), Notice("info", "1009 aXb nothing"))
    assert len(await store.history(run).matching(text, above=0, upto=99)) == 1


async def test_a_place_on_the_last_page_is_kept_while_the_log_grows(store: Store) -> None:
    run = await add_run(store, *(Notice("info", f"event {n}") for n in range(200)))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        await search(pilot, "event 195")
        assert app.under_cursor == "event 195"
        app.log_view.append(await happen(store, run, Notice("info", "more")))
        await settled(pilot)
        assert app.under_cursor == "event 195"
        assert "1 new" in subtitle(pilot)
        await press(pilot, "G")
        assert app.log_view.following
        assert app.under_cursor == "more"
        await press(pilot, "k")
        assert not app.log_view.following


async def test_names_of_fields_are_not_found(store: Store) -> None:
    run = await add_run(store, ran("true"), Notice("info", "x"))
    for text in ("command", "info", "phase", "queued", "tool", "null"):
        assert await store.history(run).matching(text, above=0, upto=99) == []


async def test_what_is_nowhere_is_said(store: Store) -> None:
    run = await add_run(store, Notice("info", "x"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        await shown(pilot, run)
        assert "not there" in await search(pilot, "zzz")
        assert "not there" in await press(pilot, "n")


async def test_what_comes_while_searching_is_counted(store: Store) -> None:
    run = await add_run(store, Notice("info", "a fish"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        assert "1/1" in await search(pilot, "fish")
        for _ in range(3):
            app.log_view.append(await happen(store, run, Notice("info", "more fish")))
            await settled(pilot)
        assert "1/4" in subtitle(pilot)
        assert "2/4" in await press(pilot, "n")


async def test_a_search_costs_slices_of_the_history(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "SLICE", 500)
    asked: list[tuple[int, int]] = []
    bodies: list[Body] = [Notice("info", "common") for _ in range(2_400)]
    run = await add_run(store, *bodies)
    past = store.history(run)
    matching = past.matching

    async def counted(text: str, *, above: int, upto: int) -> list[int]:
        asked.append((above, upto))
        return await matching(text, above=above, upto=upto)

    monkeypatch.setattr(past, "matching", counted)
    found = log_search.LogSearch(past, "common")
    await found.count()
    assert asked == [(0, 500), (500, 1000), (1000, 1500), (1500, 2000), (2000, 2401)]
    asked.clear()
    at = 1_500
    for _ in range(400):
        number = await found.next(at)
        assert number == at + 1
        at = number
    assert len(asked) == 1
    assert (found.place, found.total) == (1_899, 2_400)
    assert await found.next(2_401) == 2
    assert await found.previous(2) == 2_401


async def test_search_of_an_empty_log_finds_nothing() -> None:
    found = log_search.LogSearch(ListHistory(None, KINDS[0], []), "a")
    await found.count()
    for number in (0, 1, log_search.SLICE, END):
        assert await found.previous(number) is None
        assert await found.next(number) is None
    assert (found.place, found.total) == (0, 0)


async def test_a_long_log_costs_what_is_looked_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[Body] = [Notice("info", f"event {n}") for n in range(60_000)]
    bodies[7] = bodies[31_000] = Notice("info", "a needle")
    run = await add_run(store, *bodies)
    rows: list[int] = []
    drawn: list[object] = []
    read, keep = store._read, LinePaint.keep  # pyright: ignore[reportPrivateUsage]  the test looks inside

    async def counted(query: str, values: Any = ()) -> list[Any]:
        found = await read(query, values)
        rows.append(len(found))
        return found

    def counted_strip(paint: LinePaint, key: object, strip: Any) -> Any:
        drawn.append(key)
        return keep(paint, key, strip)

    monkeypatch.setattr(store, "_read", counted)
    monkeypatch.setattr(LinePaint, "keep", counted_strip)
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        del rows[0]  # the list of runs
        assert (len(rows), sum(rows)) == (1, PAGE)
        assert "2/2" in await search(pilot, "needle")
        assert "1/2" in await press(pilot, "N")
        assert app.under_cursor == "a needle"
        # Each jump: the end, four slices, the places of one, and the pages around and beside.
        assert len(rows) < 25
        assert sum(rows) < 6 * PAGE
        assert len(drawn) < 20 * 24, "a screen for each key, not the log"
        assert len(app.log_view.window.entries) <= MAX_EVENTS


# Kinds


async def kinds_run(store: Store) -> str:
    error = ErrorInfo("AGENT_CRASHED", "It crashed.", "Retry.", "")
    return await add_run(
        store,
        Step("assistant", "message", "completed", "I say"),
        ran("make"),
        FilesChanged((FileChange("a.py", "added"),)),
        PlanChanged((PlanItem("First", False),)),
        Notice("warning", "careful"),
        Notice("info", "by the way"),
        UsageCounted(10, 0, 1),
        ErrorRaised(error),
        Raw({"odd": "thing"}),
        UsageCounted(20, 0, 2),
    )


WORDS = {
    "messages": ["I say"],
    "commands": ["make"],
    "files": ["A a.py"],
    "problems": ["careful", "It crashed. (AGENT_CRASHED)", "Retry."],
    "usage": ["10 in · 1 out", "20 in · 2 out"],
    "raw": ['{"odd": "thing"}'],
}


async def test_a_kind_shows_its_events_alone_live_ones_too(store: Store) -> None:
    run = await kinds_run(store)
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)

        def texts() -> list[str]:
            window = app.log_view.window
            return [window.at(line)[1].text for line in range(window.line_count)]

        assert not any("tokens" in text or " in · " in text for text in texts())
        await press(pilot, "full_stop")
        usual = texts()
        assert "20 in · 2 out" in usual
        assert "10 in · 1 out" not in usual
        for name, words in WORDS.items():
            app.pane.choose_kind(KIND[name])
            await settled(pilot)
            assert texts() == words
            assert str(app.log_view.border_title) == f"Log · {name}"
        app.log_view.append(await happen(store, run, Raw("new"), Notice("info", "not raw")))
        await settled(pilot)
        assert texts() == [*WORDS["raw"], '"new"']
        app.pane.choose_kind(KIND["all"])
        await settled(pilot)
        assert "10 in · 1 out" in texts()
        app.pane.choose_kind(USUAL)
        await press(pilot, "full_stop")
        assert str(app.log_view.border_title) == "Log"


async def test_a_newer_token_count_takes_the_place_of_the_one_before(store: Store) -> None:
    run = await add_run(store, UsageCounted(1, 0, 1))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        for turn in range(2, 5):
            app.log_view.append(await happen(store, run, UsageCounted(turn, 0, turn)))
            await settled(pilot)
        await press(pilot, "full_stop")
        assert [line for line in app.lines if "Σ" in line] == [app.lines[-1]]
        assert "4 in · 4 out" in app.lines[-1]


async def test_a_rare_kind_in_a_long_log_takes_one_question(store: Store) -> None:
    bodies: list[Body] = [Notice("info", f"event {n}") for n in range(5_000)]
    bodies[2_000] = Notice("warning", "the one")
    run = await add_run(store, *bodies)
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        pages: list[Any] = []
        past = store.history(run, KIND["problems"])
        page = past.page

        async def counted(**asked: Any) -> list[tuple[int, Event]]:
            pages.append(asked)
            return await page(**asked)

        past.page = counted  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
        await app.log_view.open(past)
        await settled(pilot)
        assert app.lines[0].endswith("the one")
        assert len(pages) == 1


@pytest.mark.parametrize("slice_size", [1, 7, 1_000])
async def test_pages_of_a_kind_are_whole_whatever_the_slices(
    store: Store, monkeypatch: pytest.MonkeyPatch, slice_size: int
) -> None:
    monkeypatch.setattr(history, "SLICE", slice_size)
    bodies = [Notice("warning" if n % 3 == 0 else "info", f"{n}") for n in range(50)]
    run = await add_run(store, *bodies)
    problems = store.history(run, KIND["problems"])
    seqs = [seq for seq in range(2, 52) if (seq - 2) % 3 == 0]

    async def page(**asked: Any) -> list[int]:
        return [seq for seq, _ in await problems.page(**asked)]

    assert await page(before=2**62, limit=5) == seqs[-5:]
    assert await page(before=seqs[-5], limit=5) == seqs[-10:-5]
    assert await page(before=seqs[2], limit=5) == seqs[:2]
    assert await page(after=0, limit=5) == seqs[:5]
    assert await page(after=seqs[4], limit=5) == seqs[5:10]
    assert await page(after=seqs[-2], limit=5) == seqs[-1:]
    assert await page(after=10**9, limit=5) == []


# All runs


async def test_all_runs_are_one_log_in_the_order_things_happened(store: Store) -> None:
    one = await add_run(store, title="One")
    two = await add_run(store, title="Two")
    async with Host(store).run_test(size=(100, 24)) as pilot:
        app = await shown(pilot, one)
        await happen(store, two, Notice("info", "a"))
        await happen(store, one, Notice("info", "b"))
        await happen(store, two, Notice("info", "c"))
        app.pane.show_all_runs(True)
        await settled(pilot)

        def rows() -> list[tuple[str, str]]:
            return [(line.strip("▌ ").split()[0], line[-1]) for line in app.lines[2:]]

        assert rows() == [("Two", "a"), ("One", "b"), ("Two", "c")]
        app.log_view.append(await happen(store, one, Notice("info", "d")))
        await settled(pilot)
        assert rows()[-1] == ("One", "d")
        assert app.log_view.following
        assert "1/1" in await search(pilot, "d")
        app.pane.show_all_runs(False)
        await settled(pilot)
        assert [line[-1] for line in app.lines[1:]] == ["b", "d"]


async def test_all_runs_page_and_follow_in_constant_memory(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_window, "MAX_EVENTS", 600)
    runs = [await add_run(store) for _ in range(3)]
    for turn in range(5):
        for run in runs:
            await happen(store, run, *(Notice("info", f"{turn} {n}") for n in range(100)))
    async with Host(store).run_test(size=(100, 60)) as pilot:
        app = await shown(pilot, runs[0])
        app.pane.show_all_runs(True)
        await settled(pilot)
        log = app.log_view
        assert len(log.window.entries) == PAGE
        await press(pilot, "g")
        assert log.window.first_seq == 1
        while not log.following:
            log.action_page_down()
            await settled(pilot)
            assert len(log.window.entries) <= 600
        events = await happen(store, runs[1], *(Notice("info", f"x {n}") for n in range(1_500)))
        log.append(events)
        await settled(pilot)
        assert log.following
        assert app.lines[-1].endswith("x 1499")
        assert len(log.window.entries) <= 600
        await press(pilot, "k")
        log.append(await happen(store, runs[2], Notice("info", "z"), Notice("info", "z")))
        await settled(pilot)
        assert "2 new" in subtitle(pilot)


# What a reader does with lines


async def test_a_line_is_copied_whole_and_a_range_line_by_line(store: Store) -> None:
    long = "word " * 100
    run = await add_run(store, ran("first"), ran(long.strip()), ran("third"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        await press(pilot, "k", "y")
        assert app.copied == long.strip()
        assert "1 line marked" in await press(pilot, "v")
        assert "2 lines marked" in await press(pilot, "k")
        assert [line[0] for line in app.lines].count("▌") == 2
        app.log_view.append(await happen(store, run, ran("fourth")))
        await settled(pilot)
        assert "2 lines marked" in subtitle(pilot)
        await press(pilot, "y")
        assert app.copied == f"first\n{long.strip()}"
        assert [line[:1] for line in app.lines].count("▌") == 1
        await press(pilot, "v", "j", "escape")
        assert "marked" not in subtitle(pilot)
        await press(pilot, "v", "G")
        await press(pilot, "y")
        assert app.copied.splitlines()[-1] == "fourth"


async def test_wrap_and_time_are_a_key_each_and_stay(store: Store) -> None:
    run = await add_run(store, ran("word " * 100))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        assert app.log_view.line_count == 2
        await press(pilot, "W")
        assert app.log_view.line_count > 5
        assert app.asked == []
        await press(pilot, "W")
        assert app.log_view.line_count == 2
        assert app.lines[0].count(":") == 2
        await press(pilot, "t")
        assert "+" in app.lines[0]
        await press(pilot, "t")
        assert app.lines[0].strip("▌ ") == "❯ Do it"
        assert ":" not in app.lines[0]
        await app.pane.open(await add_run(store))
        await settled(pilot)
        assert ":" not in app.lines[0]


async def test_enter_on_a_file_asks_to_open_it(store: Store) -> None:
    odd = "b\x1b[31m\n.py"
    changes = (FileChange("a.py", "added"), FileChange(odd, "modified"))
    run = await add_run(store, FilesChanged(changes[:1]), FilesChanged(changes))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        await press(pilot, "k", "enter")
        assert app.opened == [(run, "a.py")]
        await press(pilot, "j", "enter")
        assert len(app.lines) == 5
        await press(pilot, "j", "enter", "j", "enter")
        assert app.opened[1:] == [(run, "a.py"), (run, odd)]


async def test_keys_of_the_log_are_its_own_only_while_it_has_the_focus(store: Store) -> None:
    run = await add_run(store)
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        app.set_focus(None)
        await press(pilot, "w", "n", "slash")
        assert app.asked == ["other", "new", "filter"]


async def test_a_burst_of_keys_is_searched_for_not_carried_out(store: Store) -> None:
    run = await add_run(store, Notice("info", "a wny thing"))
    async with Host(store).run_test(size=(80, 24)) as pilot:
        app = await shown(pilot, run)
        assert "1/1" in await search(pilot, "wny")
        assert app.asked == []
        assert not app.log_view.wrap
